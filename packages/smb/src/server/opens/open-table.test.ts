import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessBits } from './access.ts'
import type { OpenTable } from './open-table.ts'
import { Pending } from './pending.ts'
import { createTable, fullAccess, leaseRequest, leaseState, letters, request, settled, shareAll } from './testing-support.ts'
import { oplockLevels, type LeaseGrant, type OpenGrant, type OpenResult } from './types.ts'

const { none, levelII, exclusive, batch } = oplockLevels
const { readData, writeData, readAttributes, writeAttributes, synchronize, readControl } = accessBits
const statAccess = readAttributes | writeAttributes | synchronize

const opened = (result: OpenResult | Pending<OpenResult>): OpenGrant => {
  assert.ok(!(result instanceof Pending), 'the open should not wait')
  assert.equal(result.status, 'SUCCESS')
  return result as OpenGrant
}

const waits = (result: OpenResult | Pending<OpenResult>): Pending<OpenResult> => {
  assert.ok(result instanceof Pending, `the open should wait, it got ${(result as OpenResult).status}`)
  assert.equal(result.settled, false)
  return result
}

const statusOf = (result: { status: string } | Pending<never> | Pending<OpenResult>): string =>
  result instanceof Pending ? 'pending' : result.status

const lease = (result: OpenResult | Pending<OpenResult>): LeaseGrant => {
  const granted = opened(result).lease
  assert.ok(granted, 'a lease')
  return granted
}

/** Acknowledges every lease break sent so far as asked for. */
const acknowledgeAll = (table: OpenTable, sent: readonly string[]): void => {
  for (const each of sent) {
    const match = /^(\S+) \S*>(\S*)!$/.exec(each)
    if (match !== null)
      assert.equal(table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: match[1]!, state: leaseState(match[2]!) }).status, 'SUCCESS')
  }
}

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

describe('leases', () => {
  test('requests without read caching are granted as none (MS-SMB2 3.3.5.9.8)', () => {
    for (const [asked, granted] of [
      ['', ''],
      ['R', 'R'],
      ['H', ''],
      ['W', ''],
      ['RH', 'RH'],
      ['RW', 'RW'],
      ['WH', ''],
      ['RWH', 'RWH'],
    ] as const) {
      const { table } = createTable()
      const result = opened(table.open(0, leaseRequest('k1', asked)))
      assert.equal(result.oplockLevel, oplockLevels.lease)
      assert.equal(letters(result.lease!.state), granted)
    }
  })

  test('an uncontended upgrade happens when it asks for more in all respects', () => {
    const states = ['', 'R', 'RH', 'RW', 'RWH']
    for (const initial of states) {
      for (const wanted of states) {
        const { table } = createTable()
        opened(table.open(0, leaseRequest('k1', initial)))
        const superset = [...initial].every(letter => wanted.includes(letter)) && wanted.length > initial.length
        assert.equal(letters(lease(table.open(0, leaseRequest('k1', wanted))).state), superset ? wanted : initial, `${initial} ${wanted}`)
      }
    }
  })

  test('a contended upgrade happens only if all of it goes with the other leases', () => {
    for (const [held, other, wanted, expected] of [
      ['R', 'R', 'RW', 'R'],
      ['R', 'R', 'RH', 'RH'],
      ['R', 'R', 'RWH', 'R'],
      ['R', 'RH', 'RH', 'RH'],
      ['R', 'RH', 'RWH', 'R'],
      ['RH', 'R', 'RW', 'RH'],
      ['RH', 'RH', 'RWH', 'RH'],
    ] as const) {
      const { table, breaks } = createTable()
      opened(table.open(0, leaseRequest('k1', held)))
      opened(table.open(0, leaseRequest('k2', other)))
      assert.equal(letters(lease(table.open(0, leaseRequest('k1', wanted))).state), expected)
      assert.deepEqual(breaks(), [])
    }
  })

  test('a new lease breaks write caching and gets what can be shared', async () => {
    const states = ['R', 'RH', 'RW', 'RWH']
    for (const held of states) {
      for (const asked of states) {
        const { table, breaks } = createTable()
        opened(table.open(0, leaseRequest('k1', held)))
        const second = table.open(0, leaseRequest('k2', asked))
        const sent = breaks()
        const left = held.replace('W', '')
        assert.deepEqual(sent, held === left ? [] : [`k1 ${held}>${left}!`])
        acknowledgeAll(table, sent)
        const granted = lease(second instanceof Pending ? await settled(second) : second)
        assert.equal(letters(granted.state), asked.replace('W', ''))
        assert.equal(letters(lease(table.open(0, leaseRequest('k1', 'RWH'))).state), left, 'no way back')
      }
    }
  })

  test('leases and oplocks share what they can: handle caching is for leases among themselves', async () => {
    const oplocks = [levelII, exclusive, batch]
    for (const held of ['R', 'RH', 'RW', 'RWH']) {
      for (const asked of oplocks) {
        const { table, breaks } = createTable()
        opened(table.open(0, leaseRequest('k1', held)))
        const second = table.open(0, request({ oplockLevel: asked }))
        acknowledgeAll(table, breaks())
        const granted = opened(second instanceof Pending ? await settled(second) : second)
        assert.equal(granted.oplockLevel, held.includes('H') ? none : levelII)
      }
    }
    for (const held of oplocks) {
      const { table } = createTable()
      const holder = opened(table.open(0, request({ oplockLevel: held })))
      const second = table.open(0, leaseRequest('k1', 'RWH'))
      if (held !== levelII) table.acknowledgeOplockBreak(holder.openId, levelII)
      assert.equal(letters(lease(second instanceof Pending ? await settled(second) : second).state), 'R')
    }
  })

  test('a lease key belongs to one file of its client (MS-SMB2 3.3.5.9.8)', () => {
    const { table } = createTable()
    const first = opened(table.open(0, leaseRequest('k1', 'RWH')))
    assert.equal(statusOf(table.open(0, leaseRequest('k1', 'RWH', { fileId: 2n }))), 'INVALID_PARAMETER')
    assert.equal(statusOf(table.open(0, leaseRequest('k1', 'RWH', { stream: 's' }))), 'INVALID_PARAMETER')
    opened(table.open(0, leaseRequest('k1', 'RWH', { fileId: 3n, clientGuid: 'c2' })))
    table.close(first.openId)
    opened(table.open(0, leaseRequest('k1', 'RWH', { fileId: 2n })))
  })

  test('while a break is under way, opens of the lease go on and are told so; others wait for its end', async () => {
    const { table, breaks } = createTable()
    opened(table.open(0, leaseRequest('k1', 'RWH')))
    const plain = waits(table.open(0, request()))
    assert.deepEqual(breaks(), ['k1 RWH>RH!'])
    const again = opened(table.open(0, leaseRequest('k1', 'RWH')))
    assert.deepEqual([letters(again.lease!.state), again.lease!.breakInProgress], ['RWH', true])
    table.close(again.openId)
    const overwriting = waits(table.open(0, request({ overwrite: true })))
    assert.deepEqual(breaks(), [])
    const acknowledge = (state: string): string => table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: 'k1', state: leaseState(state) }).status
    assert.equal(acknowledge('RWH'), 'REQUEST_NOT_ACCEPTED')
    assert.equal(acknowledge('RH'), 'SUCCESS')
    assert.deepEqual(breaks(), ['k1 RH>R!'])
    assert.deepEqual([plain.settled, overwriting.settled], [false, false])
    assert.equal(acknowledge('R'), 'SUCCESS')
    assert.deepEqual(breaks(), ['k1 R>'])
    assert.equal(acknowledge(''), 'UNSUCCESSFUL')
    opened(await settled(plain))
    opened(await settled(overwriting))
  })

  test('only write caching is waited for: read and handle caching are broken while the open goes on', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, leaseRequest('k1', 'RH')))
    opened(table.open(0, request({ overwrite: true })))
    assert.deepEqual(breaks(), ['k1 RH>!'])
    opened(table.open(0, request({ overwrite: true })))
    assert.deepEqual(breaks(), [])
    assert.equal(lease(table.open(0, leaseRequest('k1', ''))).breakInProgress, true)
  })

  test('a sharing violation breaks handle caching; what is left breaks next time', async () => {
    const { table, breaks } = createTable()
    opened(table.open(0, leaseRequest('k1', 'RWH', { lease: { version: 2, epoch: 0x11 } })))
    const refused = waits(table.open(0, leaseRequest('k2', 'RWH', { shareAccess: 1 })))
    const first = breaks()
    assert.deepEqual(first, ['k1 RWH>RW!'])
    acknowledgeAll(table, first)
    assert.deepEqual(await settled(refused), { status: 'SHARING_VIOLATION' })
    const second = waits(table.open(0, leaseRequest('k2', 'RWH')))
    const next = breaks()
    assert.deepEqual(next, ['k1 RW>R!'])
    acknowledgeAll(table, next)
    assert.equal(letters(lease(await settled(second)).state), 'RH')
  })

  test('epochs of version 2 grow with every grant and break, version 1 has none (MS-SMB2 3.3.5.9.11)', async () => {
    const { table, messages } = createTable()
    assert.equal(lease(table.open(0, leaseRequest('k1', 'R', { lease: { version: 2, epoch: 0x4711 } }))).epoch, 0x4712)
    const joined = lease(table.open(0, leaseRequest('k1', 'RH')))
    assert.deepEqual([joined.version, joined.epoch], [2, 0x4713], 'the lease keeps its version')
    assert.equal(lease(table.open(0, leaseRequest('k1', 'RWH', { lease: { version: 2, epoch: 0x11 } }))).epoch, 0x4714)
    waits(table.open(0, request()))
    const broken = messages.find(message => message.type === 'lease-break')
    assert.equal(broken?.notice.epoch, 0x4715)
    assert.equal(lease(table.open(0, leaseRequest('k9', 'R', { fileId: 2n }))).epoch, 0)
  })

  test('a write breaks the leases of others, not its own; a lock does the same (MS-FSA 2.1.4.12)', () => {
    const { table, breaks } = createTable()
    const first = opened(table.open(0, leaseRequest('k1', 'RH')))
    const second = opened(table.open(0, leaseRequest('k2', 'R')))
    table.contend(first.openId)
    assert.deepEqual(breaks(), ['k2 R>'])
    table.contend(first.openId)
    assert.deepEqual(breaks(), [])
    table.lock(second.openId, [{ offset: 0n, length: 1n, flags: 0x12 }])
    assert.deepEqual(breaks(), ['k1 RH>!'])
  })

  test('opening for attributes or the security descriptor breaks no lease', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, leaseRequest('k1', 'RWH')))
    for (const access of [statAccess, readControl]) opened(table.open(0, request({ access })))
    assert.deepEqual(breaks(), [])
    assert.equal(letters(lease(table.open(0, leaseRequest('k1', 'RWH'))).state), 'RWH')
    waits(table.open(0, request({ access: 0x40000 })))
    assert.deepEqual(breaks(), ['k1 RWH>RH!'])
  })

  test('a stat open does not keep others from write caching', () => {
    const { table } = createTable()
    opened(table.open(0, request({ access: readAttributes })))
    assert.equal(letters(lease(table.open(0, leaseRequest('k1', 'RWH'))).state), 'RWH')
  })

  test('after a time-out the lease is none and may rise again (MS-SMB2 3.3.6.5)', async () => {
    const { table, scheduler, breaks } = createTable()
    opened(table.open(0, leaseRequest('k1', 'RWH')))
    const second = waits(table.open(0, leaseRequest('k2', 'RWH')))
    scheduler.advance(35_000)
    const granted = opened(await settled(second))
    assert.equal(letters(granted.lease!.state), 'RH')
    assert.equal(table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: 'k1', state: leaseState('RH') }).status, 'UNSUCCESSFUL')
    breaks()
    assert.equal(letters(lease(table.open(0, leaseRequest('k1', ''))).state), '')
    table.close(granted.openId)
    assert.equal(letters(lease(table.open(0, leaseRequest('k1', 'R'))).state), 'R')
    assert.equal(letters(lease(table.open(0, leaseRequest('k1', 'RWH'))).state), 'RWH')
  })

  test('an unknown lease cannot be acknowledged (MS-SMB2 3.3.5.22.2)', () => {
    const { table } = createTable()
    assert.equal(table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: 'k1', state: 0 }).status, 'OBJECT_NAME_NOT_FOUND')
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
