/** What is known of operations: told by lists and by the event stream, whichever is newer. */

import type { Operation, OperationEvent } from './types.ts'

/** By id. */
export type Operations = ReadonlyMap<string, Operation>

/** How far along a state is: what is told later never goes back. */
const order = { queued: 0, running: 1, cancelling: 2, succeeded: 3, failed: 3, cancelled: 3 } as const satisfies Record<Operation['state'], number>

/** It has come to something. */
export const hasEnded = ({ state }: Pick<Operation, 'state'>): boolean => order[state] === 3

const isNewer = (next: Pick<Operation, 'state' | 'percent'>, known: Operation): boolean =>
  order[next.state] > order[known.state] || (order[next.state] === order[known.state] && next.percent >= known.percent)

/** With what an event says; of an operation that was not known as much as the event says. */
export function withEvent(operations: Operations, event: OperationEvent, whose: { readonly session: string; readonly user: string }): Operations {
  const known = operations.get(event.operation)
  const { id: _, operation: id, at, ...said } = event
  if (known !== undefined && !isNewer(said, known)) return operations
  const next: Operation = { ...whose, createdAt: at, ...known, ...said, id }
  if (next.startedAt === undefined && next.state === 'running') next.startedAt = at
  if (hasEnded(next)) next.endedAt = at
  return new Map(operations).set(id, next)
}

/** With what a list says. */
export function withList(operations: Operations, list: readonly Operation[]): Operations {
  const all = new Map(operations)
  for (const item of list) {
    const known = all.get(item.id)
    if (known === undefined || isNewer(item, known)) all.set(item.id, { ...known, ...item })
  }
  return all
}

/** The newest first. */
export const newestFirst = (operations: Operations): Operation[] =>
  [...operations.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : a.id < b.id ? 1 : -1))

const verbs: Readonly<Record<string, readonly [doing: string, done: string, infinitive: string]>> = {
  create: ['Creating', 'created', 'create'],
  change: ['Changing', 'changed', 'change'],
  delete: ['Deleting', 'deleted', 'delete'],
  disconnect: ['Disconnecting', 'disconnected', 'disconnect'],
  close: ['Closing', 'closed', 'close'],
}

/** What an operation is about: `volume disk1`; of a snapshot the volume too. */
export function subject({ kind, target, request }: Pick<Operation, 'kind' | 'target' | 'request'>): string {
  const [thing = ''] = kind.split('.')
  const words = target.split('/').slice(3).map(decodeURIComponent)
  const body = typeof request === 'object' && request !== null && 'name' in request && typeof request.name === 'string' ? request.name : undefined
  if (thing === 'snapshot') return `snapshot ${[words[0], words[2] ?? body].filter(word => word !== undefined).join('@')}`
  const noun = thing === 'open' ? 'open file' : thing
  return `${noun} ${words[0] ?? body ?? ''}`.trim()
}

/** A sentence for people: `Creating volume disk1`, `Volume disk1 created`, `Could not create volume disk1`. */
export function sentence(operation: Pick<Operation, 'kind' | 'target' | 'request' | 'state'>): string {
  const [, verb = ''] = operation.kind.split('.')
  const [doing, done, infinitive] = verbs[verb] ?? [verb, verb, verb]
  const what = subject(operation)
  if (operation.state === 'succeeded') return `${what[0]?.toUpperCase()}${what.slice(1)} ${done}`
  if (operation.state === 'failed') return `Could not ${infinitive} ${what}`
  if (operation.state === 'cancelled') return `Cancelled: ${infinitive} ${what}`
  return `${doing} ${what}`
}
