import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessBits } from './access.ts'
import { Pending } from './pending.ts'
import { createTable, leaseRequest, leaseState, request, settled } from './testing-support.ts'
import type { OpenResult, StatusResult } from './types.ts'

const opened = (result: OpenResult | Pending<OpenResult>): bigint => {
  assert.ok(!(result instanceof Pending) && result.status === 'SUCCESS', 'granted at once')
  return result.openId
}

const statusOf = (result: StatusResult | OpenResult | Pending<OpenResult> | Pending<StatusResult>): string =>
  result instanceof Pending ? 'pending' : result.status

describe('delete-on-close', () => {
  test('a disposition shows at once: new opens get DELETE_PENDING, the last close removes (MS-FSA 2.1.5.4, 2.1.5.14.3)', () => {
    const { table } = createTable()
    const first = opened(table.open(0, request()))
    const second = opened(table.open(0, request()))
    table.setDeletePending(first, true)
    assert.equal(table.isDeletePending(second), true)
    assert.equal(statusOf(table.open(0, request())), 'DELETE_PENDING')
    assert.deepEqual(table.close(first), { status: 'SUCCESS' })
    assert.equal(table.close(second).deleteNow?.path, 'file.dat')
    assert.equal(table.close(second).status, 'FILE_CLOSED')
  })

  test('a disposition can be taken back', () => {
    const { table } = createTable()
    const first = opened(table.open(0, request()))
    table.setDeletePending(first, true)
    table.setDeletePending(first, false)
    opened(table.open(0, request()))
    assert.deepEqual(table.close(first), { status: 'SUCCESS' })
  })

  test('FILE_DELETE_ON_CLOSE shows when that very open is closed (MS-FSA 2.1.5.4)', () => {
    const { table } = createTable()
    const marker = opened(table.open(0, request({ deleteOnClose: true })))
    const other = opened(table.open(0, request()))
    assert.deepEqual(table.close(marker), { status: 'SUCCESS' })
    assert.equal(statusOf(table.open(0, request())), 'DELETE_PENDING')
    const { deleteNow } = table.close(other)
    assert.equal(deleteNow?.path, 'file.dat')
    assert.equal(statusOf(table.open(0, request())), 'DELETE_PENDING', 'until it is gone')
    table.deleteFinished(deleteNow.ticket)
    opened(table.open(0, request()))
  })

  test('of a file with several names only the one it was opened by goes, as soon as nobody has it open by that (MS-FSA 2.1.5.4)', () => {
    const { table } = createTable()
    const first = opened(table.open(0, request({ hasLinks: true })))
    const link = opened(table.open(0, request({ path: 'link', hasLinks: true })))
    table.setDeletePending(link, true)
    assert.deepEqual([table.isDeletePending(first), table.isDeletePending(link)], [false, true])
    assert.equal(statusOf(table.open(0, request({ path: 'link', hasLinks: true }))), 'DELETE_PENDING')
    const { deleteNow } = table.close(link)
    assert.equal(deleteNow?.path, 'link')
    table.deleteFinished(deleteNow.ticket)
    assert.deepEqual([table.pathOf(first)?.path, table.isDeletePending(first)], ['file.dat', false])
    assert.deepEqual(table.close(first), { status: 'SUCCESS' })
  })

  test('where the first name of an open file goes, the next one takes its place', () => {
    const { table } = createTable()
    const first = opened(table.open(0, request({ hasLinks: true, deleteOnClose: true })))
    const link = opened(table.open(0, request({ path: 'link', hasLinks: true })))
    table.commitRename(link, { path: 'renamed' })
    assert.deepEqual([table.pathOf(first)?.path, table.pathOf(link)?.path], ['file.dat', 'renamed'])
    const { deleteNow } = table.close(first)
    assert.equal(deleteNow?.path, 'file.dat')
    table.deleteFinished(deleteNow.ticket)
    table.setDeletePending(link, true)
    assert.equal(table.isDeletePending(link), true)
    assert.equal(table.close(link).deleteNow?.path, 'renamed')
    assert.equal(table.size, 0)
  })

  test('a new file that was given the id of one just removed is not taken for it', () => {
    const { table } = createTable()
    const { deleteNow } = table.close(opened(table.open(0, request({ deleteOnClose: true }))))
    const created = opened(table.open(0, request({ path: 'new', created: true })))
    table.deleteFinished(deleteNow!.ticket)
    assert.equal(table.isDeletePending(created), false)
    opened(table.open(0, request({ path: 'new' })))
    const stream = table.close(opened(table.open(0, request({ path: 'new', stream: 's', deleteOnClose: true }))))
    const again = opened(table.open(0, request({ path: 'new', stream: 's', created: true })))
    table.deleteFinished(stream.deleteNow!.ticket)
    assert.equal(table.isDeletePending(again), false)
  })

  test('the streams of a file go with it, and keep it until they are closed (MS-FSA 2.1.5.4)', () => {
    const { table } = createTable()
    const stream = opened(table.open(0, request({ stream: 's' })))
    const base = opened(table.open(0, request()))
    table.setDeletePending(base, true)
    assert.deepEqual(table.close(base), { status: 'SUCCESS' })
    for (const name of ['', 's', 'other']) assert.equal(statusOf(table.open(0, request({ stream: name }))), 'DELETE_PENDING')
    assert.deepEqual(table.close(stream).deleteNow?.stream, '')
  })

  test('a stream can be deleted by itself', () => {
    const { table } = createTable()
    const base = opened(table.open(0, request()))
    const stream = opened(table.open(0, request({ stream: 's', deleteOnClose: true })))
    assert.equal(table.close(stream).deleteNow?.stream, 's')
    assert.equal(statusOf(table.open(0, request({ stream: 'S' }))), 'DELETE_PENDING')
    opened(table.open(0, request()))
    assert.deepEqual(table.close(base), { status: 'SUCCESS' })
  })

  test('nothing is created in a folder that is about to go (MS-FSA 2.1.5.1.1)', () => {
    const { table } = createTable()
    const folder = opened(table.open(0, request({ fileId: 9n, path: 'Folder', isFolder: true })))
    table.setDeletePending(folder, true)
    assert.equal(statusOf(table.open(0, request({ path: 'FOLDER/new', created: true }))), 'DELETE_PENDING')
    assert.equal(statusOf(table.open(0, request({ path: 'folder/old' }))), 'SUCCESS')
  })

  test('others give up handle caching before the name may go', async () => {
    const { table, breaks } = createTable()
    opened(table.open(0, leaseRequest('k1', 'RH')))
    const mine = opened(table.open(0, leaseRequest('k2', 'RH')))
    const pending = table.setDeletePending(mine, true)
    assert.ok(pending instanceof Pending)
    assert.deepEqual(breaks(), ['k1 RH>R!'])
    table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: 'k1', state: leaseState('R') })
    assert.deepEqual(await settled(pending), { status: 'SUCCESS' })
    const { table: other, breaks: otherBreaks } = createTable()
    opened(other.open(0, leaseRequest('k1', 'RH')))
    assert.equal(statusOf(other.open(0, request({ access: accessBits.delete, deleteOnClose: true }))), 'pending')
    assert.deepEqual(otherBreaks(), ['k1 RH>R!'])
  })

  test('the opens of a worker that died are closed, and what it should have removed is given to another', async () => {
    const orders: string[] = []
    const { table } = createTable({ orphaned: ({ path }) => orders.push(path) })
    opened(table.open(1, request({ deleteOnClose: true })))
    const handed = opened(table.open(1, request({ fileId: 2n, path: 'handed', deleteOnClose: true })))
    assert.equal(table.close(handed).deleteNow?.path, 'handed')
    const kept = opened(table.open(0, request({ fileId: 3n, path: 'kept' })))
    table.lock(opened(table.open(1, request({ fileId: 3n, path: 'kept' }))), [{ offset: 0n, length: 1n, flags: 2 }])
    const waiting = table.lock(kept, [{ offset: 0n, length: 1n, flags: 2 }])
    assert.ok(waiting instanceof Pending)
    table.dropWorker(1)
    assert.deepEqual(orders.sort(), ['file.dat', 'handed'])
    assert.deepEqual(await settled(waiting), { status: 'SUCCESS' })
    assert.equal(table.size, 1)
  })
})

describe('rename', () => {
  const folder = (overrides: Partial<Parameters<typeof request>[0]> = {}): ReturnType<typeof request> =>
    request({ fileId: 10n, path: 'dir', isFolder: true, ...overrides })

  test('the target’s folder must not be open for deletion, nor refuse writing (MS-FSA 2.1.5.14.11)', () => {
    for (const [access, shareAccess, expected] of [
      [accessBits.delete | accessBits.readData, 7, 'SHARING_VIOLATION'],
      [accessBits.readData, 7, 'SUCCESS'],
      [accessBits.readData, 0, 'SHARING_VIOLATION'],
      [accessBits.readAttributes | accessBits.synchronize, 0, 'SUCCESS'],
    ] as const) {
      const { table, breaks } = createTable()
      opened(table.open(0, folder({ access, shareAccess })))
      const file = opened(table.open(0, request({ path: 'dir/a', oplockLevel: 9, shareAccess: 0 })))
      assert.equal(statusOf(table.prepareRename(file, { path: 'DIR/b' })), expected)
      assert.deepEqual(breaks(), [])
    }
  })

  test('a folder with anything open below it stays where it is', () => {
    const { table } = createTable()
    const dir = opened(table.open(0, folder()))
    const other = opened(table.open(0, request({ fileId: 2n, path: 'directory' })))
    const below = opened(table.open(0, request({ path: 'DIR/x/y' })))
    assert.equal(statusOf(table.prepareRename(dir, { path: 'new' })), 'ACCESS_DENIED')
    table.close(below)
    assert.equal(statusOf(table.prepareRename(dir, { path: 'new' })), 'SUCCESS')
    table.close(other)
  })

  test('an open stream keeps its file where it is', () => {
    const { table } = createTable()
    const stream = opened(table.open(0, request({ stream: 's' })))
    const file = opened(table.open(0, request()))
    assert.equal(statusOf(table.prepareRename(file, { path: 'new' })), 'ACCESS_DENIED')
    assert.equal(statusOf(table.prepareRename(stream, { path: 'file.dat', stream: 't' })), 'SUCCESS')
  })

  test('an open target is not replaced, once its holder has kept it (MS-FSA 2.1.5.14.11)', async () => {
    const { table, breaks } = createTable()
    const file = opened(table.open(0, request()))
    const target = opened(table.open(0, leaseRequest('k1', 'RWH', { fileId: 2n, path: 'there' })))
    const rename = { path: 'there', replaces: { volumeId: 1n, fileId: 2n } }
    const first = table.prepareRename(file, rename)
    assert.deepEqual(breaks(), ['k1 RWH>RW!'])
    table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: 'k1', state: leaseState('RW') })
    assert.ok(first instanceof Pending)
    assert.deepEqual(await settled(first), { status: 'ACCESS_DENIED' })
    assert.equal(statusOf(table.prepareRename(file, rename)), 'ACCESS_DENIED')
    assert.deepEqual(breaks(), [])
    table.close(target)
    assert.equal(statusOf(table.prepareRename(file, rename)), 'SUCCESS')
  })

  test('others lose handle caching, and the rename waits for that', async () => {
    const { table, breaks } = createTable()
    const mine = opened(table.open(0, leaseRequest('k1', 'RH')))
    const other = opened(table.open(0, leaseRequest('k2', 'RH')))
    const rename = table.prepareRename(mine, { path: 'new' })
    assert.deepEqual(breaks(), ['k2 RH>R!'])
    assert.ok(rename instanceof Pending)
    table.close(other)
    assert.deepEqual(await settled(rename), { status: 'SUCCESS' })
  })

  test('all opens learn the new path, also those below a folder', () => {
    const { table, messages } = createTable()
    const dir = opened(table.open(0, folder()))
    const marker = opened(table.open(1, folder({ access: accessBits.readAttributes })))
    table.commitRename(dir, { path: 'other/place' })
    assert.deepEqual(table.pathOf(marker), { path: 'other/place', stream: '' })
    const file = opened(table.open(0, request({ path: 'Other/Place/Sub/f', stream: 's' })))
    table.commitRename(dir, { path: 'x' })
    assert.deepEqual(table.pathOf(file), { path: 'x/Sub/f', stream: 's' })
    table.commitRename(file, { path: 'x/Sub/f', stream: 't' })
    assert.deepEqual(table.pathOf(file), { path: 'x/Sub/f', stream: 't' })
    assert.equal(messages.filter(message => message.type === 'path').length, 6)
    assert.equal(statusOf(table.open(0, request({ stream: 'T', shareAccess: 0 }))), 'SHARING_VIOLATION')
  })
})

describe('byte-range locks', () => {
  const exclusiveWait = (offset: number): { offset: bigint; length: bigint; flags: number }[] => [{ offset: BigInt(offset), length: 10n, flags: 2 }]

  test('a lock that must wait is granted in the order of arrival, by unlock and close (MS-FSA 2.1.5.7)', async () => {
    const { table } = createTable()
    const [a, b, c] = [0, 0, 0].map(() => opened(table.open(0, request()))) as [bigint, bigint, bigint]
    table.lock(a, exclusiveWait(0))
    const second = table.lock(b, exclusiveWait(5)) as Pending<StatusResult>
    const third = table.lock(c, exclusiveWait(0)) as Pending<StatusResult>
    table.lock(a, [{ offset: 0n, length: 10n, flags: 4 }])
    assert.deepEqual(await settled(second), { status: 'SUCCESS' })
    assert.equal(third.settled, false)
    table.close(b)
    assert.deepEqual(await settled(third), { status: 'SUCCESS' })
  })

  test('waiting locks end with CANCELLED when cancelled and RANGE_NOT_LOCKED when closed', async () => {
    const { table } = createTable()
    const a = opened(table.open(0, request()))
    const b = opened(table.open(0, request()))
    table.lock(a, exclusiveWait(0))
    const cancelled = table.lock(b, exclusiveWait(0)) as Pending<StatusResult>
    cancelled.cancel()
    assert.deepEqual(await settled(cancelled), { status: 'CANCELLED' })
    const closed = table.lock(b, exclusiveWait(0)) as Pending<StatusResult>
    assert.equal(statusOf(table.lock(b, [{ offset: 0n, length: 10n, flags: 4 }])), 'RANGE_NOT_LOCKED')
    table.close(b)
    assert.deepEqual(await settled(closed), { status: 'RANGE_NOT_LOCKED' })
    assert.equal(table.ioConflict(a, 0, 5, true), false)
  })

  test('locks need read or write access, and a file (MS-FSA 2.1.5.7)', () => {
    const { table } = createTable()
    const stat = opened(table.open(0, request({ access: accessBits.readAttributes })))
    const folderOpen = opened(table.open(0, request({ fileId: 2n, isFolder: true })))
    assert.equal(statusOf(table.lock(stat, exclusiveWait(0))), 'ACCESS_DENIED')
    assert.equal(statusOf(table.lock(folderOpen, exclusiveWait(0))), 'INVALID_PARAMETER')
  })

  test('a lock request with a known sequence number is answered without locking again (MS-SMB2 3.3.5.14)', () => {
    const { table } = createTable()
    const open = opened(table.open(0, request()))
    const elements = [{ offset: 0n, length: 1n, flags: 0x12 }]
    assert.equal(statusOf(table.lock(open, elements, { index: 1, number: 5 })), 'SUCCESS')
    assert.equal(statusOf(table.lock(open, elements, { index: 1, number: 5 })), 'SUCCESS')
    assert.equal(statusOf(table.lock(open, elements, { index: 1, number: 6 })), 'LOCK_NOT_GRANTED')
    assert.equal(statusOf(table.lock(open, elements, { index: 1, number: 5 })), 'LOCK_NOT_GRANTED', 'a failed request forgets the number')
    assert.equal(statusOf(table.lock(open, elements, { index: 65, number: 5 })), 'LOCK_NOT_GRANTED')
  })

  test('an access conflicts with the locks of others (MS-FSA 2.1.4.10)', () => {
    const { table } = createTable()
    const a = opened(table.open(0, request()))
    const b = opened(table.open(0, request()))
    table.lock(a, [{ offset: 10n, length: 10n, flags: 0x12 }])
    assert.equal(table.ioConflict(b, 0, 10, true), false)
    assert.equal(table.ioConflict(b, 0, 11, false), true)
    assert.equal(table.ioConflict(a, 10, 10, true), false)
  })
})
