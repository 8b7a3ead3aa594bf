import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualTime } from '../../test-support/virtual-time.ts'
import { storeCompliance } from '../compliance.ts'
import { contentOf, put, putEach, refuses } from '../compliance/scope.ts'
import { memoryStore } from './memory.ts'

storeCompliance('memory', () => {
  const time = new VirtualTime()
  return { store: memoryStore(time), advance: async ms => time.advance(ms), dispose: async () => {} }
})

test('a lease ends exactly when its time is over, by the clock it was given', async () => {
  const time = new VirtualTime()
  await using store = memoryStore(time)
  const { id } = await store.grantLease(100)
  await store.txn({ success: [put('a', '1', id)] })
  time.advance(99)
  await store.keepAlive(id)
  time.advance(99)
  assert.deepEqual(await contentOf(store), ['a=1'])
  time.advance(1)
  assert.deepEqual(await contentOf(store), [])
})

test('history beyond what is kept is compacted', async () => {
  const time = new VirtualTime()
  await using store = memoryStore({ clock: time.clock, timers: time.timers, history: { revisions: 10, minutes: 1 } })
  for (let i = 0; i < 200; i++) await putEach(store, ['a', String(i)])
  await refuses('compacted', store.range({ prefix: '' }, { revision: 100 }))
  assert.deepEqual(await contentOf(store, '', 190), ['a=189'])
  time.advance(61_000)
  for (let i = 0; i < 64; i++) await putEach(store, ['a', String(i)])
  await refuses('compacted', store.range({ prefix: '' }, { revision: 190 }))
})

test('history larger than what is kept is compacted', async () => {
  await using store = memoryStore({ history: { bytes: 100_000 } })
  for (let i = 0; i < 130; i++) await putEach(store, ['a', 'x'.repeat(5000)])
  await refuses('compacted', store.range({ prefix: '' }, { revision: 100 }))
  assert.equal((await contentOf(store, '', 125)).length, 1)
})
