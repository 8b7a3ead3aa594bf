import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessBits } from './access.ts'
import { Pending } from './pending.ts'
import { createTable, fullAccess, leaseRequest, opened, request, settled, shareAll, statusOf, waits } from './testing-support.ts'
import { oplockLevels } from './types.ts'

const { none, levelII, exclusive, batch } = oplockLevels
const { readData, writeData, readAttributes, writeAttributes, synchronize, readControl } = accessBits
const statAccess = readAttributes | writeAttributes | synchronize

describe('share modes', () => {
  test('each side must share what the other does (MS-FSA 2.1.5.1.2.2)', () => {
    const accesses = [
      [readData, 1],
      [accessBits.execute, 1],
      [writeData, 2],
      [accessBits.appendData, 2],
      [accessBits.delete, 4],
    ] as const
    for (const [heldAccess, heldNeeds] of accesses) {
      for (const [access, needs] of accesses) {
        for (let heldShare = 0; heldShare <= shareAll; heldShare++) {
          for (let shareAccess = 0; shareAccess <= shareAll; shareAccess++) {
            const { table } = createTable()
            opened(table.open(0, request({ access: heldAccess, shareAccess: heldShare })))
            const agree = (heldShare & needs) !== 0 && (shareAccess & heldNeeds) !== 0
            assert.equal(statusOf(table.open(0, request({ access, shareAccess }))), agree ? 'SUCCESS' : 'SHARING_VIOLATION')
          }
        }
      }
    }
  })

  test('who only looks at metadata is in nobody’s way (MS-FSA 2.1.5.1.2.2)', () => {
    const { table } = createTable()
    opened(table.open(0, request({ shareAccess: 0 })))
    opened(table.open(0, request({ access: statAccess | readControl, shareAccess: 0 })))
    assert.equal(statusOf(table.open(0, request({ access: readData }))), 'SHARING_VIOLATION')
  })

  test('replacing the content is writing, whatever the access asked for (MS-FSA 2.1.5.1.2)', () => {
    const { table } = createTable()
    opened(table.open(0, request({ access: readData, shareAccess: 1 })))
    assert.equal(statusOf(table.open(0, request({ access: readData, overwrite: true }))), 'SHARING_VIOLATION')
  })

  test('streams have share modes of their own, but deleting the file needs the consent of all (MS-FSA 2.1.5.1.2.2)', () => {
    const { table } = createTable()
    const stream = opened(table.open(0, request({ stream: 'one', shareAccess: 0, access: writeData })))
    opened(table.open(0, request({ stream: 'two', shareAccess: 0, access: writeData })))
    opened(table.open(0, request({ access: readData, shareAccess: 0 })))
    assert.equal(statusOf(table.open(0, request({ stream: 'ONE', access: readData }))), 'SHARING_VIOLATION')
    assert.equal(statusOf(table.open(0, request({ access: accessBits.delete }))), 'SHARING_VIOLATION')
    table.close(stream.openId)
  })
})

describe('oplocks', () => {
  test('a second open breaks exclusive and batch to level II and gets level II (MS-FSA 2.1.5.17)', async () => {
    for (const held of [exclusive, batch]) {
      const { table, breaks } = createTable()
      const first = opened(table.open(0, request({ oplockLevel: held })))
      assert.equal(first.oplockLevel, held)
      const second = waits(table.open(0, request({ oplockLevel: batch })))
      assert.deepEqual(breaks(), ['1>1!'])
      assert.deepEqual(table.acknowledgeOplockBreak(first.openId, levelII), { status: 'SUCCESS', oplockLevel: levelII })
      assert.equal(opened(await settled(second)).oplockLevel, levelII)
      table.contend(first.openId)
      assert.deepEqual(breaks(), ['1>0', '2>0'], 'a write takes level II from all, the writer included')
    }
  })

  test('a sharing violation breaks batch, not exclusive, and is decided afterwards (MS-FSA 2.1.5.1.2)', async () => {
    const { table, breaks } = createTable()
    opened(table.open(0, request({ oplockLevel: exclusive, shareAccess: 0 })))
    assert.equal(statusOf(table.open(0, request())), 'SHARING_VIOLATION')
    assert.deepEqual(breaks(), [])

    const other = createTable()
    const holder = opened(other.table.open(0, request({ oplockLevel: batch, shareAccess: 0 })))
    const kept = waits(other.table.open(0, request()))
    assert.deepEqual(other.breaks(), ['1>1!'])
    other.table.acknowledgeOplockBreak(holder.openId, levelII)
    assert.deepEqual(await settled(kept), { status: 'SHARING_VIOLATION' })
    assert.equal(statusOf(other.table.open(0, request())), 'SHARING_VIOLATION')
    assert.deepEqual(other.breaks(), [])
  })

  test('the holder of a batch oplock may close, and the open that broke it gets batch', async () => {
    const { table, breaks } = createTable()
    const holder = opened(table.open(0, request({ oplockLevel: batch, shareAccess: 0 })))
    const waiting = waits(table.open(0, request({ oplockLevel: batch, shareAccess: 0 })))
    assert.deepEqual(breaks(), ['1>1!'])
    table.close(holder.openId)
    assert.equal(opened(await settled(waiting)).oplockLevel, batch)
  })

  test('opens that replace the content break to none, even stat opens (MS-FSA 2.1.4.12)', async () => {
    for (const access of [fullAccess, statAccess]) {
      const { table, breaks } = createTable()
      const holder = opened(table.open(0, request({ oplockLevel: exclusive })))
      const waiting = waits(table.open(0, request({ access, oplockLevel: levelII, overwrite: true })))
      assert.deepEqual(breaks(), ['1>0!'])
      table.acknowledgeOplockBreak(holder.openId, none)
      assert.equal(opened(await settled(waiting)).oplockLevel, levelII)
    }
  })

  test('stat opens break nothing and get nothing beside write caching (MS-FSA 2.1.4.12)', () => {
    const stat: readonly number[] = [readAttributes, writeAttributes, synchronize]
    const bits = [1, 2, 8, 0x10, 0x20, readAttributes, writeAttributes, accessBits.delete, readControl, 0x40000, 0x80000, synchronize]
    for (const access of bits) {
      const { table, breaks } = createTable()
      opened(table.open(0, request({ oplockLevel: batch })))
      const second = table.open(0, request({ access, oplockLevel: exclusive }))
      assert.equal(breaks().length, stat.includes(access) ? 0 : 1, `access 0x${access.toString(16)}`)
      if (!(second instanceof Pending)) assert.equal(opened(second).oplockLevel, none)
    }
  })

  test('an attributes-only open that created the file has a batch oplock like any other', async () => {
    const { table, breaks } = createTable()
    const holder = opened(table.open(0, request({ access: statAccess, oplockLevel: batch, created: true })))
    assert.equal(holder.oplockLevel, batch)
    const second = waits(table.open(0, request({ oplockLevel: batch })))
    assert.deepEqual(breaks(), ['1>1!'])
    table.acknowledgeOplockBreak(holder.openId, levelII)
    assert.equal(opened(await settled(second)).oplockLevel, levelII)
  })

  test('an open beside one without oplock gets level II at most, on streams of its own', () => {
    const { table } = createTable()
    opened(table.open(0, request()))
    assert.equal(opened(table.open(0, request({ oplockLevel: batch }))).oplockLevel, levelII)
    assert.equal(opened(table.open(0, request({ oplockLevel: batch, stream: 's' }))).oplockLevel, batch)
  })

  test('folders have no oplocks, and neither has a file with byte-range locks (MS-FSA 2.1.5.17.2)', () => {
    const { table } = createTable()
    assert.equal(opened(table.open(0, request({ isFolder: true, oplockLevel: batch }))).oplockLevel, none)
    const file = opened(table.open(0, request({ fileId: 2n })))
    table.lock(file.openId, [{ offset: 0n, length: 1n, flags: 0x12 }])
    assert.equal(opened(table.open(0, request({ fileId: 2n, oplockLevel: batch }))).oplockLevel, none)
  })

  test('a break nobody acknowledges ends after 35 s, as if acknowledged with none (MS-SMB2 3.3.6.1)', async () => {
    const { table, scheduler } = createTable()
    const holder = opened(table.open(0, request({ oplockLevel: batch })))
    const waiting = waits(table.open(0, request({ oplockLevel: batch })))
    scheduler.advance(34_999)
    assert.equal(waiting.settled, false)
    scheduler.advance(1)
    assert.equal(opened(await settled(waiting)).oplockLevel, levelII)
    assert.equal(table.acknowledgeOplockBreak(holder.openId, levelII).status, 'INVALID_OPLOCK_PROTOCOL')
    assert.equal(scheduler.timers, 0)
  })

  test('a second, stronger break follows the first one’s acknowledgement', async () => {
    const { table, breaks } = createTable()
    const holder = opened(table.open(0, request({ oplockLevel: exclusive })))
    const second = waits(table.open(0, request()))
    const third = waits(table.open(0, request({ overwrite: true })))
    assert.deepEqual(breaks(), ['1>1!'])
    table.acknowledgeOplockBreak(holder.openId, levelII)
    assert.deepEqual(breaks(), ['1>0'])
    const [a, b] = [opened(await settled(second)), opened(await settled(third))]
    assert.ok(a.openId < b.openId, 'who came first goes first')
  })

  test('acknowledgements are checked (MS-SMB2 3.3.5.22.1)', () => {
    const { table } = createTable()
    const holder = opened(table.open(0, request({ oplockLevel: levelII })))
    assert.equal(table.acknowledgeOplockBreak(holder.openId, oplockLevels.lease).status, 'INVALID_PARAMETER')
    assert.equal(table.acknowledgeOplockBreak(holder.openId, none).status, 'INVALID_OPLOCK_PROTOCOL')
    assert.equal(table.acknowledgeOplockBreak(99n, none).status, 'FILE_CLOSED')
    const { table: other } = createTable()
    const batchHolder = opened(other.open(0, request({ oplockLevel: batch })))
    waits(other.open(0, request({ overwrite: true })))
    assert.deepEqual(other.acknowledgeOplockBreak(batchHolder.openId, levelII), { status: 'SUCCESS', oplockLevel: none }, 'asked for none')
  })

  test('a waiting open can be cancelled, and does not come back', async () => {
    const { table } = createTable()
    const holder = opened(table.open(0, request({ oplockLevel: batch })))
    const waiting = waits(table.open(0, request()))
    waiting.cancel()
    assert.deepEqual(await settled(waiting), { status: 'CANCELLED' })
    table.close(holder.openId)
    assert.equal(table.size, 0)
  })

  test('a file marked for deletion refuses without a break', () => {
    const { table, breaks } = createTable()
    const holder = opened(table.open(0, request({ oplockLevel: batch })))
    table.setDeletePending(holder.openId, true)
    assert.equal(statusOf(table.open(0, request({ access: readData }))), 'DELETE_PENDING')
    assert.deepEqual(breaks(), [])
  })
})

test('records tell all a store needs, and restore to the same (PartitionRecord, OpenRecord)', () => {
  const { table } = createTable()
  const first = opened(table.open(0, leaseRequest('k1', 'RWH', { deleteOnClose: true, createGuid: 'g' })))
  opened(table.open(1, request({ fileId: 2n, path: 'Folder', isFolder: true })))
  table.lock(first.openId, [{ offset: 5n, length: 5n, flags: 0x12 }], { index: 3, number: 7 })
  const records = structuredClone([...table.records()])
  const { table: successor } = createTable()
  for (const worker of [0, 1]) successor.reclaim(worker, { opens: records.filter(record => record.worker === worker), watches: [] })
  assert.deepEqual([...successor.records()], records)
  assert.deepEqual(
    successor.lock(first.openId, [{ offset: 0n, length: 0n, flags: 0x99 }], { index: 3, number: 7 }),
    { status: 'SUCCESS' },
    'replayed',
  )
  assert.equal(successor.close(first.openId).deleteNow?.path, 'file.dat')
  assert.deepEqual(table.record, { partition: 'p', incarnation: 1, epoch: 1 })
})
