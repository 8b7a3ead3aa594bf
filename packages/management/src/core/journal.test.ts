import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore, StoreError } from '@holdfast/cluster'
import type { Store, Txn, TxnResult } from '@holdfast/cluster'
import * as fc from 'fast-check'
import { openJournal } from './journal.ts'
import type { Change, Journal } from './journal.ts'
import { settle, VirtualTime } from './test-support/virtual-time.ts'
import type { Writes } from './writes.ts'

/** `answer lost`: it happens. `request lost`: it does not. `late`: it happens after what comes next. `full`: there is no room. */
type Fault = 'none' | 'answer lost' | 'request lost' | 'late' | 'full'

/** A journal on a store whose transactions meet with these faults, one after the other. */
async function begin(faults: Fault[]): Promise<{ journal: Journal; store: Store; time: VirtualTime; txns: Txn[]; lost: () => boolean }> {
  const time = new VirtualTime()
  const store = memoryStore({ clock: time.wallClock, timers: time.timers })
  const late: Txn[] = []
  const txns: Txn[] = []
  let isLost = false
  const txn = async (given: Txn): Promise<TxnResult> => {
    const fault = txns.push(given) === 1 ? 'none' : (faults.shift() ?? 'none')
    if (fault === 'full') throw new StoreError('no-space')
    if (fault === 'late') late.push(given)
    if (fault === 'late' || fault === 'request lost') throw new StoreError('unavailable')
    const result = await store.txn(given)
    for (const one of late.splice(0)) await store.txn(one)
    if (fault === 'answer lost') throw new StoreError('unavailable')
    return result
  }
  const faulty = new Proxy(store, { get: (target, name) => (name === 'txn' ? txn : (Reflect.get(target, name, target) as unknown)) })
  const journal = await openJournal({ store: faulty, worker: 0, incarnation: 'one', timers: time.timers, onLost: () => (isLost = true) })
  return { journal, store, time, txns, lost: () => isLost }
}

const put =
  (key: string, value = '1') =>
  (writes: Writes): void =>
    writes.put(key, Buffer.from(value))
const contentOf = async (store: Store): Promise<string[]> =>
  (await store.range({ prefix: 'k/' })).entries.map(({ key, value, version }) => `${key}=${Buffer.from(value).toString()} v${version}`)

test('what is asked for in one turn, and while a transaction is under way, shares one', async () => {
  const { journal, store, txns } = await begin([])
  const first = ['k/a', 'k/b'].map(key => journal.write({ write: put(key) }))
  await Promise.resolve()
  const second = ['k/c', 'k/d', 'k/e'].map(key => journal.write({ write: put(key) }))
  await Promise.all([...first, ...second])
  assert.deepEqual(txns.slice(1).map(({ success }) => success?.length), [3, 4]) // prettier-ignore
  assert.equal((await contentOf(store)).length, 5)
})

test('changes that no transaction has room for together go into several, in order', async () => {
  const { journal, store, txns } = await begin([])
  await Promise.all(Array.from({ length: 250 }, (_, n) => journal.write({ write: put(`k/${n}`) })))
  assert.equal((await contentOf(store)).length, 250)
  await Promise.all(['1', '2', '3'].map(value => journal.write({ write: put('k/big', value.repeat(400_000)) })))
  assert.ok(txns.every(({ success }) => (success?.length ?? 0) <= 100))
  const big = (await contentOf(store)).find(entry => entry.startsWith('k/big'))
  assert.ok(big?.endsWith('333 v2'))
  await assert.rejects(journal.write({ write: put('k/huge', 'x'.repeat(2_000_000)) }), { code: 'too-large' })
  await journal.write({ write: put('k/after') })
})

test('of changes that expect the same key to be free one happens, and the other hears what is there', async () => {
  const { journal, store } = await begin([])
  const claim = (value: string): Change => ({ expects: { key: 'k/a', modRevision: 0 }, write: put('k/a', value) })
  const outcomes = await Promise.all([journal.write(claim('first')), journal.write({ write: put('k/b') }), journal.write(claim('second'))])
  assert.deepEqual(outcomes.map(refusal => refusal && Buffer.from(refusal.found?.value ?? []).toString()), [undefined, undefined, 'first']) // prettier-ignore
  assert.deepEqual(await contentOf(store), ['k/a=first v1', 'k/b=1 v1'])
})

test('a prefix can be deleted in the transaction that writes under it before, and be written again after', async () => {
  const { journal, store } = await begin([])
  await Promise.all([
    journal.write({ write: put('k/a/1') }),
    journal.write({ write: writes => writes.deleteAll('k/a/') }),
    journal.write({ write: put('k/a/2') }),
  ])
  assert.deepEqual(await contentOf(store), ['k/a/2=1 v1'])
})

test('without room who is impatient hears of it, and others wait for room', async () => {
  const { journal, store, time } = await begin(['full', 'full'])
  const refused = assert.rejects(journal.write({ impatient: true, write: put('k/a') }), { code: 'NO_SPACE' })
  const patient = journal.write({ write: put('k/b') })
  await settle()
  await refused
  await time.advance(5000)
  await patient
  assert.deepEqual(await contentOf(store), ['k/b=1 v1'])
})

test('a journal that was taken over, or whose store is gone, says so to all', async () => {
  const { journal, store, lost } = await begin([])
  await openJournal({ store, worker: 0, incarnation: 'two', onLost: () => {} })
  await assert.rejects(journal.write({ write: put('k/a') }), { code: 'UNAVAILABLE' })
  await assert.rejects(journal.write({ write: put('k/b') }), { code: 'UNAVAILABLE' })
  assert.ok(lost())
  assert.deepEqual(await contentOf(store), [])
})

test('whatever becomes of transactions, each change happens once, in order, and what was counted is what is there', async () => {
  const faults = fc.array(fc.constantFrom<Fault>('none', 'none', 'answer lost', 'request lost', 'late', 'full'), { maxLength: 30 })
  const property = fc.asyncProperty(faults, fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), async (given, turns) => {
    const { journal, store, time } = await begin(given)
    let next = 0
    let committed = 0
    const written: Promise<unknown>[] = []
    for (const count of turns) {
      for (let n = 0; n < count; n++) {
        const write = (writes: Writes): void => {
          const number = ++next
          writes.put(`k/${String(number).padStart(3, '0')}`, Buffer.from('1'))
          writes.put('k/last', Buffer.from(String(number)))
          writes.whenDropped(() => (next = number - 1))
          writes.whenCommitted(() => assert.equal(++committed, number))
        }
        written.push(journal.write({ write }))
      }
      await settle(1)
    }
    await time.advance(60_000)
    await Promise.all(written)
    assert.equal(committed, written.length)
    const content = await contentOf(store)
    assert.deepEqual(content.slice(0, -1), Array.from({ length: committed }, (_, n) => `k/${String(n + 1).padStart(3, '0')}=1 v1`)) // prettier-ignore
    if (committed > 0) assert.match(content.at(-1) ?? '', new RegExp(`^k/last=${committed} `))
  })
  await fc.assert(property, { numRuns: 300 })
})
