import assert from 'node:assert/strict'
import type { KeyRange } from '../store.ts'
import { bytes, contentOf, put, putEach, refuses } from './scope.ts'
import type { Check } from './scope.ts'

/** In the order of their UTF-8 bytes, which is not that of UTF-16: U+FFFD comes before U+10000. */
const ordered = [
  'A',
  'B/',
  'a',
  'a\0',
  'a/',
  'a/1',
  'a/10',
  'a/2',
  'a0',
  'aa',
  'z',
  '\u{7f}',
  '\u{80}',
  'é',
  '\u{d7ff}',
  '\u{e000}',
  '\u{fffd}',
  '\u{10000}',
  '😀',
]

const ranges: readonly (readonly [range: KeyRange, keys: readonly string[]])[] = [
  [{ prefix: '' }, ordered],
  [{ prefix: 'a/' }, ['a/', 'a/1', 'a/10', 'a/2']],
  [{ prefix: 'a' }, ['a', 'a\0', 'a/', 'a/1', 'a/10', 'a/2', 'a0', 'aa']],
  [{ prefix: '\u{d7ff}' }, ['\u{d7ff}']],
  [{ prefix: '😀' }, ['😀']],
  [{ prefix: 'nothing' }, []],
  [{ key: 'a' }, ['a']],
  [{ key: 'b' }, []],
  [{ from: 'a/', to: 'a0' }, ['a/', 'a/1', 'a/10', 'a/2']],
  [{ from: 'a/1', to: 'a/1' }, []],
  [{ from: '\u{e000}' }, ['\u{e000}', '\u{fffd}', '\u{10000}', '😀']],
  [{ from: '', to: 'B' }, ['A']],
]

/** Checks of `range`. */
export const rangeChecks: readonly Check[] = [
  {
    title: 'keys, prefixes and intervals, in the order of UTF-8 bytes',
    run: async ({ store }) => {
      await store.txn({ success: [...ordered].reverse().map(key => put(key)) })
      for (const [range, keys] of ranges) {
        const { entries, more } = await store.range(range)
        assert.deepEqual([entries.map(({ key }) => key), more], [keys, false], JSON.stringify(range))
      }
    },
  },
  {
    title: 'an interval that ends before it begins, or bounds that are no Unicode, are refused',
    run: async ({ store }) => {
      await refuses('invalid-key', store.range({ from: 'b', to: 'a' }))
      await refuses('invalid-key', store.range({ prefix: '\ud800' }))
      await refuses('invalid-key', store.range({ key: '' }))
    },
  },
  {
    title: 'a limit gives the first keys and says whether there are more',
    run: async ({ store }) => {
      await store.txn({ success: ['a', 'b', 'c'].map(key => put(key)) })
      for (const [limit, keys, more] of [
        [0, '', true],
        [2, 'a,b', true],
        [3, 'a,b,c', false],
        [9, 'a,b,c', false],
      ] as const) {
        const result = await store.range({ prefix: '' }, { limit })
        assert.deepEqual([result.entries.map(({ key }) => key).join(), result.more], [keys, more])
      }
    },
  },
  {
    title: 'a page after another at one revision is the state of that revision',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['b', '1'], ['c', '1'])
      const first = await store.range({ prefix: '' }, { limit: 1 })
      await putEach(store, ['b', '2'], ['bb', '2'])
      await store.txn({ success: [{ type: 'delete', key: 'c' }] })
      const { entries, revision } = await store.range({ from: 'a\0' }, { revision: first.revision, limit: 5 })
      assert.deepEqual(
        entries.map(({ key, value }) => [key, Buffer.from(value).toString()]),
        [
          ['b', '1'],
          ['c', '1'],
        ],
      )
      assert.equal(revision, 6)
    },
  },
  {
    title: 'every past revision can be read until it is compacted',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['b', '2'], ['a', '3'])
      await store.txn({ success: [{ type: 'delete', prefix: '' }] })
      await putEach(store, ['b', '5'])
      const states = await Promise.all([0, 1, 2, 3, 4, 5].map(async revision => (await contentOf(store, '', revision)).join()))
      assert.deepEqual(states, ['', 'a=1', 'a=1,b=2', 'a=3,b=2', '', 'b=5'])
      await store.compact(3)
      await refuses('compacted', store.range({ prefix: '' }, { revision: 2 }))
      assert.deepEqual(await contentOf(store, '', 3), ['a=3', 'b=2'])
      await refuses('future-revision', store.range({ prefix: '' }, { revision: 6 }))
    },
  },
  {
    title: 'a range follows what was asked for before it',
    run: async ({ store }) => {
      const writing = store.txn({ success: [put('a', '1')] })
      const reading = store.range({ prefix: '' })
      assert.equal((await reading).revision, 1)
      assert.deepEqual((await reading).entries[0].value, bytes('1'))
      await writing
      assert.equal(store.revision, 1)
    },
  },
]
