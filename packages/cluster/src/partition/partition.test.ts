import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, refuses, textOf } from '../store/compliance/scope.ts'
import { memoryStore } from '../store/memory/memory.ts'
import type { Store } from '../store/store.ts'
import { FaultyStore } from '../test-support/faulty-store.ts'
import { ownerOf } from './ownership.ts'
import { claimPartition } from './partition.ts'
import type { PartitionOperation, PartitionStore } from './partition.ts'

const put = (key: string, text = 'x'): PartitionOperation => ({ type: 'put', key, value: Buffer.from(text) })
const large = (key: string, length: number): PartitionOperation => ({ type: 'put', key, value: Buffer.alloc(length) })

const claim = (store: Store, incarnation: string): Promise<PartitionStore> => claimPartition(store, { partition: '7', incarnation })

/** A partition of `n1.1` over a store that can fail, and the transactions since. */
async function claimed(): Promise<{ faulty: FaultyStore; partition: PartitionStore; store: Store }> {
  const store = memoryStore()
  const faulty = new FaultyStore(store)
  const partition = await claim(faulty.store, 'n1.1')
  faulty.txns.length = 0
  return { faulty, partition, store }
}

const operationsOf = (faulty: FaultyStore): number[] => faulty.txns.map(({ success }) => success?.length ?? 0)

test('a claim makes the next epoch', async () => {
  await using store = memoryStore()
  assert.equal(await ownerOf(store, '7'), undefined)
  assert.equal((await claim(store, 'n1.1')).epoch, 1)
  assert.equal((await claim(store, 'n2.1')).epoch, 2)
  assert.equal((await claim(store, 'n2.1')).epoch, 3)
  assert.deepEqual(await ownerOf(store, '7'), { incarnation: 'n2.1', epoch: 3, modRevision: 3 })
})

test('of claims over the same record one wins', async () => {
  await using store = memoryStore()
  const claims = await Promise.allSettled(['n1.1', 'n2.1', 'n3.1'].map(incarnation => claim(store, incarnation)))
  assert.deepEqual(claims.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
  assert.equal((await ownerOf(store, '7'))?.epoch, 1)
  await refuses('not-owner', claimPartition(store, { partition: '7', incarnation: 'n4.1', modRevision: 0 }))
  const second = await claimPartition(store, { partition: '7', incarnation: 'n4.1', modRevision: 1 })
  assert.equal(second.epoch, 2)
})

test('an owner that lost the partition changes nothing: all that waits rejects, and all that comes', async () => {
  const { faulty, partition, store } = await claimed()
  await partition.batch([put('h/7/1', 'old')])
  const release = faulty.hold()
  const first = partition.batch([put('h/7/1', 'late')])
  await Promise.resolve()
  const second = partition.batch([put('h/7/2', 'late')])
  await claim(store, 'n2.1')
  release()
  await Promise.all([refuses('not-owner', first), refuses('not-owner', second)])
  await refuses('not-owner', partition.batch([put('h/7/3')]))
  assert.deepEqual(await contentOf(store, 'h/'), ['h/7/1=old'])
})

test('one transaction is under way; what is asked for meanwhile is the next', async () => {
  const { faulty, partition, store } = await claimed()
  const release = faulty.hold()
  const writes = [partition.batch([put('h/7/0')])]
  await Promise.resolve()
  await Promise.resolve()
  for (let i = 1; i <= 50; i++) writes.push(partition.batch([put(`h/7/${i}`), put(`r/7/${i}`)]))
  release()
  const revisions = await Promise.all(writes)
  assert.deepEqual(operationsOf(faulty), [1, 100])
  assert.deepEqual([...new Set(revisions)], [2, 3])
  assert.equal((await contentOf(store, 'h/')).length, 51)
})

test('a caller is never split; groups stay in order at 100 operations', async () => {
  const { faulty, partition } = await claimed()
  const calls = [60, 40, 1, 99, 60, 60].map((count, call) => partition.batch(Array.from({ length: count }, (_, i) => put(`h/${call}/${i}`))))
  assert.deepEqual(await Promise.all(calls), [2, 2, 3, 3, 4, 5])
  assert.deepEqual(operationsOf(faulty), [100, 100, 60, 60])
})

test('groups stay below 1 MiB', async () => {
  const { faulty, partition } = await claimed()
  const calls = [400_000, 400_000, 400_000, 600_000].map((length, call) => partition.batch([large(`h/${call}`, length)]))
  await Promise.all(calls)
  assert.deepEqual(operationsOf(faulty), [2, 2])
})

test('a key that is put again before it was written is written once, the last value; both callers are answered', async () => {
  const { faulty, partition, store } = await claimed()
  const revisions = await Promise.all([
    partition.batch([put('h/7/1', 'first'), put('h/7/2', 'kept')]),
    partition.batch([put('h/7/1', 'second')]),
    partition.batch([{ type: 'delete', key: 'h/7/3' }, put('h/7/3', 'made')]),
  ])
  assert.deepEqual(revisions, [2, 2, 2])
  assert.deepEqual(operationsOf(faulty), [3])
  assert.deepEqual(await contentOf(store, 'h/'), ['h/7/1=second', 'h/7/2=kept', 'h/7/3=made'])
})

test('a key that is put again counts once, against bytes as well', async () => {
  const { faulty, partition } = await claimed()
  await Promise.all([partition.batch([large('h/1', 900_000)]), partition.batch([large('h/1', 800_000)]), partition.batch([large('h/2', 200_000)])])
  assert.deepEqual(operationsOf(faulty), [2])
})

test('a call that is too large or has a bad key is refused alone', async () => {
  const { faulty, partition, store } = await claimed()
  const good = partition.batch([put('h/7/1')])
  await refuses('too-many-operations', partition.batch(Array.from({ length: 101 }, (_, i) => put(`h/${i}`))))
  await refuses('too-large', partition.batch([large('h/1', 1_048_576)]))
  await refuses('invalid-key', partition.batch([put('')]))
  await good
  assert.deepEqual(operationsOf(faulty), [1])
  assert.deepEqual(await contentOf(store, 'h/'), ['h/7/1=x'])
})

test('nothing to do is answered without a transaction', async () => {
  const { faulty, partition } = await claimed()
  assert.equal(await partition.batch([]), 1)
  assert.deepEqual(operationsOf(faulty), [])
})

test('a transaction without an answer rejects; what comes after is certain', async () => {
  const { faulty, partition, store } = await claimed()
  faulty.faults.push('answer lost')
  await refuses('unavailable', partition.batch([put('h/7/1', 'happened')]))
  faulty.faults.push('request lost')
  await refuses('unavailable', partition.batch([put('h/7/2')]))
  await partition.batch([put('h/7/3', 'sure')])
  assert.deepEqual(await contentOf(store, 'h/'), ['h/7/1=happened', 'h/7/3=sure'])
})

test('a transaction that comes late, after a later one was answered, changes nothing', async () => {
  const { faulty, partition, store } = await claimed()
  faulty.faults.push('late')
  await refuses('unavailable', partition.batch([put('h/7/1', 'late')]))
  await partition.batch([put('h/7/1', 'newer')])
  assert.equal(await faulty.deliverLate(), 0)
  assert.deepEqual(await contentOf(store, 'h/'), ['h/7/1=newer'])
})

test('a read after an unknown outcome is certain as well', async () => {
  const { faulty, partition } = await claimed()
  faulty.faults.push('late')
  await refuses('unavailable', partition.batch([put('h/7/1', 'late')]))
  assert.deepEqual(await partition.read('h/7/'), [])
  assert.equal(await faulty.deliverLate(), 0)
})

test('the fence itself may remain without an answer', async () => {
  for (const fault of ['answer lost', 'request lost', 'late'] as const) {
    const { faulty, partition, store } = await claimed()
    faulty.faults.push('late', fault)
    await refuses('unavailable', partition.batch([put('h/7/1', 'late')]))
    await refuses('unavailable', partition.batch([put('h/7/2', 'fenced')]))
    await partition.batch([put('h/7/3', 'sure')])
    assert.equal(await faulty.deliverLate(), 0, fault)
    assert.deepEqual(await contentOf(store, 'h/'), ['h/7/3=sure'])
    assert.equal((await ownerOf(store, '7'))?.epoch, 1)
  }
})

test('whoever claims while an outcome is unknown wins', async () => {
  const { faulty, partition, store } = await claimed()
  faulty.faults.push('late')
  await refuses('unavailable', partition.batch([put('h/7/1', 'late')]))
  await claim(store, 'n2.1')
  await refuses('not-owner', partition.batch([put('h/7/2')]))
  assert.equal(await faulty.deliverLate(), 0)
})

test('another error of the store rejects its callers only', async () => {
  const { partition, store } = await claimed()
  await partition.batch([put('h/7/1')])
  assert.equal((await partition.read('h/7/')).length, 1)
  await store.close()
  await refuses('closed', partition.batch([put('h/7/2')]))
})

test('a read gets all pages as of one revision', async () => {
  const { partition, store } = await claimed()
  for (let i = 0; i < 25; i++) await partition.batch(Array.from({ length: 100 }, (_, j) => put(`h/7/${i}/${j}`, String(i))))
  await partition.batch([put('h/70/not ours')])
  const reading = partition.read('h/7/')
  await store.txn({ success: [{ type: 'delete', prefix: 'h/7/' }] })
  const entries = await reading
  assert.equal(entries.length, 2500)
  assert.equal(textOf(entries.at(-1)?.value), '9')
})

test('a read whose revision is compacted between two pages begins anew', async () => {
  const { partition, store } = await claimed()
  for (let i = 0; i < 11; i++) await partition.batch(Array.from({ length: 100 }, (_, j) => put(`h/7/${i}/${j}`)))
  const reading = partition.read('h/7/')
  const { revision } = await store.txn({ success: [{ type: 'put', key: 'other', value: Buffer.from('x') }] })
  await store.compact(revision)
  assert.equal((await reading).length, 1100)
})

test('closing writes what was asked for before it', async () => {
  const { faulty, partition, store } = await claimed()
  const release = faulty.hold()
  const first = partition.batch([put('h/7/1')])
  await Promise.resolve()
  const second = partition.batch([put('h/7/2')])
  const closing = partition.close()
  await refuses('closed', partition.batch([put('h/7/3')]))
  release()
  await Promise.all([first, second, closing])
  assert.deepEqual(await contentOf(store, 'h/'), ['h/7/1=x', 'h/7/2=x'])
})
