import assert from 'node:assert/strict'
import type { Compare, Operation } from '../store.ts'
import { bytes, contentOf, put, putEach, refuses } from './scope.ts'
import type { Check } from './scope.ts'

/** What holds, and what does not, of the key `a` that was put at the revisions 1 and 3, and of `no`, which is not there. */
const compares: readonly (readonly [compare: Compare, holds: boolean])[] = [
  [{ key: 'a', modRevision: 3 }, true],
  [{ key: 'a', modRevision: 1 }, false],
  [{ key: 'a', createRevision: 1 }, true],
  [{ key: 'a', createRevision: 3 }, false],
  [{ key: 'a', version: 2 }, true],
  [{ key: 'a', version: 0 }, false],
  [{ key: 'a', value: bytes('two') }, true],
  [{ key: 'a', value: bytes('one') }, false],
  [{ key: 'a', absent: false }, true],
  [{ key: 'a', absent: true }, false],
  [{ key: 'no', modRevision: 0 }, true],
  [{ key: 'no', modRevision: 1 }, false],
  [{ key: 'no', createRevision: 0 }, true],
  [{ key: 'no', version: 0 }, true],
  [{ key: 'no', value: bytes('') }, false],
  [{ key: 'no', absent: true }, true],
  [{ key: 'no', absent: false }, false],
]

const many = (count: number): Operation[] => Array.from({ length: count }, (_, i) => put(`k${i}`))

/** Checks of `txn`. */
export const transactionChecks: readonly Check[] = [
  {
    title: 'compares of revisions, versions, values and absence',
    run: async ({ store }) => {
      await putEach(store, ['a', 'one'], ['b', 'x'], ['a', 'two'])
      for (const [compare, holds] of compares) {
        assert.equal((await store.txn({ compare: [compare] })).succeeded, holds, JSON.stringify(compare))
      }
    },
  },
  {
    title: 'one compare that fails is enough for the other branch, and nothing of the first happens',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'])
      const result = await store.txn({
        compare: [
          { key: 'a', absent: false },
          { key: 'a', modRevision: 7 },
        ],
        success: [put('b'), { type: 'delete', key: 'a' }],
        failure: [{ type: 'range', key: 'a' }],
      })
      assert.equal(result.succeeded, false)
      assert.equal(result.revision, 1)
      assert.deepEqual(result.results, [
        { type: 'range', entries: [{ key: 'a', value: bytes('1'), createRevision: 1, modRevision: 1, version: 1, lease: 0 }], more: false },
      ])
      assert.deepEqual(await contentOf(store), ['a=1'])
    },
  },
  {
    title: 'all operations of a transaction are one revision; reads see what came before them',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['old/1', ''], ['old/2', ''])
      const { revision, results } = await store.txn({
        success: [put('b', '2'), { type: 'delete', prefix: 'old/' }, { type: 'range', prefix: '' }, put('c', '3'), { type: 'delete', key: 'no' }],
      })
      assert.equal(revision, 4)
      assert.deepEqual(
        results.map(one => (one.type === 'range' ? one.entries.map(({ key }) => key).join() : one.type === 'delete' ? one.deleted : one.type)),
        ['put', 2, 'a,b', 'put', 0],
      )
      const { entries } = await store.range({ prefix: '' })
      assert.deepEqual(
        entries.map(({ key, modRevision }) => `${key}@${modRevision}`),
        ['a@1', 'b@4', 'c@4'],
      )
    },
  },
  {
    title: 'a transaction that changes nothing makes no revision',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'])
      assert.equal((await store.txn({ success: [{ type: 'delete', key: 'no' }] })).revision, 1)
      assert.equal((await store.txn({})).revision, 1)
      assert.equal((await store.txn({ success: [put('a', '1')] })).revision, 2, 'a put of the same value is a change')
    },
  },
  {
    title: 'a key that was deleted and made again begins anew',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['a', '2'])
      await store.txn({ success: [{ type: 'delete', key: 'a' }] })
      await putEach(store, ['a', '3'])
      const { entries } = await store.range({ key: 'a' })
      assert.deepEqual(entries, [{ key: 'a', value: bytes('3'), createRevision: 4, modRevision: 4, version: 1, lease: 0 }])
    },
  },
  {
    title: 'of many that compare the same revision one succeeds',
    run: async ({ store }) => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.txn({ compare: [{ key: 'a', absent: true }], success: [put('a', String(i))] })),
      )
      assert.deepEqual(
        results.map(({ succeeded }) => succeeded),
        results.map((_, i) => i === 0),
      )
      assert.deepEqual(await contentOf(store), ['a=0'])
    },
  },
  {
    title: 'counters incremented by compare-and-swap lose nothing',
    run: async ({ store }) => {
      const increment = async (): Promise<void> => {
        const entry = (await store.range({ key: 'n' })).entries[0]
        const value = bytes(String(Number(entry === undefined ? 0 : Buffer.from(entry.value).toString()) + 1))
        const { succeeded } = await store.txn({
          compare: [{ key: 'n', modRevision: entry?.modRevision ?? 0 }],
          success: [{ type: 'put', key: 'n', value }],
        })
        if (!succeeded) await increment()
      }
      await Promise.all(Array.from({ length: 8 }, async () => Promise.all([increment(), increment()])))
      assert.deepEqual(await contentOf(store), ['n=16'])
    },
  },
  {
    title: 'a buffer may be used again when the call is answered',
    run: async ({ store }) => {
      const buffer = Buffer.from('..first..')
      await store.txn({ success: [{ type: 'put', key: 'a', value: buffer.subarray(2, 7) }] })
      buffer.fill('!')
      await store.txn({ success: [{ type: 'put', key: 'b', value: new Uint8Array(0) }] })
      assert.deepEqual(await contentOf(store), ['a=first', 'b='])
    },
  },
  {
    title: '100 operations are allowed, 101 are too many',
    run: async ({ store }) => {
      await store.txn({ success: many(100) })
      await refuses('too-many-operations', store.txn({ success: many(101) }))
      await refuses('too-many-operations', store.txn({ failure: many(101) }))
      await refuses('too-many-operations', store.txn({ compare: Array.from({ length: 101 }, () => ({ key: 'a', version: 0 })) }))
      assert.equal(store.revision, 1)
    },
  },
  {
    title: '1 MiB is allowed, one byte more is too large',
    run: async ({ store }) => {
      await store.txn({ success: [{ type: 'put', key: 'k', value: new Uint8Array(1_048_575) }] })
      await refuses('too-large', store.txn({ success: [{ type: 'put', key: 'k', value: new Uint8Array(1_048_576) }] }))
      await refuses('too-large', store.txn({ success: [put('ä', 'x')], compare: [{ key: 'b', value: new Uint8Array(1_048_573) }] }))
      assert.equal(store.revision, 1)
    },
  },
  {
    title: 'no key may be changed twice in a transaction',
    run: async ({ store }) => {
      await refuses('duplicate-key', store.txn({ success: [put('a'), put('a')] }))
      await refuses('duplicate-key', store.txn({ success: [put('a'), { type: 'delete', key: 'a' }] }))
      await refuses('duplicate-key', store.txn({ success: [{ type: 'delete', prefix: '' }, put('a')] }))
      await refuses('duplicate-key', store.txn({ failure: [{ type: 'delete', from: 'a', to: 'c' }, put('b')] }))
      await store.txn({ success: [{ type: 'delete', from: 'a', to: 'b' }, put('b')], failure: [put('b')] })
      assert.equal(store.revision, 1)
    },
  },
  {
    title: 'keys are not empty and well-formed Unicode; any such text will do',
    run: async ({ store }) => {
      for (const key of ['', '\ud800', 'a\udc00']) await refuses('invalid-key', store.txn({ success: [put(key)] }))
      await refuses('invalid-key', store.txn({ compare: [{ key: '', absent: true }] }))
      const odd = ['\0', "'; --", 'a\0b', 'ä', '\u{10ffff}']
      await store.txn({ success: odd.map(key => put(key, 'v')) })
      const { entries } = await store.range({ prefix: '' })
      assert.deepEqual(
        entries.map(({ key }) => key),
        ['\0', "'; --", 'a\0b', 'ä', '\u{10ffff}'],
      )
    },
  },
  {
    title: 'a refused transaction among others spoils none of them',
    run: async ({ store }) => {
      const [first, refused, last] = await Promise.allSettled([
        store.txn({ success: [put('a')] }),
        store.txn({ success: [put('b'), put('c', 'x', 999)] }),
        store.txn({ success: [put('d')] }),
      ])
      assert.deepEqual([first.status, refused.status, last.status], ['fulfilled', 'rejected', 'fulfilled'])
      assert.deepEqual(await contentOf(store), ['a=x', 'd=x'])
    },
  },
]
