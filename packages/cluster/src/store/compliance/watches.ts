import assert from 'node:assert/strict'
import { StoreError } from '../errors.ts'
import { put, putEach, refuses, shown, take } from './scope.ts'
import type { Check } from './scope.ts'

/** Checks of `watch` and `compact`. */
export const watchChecks: readonly Check[] = [
  {
    title: 'a watch gives what comes after it was made, a batch for each revision',
    run: async ({ store }) => {
      await putEach(store, ['a', 'before'])
      const watch = store.watch({ prefix: '' })
      await putEach(store, ['a', '1'])
      await store.txn({ success: [put('b', '2'), { type: 'delete', key: 'a' }] })
      assert.deepEqual(await take(watch, 2), ['2: +a=1', '3: +b=2 -a'])
    },
  },
  {
    title: 'a watch from a past revision gives history first, then what happens, nothing twice',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['b', '2'], ['a', '3'])
      const watch = store.watch({ prefix: '' }, { fromRevision: 2 })
      assert.deepEqual(await take(watch, 2), ['2: +b=2', '3: +a=3'])
      await putEach(store, ['c', '4'])
      assert.deepEqual(await take(watch, 1), ['4: +c=4'])
    },
  },
  {
    title: 'a watch from a revision to come waits for it',
    run: async ({ store }) => {
      const watch = store.watch({ prefix: '' }, { fromRevision: 3 })
      await putEach(store, ['a', '1'], ['a', '2'], ['a', '3'])
      assert.deepEqual(await take(watch, 1), ['3: +a=3'])
    },
  },
  {
    title: 'a watch gives only its range; a revision with nothing in it gives no batch',
    run: async ({ store }) => {
      const watches = [store.watch({ prefix: 'n/' }), store.watch({ key: 'n' }), store.watch({ from: 'm', to: 'n/2' })]
      await putEach(store, ['m', '1'], ['n', '2'], ['n/1', '3'], ['n/2', '4'], ['o', '5'])
      await store.txn({ success: [{ type: 'delete', prefix: '' }] })
      assert.deepEqual(await take(watches[0], 3), ['3: +n/1=3', '4: +n/2=4', '6: -n/1 -n/2'])
      assert.deepEqual(await take(watches[1], 2), ['2: +n=2', '6: -n'])
      assert.deepEqual(await take(watches[2], 4), ['1: +m=1', '2: +n=2', '3: +n/1=3', '6: -m -n -n/1'])
    },
  },
  {
    title: 'an event has the entry and what was there before',
    run: async ({ store }) => {
      const watch = store.watch({ prefix: '' })
      await putEach(store, ['a', '1'], ['a', '2'])
      await store.txn({ success: [{ type: 'delete', key: 'a' }] })
      for (const history of [false, true]) {
        const source = history ? store.watch({ prefix: '' }, { fromRevision: 1 }) : watch
        const events = [await source.next(), await source.next(), await source.next()].flatMap(({ value }) => value?.events ?? [])
        assert.deepEqual(
          events.map(({ entry, previous }) => [previous?.modRevision, entry?.modRevision, entry?.version]),
          [
            [undefined, 1, 1],
            [1, 2, 2],
            [2, undefined, undefined],
          ],
        )
      }
    },
  },
  {
    title: 'who takes nothing for a long time gets everything, in order, later',
    run: async ({ store }) => {
      const watch = store.watch({ prefix: '' })
      const revisions = Array.from({ length: 1000 }, (_, i) => i + 1)
      await Promise.all(revisions.map(i => store.txn({ success: [put('a', String(i))] })))
      assert.deepEqual(
        await take(watch, 1000),
        revisions.map(i => `${i}: +a=${i}`),
      )
      await putEach(store, ['b', 'last'])
      assert.deepEqual(await take(watch, 1), ['1001: +b=last'])
    },
  },
  {
    title: 'a watch of what is compacted throws, with the revision from which it can go on',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['a', '2'], ['a', '3'])
      await store.compact(2)
      await assert.rejects(store.watch({ prefix: '' }, { fromRevision: 1 }).next(), (error: unknown) => {
        assert.ok(error instanceof StoreError)
        assert.deepEqual([error.code, error.compactRevision], ['compacted', 2])
        return true
      })
      assert.deepEqual(await take(store.watch({ prefix: '' }, { fromRevision: 3 }), 1), ['3: +a=3'])
    },
  },
  {
    title: 'range anew, then watch from its revision + 1: nothing is missed over a compaction',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['b', '2'])
      await store.compact(2)
      const lost = store.watch({ prefix: '' }, { fromRevision: 1 })
      await refuses('compacted', lost.next())
      const { revision } = await store.range({ prefix: '' })
      await putEach(store, ['c', '3'])
      assert.deepEqual(await take(store.watch({ prefix: '' }, { fromRevision: revision + 1 }), 1), ['3: +c=3'])
    },
  },
  {
    title: 'who lags behind a compaction is told, after what had been on its way',
    run: async ({ store }) => {
      const watch = store.watch({ prefix: '' })
      await Promise.all(Array.from({ length: 600 }, (_, i) => store.txn({ success: [put('a', String(i))] })))
      await store.compact(600)
      let taken = 0
      await assert.rejects(
        async () => {
          for await (const { revision } of watch) assert.equal(revision, ++taken)
        },
        { code: 'compacted' },
      )
      assert.ok(taken < 600)
    },
  },
  {
    title: 'a revision can be compacted once, and not before it is there',
    run: async ({ store }) => {
      await putEach(store, ['a', '1'], ['a', '2'])
      await refuses('future-revision', store.compact(3))
      await store.compact(2)
      await refuses('compacted', store.compact(2))
      await refuses('compacted', store.compact(1))
      assert.equal((await putEach(store, ['a', '3']))[0].revision, 3)
    },
  },
  {
    title: 'a signal ends a watch with its reason',
    run: async ({ store }) => {
      const abort = new AbortController()
      const watch = store.watch({ prefix: '' }, { signal: abort.signal })
      const waiting = watch.next()
      abort.abort(new Error('enough'))
      await assert.rejects(waiting, { message: 'enough' })
      assert.deepEqual(await watch.next(), { done: true, value: undefined })
      await assert.rejects(store.watch({ prefix: '' }, { signal: abort.signal }).next(), { message: 'enough' })
    },
  },
  {
    title: 'leaving the loop ends a watch, and others go on',
    run: async ({ store }) => {
      const other = store.watch({ prefix: '' })
      await putEach(store, ['a', '1'], ['a', '2'])
      const watch = store.watch({ prefix: '' }, { fromRevision: 1 })
      for await (const batch of watch) {
        assert.equal(shown(batch), '1: +a=1')
        break
      }
      assert.equal((await watch.next()).done, true)
      assert.deepEqual(await take(other, 2), ['1: +a=1', '2: +a=2'])
    },
  },
  {
    title: 'several may wait for the next batches of one watch',
    run: async ({ store }) => {
      const watch = store.watch({ prefix: '' })
      const waiting = [take(watch, 1), take(watch, 1)]
      await putEach(store, ['a', '1'], ['a', '2'])
      assert.deepEqual((await Promise.all(waiting)).flat(), ['1: +a=1', '2: +a=2'])
    },
  },
]
