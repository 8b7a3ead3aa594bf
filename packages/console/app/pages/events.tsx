/** The event stream as it comes. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { clock, count } from '../../src/format.ts'
import { sentence } from '../../src/operations.ts'
import { hrefOf } from '../../src/route.ts'
import type { OperationEvent } from '../../src/types.ts'
import { eventLog, type LoggedEvent } from '../live.ts'
import { Button, Empty, PageHead, StateBadge } from '../ui/parts.tsx'
import { useSignal, useTitle } from '../ui/use.ts'

const shownMax = 300

/** The newest first; one can hold it to read. */
export function Events(): JSX.Element {
  useTitle('Events')
  const log = useSignal(eventLog)
  const [held, setHeld] = useState<readonly LoggedEvent[]>()
  const all = held ?? log
  const shown = all.slice(-shownMax).reverse()
  return (
    <>
      <PageHead title="Events" about="What came on the event stream of this session.">
        <Button
          icon={held === undefined ? 'pause' : 'play'}
          label={held === undefined ? 'Hold' : 'Go on'}
          onClick={() => setHeld(held === undefined ? log : undefined)}
        />
      </PageHead>
      <div class="tools">
        <span class="muted tally">
          {count(all.length)} {all.length === 1 ? 'event' : 'events'}
          {held === undefined ? '' : `, ${count((log.at(-1)?.number ?? 0) - (held.at(-1)?.number ?? 0))} since held`}
        </span>
      </div>
      {shown.length === 0 ? (
        <Empty icon="event">
          <p>Nothing yet. Whatever you begin is told here, step by step.</p>
        </Empty>
      ) : (
        <ol class="events" reversed>
          {shown.map(event => (
            <li key={event.number}>
              <details>
                <summary>
                  <time dateTime={event.at}>{clock(event.at)}</time>
                  {event.name === 'operation' ? (
                    <OperationLine event={event.data as OperationEvent} />
                  ) : (
                    <span class="grows">{event.name}: some events are gone; what follows is the state now</span>
                  )}
                </summary>
                <pre tabIndex={0} aria-label="Event">
                  {JSON.stringify(event.data, undefined, 2)}
                </pre>
                {event.name === 'operation' ? <a href={hrefOf('operations', (event.data as OperationEvent).operation)}>The operation</a> : undefined}
              </details>
            </li>
          ))}
        </ol>
      )}
    </>
  )
}

const OperationLine = ({ event }: { readonly event: OperationEvent }): JSX.Element => (
  <>
    <span class="grows">{event.note === undefined ? sentence(event) : `${sentence(event)}: ${event.note}`}</span>
    <span class="digits muted">{event.state === 'running' ? `${Math.floor(event.percent)} %` : ''}</span>
    <StateBadge state={event.state} />
    <code class="muted event-id">{event.id}</code>
  </>
)
