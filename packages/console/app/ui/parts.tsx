/** Small parts of pages. */
import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { ago, dateTime, percent } from '../../src/format.ts'
import type { Operation, Trouble } from '../../src/types.ts'
import { Icon, type IconName } from './icons.tsx'
import { useNow } from './use.ts'

interface ButtonProps {
  readonly label: ComponentChildren
  readonly icon?: IconName
  /** `primary`: what most come for; `danger`: what cannot be taken back; `quiet`: in rows. */
  readonly look?: 'primary' | 'danger' | 'quiet' | 'plain'
  /** Shows the icon only; the label is read out and shown as a hint. */
  readonly iconOnly?: boolean
  readonly disabled?: boolean
  readonly type?: 'button' | 'submit'
  readonly shortcut?: string
  readonly name?: string
  onClick?(): void
}

export function Button({ label, icon, look = 'plain', iconOnly, disabled, type = 'button', shortcut, name, onClick }: ButtonProps): JSX.Element {
  const hint = iconOnly === true && typeof label === 'string' ? label : undefined
  return (
    <button
      type={type}
      class={`button ${look}${iconOnly === true ? ' icon-only' : ''}`}
      disabled={disabled === true}
      title={hint}
      aria-label={name ?? hint}
      aria-keyshortcuts={shortcut}
      onClick={onClick}
    >
      {icon === undefined ? undefined : <Icon name={icon} />}
      {iconOnly === true ? undefined : <span>{label}</span>}
    </button>
  )
}

interface PageHeadProps {
  readonly title: ComponentChildren
  readonly children?: ComponentChildren
  readonly about?: ComponentChildren
}

/** A page's heading, what it is about, and what can be done. */
export const PageHead = ({ title, about, children }: PageHeadProps): JSX.Element => (
  <div class="page-head">
    <div class="page-title">
      <h1 tabIndex={-1}>{title}</h1>
      {about === undefined ? undefined : <p class="muted">{about}</p>}
    </div>
    {children === undefined ? undefined : <div class="actions">{children}</div>}
  </div>
)

type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'calm'

/** A word with a colour; never a colour alone. */
export const Badge = ({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }): JSX.Element => (
  <span class={`badge ${tone}`}>{children}</span>
)

const tones: Readonly<Record<Operation['state'], Tone>> = {
  queued: 'calm',
  running: 'busy',
  cancelling: 'warn',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'calm',
}
/** The state of an operation. */
export const StateBadge = ({ state }: { readonly state: Operation['state'] }): JSX.Element => <Badge tone={tones[state]}>{state}</Badge>

/** 0 to 100; `label` is read out. */
export const Progress = ({ value, label, tone = 'busy' }: { readonly value: number; readonly label: string; readonly tone?: Tone }): JSX.Element => (
  <div class={`progress ${tone}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(value)}>
    <div style={{ width: `${value}%` }} />
  </div>
)

/** How much of something is used. */
export const Meter = ({ share, label }: { readonly share: number; readonly label: string }): JSX.Element => (
  <div
    class={`meter${share > 0.9 ? ' full' : ''}`}
    role="meter"
    aria-label={label}
    aria-valuemin={0}
    aria-valuemax={100}
    aria-valuenow={Math.round(share * 100)}
    aria-valuetext={percent(share)}
  >
    <div style={{ width: `${Math.min(100, share * 100)}%` }} />
  </div>
)

/** How long ago; the exact time as a hint. */
export function Ago({ at }: { readonly at: string | undefined }): JSX.Element {
  const now = useNow()
  return at === undefined ? (
    <span class="muted">–</span>
  ) : (
    <time dateTime={at} title={dateTime(at)}>
      {ago(at, now)}
    </time>
  )
}

/** What the API said no with. */
export const ProblemBox = ({ problem, onRetry }: { readonly problem: Trouble; onRetry?(): void }): JSX.Element => (
  <div class="problem" role="alert">
    <Icon name="warning" />
    <div>
      <strong>{problem.detail === '' ? problem.title : problem.detail}</strong>
      {problem.errors === undefined || problem.errors.length === 0 ? undefined : (
        <ul>
          {problem.errors.map(({ field, message }) => (
            <li key={field}>
              <code>{field}</code>: {message}
            </li>
          ))}
        </ul>
      )}
      <p class="muted">
        <code>{problem.code}</code>
        {onRetry === undefined ? undefined : <Button label="Try again" look="quiet" onClick={onRetry} />}
      </p>
    </div>
  </div>
)

/** Nothing to show, and what to do about it. */
export const Empty = ({ icon, children }: { readonly icon: IconName; readonly children: ComponentChildren }): JSX.Element => (
  <div class="empty">
    <Icon name={icon} />
    <div>{children}</div>
  </div>
)

/** A text that one wants elsewhere. */
export function Copy({ text }: { readonly text: string }): JSX.Element {
  const [copied, setCopied] = useState(false)
  // Only there where the page came over TLS or from this machine.
  const clipboard = navigator.clipboard as Clipboard | undefined
  const copy = (): void => {
    void clipboard?.writeText(text).then(() => {
      setCopied(true)
      setTimeout(() => setCopied(false), 1500)
    })
  }
  return (
    <span class="copy">
      <code>{text}</code>
      {clipboard === undefined ? undefined : (
        <Button icon={copied ? 'done' : 'copy'} label={copied ? 'Copied' : 'Copy'} iconOnly look="quiet" onClick={copy} />
      )}
    </span>
  )
}

/** Names and values. */
export const Facts = ({ facts }: { readonly facts: readonly (readonly [name: string, value: ComponentChildren])[] }): JSX.Element => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)

/** Words such as options. */
export const Words = ({ words }: { readonly words: readonly string[] }): JSX.Element =>
  words.length === 0 ? (
    <span class="muted">–</span>
  ) : (
    <span class="words">
      {words.map(word => (
        <span key={word} class="word">
          {word}
        </span>
      ))}
    </span>
  )
