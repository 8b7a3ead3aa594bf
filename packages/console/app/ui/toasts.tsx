/** In a corner: how it ended, of what was begun here. */
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { sentence } from '../../src/operations.ts'
import { hrefOf } from '../../src/route.ts'
import { signal } from '../../src/signal.ts'
import type { Operation } from '../../src/types.ts'
import { outcomes } from '../live.ts'
import { Icon } from './icons.tsx'
import { Button } from './parts.tsx'
import { useSignal } from './use.ts'

const shownMs = 6000
/** What could not be done by a button in a row, where no form can say it. */
export const notices = signal<readonly { readonly id: number; readonly text: string }[]>([])
let noticeNumber = 0
export const tell = (text: string): void => notices.update(all => [...all.slice(-2), { id: ++noticeNumber, text }])

const forget = (id: string): void => outcomes.update(all => all.filter(one => one.id !== id))
const forgetNotice = (id: number): void => notices.update(all => all.filter(one => one.id !== id))

function Outcome({ operation }: { readonly operation: Operation }): JSX.Element {
  const { id, state, problem } = operation
  const failed = state === 'failed'
  useEffect(() => {
    // What failed stays until it is read.
    const timer = failed ? undefined : setTimeout(() => forget(id), shownMs)
    return () => clearTimeout(timer)
  }, [id, failed])
  return (
    <div class={`toast ${failed ? 'bad' : ''}`}>
      <Icon name={failed ? 'warning' : 'done'} />
      <div>
        <a href={hrefOf('operations', id)}>{sentence(operation)}</a>
        {problem === undefined ? undefined : <p>{problem.detail}</p>}
      </div>
      <Button icon="close" label="Dismiss" iconOnly look="quiet" onClick={() => forget(id)} />
    </div>
  )
}

/** The corner. */
export function Toasts(): JSX.Element {
  const list = useSignal(outcomes)
  const texts = useSignal(notices)
  return (
    <div class="toasts" role="status">
      {list.map(operation => (
        <Outcome key={operation.id} operation={operation} />
      ))}
      {texts.map(({ id, text }) => (
        <div key={id} class="toast bad">
          <Icon name="warning" />
          <div>{text}</div>
          <Button icon="close" label="Dismiss" iconOnly look="quiet" onClick={() => forgetNotice(id)} />
        </div>
      ))}
    </div>
  )
}
