/** Forms: what the API says of a field stands beside it, and nothing is validated here. The form stays until what it began has ended. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Asked, Operation, OperationKind, Trouble } from '../../src/types.ts'
import { hasEnded, sentence } from '../../src/operations.ts'
import { ask, troubleOf } from '../api.ts'
import { begun, learn, operations } from '../live.ts'
import { Dialog, closeDialog } from './dialog.tsx'
import { Button, ProblemBox, Progress } from './parts.tsx'
import { useSignal } from './use.ts'

/** What a field holds: a text, or words of a list. */
export type Value = string | readonly string[]
/** By the names of fields. */
export type Values = Readonly<Record<string, Value>>

/** A field, named as in the API. */
export interface Field {
  readonly name: string
  readonly label: string
  /** `words`: boxes to tick for `choices`, and a line for others. */
  readonly kind?: 'text' | 'password' | 'select' | 'words'
  readonly help?: ComponentChildren
  readonly placeholder?: string
  readonly initial?: Value
  readonly choices?: readonly (readonly [value: string, label: string])[]
  /** Of words: what else may be said, on a line of its own. */
  readonly others?: string
  readonly mono?: true
  readonly autocomplete?: string
}

/** Problems that are about one field, where the API does not say so itself. */
const fieldOfCode: Readonly<Record<string, string>> = {
  INVALID_NAME: 'name',
  VOLUME_EXISTS: 'name',
  SHARE_EXISTS: 'name',
  USER_EXISTS: 'name',
  SNAPSHOT_EXISTS: 'name',
  SIZE_TOO_SMALL: 'size',
  INVALID_PATH: 'path',
  INVALID_OPTION: 'options',
  INVALID_PASSWORD: 'password',
  UNKNOWN_SNAPSHOT: 'from',
  INVALID_IMAGE: 'image',
}

/** Messages by field; under `''` what is about none that the form has. */
function messagesOf(problem: Trouble | undefined, fields: readonly Field[]): ReadonlyMap<string, string> {
  const messages = new Map<string, string>()
  if (problem === undefined) return messages
  const byCode = fieldOfCode[problem.code]
  const said = problem.errors ?? (byCode === undefined ? [] : [{ field: byCode, message: problem.detail }])
  for (const { field, message } of said) {
    const name = field.split(/[./[]/).find(part => part !== '' && part !== 'body') ?? ''
    const own = fields.some(one => one.name === name) ? name : ''
    const text = own === '' && field !== '' ? `${field}: ${message}` : message
    messages.set(own, messages.has(own) ? `${messages.get(own)}; ${text}` : text)
  }
  if (said.length === 0) messages.set('', problem.detail)
  return messages
}

interface InputProps {
  readonly field: Field
  readonly value: Value
  readonly message: string | undefined
  readonly disabled: boolean
  onChange(value: Value): void
}

function FieldInput({ field, value, message, disabled, onChange }: InputProps): JSX.Element {
  const id = useId()
  const { kind = 'text', label } = field
  // A message says what is allowed: one text at a time.
  const help = message === undefined ? field.help : undefined
  const described = [help === undefined ? '' : `${id}-help`, message === undefined ? '' : `${id}-error`].filter(word => word !== '').join(' ')
  const common = {
    id,
    name: field.name,
    disabled,
    'aria-invalid': message !== undefined,
    'aria-describedby': described === '' ? undefined : described,
  }
  const typed = {
    class: field.mono ? 'mono' : '',
    value: value as string,
    placeholder: field.placeholder,
    autocomplete: field.autocomplete ?? 'off',
    spellcheck: false,
    autocapitalize: 'none',
    onInput: (event: { readonly currentTarget: HTMLInputElement }) => onChange(event.currentTarget.value),
  } as const
  const below = (
    <>
      {message === undefined ? undefined : (
        <p class="field-error" id={`${id}-error`}>
          {message}
        </p>
      )}
      {help === undefined ? undefined : (
        <p class="field-help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </>
  )
  if (kind === 'words') return <WordsField field={field} value={value} common={common} below={below} onChange={onChange} />
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {kind === 'select' ? (
        <select {...common} value={value as string} onChange={event => onChange(event.currentTarget.value)}>
          {field.choices?.map(([choice, words]) => (
            <option key={choice} value={choice}>
              {words}
            </option>
          ))}
        </select>
      ) : kind === 'password' ? (
        <input {...common} {...typed} type="password" />
      ) : (
        <input {...common} {...typed} type="text" />
      )}
      {below}
    </div>
  )
}

interface WordsProps {
  readonly field: Field
  readonly value: Value
  readonly common: { readonly id: string; readonly disabled: boolean; readonly 'aria-describedby': string | undefined }
  readonly below: JSX.Element
  onChange(value: Value): void
}

function WordsField({ field, value, common, below, onChange }: WordsProps): JSX.Element {
  const words = value as readonly string[]
  const choices = field.choices ?? []
  const known = new Set(choices.map(([word]) => word))
  const [others, setOthers] = useState(() => words.filter(word => !known.has(word)).join(', '))
  const splitOthers = (text: string): string[] =>
    text
      .split(/[,\s]+/)
      .map(word => word.trim())
      .filter(word => word !== '')
  const ticked = words.filter(word => known.has(word))
  return (
    <fieldset class="field" aria-describedby={common['aria-describedby']} disabled={common.disabled}>
      <legend>{field.label}</legend>
      <div class="choices">
        {choices.map(([word, label]) => (
          <label key={word} class="choice">
            <input
              type="checkbox"
              name={field.name}
              value={word}
              checked={words.includes(word)}
              onChange={event =>
                onChange([...(event.currentTarget.checked ? [...ticked, word] : ticked.filter(one => one !== word)), ...splitOthers(others)])
              }
            />
            <span>
              <code>{word}</code>
              <span class="muted">{label}</span>
            </span>
          </label>
        ))}
      </div>
      {field.others === undefined ? undefined : (
        <input
          id={common.id}
          class="mono"
          type="text"
          aria-label={`Other ${field.label.toLowerCase()}`}
          placeholder={field.others}
          value={others}
          autocomplete="off"
          spellcheck={false}
          autocapitalize="none"
          onInput={event => {
            setOthers(event.currentTarget.value)
            onChange([...ticked, ...splitOthers(event.currentTarget.value)])
          }}
        />
      )}
      {below}
    </fieldset>
  )
}

/** The operation as it is now: as the event stream tells, and asked for now and then, whatever becomes of the stream. */
export function useOperation(id: string | undefined): Operation | undefined {
  const operation = useSignal(operations).get(id ?? '')
  const isOver = operation !== undefined && hasEnded(operation)
  useEffect(() => {
    if (id === undefined || isOver) return undefined
    const timer = setInterval(() => {
      // While it cannot be asked for, the form waits.
      ask('operation.show', id).then(
        one => learn([one]),
        () => undefined,
      )
    }, 2000)
    return () => clearInterval(timer)
  }, [id, isOver])
  return operation
}

interface FormProps {
  readonly title: string
  readonly intro?: ComponentChildren
  readonly fields: readonly Field[]
  readonly submit: string
  readonly danger?: boolean
  /** Has to be typed before: for what cannot be taken back. */
  readonly confirm?: string
  send(values: Values): Promise<{ readonly operation: string }>
  /** It has been done. */
  onDone?(): void
}

const initialOf = ({ initial, kind }: Field): Value => initial ?? (kind === 'words' ? [] : '')

/** A form in a dialog, which sends what begins an operation. Closed while that runs, the operation goes on. */
export function FormDialog({ title, intro, fields, submit, danger = false, confirm, send, onDone }: FormProps): JSX.Element {
  const [values, setValues] = useState<Values>(() => Object.fromEntries(fields.map(field => [field.name, initialOf(field)])))
  const [typed, setTyped] = useState('')
  const [problem, setProblem] = useState<Trouble>()
  const [sending, setSending] = useState(false)
  const [id, setId] = useState<string>()
  const form = useRef<HTMLFormElement>(null)
  const confirmId = useId()
  const operation = useOperation(id)
  const busy = sending || id !== undefined

  useEffect(() => {
    if (id === undefined || operation === undefined || !hasEnded(operation)) return
    if (operation.state !== 'failed') {
      closeDialog()
      if (operation.state === 'succeeded') onDone?.()
      return
    }
    setProblem(operation.problem)
    setId(undefined)
  }, [id, operation])
  useEffect(() => {
    if (problem !== undefined && !busy) form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }, [problem, busy])

  const submitted = async (event: Event): Promise<void> => {
    event.preventDefault()
    setSending(true)
    setProblem(undefined)
    try {
      const receipt = await send(values)
      begun.add(receipt.operation)
      setId(receipt.operation)
    } catch (error) {
      setProblem(troubleOf(error))
    }
    setSending(false)
  }
  const messages = messagesOf(problem, fields)
  const general = messages.get('')
  return (
    <Dialog title={title} onClose={closeDialog}>
      <form ref={form} noValidate onSubmit={event => void submitted(event)}>
        <div class="dialog-body">
          {intro === undefined ? undefined : <div class="intro">{intro}</div>}
          {problem === undefined || general === undefined ? undefined : <ProblemBox problem={{ ...problem, detail: general, errors: [] }} />}
          {fields.map(field => (
            <FieldInput
              key={field.name}
              field={field}
              value={values[field.name] ?? ''}
              message={messages.get(field.name)}
              disabled={busy}
              onChange={value => setValues(before => ({ ...before, [field.name]: value }))}
            />
          ))}
          {confirm === undefined ? undefined : (
            <div class="field">
              <label for={confirmId}>
                Type <code>{confirm}</code> to confirm
              </label>
              <input
                id={confirmId}
                class="mono"
                type="text"
                value={typed}
                autocomplete="off"
                spellcheck={false}
                autocapitalize="none"
                disabled={busy}
                onInput={event => setTyped(event.currentTarget.value)}
              />
            </div>
          )}
        </div>
        <footer>
          {id === undefined ? undefined : <Running operation={operation} />}
          <Button label={id === undefined ? 'Cancel' : 'Go on in the background'} onClick={closeDialog} />
          {id === undefined ? (
            <Button
              type="submit"
              look={danger ? 'danger' : 'primary'}
              label={sending ? 'Sending…' : submit}
              disabled={sending || (confirm !== undefined && typed !== confirm)}
            />
          ) : undefined}
        </footer>
      </form>
    </Dialog>
  )
}

const Running = ({ operation }: { readonly operation: Operation | undefined }): JSX.Element => (
  <div class="running" role="status">
    <span>{operation === undefined ? 'Received' : (operation.note ?? sentence(operation))}</span>
    <Progress value={operation?.percent ?? 0} label="Progress" />
  </div>
)

/**
 * The values as a request's body. What was left empty is left out, unless it is to be `kept`. That it is a body of this kind is not looked at here:
 * the API says what is wrong with it.
 */
export const bodyOf = <Kind extends OperationKind>(values: Values, kept: readonly string[] | 'all' = []): Asked<Kind>['body'] =>
  Object.fromEntries(
    Object.entries(values).filter(([name, value]) => kept === 'all' || kept.includes(name) || value.length > 0),
  ) as Asked<Kind>['body']
