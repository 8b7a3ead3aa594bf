import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExternalChange } from '@holdfast/storage'
import { Pending } from '../pending.ts'
import { createTable, request, settled } from '../testing-support.ts'
import type { OpenTable } from '../open-table.ts'
import type { FolderWatcher } from './external-changes.ts'
import { notifyActions, notifyFilters, type FolderChange, type NotifyResult } from './types.ts'

const { added, removed, modified } = notifyActions
const names = notifyFilters.fileName | notifyFilters.dirName
let fileId = 100n

const openFolder = (table: OpenTable, path: string): bigint => {
  const result = table.open(0, request({ fileId: fileId++, path, isFolder: true }))
  assert.ok(!(result instanceof Pending) && result.status === 'SUCCESS')
  return result.openId
}

const ask = (
  table: OpenTable,
  openId: bigint,
  overrides: { recursive?: boolean; filter?: number; maxBytes?: number } = {},
): NotifyResult | Pending<NotifyResult> => table.nextChange({ openId, recursive: false, filter: names, maxBytes: 1000, ...overrides })

const waits = (result: NotifyResult | Pending<NotifyResult>): Pending<NotifyResult> => {
  assert.ok(result instanceof Pending)
  return result
}

const entriesOf = (result: NotifyResult | Pending<NotifyResult>): string[] => {
  assert.ok(!(result instanceof Pending))
  assert.equal(result.status, 'SUCCESS')
  return result.entries.map(({ action, name }) => `${action} ${name}`)
}

const create = (folder: string, name: string): FolderChange => ({ folder, name, action: added, filter: notifyFilters.fileName })

test('the first request starts collecting; what happens between requests comes with the next (MS-SMB2 3.3.5.19)', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'dir')
  table.notify.publish(create('dir', 'before'))
  const first = waits(ask(table, folder))
  table.notify.publish(create('DIR', 'one'))
  assert.deepEqual(entriesOf(await settled(first)), ['1 one'])
  table.notify.publish(create('dir', 'two'))
  table.notify.publish({ folder: 'dir', name: 'two', action: removed, filter: notifyFilters.fileName })
  table.notify.publish({ folder: 'dir', name: 'two', action: modified, filter: notifyFilters.size })
  assert.deepEqual(entriesOf(ask(table, folder)), ['1 two', '2 two'])
})

test('trees are watched with names relative to their root, folders are not (MS-SMB2 3.3.5.19)', async () => {
  const { table } = createTable()
  const tree = openFolder(table, 'a')
  const root = openFolder(table, '')
  const flat = openFolder(table, 'A')
  const waiting = [waits(ask(table, tree, { recursive: true })), waits(ask(table, root, { recursive: true })), waits(ask(table, flat))]
  table.notify.publish(create('A/B/C', 'f'))
  assert.deepEqual(entriesOf(await settled(waiting[0])), ['1 B\\C\\f'])
  assert.deepEqual(entriesOf(await settled(waiting[1])), ['1 A\\B\\C\\f'])
  assert.equal(waiting[2].settled, false)
  waits(ask(table, tree))
  table.notify.publish(create('ab', 'no part of a'))
  assert.deepEqual(entriesOf(ask(table, root)), ['1 ab\\no part of a'])
})

test('changes of the watched folder itself are its parent’s', () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  const waiting = waits(ask(table, folder, { recursive: true, filter: notifyFilters.attributes }))
  table.notify.publish({ folder: '', name: 'a', action: modified, filter: notifyFilters.attributes })
  assert.equal(waiting.settled, false)
})

test('several requests of an open are answered one after the other', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  const [first, second] = [waits(ask(table, folder)), waits(ask(table, folder))]
  table.notify.publish(create('a', 'x'))
  table.notify.publish(create('a', 'y'))
  assert.deepEqual(entriesOf(await settled(first)), ['1 x'])
  assert.deepEqual(entriesOf(await settled(second)), ['1 y'])
})

test('more than the buffer holds gives NOTIFY_ENUM_DIR, and what was collected is gone (MS-SMB2 3.3.5.19)', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  waits(ask(table, folder)).cancel()
  for (let i = 0; i < 100; i++) table.notify.publish(create('a', `file-${i}`))
  assert.deepEqual(ask(table, folder), { status: 'NOTIFY_ENUM_DIR', entries: [] })
  const small = waits(ask(table, folder, { maxBytes: 0 }))
  table.notify.publish(create('a', 'x'))
  assert.equal((await settled(small)).status, 'NOTIFY_ENUM_DIR')
  const next = waits(ask(table, folder))
  table.notify.publish(create('a', 'z'))
  assert.deepEqual(entriesOf(await settled(next)), ['1 z'])
})

test('the first request’s buffer is the open’s: too small once is too small always (MS-FSA 2.1.5.11)', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  const first = waits(ask(table, folder, { maxBytes: 1 }))
  table.notify.publish(create('a', 'x'))
  assert.equal((await settled(first)).status, 'NOTIFY_ENUM_DIR')
  const second = waits(ask(table, folder, { maxBytes: 1000 }))
  table.notify.publish(create('a', 'y'))
  assert.equal((await settled(second)).status, 'NOTIFY_ENUM_DIR')
})

test('the buffer is measured as FILE_NOTIFY_INFORMATION, entries padded to 4 bytes (MS-FSCC 2.7.1)', () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  // 12 + 2, padded to 16, and 12 + 2 again.
  for (const [maxBytes, status] of [
    [30, 'SUCCESS'],
    [29, 'NOTIFY_ENUM_DIR'],
  ] as const) {
    waits(ask(table, folder)).cancel()
    table.notify.publish(create('a', 'x'))
    table.notify.publish(create('a', 'y'))
    assert.equal((ask(table, folder, { maxBytes }) as NotifyResult).status, status)
  }
})

test('repeated modifications are one, renames come as a pair, moves as removed and added', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  waits(ask(table, folder, { filter: 0xfff })).cancel()
  for (let i = 0; i < 3; i++) table.notify.publish({ folder: 'a', name: 'f', action: modified, filter: notifyFilters.size })
  assert.deepEqual(entriesOf(ask(table, folder)), ['3 f'])
  const waiting = waits(ask(table, folder))
  table.notify.publishRename({ from: { folder: 'a', name: 'f' }, to: { folder: 'A', name: 'g' }, isFolder: false })
  assert.deepEqual(entriesOf(await settled(waiting)), ['4 f', '5 g'])
  table.notify.publishRename({ from: { folder: 'a', name: 'd' }, to: { folder: 'b', name: 'd' }, isFolder: true })
  table.notify.publishRename({ from: { folder: 'b', name: 'd' }, to: { folder: 'a', name: 'd' }, isFolder: true })
  assert.deepEqual(entriesOf(ask(table, folder)), ['2 d', '1 d'])
})

test('who waits learns of cancellation, of the close and of the folder’s deletion (MS-SMB2 3.3.4.1)', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'a')
  const cancelled = waits(ask(table, folder))
  cancelled.cancel()
  assert.equal((await settled(cancelled)).status, 'CANCELLED')
  const closed = waits(ask(table, folder))
  table.close(folder)
  assert.equal((await settled(closed)).status, 'NOTIFY_CLEANUP')
  assert.equal((ask(table, folder) as NotifyResult).status, 'FILE_CLOSED')

  for (const initial of [false, true]) {
    const path = `gone-${initial}`
    const id = fileId++
    const open = (deleteOnClose: boolean): bigint => {
      const result = table.open(0, request({ fileId: id, path, isFolder: true, deleteOnClose }))
      assert.ok(!(result instanceof Pending) && result.status === 'SUCCESS')
      return result.openId
    }
    const watching = open(false)
    const pending = waits(ask(table, watching))
    const deleter = open(initial)
    if (!initial) table.setDeletePending(deleter, true)
    else assert.equal(pending.settled, false)
    table.close(deleter)
    assert.equal((await settled(pending)).status, 'DELETE_PENDING')
    assert.equal((ask(table, watching) as NotifyResult).status, 'DELETE_PENDING')
  }
})

test('a watch follows its folder when that is renamed', async () => {
  const { table } = createTable()
  const folder = openFolder(table, 'old')
  const waiting = waits(ask(table, folder))
  table.commitRename(folder, { path: 'new' })
  table.notify.publish(create('old', 'x'))
  assert.equal(waiting.settled, false)
  table.notify.publish(create('new', 'y'))
  assert.deepEqual(entriesOf(await settled(waiting)), ['1 y'])
})

test('the filesystem’s reports count, unless they are echoes of what the server did, in whichever order they come', async () => {
  let report: ((change: ExternalChange) => void) | undefined
  let disposed = 0
  const watchFolder: FolderWatcher = (_path, _options, listener) => {
    report = listener
    return { [Symbol.dispose]: () => void disposed++ }
  }
  const { table, scheduler } = createTable({ watchFolder })
  const folder = openFolder(table, 'a')
  const first = waits(ask(table, folder, { filter: 0xfff }))
  const external = (action: ExternalChange['action'], name: string): void => report!({ folder: 'a', action, name, isFolder: false })
  external('added', 'mine')
  table.notify.publish(create('a', 'mine'))
  external('added', 'theirs')
  external('modified', 'mine')
  scheduler.advance(100)
  assert.deepEqual(entriesOf(await settled(first)), ['1 mine'])
  assert.deepEqual(entriesOf(ask(table, folder)), ['1 theirs'])
  table.notify.publish({ folder: 'a', name: 'quiet', action: modified, filter: 0 })
  external('modified', 'quiet')
  scheduler.advance(5_000)
  external('modified', 'mine')
  scheduler.advance(100)
  assert.deepEqual(entriesOf(ask(table, folder)), ['3 mine'])
  table.close(folder)
  assert.equal(disposed, 1)
})

test('where a tree and a folder in it are both watched, the filesystem’s report is told once', async () => {
  const listeners: ((change: ExternalChange) => void)[] = []
  const { table, scheduler } = createTable({
    watchFolder: (_path, _options, listener) => {
      listeners.push(listener)
      return undefined
    },
  })
  const tree = waits(ask(table, openFolder(table, ''), { recursive: true }))
  const flat = openFolder(table, 'a')
  const first = waits(ask(table, flat))
  for (const listener of listeners) listener({ folder: 'a', action: 'added', name: 'f', isFolder: false })
  scheduler.advance(100)
  assert.deepEqual(entriesOf(await settled(tree)), ['1 a\\f'])
  assert.deepEqual(entriesOf(await settled(first)), ['1 f'])
  assert.ok(ask(table, flat) instanceof Pending)
})
