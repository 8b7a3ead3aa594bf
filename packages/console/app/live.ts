/** What the event stream has told so far, for the pages. */
import { withSample, sampleBetween, type Sample } from '../src/samples.ts'
import { hasEnded, withEvent, withList, type Operations } from '../src/operations.ts'
import { signal } from '../src/signal.ts'
import type { Operation, OperationEvent, Overview } from '../src/types.ts'
import { ask, session } from './api.ts'
import { followStream, type StreamEvent } from './stream.ts'

/** Operations of this session as they are now, and those of others as of when they were listed. */
export const operations = signal<Operations>(new Map())
/** The last figures. */
export const overview = signal<Overview | undefined>(undefined)
/** What the plots show. */
export const samples = signal<readonly Sample[]>([])
/** How long samples are kept. */
export const keptMs = 15 * 60_000

/** An event as the page `events` shows it. */
export interface LoggedEvent {
  readonly number: number
  readonly name: string
  readonly at: string
  readonly data: unknown
}
export const eventLog = signal<readonly LoggedEvent[]>([])
const eventsKept = 2000
let eventNumber = 0

/** Counts up when an operation of a kind (`volume`, `share`, …) has ended: lists of it are read again. */
export const touched = signal<Readonly<Record<string, number>>>({})
/** Ids of what was begun on this page; its end is told in a corner of the page. */
export const begun = new Set<string>()
/** What has ended just now, of what was begun here. */
export const outcomes = signal<readonly Operation[]>([])

const touch = (...topics: readonly string[]): void =>
  touched.update(before => ({ ...before, ...Object.fromEntries(topics.map(topic => [topic, (before[topic] ?? 0) + 1])) }))

const log = (name: string, at: string, data: unknown): void =>
  eventLog.update(before => [...before.slice(-eventsKept + 1), { number: ++eventNumber, name, at, data }])

/** Takes what a list or an answer says of operations. */
export function learn(list: readonly Operation[]): void {
  const before = operations.value
  operations.update(known => withList(known, list))
  for (const { id } of list) notice(id, before)
}

/** Tells whom it concerns when an operation has ended. */
function notice(id: string, before: Operations): void {
  const now = operations.value.get(id)
  const then = before.get(id)
  if (now === undefined || !hasEnded(now) || (then !== undefined && hasEnded(then))) return
  const topic = now.kind.split('.')[0] ?? ''
  touch(topic, ...(topic === 'snapshot' ? ['volume'] : []), ...(topic === 'user' || topic === 'share' ? ['session', 'open'] : []))
  if (begun.delete(id)) outcomes.update(list => [...list.slice(-3), now])
}

const listeners: Readonly<Record<StreamEvent['name'], (data: string) => void>> = {
  operation(data) {
    const event = JSON.parse(data) as OperationEvent // by the API's schema
    const own = session.value
    const before = operations.value
    operations.update(known => withEvent(known, event, { session: own?.session ?? '', user: own?.user ?? '' }))
    log('operation', event.at, event)
    notice(event.operation, before)
  },
  resync(data) {
    log('resync', new Date().toISOString(), JSON.parse(data))
    void listOperations()
  },
  overview(data) {
    const next = JSON.parse(data) as Overview // by the API's schema
    const before = overview.value
    overview.set(next)
    const sample = before === undefined ? undefined : sampleBetween(before, next)
    if (sample !== undefined) samples.update(known => withSample(known, sample, keptMs))
  },
}

async function listOperations(): Promise<void> {
  const { items } = await ask('operation.list', { limit: 200 })
  learn(items)
}

const samplesKey = 'holdfast.samples'
/** So that the plots go on where they were when the page is loaded again. */
addEventListener('pagehide', () => {
  try {
    sessionStorage.setItem(samplesKey, JSON.stringify(samples.value))
  } catch {
    // Without storage they begin anew.
  }
})
function rememberedSamples(): readonly Sample[] {
  try {
    const kept = JSON.parse(sessionStorage.getItem(samplesKey) ?? '[]') as Sample[] // as written above
    return kept.filter(({ atMs }) => atMs > Date.now() - keptMs)
  } catch {
    // As above.
    return []
  }
}

/** Follows the session that is logged in, and the next one, and so on. */
export function followSessions(): void {
  let stop: (() => void) | undefined
  let followed: string | undefined
  const changed = (): void => {
    const id = session.value?.session
    if (id === followed) return
    stop?.()
    followed = id
    operations.set(new Map())
    eventLog.set([])
    samples.set(id === undefined ? [] : rememberedSamples())
    overview.set(undefined)
    stop = id === undefined ? undefined : followStream(id, ({ name, data }) => listeners[name](data))
    // Where it fails the stream says so, and tells of the session's own operations anyway.
    if (id !== undefined) listOperations().catch(() => undefined)
  }
  session.subscribe(changed)
  changed()
}
