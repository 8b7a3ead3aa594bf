import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { TemporaryFolder } from '../../test-support/folder.ts'
import type { StoreError } from '../errors.ts'
import { contentOf, putEach, refuses } from '../compliance/scope.ts'
import type { Store } from '../store.ts'
import { sqliteStore } from './sqlite.ts'

const chunk = (key: string, length = 50_000): { type: 'put'; key: string; value: Uint8Array } => ({ type: 'put', key, value: new Uint8Array(length) })

/** Writes until there is no room; resolves to the keys that were answered. */
async function fill(store: Store): Promise<string[]> {
  const keys: string[] = []
  for (let i = 0; i < 10_000; i++) {
    const key = `fill/${String(i).padStart(5, '0')}`
    try {
      await store.txn({ success: [chunk(key)] })
      keys.push(key)
    } catch (error) {
      assert.equal((error as StoreError).code, 'no-space')
      return keys
    }
  }
  return assert.fail('there is always room')
}

const keysOf = async (store: Store, prefix: string): Promise<string[]> => (await store.range({ prefix })).entries.map(({ key }) => key)

test('beyond `maxBytes` there is no room, until history is compacted', async () => {
  using folder = new TemporaryFolder()
  await using store = await sqliteStore({ path: folder.at('store.db'), maxBytes: 1_000_000 })
  await putEach(store, ['a', 'kept'])
  const keys = await fill(store)
  assert.deepEqual(await keysOf(store, 'fill/'), keys)
  assert.deepEqual(await contentOf(store, 'a'), ['a=kept'])
  await store.compact(store.revision)
  await store.txn({ success: [{ type: 'delete', prefix: 'fill/' }] })
  await store.txn({ success: [chunk('again')] })
  assert.deepEqual(await keysOf(store, ''), ['a', 'again'])
})

test('of many at once only those fail that have no room, and revisions have no gap', async () => {
  using folder = new TemporaryFolder()
  await using store = await sqliteStore({ path: folder.at('store.db'), maxBytes: 1_000_000 })
  const watch = store.watch({ prefix: '' })
  const writes = Array.from({ length: 20 }, (_, i) => store.txn({ success: [chunk(`k/${String(i).padStart(2, '0')}`, i % 2 === 0 ? 10 : 200_000)] }))
  const settled = await Promise.allSettled(writes)
  const done = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value.revision] : []))
  assert.ok(settled.some(({ status }) => status === 'rejected'))
  assert.deepEqual(
    done,
    done.map((_, i) => i + 1),
  )
  assert.equal((await keysOf(store, 'k/')).length, done.length)
  for (const revision of done) assert.equal((await watch.next()).value?.revision, revision)
})

/** A disk of 2 MiB, or why there is none. */
function mountSmallDisk(path: string): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may mount'
  mkdirSync(path)
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', path]).status === 0 ? undefined : 'mount is not allowed here'
}

test('on a full disk transactions are refused, reads go on, and with room all is well again', async t => {
  using folder = new TemporaryFolder()
  const disk = folder.at('disk')
  const reason = mountSmallDisk(disk)
  if (reason !== undefined) return t.skip(reason)
  try {
    writeFileSync(`${disk}/ballast`, Buffer.alloc(1_000_000))
    const store = await sqliteStore({ path: `${disk}/store.db` })
    const { id } = await store.grantLease(600_000)
    const keys = await fill(store)
    await refuses('no-space', store.txn({ success: [chunk('one more', 200_000)] }))
    assert.deepEqual(await keysOf(store, 'fill/'), keys)
    assert.equal((await store.keepAlive(id)).id, id)
    rmSync(`${disk}/ballast`)
    await store.txn({ success: [chunk('one more', 100_000)] })
    await store.close()
    await using again = await sqliteStore({ path: `${disk}/store.db` })
    assert.deepEqual(await keysOf(again, ''), [...keys, 'one more'])
  } finally {
    spawnSync('umount', ['-l', disk])
  }
})

test('history is as short as it was asked to be also where few transactions change many keys', async () => {
  using folder = new TemporaryFolder()
  await using store = await sqliteStore({ path: folder.at('store.db'), history: { bytes: 10_000 } })
  for (let turn = 0; turn < 3; turn++) await store.txn({ success: Array.from({ length: 100 }, (_, i) => chunk(`k/${i}`, 200)) })
  await refuses('compacted', store.range({ prefix: 'k/' }, { revision: 1 }))
})
