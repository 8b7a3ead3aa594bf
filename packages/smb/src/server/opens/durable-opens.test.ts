import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mostParked } from './durable-opens.ts'
import type { OpenChanges, OpenStore } from './journal.ts'
import type { TableMessage } from './partition-state.ts'
import { createTable, opened, request, waits } from './testing-support.ts'
import { oplockLevels, type OpenRecord, type OpenRequest, type ReconnectRequest } from './types.ts'

const { batch } = oplockLevels
const clientGuid = 'c'.repeat(32)
const createGuid = 'a'.repeat(32)
const owner = 'S-1-5-21-1-2-3-1000'

const durable = (change: Partial<OpenRequest> = {}, version: 1 | 2 = 2, persistent = false): OpenRequest =>
  request({
    oplockLevel: batch,
    clientGuid,
    ...(version === 2 ? { createGuid } : {}),
    durable: { version, persistent, timeoutMs: 60_000, owner, face: undefined },
    ...change,
  })
const ask = (openId: bigint, change: Partial<ReconnectRequest> = {}): ReconnectRequest => ({
  openId,
  version: 2,
  persistent: false,
  createGuid,
  clientGuid,
  leaseKey: undefined,
  owner,
  path: request().path,
  ...change,
})

describe('durable opens', () => {
  test('one with a batch oplock waits for its client, and is found again by whatever worker (MS-SMB2 3.3.5.9.12)', () => {
    const { table } = createTable()
    const { openId, durable: granted } = opened(table.open(0, durable()))
    assert.equal(granted, true)
    assert.equal(table.reconnect(1, ask(openId)).status, 'OBJECT_NAME_NOT_FOUND', 'it is still served')
    assert.equal(table.park(openId, false), true)
    const again = table.reconnect(1, ask(openId))
    assert.equal(again.status, 'SUCCESS')
    assert.equal(table.recordOf(openId)?.worker, 1)
  })

  test('without a batch oplock or a handle lease it is not durable (MS-SMB2 3.3.5.9.6)', () => {
    const { table } = createTable()
    const grant = opened(table.open(0, durable({ oplockLevel: oplockLevels.levelII })))
    assert.equal(grant.durable, undefined)
    assert.equal(table.park(grant.openId, false), false)
  })

  for (const [what, change, status] of [
    ['another CreateGuid', { createGuid: 'b'.repeat(32) }, 'OBJECT_NAME_NOT_FOUND'],
    ['another user', { owner: 'S-1-5-21-1-2-3-1001' }, 'ACCESS_DENIED'],
    ['a lease it does not have', { leaseKey: 'd'.repeat(32) }, 'OBJECT_NAME_NOT_FOUND'],
    ['a persistent handle it is not', { persistent: true }, 'INVALID_PARAMETER'],
    ['nothing that is there', { openId: 999n }, 'OBJECT_NAME_NOT_FOUND'],
  ] as const) {
    test(`who asks for ${what} gets ${status} (MS-SMB2 3.3.5.9.12)`, () => {
      const { table } = createTable()
      const { openId } = opened(table.open(0, durable()))
      table.park(openId, false)
      assert.equal(table.reconnect(0, ask(openId, change)).status, status)
      assert.equal(table.reconnect(0, ask(openId)).status, 'SUCCESS')
    })
  }

  test('nobody waits for the acknowledgement of a client that is away: its open gives way (MS-SMB2 3.3.4.6)', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(0, durable()))
    table.park(openId, false)
    opened(table.open(1, request({ shareAccess: 0 })))
    assert.equal(table.reconnect(0, ask(openId)).status, 'OBJECT_NAME_NOT_FOUND')
  })

  test('its time runs out (MS-SMB2 3.3.6.2)', () => {
    const { table, scheduler } = createTable()
    const { openId } = opened(table.open(0, durable()))
    table.park(openId, false)
    scheduler.advance(59_999)
    assert.equal(table.size, 1)
    scheduler.advance(1)
    assert.equal(table.size, 0)
    assert.equal(scheduler.timers, 0)
  })

  test('what is marked for deletion is not kept from being deleted', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(0, durable({ access: 0x0001_0000 | 0x0012_019f })))
    table.setDeletePending(openId, true)
    assert.equal(table.park(openId, false), false)
  })

  test('only so many wait at a time: the next are closed as if they were not durable', () => {
    const { table } = createTable()
    for (let i = 0; i <= mostParked; i++) {
      const { openId } = opened(table.open(0, durable({ fileId: BigInt(1000 + i), path: `f${i}` }, 1)))
      assert.equal(table.park(openId, false), i < mostParked)
      if (i === mostParked) table.close(openId)
    }
    assert.equal(table.size, mostParked)
  })

  test('a CREATE whose answer was lost is found by its CreateGuid, until the open has been used (MS-SMB2 3.3.5.9.10)', () => {
    for (const isReplayEligible of [true, false]) {
      const { table } = createTable()
      const { openId } = opened(table.open(0, durable()))
      table.park(openId, isReplayEligible)
      assert.equal(table.reconnect(0, ask(openId, { openId: undefined })).status, isReplayEligible ? 'SUCCESS' : 'OBJECT_NAME_NOT_FOUND')
    }
  })

  test('the opens of a worker that died wait for their clients, the others are closed', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(1, durable()))
    opened(table.open(1, request({ fileId: 77n, path: 'other' })))
    table.dropWorker(1)
    assert.equal(table.size, 1)
    assert.equal(table.reconnect(0, ask(openId)).status, 'SUCCESS')
  })
})

describe('resilient opens (MS-SMB2 3.3.5.15.9)', () => {
  const resiliency = { timeoutMs: 30_000, owner, face: undefined }

  test('one without any caching waits for its client as well, and is found by its FileId', () => {
    const { table, scheduler } = createTable()
    const { openId } = opened(table.open(0, request({ clientGuid })))
    assert.equal(table.park(openId, false), false)
    assert.equal(table.makeResilient(openId, resiliency)?.resilient, true)
    assert.equal(table.park(openId, false), true)
    scheduler.advance(29_999)
    assert.equal(table.reconnect(1, ask(openId, { version: 1, createGuid: undefined })).status, 'SUCCESS')
  })

  test('its place is kept for as long as it asked for, and given away then', () => {
    const { table, scheduler } = createTable()
    const { openId } = opened(table.open(0, request({ clientGuid, shareAccess: 0 })))
    table.makeResilient(openId, resiliency)
    table.park(openId, false)
    const other = request({ clientGuid: 'e'.repeat(32) })
    assert.deepEqual(table.open(0, other), { status: 'SHARING_VIOLATION' })
    scheduler.advance(30_000)
    assert.equal(opened(table.open(0, other)).status, 'SUCCESS')
  })

  test('there is no such open', () => {
    const { table } = createTable()
    assert.equal(table.makeResilient(7n, resiliency), undefined)
  })
})

describe('instances of an application (MS-SMB2 3.3.5.9.13)', () => {
  const id = 'f'.repeat(32)
  const instance = (client: string, version?: bigint, change: Partial<OpenRequest> = {}): OpenRequest =>
    request({
      clientGuid: client.repeat(32),
      shareAccess: 0,
      appInstance: { id, ...(version === undefined ? {} : { version }) },
      endsFormerInstance: true,
      ...change,
    })

  test('the one on another client takes over: the former open is ended, and its worker told', () => {
    const sent: { worker: number; message: TableMessage }[] = []
    const { table } = createTable({ send: (worker, message) => sent.push({ worker, message }) })
    const former = opened(table.open(2, instance('1')))
    const { openId } = opened(table.open(0, instance('2')))
    assert.equal(table.recordOf(former.openId), undefined)
    assert.deepEqual(
      sent.filter(({ message }) => message.type === 'let-go'),
      [{ worker: 2, message: { type: 'let-go', openId: former.openId } }],
    )
    assert.equal(table.recordOf(openId)?.appInstance?.id, id)
  })

  test('the same client is arbitrated as always', () => {
    const { table } = createTable()
    opened(table.open(0, instance('1')))
    assert.deepEqual(table.open(0, instance('1')), { status: 'SHARING_VIOLATION' })
  })

  test('who may not read the file ends nothing', () => {
    const { table } = createTable()
    opened(table.open(0, instance('1')))
    assert.deepEqual(table.open(0, instance('2', undefined, { endsFormerInstance: false })), { status: 'SHARING_VIOLATION' })
  })

  for (const [former, later, status] of [
    [5n, 6n, 'SUCCESS'],
    [5n, 5n, 'FILE_FORCED_CLOSED'],
    [5n, 4n, 'FILE_FORCED_CLOSED'],
    [1n << 64n, 0xffff_ffff_ffff_ffffn, 'FILE_FORCED_CLOSED'],
    [5n, undefined, 'FILE_FORCED_CLOSED'],
    [undefined, 1n, 'SUCCESS'],
  ] as const) {
    test(`version ${later} after ${former}: ${status}`, () => {
      const { table } = createTable()
      opened(table.open(0, instance('1', former)))
      assert.equal((table.open(0, instance('2', later)) as { status: string }).status, status)
    })
  }
})

describe('persistent opens that wait for their client (MS-SMB2 3.3.5.9)', () => {
  const waiting = () => {
    const made = createTable()
    const { openId } = opened(made.table.open(0, durable({ oplockLevel: oplockLevels.none }, 2, true)))
    assert.equal(made.table.park(openId, false), true)
    return made
  }

  test('another client of the 3.x family gets FILE_NOT_AVAILABLE', () => {
    const { table } = waiting()
    assert.deepEqual(table.open(0, request({ clientGuid: 'e'.repeat(32), respectsPersistent: true })), { status: 'FILE_NOT_AVAILABLE' })
  })

  test('an older client and the client itself are arbitrated as always', () => {
    const { table } = waiting()
    assert.equal(opened(table.open(0, request({ clientGuid: 'e'.repeat(32) }))).status, 'SUCCESS')
    assert.equal(opened(table.open(0, request({ clientGuid, respectsPersistent: true }))).status, 'SUCCESS')
  })
})

describe('breaks that nobody can be told of (MS-SMB2 3.3.4.6, 3.3.4.7)', () => {
  const others = request({ clientGuid: 'e'.repeat(32) })

  test('the oplock of a resilient open is given up at once, the open stays', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(0, request({ clientGuid, oplockLevel: batch })))
    table.makeResilient(openId, { timeoutMs: 30_000, owner, face: undefined })
    table.park(openId, false)
    opened(table.open(0, others))
    const again = table.reconnect(0, ask(openId, { version: 1, createGuid: undefined }))
    assert.equal(again.status === 'SUCCESS' && again.oplockLevel, oplockLevels.none)
  })

  test('the lease of a persistent open waits for its client, which is told when it is back', () => {
    const { table, breaks } = createTable()
    const lease = { version: 2, key: 'd'.repeat(32), state: 7, epoch: 0 } as const
    const { openId } = opened(table.open(0, durable({ oplockLevel: oplockLevels.lease, lease }, 2, true)))
    table.park(openId, false)
    const waiting = waits(table.open(0, others))
    assert.deepEqual(breaks(), [])
    assert.equal(table.reconnect(0, ask(openId, { persistent: true, leaseKey: lease.key })).status, 'SUCCESS')
    assert.deepEqual(breaks(), [`${lease.key} RWH>RH!`])
    assert.equal(waiting.settled, false)
  })
})

describe('renames of opens that outlive their connection', () => {
  test('a persistent open is found by its CreateGuid where its FileId is not known (MS-SMB2 3.3.5.9.12)', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(0, durable({}, 2, true)))
    table.park(openId, false)
    assert.equal(table.reconnect(0, ask(999n)).status, 'OBJECT_NAME_NOT_FOUND')
    assert.equal(table.reconnect(0, ask(999n, { persistent: true })).status, 'SUCCESS')
  })

  test('a request that overtakes the reconnect of its open is to wait: for its client, or on the way to its session', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(0, durable({}, 2, true)))
    const claim = { openId, clientGuid, owner, session: 5n }
    assert.equal(table.awaits(claim), false)
    table.park(openId, false)
    assert.equal(table.awaits(claim), true)
    assert.equal(table.awaits({ ...claim, clientGuid: 'e'.repeat(32) }), false)
    table.reconnect(0, ask(openId, { persistent: true, seat: { session: 5n, treeId: 1, volatileId: 9n } }))
    assert.equal(table.awaits(claim), true)
    assert.equal(table.awaits({ ...claim, session: 6n }), false)
  })

  describe('restarts do not begin the time anew for an open that is in somebody’s way', () => {
    const lease = { version: 2, key: 'd'.repeat(32), state: 7, epoch: 0 } as const
    let now = 1_000_000
    const restartOf = (kept: Map<bigint, OpenRecord>) => async () => {
      const store: OpenStore = {
        load: async () => [...kept.values()],
        write: async ({ put, remove }) => {
          for (const record of put) kept.set(record.openId, record)
          for (const openId of remove) kept.delete(openId)
        },
      }
      const made = createTable({ store, wallClock: () => now })
      await made.table.recover()
      return made
    }

    test('of another client', async () => {
      const restart = restartOf(new Map())
      const first = await restart()
      opened(first.table.open(0, durable({ oplockLevel: oplockLevels.none }, 2, true)))
      await first.table.journal?.flush()
      const other = request({ clientGuid: 'e'.repeat(32), respectsPersistent: true })
      for (const passed of [0, 20_000, 20_000]) {
        now += passed
        const { table, scheduler } = await restart()
        assert.deepEqual(table.open(0, other), { status: 'FILE_NOT_AVAILABLE' })
        await table.journal?.flush()
        scheduler.advance(19_999)
        assert.deepEqual(table.open(0, other), { status: 'FILE_NOT_AVAILABLE' })
      }
      now += 30_000
      const { table, scheduler } = await restart()
      scheduler.advance(10_000)
      opened(table.open(0, other))
    })

    // Linux sends no CLOSE when it unmounts while the connection is lost.
    test('of its own client, which has forgotten it and waits for the end of its lease', async () => {
      const restart = restartOf(new Map())
      const first = await restart()
      opened(first.table.open(0, durable({ oplockLevel: oplockLevels.lease, lease }, 2, true)))
      await first.table.journal?.flush()
      for (const passed of [0, 20_000, 20_000]) {
        now += passed
        const { table, scheduler } = await restart()
        const waiting = waits(table.open(0, request({ clientGuid, respectsPersistent: true })))
        scheduler.advance(19_999)
        assert.equal(waiting.settled, false)
      }
      now += 30_000
      const { table, scheduler } = await restart()
      const waiting = waits(table.open(0, request({ clientGuid, respectsPersistent: true })))
      scheduler.advance(10_000)
      assert.equal(waiting.settled, true)
    })
  })

  test('a client that has not heard of its rename finds the open by the old name and by the new one', () => {
    const lease = { version: 2, key: 'd'.repeat(32), state: 7, epoch: 0 } as const
    for (const [path, status] of [
      [request().path, 'SUCCESS'],
      ['new', 'SUCCESS'],
      ['other', 'INVALID_PARAMETER'],
    ] as const) {
      const { table } = createTable()
      const { openId } = opened(table.open(0, durable({ oplockLevel: oplockLevels.lease, lease })))
      table.commitRename(openId, { path: 'new' })
      table.park(openId, false)
      assert.equal(table.reconnect(0, ask(openId, { leaseKey: lease.key, path })).status, status, path)
    }
  })

  test('a record tells both names before the file is renamed, and afterwards', () => {
    const { table } = createTable()
    const { openId } = opened(table.open(0, durable()))
    table.prepareRename(openId, { path: 'new' })
    assert.deepEqual([table.recordOf(openId)?.path, table.recordOf(openId)?.otherPath], [request().path, 'new'])
    table.commitRename(openId, { path: 'new' })
    assert.deepEqual([table.recordOf(openId)?.path, table.recordOf(openId)?.otherPath], ['new', request().path])
  })
})

test('the record of a persistent open that ordered a removal stays until that is done: nobody may live to do it', async () => {
  const written: OpenChanges[] = []
  const store: OpenStore = { load: async () => [], write: async changes => void written.push(changes) }
  const { table } = createTable({ store })
  const { openId } = opened(table.open(0, durable({ deleteOnClose: true }, 2, true)))
  await table.journal?.flush()
  const { deleteNow } = table.close(openId)
  assert.equal(deleteNow?.isStored, true)
  assert.equal(table.journal?.flush(), undefined)
  table.deleteFinished(deleteNow.ticket)
  await table.journal?.flush()
  assert.deepEqual(written[1], { put: [], remove: [openId] })
})
