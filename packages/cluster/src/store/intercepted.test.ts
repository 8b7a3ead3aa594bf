import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StoreError } from './errors.ts'
import { interceptedStore } from './intercepted.ts'
import { memoryStore } from './memory/memory.ts'

test('something is done around every call that is answered once, and answers are as they were', async () => {
  const seen: string[] = []
  await using store = interceptedStore(memoryStore(), async (call, make) => {
    seen.push(`${call} begins`)
    try {
      return await make()
    } finally {
      seen.push(`${call} ends`)
    }
  })
  const { revision } = await store.txn({ success: [{ type: 'put', key: 'a', value: Buffer.from('1') }] })
  assert.equal((await store.range({ key: 'a' })).entries.length, 1)
  const { id } = await store.grantLease(10_000)
  await store.keepAlive(id)
  await store.revoke(id)
  await assert.rejects(store.revoke(id), (error: unknown) => error instanceof StoreError && error.code === 'lease-not-found')
  await store.compact(revision)
  assert.equal(store.revision, revision)
  const calls = ['txn', 'range', 'grantLease', 'keepAlive', 'revoke', 'revoke', 'compact']
  assert.deepEqual(
    seen,
    calls.flatMap(call => [`${call} begins`, `${call} ends`]),
  )
})
