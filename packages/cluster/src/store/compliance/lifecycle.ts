import assert from 'node:assert/strict'
import { put, putEach, refuses, take } from './scope.ts'
import type { Check } from './scope.ts'

/** Checks of `revision` and `close`. */
export const lifecycleChecks: readonly Check[] = [
  {
    title: 'revision is the newest that was heard of',
    run: async ({ store }) => {
      const results = await putEach(store, ['a', '1'], ['a', '2'])
      assert.deepEqual(
        results.map(({ revision }) => revision),
        [1, 2],
      )
      assert.equal(store.revision, 2)
    },
  },
  {
    title: 'calls are answered in the order in which they were made',
    run: async ({ store }) => {
      const revisions: number[] = []
      const write = async (): Promise<void> => void revisions.push((await store.txn({ success: [put('a')] })).revision)
      await Promise.all(Array.from({ length: 50 }, write))
      assert.deepEqual(
        revisions,
        Array.from({ length: 50 }, (_, i) => i + 1),
      )
    },
  },
  {
    title: 'closing waits for what is under way; calls made later are refused',
    run: async ({ store }) => {
      const writing = Promise.all(Array.from({ length: 20 }, (_, i) => store.txn({ success: [put(`k${i}`)] })))
      await store.close()
      assert.equal((await writing).at(-1)?.revision, 20)
      await refuses('closed', store.txn({ success: [put('a')] }))
      await refuses('closed', store.range({ prefix: '' }))
      await refuses('closed', store.grantLease(1000))
      await refuses('closed', async () => store.watch({ prefix: '' }).next())
      await store.close()
    },
  },
  {
    title: 'closing ends watches',
    run: async ({ store }) => {
      const watch = store.watch({ prefix: '' })
      await putEach(store, ['a', '1'])
      assert.deepEqual(await take(watch, 1), ['1: +a=1'])
      const waiting = refuses('closed', watch.next())
      await store.close()
      await waiting
    },
  },
]
