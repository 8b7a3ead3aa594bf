import assert from 'node:assert/strict'
import { contentOf, put, putEach, refuses, take } from './scope.ts'
import type { Check } from './scope.ts'

const ttlMs = 500
/** Nobody waits for a lease of this length to run out. */
const longMs = 600_000

/** Checks of leases. Only what must happen is waited for, so that a slow machine is no failure. */
export const leaseChecks: readonly Check[] = [
  {
    title: 'keys vanish with their lease, all at one revision',
    run: async ({ store, advance }) => {
      const { id } = await store.grantLease(ttlMs)
      const watch = store.watch({ prefix: '' })
      await store.txn({ success: [put('a', '1', id), put('b', '1', id), put('c', '1')] })
      assert.deepEqual(await take(watch, 1), ['1: +a=1 +b=1 +c=1'])
      await advance(ttlMs + 1)
      assert.deepEqual(await take(watch, 1), ['2: -a -b'])
      assert.deepEqual(await contentOf(store), ['c=1'])
      await refuses('lease-not-found', store.keepAlive(id))
      await refuses('lease-not-found', store.txn({ success: [put('d', '1', id)] }))
    },
  },
  {
    title: 'a lease that is kept alive lives',
    run: async ({ store, advance }) => {
      const { id } = await store.grantLease(2 * ttlMs)
      await store.txn({ success: [put('a', '1', id)] })
      for (let i = 0; i < 3; i++) {
        await advance(ttlMs)
        assert.equal((await store.keepAlive(id)).id, id)
      }
      assert.deepEqual(await contentOf(store), ['a=1'])
    },
  },
  {
    title: 'a revoked lease takes its keys along at once',
    run: async ({ store }) => {
      const { id } = await store.grantLease(longMs)
      await store.txn({ success: [put('a', '1', id), put('b', '1', id)] })
      assert.equal((await store.revoke(id)).revision, 2)
      assert.deepEqual(await contentOf(store), [])
      await refuses('lease-not-found', store.revoke(id))
      await refuses('lease-not-found', store.keepAlive(id))
    },
  },
  {
    title: 'a lease without keys ends without a revision; numbers of leases are not used again',
    run: async ({ store }) => {
      const first = await store.grantLease(longMs)
      assert.equal((await store.revoke(first.id)).revision, 0)
      const second = await store.grantLease(longMs)
      assert.notEqual(second.id, first.id)
      assert.ok(second.ttlMs >= longMs)
    },
  },
  {
    title: 'a put moves a key to another lease, or to none; a delete takes it from its lease',
    run: async ({ store }) => {
      const [one, two] = await Promise.all([store.grantLease(longMs), store.grantLease(longMs)])
      for (const key of ['stays', 'moves', 'freed', 'made anew']) await store.txn({ success: [put(key, '1', one.id)] })
      await store.txn({ success: [put('moves', '2', two.id), put('freed', '2'), { type: 'delete', key: 'made anew' }] })
      await putEach(store, ['made anew', '2'])
      await store.revoke(one.id)
      assert.deepEqual(await contentOf(store), ['freed=2', 'made anew=2', 'moves=2'])
      await store.revoke(two.id)
      assert.deepEqual(await contentOf(store), ['freed=2', 'made anew=2'])
      const { entries } = await store.range({ key: 'freed' })
      assert.equal(entries[0].lease, 0)
    },
  },
  {
    title: 'leases of different length end one after the other',
    run: async ({ store, advance }) => {
      const watch = store.watch({ prefix: '' })
      const [long, short] = await Promise.all([store.grantLease(3 * ttlMs), store.grantLease(ttlMs)])
      await store.txn({ success: [put('long', '1', long.id), put('short', '1', short.id)] })
      await advance(ttlMs + 1)
      assert.deepEqual(await take(watch, 2), ['1: +long=1 +short=1', '2: -short'])
      await advance(2 * ttlMs)
      assert.deepEqual(await take(watch, 1), ['3: -long'])
    },
  },
]
