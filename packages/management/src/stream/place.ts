/** Where a stream is, in the words that a connection keeps with each of its writes: what the next worker goes on after when this one dies. */

import { eventId, parseCursor } from '../events/cursor.ts'

const Kind = { none: 0, begun: 1, afterEvent: 2, untold: 3 } as const
const epochPattern = /^[0-9a-f]{8}$/
const twoTo32 = 0x1_0000_0000

/** The head has gone out, and no event with an id. */
export const begun: readonly number[] = [Kind.begun, 0, 0, 0]

/** An event of this id has gone out. */
export function placeAfter(id: string): readonly number[] {
  const cursor = parseCursor(id)
  if (cursor === undefined || !epochPattern.test(cursor.epoch)) return [Kind.untold, 0, 0, 0]
  return [Kind.afterEvent, Number.parseInt(cursor.epoch, 16) | 0, cursor.sequence | 0, Math.floor(cursor.sequence / twoTo32)]
}

/** `begun` without `after`: no event has gone out. `untold`: some have, and nobody knows which. */
export type Place = { readonly kind: 'none' } | { readonly kind: 'untold' } | { readonly kind: 'begun'; readonly after?: string }

/** What the words say. */
export function placeOf([kind = 0, epoch = 0, low = 0, high = 0]: readonly number[]): Place {
  if (kind === Kind.none) return { kind: 'none' }
  if (kind === Kind.begun) return { kind: 'begun' }
  if (kind !== Kind.afterEvent) return { kind: 'untold' }
  return { kind: 'begun', after: eventId((epoch >>> 0).toString(16).padStart(8, '0'), (low >>> 0) + high * twoTo32) }
}
