import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { textOf } from '../store/compliance/scope.ts'
import { StoreError } from '../store/errors.ts'
import { memoryStore } from '../store/memory/memory.ts'
import type { Store } from '../store/store.ts'
import { FaultyStore } from '../test-support/faulty-store.ts'
import type { Fault } from '../test-support/faulty-store.ts'
import { claimPartition } from './partition.ts'
import type { PartitionStore } from './partition.ts'

/** What happens next, to one of three nodes. */
type Step =
  | { readonly type: 'claim' | 'pause' | 'resume'; readonly node: number }
  | { readonly type: 'write'; readonly node: number; readonly keys: readonly number[] }
  | { readonly type: 'fault'; readonly node: number; readonly fault: Fault }
  | { readonly type: 'deliver late' | 'settle' }

const nodes = 3
const node = fc.nat({ max: nodes - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant('claim' as const), node }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('pause' as const, 'resume' as const), node }) },
  {
    weight: 9,
    arbitrary: fc.record({ type: fc.constant('write' as const), node, keys: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 40 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('fault' as const), node, fault: fc.constantFrom('answer lost' as const, 'request lost', 'late') }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('deliver late' as const, 'settle' as const) }) },
)

/** A node: its way to the store, with faults of its own, and the partition as long as it believes to own it. */
class Node {
  readonly faulty: FaultyStore
  readonly #name: string
  readonly acknowledged: string[]
  partition: PartitionStore | undefined
  #release: (() => void) | undefined
  #sequence = 0

  constructor(store: Store, { name, acknowledged }: { name: string; acknowledged: string[] }) {
    this.faulty = new FaultyStore(store)
    this.#name = name
    this.acknowledged = acknowledged
  }

  async claim(): Promise<void> {
    this.resume()
    try {
      this.partition = await claimPartition(this.faulty.store, { partition: '7', incarnation: this.#name })
    } catch (error) {
      assert.ok(error instanceof StoreError && ['unavailable', 'not-owner'].includes(error.code))
    }
  }

  /** Writes `EPOCH:SEQUENCE` to keys; what is answered is noted. */
  async write(keys: readonly number[]): Promise<void> {
    const { partition } = this
    if (partition === undefined) return
    const text = `${partition.epoch}:${++this.#sequence}`
    try {
      await partition.batch(keys.map(key => ({ type: 'put', key: `h/7/${key}`, value: Buffer.from(text) })))
      this.acknowledged.push(...keys.map(key => `${key}=${text}`))
    } catch (error) {
      assert.ok(error instanceof StoreError && ['unavailable', 'not-owner'].includes(error.code))
      if (error.code === 'not-owner' && this.partition === partition) this.partition = undefined
    }
  }

  pause(): void {
    this.#release ??= this.faulty.hold()
  }

  resume(): void {
    this.#release?.()
    this.#release = undefined
  }
}

const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

async function play(steps: readonly Step[]): Promise<void> {
  await using store = memoryStore()
  const acknowledged: string[] = []
  const all = Array.from({ length: nodes }, (_, i) => new Node(store, { name: `n${i}`, acknowledged }))
  const running: Promise<void>[] = []
  await all[0].claim()
  for (const one of steps) {
    if (one.type === 'claim') await all[one.node].claim()
    else if (one.type === 'write') running.push(all[one.node].write(one.keys))
    else if (one.type === 'fault') all[one.node].faulty.faults.push(one.fault)
    else if (one.type === 'pause') all[one.node].pause()
    else if (one.type === 'resume') all[one.node].resume()
    else if (one.type === 'deliver late') await Promise.all(all.map(({ faulty }) => faulty.deliverLate()))
    else await settle()
  }
  for (const one of all) one.resume()
  await Promise.all(running)
  await Promise.all(all.map(({ faulty }) => faulty.deliverLate()))
  await checkHistory(store, acknowledged)
}

/** By order of revisions: no epoch after a later one, in an epoch nothing after what was asked for later; and all that was answered is there. */
async function checkHistory(store: Store, acknowledged: readonly string[]): Promise<void> {
  let last = [0, 0]
  const seen = new Map<string, number[][]>()
  const watch = store.watch({ prefix: '' }, { fromRevision: 1 })
  for (let revision = 1; revision <= store.revision; revision++) {
    const { value: batch } = await watch.next()
    const writes = (batch?.events ?? []).filter(({ key }) => key.startsWith('h/'))
    const stamps = writes.map(({ entry }) => (textOf(entry?.value) ?? '').split(':').map(Number)).sort(compareStamps)
    for (const stamp of stamps) assert.ok(compareStamps(last, stamp) <= 0, `${stamp.join(':')} after ${last.join(':')} at revision ${revision}`)
    last = stamps.at(-1) ?? last
    for (const { key, entry } of writes) {
      const ofKey = seen.get(key) ?? []
      seen.set(key, [...ofKey, (textOf(entry?.value) ?? '').split(':').map(Number)])
    }
  }
  for (const write of acknowledged) {
    const [key, text] = write.split('=')
    const stamp = text.split(':').map(Number)
    // A later value of the same epoch may have taken its place before it was written.
    const isThere = (seen.get(`h/7/${key}`) ?? []).some(([epoch, sequence]) => epoch === stamp[0] && sequence >= stamp[1])
    assert.ok(isThere, `${write} was answered and is not there`)
  }
}

const compareStamps = (a: readonly number[], b: readonly number[]): number => a[0] - b[0] || a[1] - b[1]

test('under lost, late and unanswered transactions and claims by anybody: no act of an old epoch after a new one, nothing late, nothing lost', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), play), { numRuns: 500 })
})
