/**
 * The one event stream, which drives everything. A session has one, whatever the number of tabs: the tab that was opened last has it and tells the
 * others what it hears; when it goes away, another takes over.
 */
import { signal } from '../src/signal.ts'
import { ask, session } from './api.ts'

/** What comes on the stream. */
export interface StreamEvent {
  readonly name: 'operation' | 'resync' | 'overview'
  /** JSON, as it came. */
  readonly data: string
  /** Of an operation's event: `EPOCH-SEQ`. */
  readonly id: string
}
type Word = { readonly session: string } & ({ readonly said: 'taken' | 'left' } | ({ readonly said: 'event' } & StreamEvent))

/** How it stands with the stream. */
export type Connection = 'connecting' | 'live' | 'lost'
export const connection = signal<Connection>('connecting')

/** `overview` events come once a second: longer silence is a connection that is dead without having ended. */
const silenceMsMax = 15_000
const letGoMs = 150
const retryMs = [500, 1000, 2000, 5000] as const
const names = ['operation', 'resync', 'overview'] as const

/** Whether an event comes after another in the session's log: a tab that takes the stream over hears, and tells, what others have heard already. */
export function isLater(id: string, than: string): boolean {
  const [epoch, sequence] = id.split('-')
  const [epochBefore, sequenceBefore] = than.split('-')
  return epoch !== epochBefore || Number(sequence) > Number(sequenceBefore)
}

/** Follows the stream of the session until the function it returns is called. */
export function followStream(sessionId: string, heard: (event: StreamEvent) => void): () => void {
  const channel = new BroadcastChannel('holdfast')
  const tell = (word: { readonly said: 'taken' | 'left' } | ({ readonly said: 'event' } & StreamEvent)): void =>
    channel.postMessage({ session: sessionId, ...word } satisfies Word)
  let source: EventSource | undefined
  let lastId = ''
  let heardAt = Date.now()
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let ended = false

  const hear = (event: StreamEvent): void => {
    heardAt = Date.now()
    connection.set('live')
    if (event.name === 'operation' && !isLater(event.id, lastId)) return
    if (event.name !== 'overview') lastId = event.id
    heard(event)
  }
  const close = (): void => {
    clearTimeout(timer)
    source?.close()
    source = undefined
  }
  /** Once the tab that has the stream has let go of it. */
  const take = (): void => {
    close()
    tell({ said: 'taken' })
    timer = setTimeout(open, letGoMs)
  }
  const open = (): void => {
    close()
    heardAt = Date.now()
    source = new EventSource(`/v1/events?overview=1${lastId === '' ? '' : `&after=${encodeURIComponent(lastId)}`}`)
    source.addEventListener('open', () => {
      failures = 0
      heardAt = Date.now()
      connection.set('live')
    })
    source.addEventListener('error', () => {
      if (connection.value === 'live') connection.set('lost')
      // Where the connection was cut, the browser opens it again by itself, after the last event that it has; where an answer was not a stream, we do.
      if (source?.readyState === EventSource.CLOSED) retry()
    })
    for (const name of names) {
      source.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
        const event = { name, data, id: lastEventId }
        hear(event)
        tell({ said: 'event', ...event })
      })
    }
  }
  const retry = (): void => {
    close()
    connection.set('lost')
    timer = setTimeout(
      () => {
        // A session that has ended is noticed here: a 401 leads to the login.
        ask('session.own').then(
          () => {
            if (!ended) take()
          },
          () => {
            if (!ended) retry()
          },
        )
      },
      retryMs[Math.min(failures++, retryMs.length - 1)],
    )
  }

  channel.addEventListener('message', ({ data: word }: MessageEvent<Word>) => {
    if (word.session !== sessionId) return
    if (word.said === 'taken') close()
    if (word.said === 'event') hear(word)
    // Whoever is first; the others hear `taken` before it is their turn.
    if (word.said === 'left') timer = setTimeout(take, 50 + Math.random() * 500)
  })
  const watch = setInterval(() => {
    if (Date.now() - heardAt < silenceMsMax) return
    if (connection.value === 'live') connection.set('lost')
    if (source !== undefined || document.visibilityState === 'visible') take()
  }, 2000)
  const leave = (): void => {
    if (source !== undefined) tell({ said: 'left' })
    close()
  }
  const back = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) take()
  }
  addEventListener('pagehide', leave)
  addEventListener('pageshow', back)
  addEventListener('online', take)
  const unsubscribe = session.subscribe(() => {
    if (session.value === null) stop()
  })
  const stop = (): void => {
    ended = true
    leave()
    unsubscribe()
    clearInterval(watch)
    removeEventListener('pagehide', leave)
    removeEventListener('pageshow', back)
    removeEventListener('online', take)
    channel.close()
  }
  take()
  return stop
}
