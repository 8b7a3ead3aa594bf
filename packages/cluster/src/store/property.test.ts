import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { TemporaryFolder } from '../test-support/folder.ts'
import { StoreModel } from '../test-support/store-model.ts'
import { memoryStore } from './memory/memory.ts'
import { sqliteStore } from './sqlite/sqlite.ts'
import type { Compare, KeyRange, Operation, Store, Txn } from './store.ts'

const key = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b\0', 'é', '\u{fffd}', '😀')
const value = fc.uint8Array({ maxLength: 4 })
const small = fc.nat({ max: 12 })
const range: fc.Arbitrary<KeyRange> = fc.oneof(
  fc.record({ key }),
  fc.record({ prefix: fc.constantFrom('', 'a', 'a/', 'b', '😀') }),
  fc.record({ from: fc.constantFrom('', 'a', 'a/1'), to: fc.constantFrom('a/2', 'b', '\u{10000}', undefined) }),
)
const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({ key, modRevision: small }),
  fc.record({ key, createRevision: small }),
  fc.record({ key, version: fc.nat({ max: 3 }) }),
  fc.record({ key, value }),
  fc.record({ key, absent: fc.boolean() }),
)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('put' as const), key, value }) },
  { weight: 1, arbitrary: range.map(one => ({ type: 'delete' as const, ...one })) },
  { weight: 1, arbitrary: fc.tuple(range, fc.option(small, { nil: undefined })).map(([one, limit]) => ({ type: 'range' as const, limit, ...one })) },
)
const operations = fc.array(operation, { maxLength: 4 })
const txn: fc.Arbitrary<Txn> = fc.record({ compare: fc.array(compare, { maxLength: 2 }), success: operations, failure: operations })
/** What is asked for at once, one list after the other; and what is compacted in between, as a part of the revision. */
const step = fc.record({ txns: fc.array(txn, { maxLength: 6 }), compact: fc.option(fc.nat({ max: 4 }), { nil: undefined }) })
const run = fc.array(step, { maxLength: 8 })

interface Step {
  readonly txns: readonly Txn[]
  readonly compact: number | undefined
}

/** The store answers as the model does: each transaction, then the state of each revision, then a watch of all of history. */
async function follows(store: Store, steps: readonly Step[]): Promise<void> {
  const model = new StoreModel()
  const watch = store.watch({ prefix: '' })
  for (const { txns, compact } of steps) {
    const answers = await Promise.all(txns.map(one => store.txn(one).catch((error: { code: string }) => error.code)))
    assert.deepEqual(
      answers,
      txns.map(one => model.txn(one)),
    )
    const revision = Math.floor((model.revision * (compact ?? 0)) / 4)
    if (revision > model.compactRevision) {
      await store.compact(revision)
      model.compactRevision = revision
    }
  }
  for (let revision = model.compactRevision; revision <= model.revision; revision++) {
    assert.deepEqual((await store.range({ prefix: '' }, { revision })).entries, model.at(revision))
  }
  const late = store.watch({ prefix: '' }, { fromRevision: model.compactRevision + 1 })
  for (const [source, first] of [[watch, 1] as const, [late, model.compactRevision + 1] as const]) {
    for (let revision = first; revision <= model.revision; revision++) {
      const { value: batch } = await source.next()
      assert.equal(batch?.revision, revision)
      assert.deepEqual(model.replay(revision, batch?.events ?? []), model.at(revision))
    }
    await source.return?.()
  }
}

describe('random transactions, compactions and watches do what a simple model does', () => {
  test('memory', async () => {
    await fc.assert(
      fc.asyncProperty(run, async steps => {
        await using store = memoryStore()
        await follows(store, steps)
      }),
      { numRuns: 300 },
    )
  })

  test('sqlite', async () => {
    using folder = new TemporaryFolder()
    let count = 0
    await fc.assert(
      fc.asyncProperty(run, async steps => {
        await using store = await sqliteStore({ path: folder.at(`${++count}.db`), synchronous: 'NORMAL' })
        await follows(store, steps)
      }),
      { numRuns: 40 },
    )
  })
})
