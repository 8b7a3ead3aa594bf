import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Entry, StoreEvent } from '../store.ts'
import { decodeEvents, encodeEvents } from './history-codec.ts'

const number = fc.maxSafeNat()
const entryOf = (key: string): fc.Arbitrary<Entry> =>
  fc.record({ key: fc.constant(key), value: fc.uint8Array(), createRevision: number, modRevision: number, version: number, lease: number })
const event: fc.Arbitrary<StoreEvent> = fc.string({ unit: 'binary', minLength: 1 }).chain(key =>
  fc.oneof(
    fc.record({
      type: fc.constant('put' as const),
      key: fc.constant(key),
      entry: entryOf(key),
      previous: fc.option(entryOf(key), { nil: undefined }),
    }),
    fc.record({ type: fc.constant('delete' as const), key: fc.constant(key), entry: fc.constant(undefined), previous: entryOf(key) }),
  ),
)

test('events survive their way through a row of history', () => {
  const plain = (events: readonly StoreEvent[]): unknown => JSON.parse(JSON.stringify(events))
  fc.assert(fc.property(fc.array(event), events => assert.deepEqual(plain(decodeEvents(encodeEvents(events))), plain(events))))
})
