import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel, Worker } from 'node:worker_threads'
import { TemporaryFolder } from '../../test-support/folder.ts'
import { storeCompliance } from '../compliance.ts'
import { contentOf, put, putEach, refuses, take } from '../compliance/scope.ts'
import { openStorePort } from './port-store.ts'
import { sqliteStore } from './sqlite.ts'

storeCompliance('sqlite, FULL', async () => {
  const folder = new TemporaryFolder()
  const store = await sqliteStore({ path: folder.at('store.db') })
  return { store, advance: ms => sleep(ms), dispose: async () => folder[Symbol.dispose]() }
})

storeCompliance('a port of sqlite, NORMAL', async () => {
  const folder = new TemporaryFolder()
  const owner = await sqliteStore({ path: folder.at('store.db'), synchronous: 'NORMAL' })
  const dispose = async (): Promise<void> => {
    await owner.close()
    folder[Symbol.dispose]()
  }
  return { store: openStorePort(owner.connect()), advance: ms => sleep(ms), dispose }
})

describe('what is kept', () => {
  test('entries, revisions, history and leases survive closing and opening', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const first = await sqliteStore({ path })
    const { id } = await first.grantLease(600_000)
    await putEach(first, ['a', '1'], ['b', '2'], ['a', '3'])
    await first.txn({ success: [put('leased', '4', id)] })
    await first.compact(1)
    await first.close()
    await using second = await sqliteStore({ path })
    assert.deepEqual(await contentOf(second), ['a=3', 'b=2', 'leased=4'])
    assert.deepEqual(await contentOf(second, '', 2), ['a=1', 'b=2'])
    assert.deepEqual(await take(second.watch({ prefix: '' }, { fromRevision: 2 }), 3), ['2: +b=2', '3: +a=3', '4: +leased=4'])
    await refuses('compacted', second.watch({ prefix: '' }, { fromRevision: 1 }).next())
    assert.equal((await second.revoke(id)).revision, 5)
  })

  test('the revision goes on when all of history was compacted', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const first = await sqliteStore({ path })
    await putEach(first, ['a', '1'], ['a', '2'])
    await first.compact(2)
    await first.close()
    await using second = await sqliteStore({ path })
    assert.equal((await putEach(second, ['a', '3']))[0].revision, 3)
  })

  test('a lease that was left behind runs out in the next run', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const first = await sqliteStore({ path })
    const { id } = await first.grantLease(200)
    await first.txn({ success: [put('a', '1', id)] })
    await first.close()
    await using second = await sqliteStore({ path })
    const watch = second.watch({ prefix: '' }, { fromRevision: 1 })
    assert.deepEqual(await take(watch, 2), ['1: +a=1', '2: -a'])
  })

  test('history beyond what is kept is compacted', async () => {
    using folder = new TemporaryFolder()
    await using store = await sqliteStore({ path: folder.at('store.db'), synchronous: 'NORMAL', history: { revisions: 10 } })
    await Promise.all(Array.from({ length: 200 }, (_, i) => store.txn({ success: [put('a', String(i))] })))
    await refuses('compacted', store.range({ prefix: '' }, { revision: 100 }))
    assert.deepEqual(await contentOf(store, '', 190), ['a=189'])
  })
})

describe('ports', () => {
  test('clients in other threads read and watch what one writes', async () => {
    using folder = new TemporaryFolder()
    await using store = await sqliteStore({ path: folder.at('store.db'), synchronous: 'NORMAL' })
    const module = new URL('../../test-support/port-worker.ts', import.meta.url)
    const threads = [1, 2].map(number => {
      const port = store.connect()
      return new Worker(module, { workerData: { port, number, count: 50 }, transferList: [port] })
    })
    await Promise.all(threads.map(thread => new Promise(resolve => thread.once('exit', resolve))))
    const watch = store.watch({ prefix: '' }, { fromRevision: 1 })
    const batches = await take(watch, 100)
    assert.equal(new Set(batches).size, 100)
    assert.equal((await contentOf(store, 'k')).length, 100)
  })

  test('when the store closes, its other clients are closed', async () => {
    using folder = new TemporaryFolder()
    const store = await sqliteStore({ path: folder.at('store.db') })
    const client = openStorePort(store.connect())
    const writing = putEach(client, ['a', '1'])
    assert.equal(client.pending, 1)
    await writing
    assert.equal(client.pending, 0)
    const watch = client.watch({ prefix: 'b' })
    const ended = refuses('closed', watch.next())
    await store.close()
    assert.throws(() => store.connect(), { code: 'closed' })
    await ended
    await refuses('closed', client.txn({ success: [put('b')] }))
    await client.close()
  })

  test('when the thread of a store dies, all its clients hear of it, and the store can be opened again', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const store = await sqliteStore({ path })
    await putEach(store, ['a', '1'])
    const watch = store.watch({ prefix: 'b' })
    const unwatched = refuses('unavailable', watch.next())
    const rogue = store.connect()
    rogue.postMessage(null)
    await unwatched
    await refuses('unavailable', store.txn({ success: [put('b')] }))
    await store.close()
    rogue.close()
    await using again = await sqliteStore({ path })
    assert.deepEqual(await contentOf(again), ['a=1'])
  })

  test('when the thread dies, what it had not answered is unknown, and nothing goes on', async () => {
    const { port1, port2 } = new MessageChannel()
    const client = openStorePort(port1)
    const watch = client.watch({ prefix: '' })
    const unanswered = refuses('unavailable', client.txn({ success: [put('a')] }))
    const unwatched = refuses('unavailable', watch.next())
    await once(port2, 'message')
    port2.close()
    await Promise.all([unanswered, unwatched])
    await refuses('unavailable', client.range({ prefix: '' }))
    await client.close()
  })

  test('a client that closes takes its watches along, and nothing else', async () => {
    using folder = new TemporaryFolder()
    await using store = await sqliteStore({ path: folder.at('store.db') })
    const client = openStorePort(store.connect())
    const watch = client.watch({ prefix: '' })
    await client.close()
    await refuses('closed', watch.next())
    await putEach(store, ['a', '1'])
    assert.deepEqual(await contentOf(store), ['a=1'])
  })
})

describe('opening', () => {
  test('the file is for its owner only, also when it was not', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    await (await sqliteStore({ path })).close()
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(existsSync(`${path}-wal`), false, 'closing leaves one file')
    chmodSync(path, 0o644)
    await using store = await sqliteStore({ path })
    await putEach(store, ['a', '1'])
    assert.deepEqual([statSync(path).mode & 0o777, statSync(`${path}-wal`).mode & 0o777], [0o600, 0o600])
  })

  test('a folder that is missing, a folder instead of a file', async () => {
    using folder = new TemporaryFolder()
    await assert.rejects(sqliteStore({ path: folder.at('none/store.db') }), { code: 'folder-missing', message: /make the folder/ })
    await refuses('not-a-store', sqliteStore({ path: folder.path }))
  })

  test('a store in use', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    await using store = await sqliteStore({ path })
    await assert.rejects(sqliteStore({ path }), { code: 'locked', message: /stop that one/ })
    await putEach(store, ['a', '1'])
  })

  test('a file that is no database', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    writeFileSync(path, 'dear diary, '.repeat(1000))
    await assert.rejects(sqliteStore({ path }), { code: 'not-a-store', message: /another path/ })
    assert.match(readFileSync(path, 'utf8'), /^dear diary/)
  })

  test("somebody else's database is left alone", async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const other = new DatabaseSync(path)
    other.exec('CREATE TABLE recipes(name TEXT)')
    other.close()
    await refuses('not-a-store', sqliteStore({ path }))
    const after = new DatabaseSync(path)
    assert.equal(after.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'delete')
    after.close()
  })

  test('a newer schema', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    await (await sqliteStore({ path })).close()
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 99')
    database.close()
    await assert.rejects(sqliteStore({ path }), { code: 'newer-schema', message: /version 99/ })
  })

  test('a damaged file', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    await (await sqliteStore({ path })).close()
    const bytes = readFileSync(path)
    bytes.fill(0xff, 100, 200)
    writeFileSync(path, bytes)
    await assert.rejects(sqliteStore({ path }), { code: 'corrupt', message: /backup/ })
  })

  test('opening fails a store once, and not the next time', async () => {
    using folder = new TemporaryFolder()
    const path = folder.at('store.db')
    const first = await sqliteStore({ path })
    await refuses('locked', sqliteStore({ path }))
    await first.close()
    await (await sqliteStore({ path })).close()
  })
})

test('history larger than what is kept is compacted', async () => {
  using folder = new TemporaryFolder()
  await using store = await sqliteStore({ path: folder.at('store.db'), synchronous: 'NORMAL', history: { bytes: 100_000 } })
  for (let i = 0; i < 130; i++) await putEach(store, ['a', 'x'.repeat(5000)])
  await refuses('compacted', store.range({ prefix: '' }, { revision: 100 }))
  assert.equal((await contentOf(store, '', 125)).length, 1)
})
