import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessBits } from './access.ts'
import type { OpenTable } from './open-table.ts'
import { Pending } from './pending.ts'
import { createTable, leaseRequest, leaseState, letters, opened, request, settled, statusOf, waits } from './testing-support.ts'
import { oplockLevels, type LeaseGrant, type OpenResult } from './types.ts'

const { none, levelII, exclusive, batch } = oplockLevels
const { readAttributes, readControl, synchronize, writeAttributes } = accessBits
const statAccess = readAttributes | writeAttributes | synchronize

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
      assert.equal(table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: match[1], state: leaseState(match[2]) }).status, 'SUCCESS')
  }
}

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
        const superset = Array.from(initial).every(letter => wanted.includes(letter)) && wanted.length > initial.length
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
