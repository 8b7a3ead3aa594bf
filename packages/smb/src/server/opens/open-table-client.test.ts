import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createOpenTableClient, hashOwner, type OpenTableClient, type OpenTableClientOptions } from './open-table-client.ts'
import { createPartitionMemory } from './partition-memory.ts'
import { notifyActions, notifyFilters, type NotifyResult } from './notify/types.ts'
import { Pending } from './pending.ts'
import { FakeNetwork, leaseRequest, leaseState, ManualScheduler, request, settle } from './testing-support.ts'
import { oplockLevels, type OpenGrant, type OpenResult } from './types.ts'

interface Bench {
  readonly network: FakeNetwork
  readonly scheduler: ManualScheduler
  /** By worker; worker 0 is the owner. */
  readonly opens: OpenTableClient[]
  /** What each worker was told. */
  readonly events: string[]
  start(index: number): void
}

const createBench = (workers = 2, options: Partial<OpenTableClientOptions> = {}): Bench => {
  const network = new FakeNetwork(workers)
  const scheduler = new ManualScheduler()
  const memory = createPartitionMemory(64)
  const events: string[] = []
  const opens: OpenTableClient[] = []
  const start = (index: number): void => {
    opens[index] = createOpenTableClient({
      node: network.nodes[index],
      partition: 'docs',
      memory,
      scheduler,
      ownerOf: () => 0,
      events: {
        onOplockBreak: ({ openId, newLevel }) => events.push(`${index}: ${openId & 0xffn}>${newLevel}`),
        onLeaseBreak: ({ leaseKey, newState }) => events.push(`${index}: ${leaseKey}>${newState}`),
        onPathChanged: ({ path }) => events.push(`${index}: ${path}`),
        onOrphanedDelete: order => {
          events.push(`${index}: delete ${order.path}`)
          void opens[index].deleteFinished(order)
        },
      },
      ...options,
    })
  }
  for (let index = 0; index < workers; index++) start(index)
  return { network, scheduler, opens, events, start }
}

const value = async <T>(result: T | Promise<T> | Pending<T>): Promise<T> => (result instanceof Pending ? result.promise : result)

const granted = async (result: OpenResult | Pending<OpenResult>): Promise<OpenGrant> => {
  const answer = await value(result)
  assert.equal(answer.status, 'SUCCESS')
  return answer
}

describe('two workers', () => {
  test('the owner answers at once, the other worker through it', async () => {
    const { opens } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    const first = owner.open(request({ shareAccess: 0 }))
    assert.ok(!(first instanceof Pending))
    assert.deepEqual(await value(other.open(request())), { status: 'SHARING_VIOLATION' })
    assert.deepEqual(await value(owner.close(first as OpenGrant)), { status: 'SUCCESS' })
    const second = await granted(other.open(request({ shareAccess: 0 })))
    assert.deepEqual(owner.open(request()), { status: 'SHARING_VIOLATION' })
    assert.notEqual(second.openId, (first as OpenGrant).openId)
    assert.deepEqual(await value(other.close(second)), { status: 'SUCCESS' })
  })

  test('callbacks come after the call that caused them, and may call back', async () => {
    const { opens, events } = createBench()
    const [owner] = opens as [OpenTableClient]
    const holder = await granted(owner.open(request({ oplockLevel: oplockLevels.batch })))
    await settle()
    const waiting = owner.open(request())
    assert.deepEqual(events, [])
    await settle()
    assert.deepEqual(events, ['0: 1>1'])
    await value(owner.close(holder))
    await granted(waiting)
  })

  test('breaks reach the worker that serves the holder, and wait for it to learn of its grant', async () => {
    const { opens, events } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    const holding = other.open(request({ oplockLevel: oplockLevels.batch })) as Pending<OpenResult>
    let seen = false
    void holding.promise.then(() => {
      assert.deepEqual(events, [], 'no break before the grant')
      seen = true
    })
    await settle(3)
    let waiting: OpenResult | Pending<OpenResult> = owner.open(request())
    for (let turn = 0; turn < 10 && !(waiting instanceof Pending); turn++) {
      await value(owner.close(waiting as OpenGrant))
      await settle(1)
      waiting = owner.open(request())
    }
    assert.ok(waiting instanceof Pending)
    await settle()
    assert.ok(seen)
    assert.equal(events.length, 1)
    const holder = await granted(holding)
    assert.deepEqual(await value(other.acknowledgeOplockBreak(holder, oplockLevels.levelII)), {
      status: 'SUCCESS',
      oplockLevel: oplockLevels.levelII,
    })
    await granted(waiting)
  })

  test('a waiting request says so and can be cancelled from the other worker', async () => {
    const { opens } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    await granted(owner.open(request({ oplockLevel: oplockLevels.batch })))
    const waiting = other.open(request()) as Pending<OpenResult>
    let said = false
    waiting.onWaiting(() => (said = true))
    await settle()
    assert.ok(said)
    assert.equal(waiting.settled, false)
    waiting.cancel()
    assert.deepEqual(await waiting.promise, { status: 'CANCELLED' })
  })

  test('reads, writes and changes that concern nobody cost no message', async () => {
    const { network, opens } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    const mine = await granted(other.open(leaseRequest('k1', 'RH')))
    await settle()
    network.log.length = 0
    assert.equal(other.ioConflict(mine, 0, 10, true), false)
    other.contend(mine, 'write')
    other.notify.publish({ folder: '', name: 'x', action: notifyActions.added, filter: notifyFilters.fileName })
    assert.equal(other.notify.watched, false)
    assert.equal(other.isDeletePending(mine), false)
    assert.equal(network.log.length, 0)
    const theirs = await granted(owner.open(leaseRequest('k2', 'RH')))
    await value(owner.lock(theirs, [{ offset: 0n, length: 10n, flags: 0x12 }]))
    assert.equal(await value(other.ioConflict(mine, 0, 10, true)), true)
    await value(owner.lock(theirs, [{ offset: 0n, length: 10n, flags: 4 }]))
    assert.equal(other.ioConflict(mine, 0, 10, true), false)
    network.log.length = 0
    other.contend(mine, 'write')
    assert.deepEqual([...network.log], ['contend 1>0'], 'the other lease has read caching')
  })

  test('changes are told across workers', async () => {
    const { opens } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    const folder = await granted(other.open(request({ fileId: 7n, path: 'dir', isFolder: true })))
    const waiting = other.notify.next({ openId: folder.openId, recursive: false, filter: 0xfff, maxBytes: 1000 }) as Pending<NotifyResult>
    await settle()
    assert.equal(owner.notify.watched, true)
    owner.notify.publish({ folder: 'dir', name: 'x', action: notifyActions.added, filter: notifyFilters.fileName })
    assert.deepEqual(await waiting.promise, { status: 'SUCCESS', entries: [{ action: 1, name: 'x' }] })
    const again = owner.notify.next({ openId: folder.openId, recursive: false, filter: 0xfff, maxBytes: 1000 })
    other.notify.publishRename({ from: { folder: 'dir', name: 'x' }, to: { folder: 'dir', name: 'y' }, isFolder: true })
    assert.equal((await value(again)).entries.length, 2)
  })

  test('renames and deletions are known on all workers', async () => {
    const { opens, events } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    const mine = await granted(other.open(request()))
    const theirs = await granted(owner.open(request()))
    await settle()
    assert.deepEqual(await value(owner.prepareRename(theirs, { path: 'new' })), { status: 'SUCCESS' })
    await value(owner.commitRename(theirs, { path: 'new' }))
    await value(owner.setDeletePending(theirs, true))
    await settle()
    assert.deepEqual(other.pathOf(mine), { path: 'new', stream: '' })
    assert.deepEqual(events, ['0: new', '1: new'])
    assert.equal(await value(other.isDeletePending(mine)), true)
    await value(owner.close(theirs))
    const { deleteNow } = await value(other.close(mine))
    assert.equal(deleteNow?.path, 'new')
    assert.deepEqual(await value(other.open(request())), { status: 'DELETE_PENDING' })
    void other.deleteFinished(deleteNow)
    await granted(other.open(request()))
  })
})

describe('workers die', () => {
  test('a client worker: its opens are closed, its delete-on-close is done by the owner’s worker', async () => {
    const { network, opens, events, start } = createBench()
    const [owner, other] = opens as [OpenTableClient, OpenTableClient]
    await granted(other.open(request({ shareAccess: 0, deleteOnClose: true })))
    await settle()
    network.restart(1)
    start(1)
    await settle()
    assert.deepEqual(events, ['0: delete file.dat'])
    await granted(owner.open(request({ shareAccess: 0 })))
  })

  test('the owner: clients bring opens, oplocks, leases, locks and watches to the successor', async () => {
    const { network, opens, events, scheduler, start } = createBench(3)
    const [, one, two] = opens as [OpenTableClient, OpenTableClient, OpenTableClient]
    const batch = await granted(one.open(request({ oplockLevel: oplockLevels.batch, shareAccess: 0 })))
    const leased = await granted(two.open(leaseRequest('k1', 'RWH', { fileId: 2n, path: 'leased' })))
    const locked = await granted(one.open(request({ fileId: 3n, path: 'locked' })))
    await value(
      one.lock(locked, [
        { offset: 0n, length: 10n, flags: 0x12 },
        { offset: 20n, length: 10n, flags: 0x12 },
      ]),
    )
    await value(one.lock(locked, [{ offset: 20n, length: 10n, flags: 4 }]))
    const blocked = await granted(two.open(request({ fileId: 3n, path: 'locked' })))
    const waitingLock = two.lock(blocked, [{ offset: 0n, length: 1n, flags: 2 }])
    const folder = await granted(two.open(request({ fileId: 4n, path: 'dir', isFolder: true })))
    const watching = two.notify.next({ openId: folder.openId, recursive: false, filter: 0xfff, maxBytes: 1000 }) as Pending<NotifyResult>
    await settle()

    network.restart(0)
    const early = two.open(request({ fileId: 5n, path: 'early' }))
    await settle()
    start(0)
    const mine = opens[0].open(request({ fileId: 6n }))
    assert.ok(mine instanceof Pending, 'the successor waits for what was held before')
    scheduler.advance(20)
    await settle()
    scheduler.advance(40)
    await settle()
    await granted(mine)
    await granted(early)
    assert.equal((await watching.promise).status, 'NOTIFY_ENUM_DIR', 'what happened meanwhile is unknown')

    const contender = opens[0].open(request())
    await settle()
    assert.deepEqual(events, ['1: 1>1'])
    assert.equal((await value(one.acknowledgeOplockBreak(batch, oplockLevels.levelII))).status, 'SUCCESS')
    assert.deepEqual(await value(contender), { status: 'SHARING_VIOLATION' })

    events.length = 0
    const leaseContender = opens[0].open(request({ fileId: 2n, path: 'leased' }))
    await settle()
    assert.deepEqual(events, [`2: k1>${leaseState('RH')}`])
    assert.equal((await value(two.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey: 'k1', state: leaseState('RH') }))).status, 'SUCCESS')
    await granted(leaseContender)

    assert.equal(await value(two.ioConflict(blocked, 0, 1, true)), true)
    assert.equal(await value(two.ioConflict(blocked, 20, 1, true)), false)
    await value(one.close(locked))
    assert.deepEqual(await value(waitingLock), { status: 'SUCCESS' })
    assert.deepEqual(await value(two.close(leased)), { status: 'SUCCESS' })
  })

  test('a successor does not wait longer than its grace time for a client that is gone', async () => {
    const { network, opens, scheduler, start } = createBench(3)
    await settle()
    opens[2][Symbol.dispose]()
    network.restart(0)
    start(0)
    const mine = opens[0].open(request()) as Pending<OpenResult>
    scheduler.advance(20)
    await settle()
    assert.equal(mine.settled, false)
    scheduler.advance(1_000)
    await granted(mine)
  })

  test('a request that was waiting at the owner that died is made again, or cancelled', async () => {
    const { network, opens, scheduler, start } = createBench(3)
    const [, one, two] = opens as [OpenTableClient, OpenTableClient, OpenTableClient]
    const holder = await granted(one.open(request({ oplockLevel: oplockLevels.batch })))
    const waiting = two.open(request()) as Pending<OpenResult>
    const cancelled = two.open(request()) as Pending<OpenResult>
    await settle()
    network.restart(0)
    cancelled.cancel()
    await settle()
    start(0)
    for (let i = 0; i < 5; i++) {
      scheduler.advance(50)
      await settle()
    }
    assert.deepEqual(await cancelled.promise, { status: 'CANCELLED' })
    assert.equal(waiting.settled, false)
    assert.equal((await value(one.acknowledgeOplockBreak(holder, oplockLevels.none))).status, 'SUCCESS')
    await granted(waiting)
  })
})

test('partitions are spread over the workers by name', () => {
  const owners = new Set(Array.from({ length: 40 }, (_, i) => hashOwner(`share-${i}`, 4)))
  assert.deepEqual(
    [...owners].sort((a, b) => a - b),
    [0, 1, 2, 3],
  )
  assert.equal(hashOwner('docs', 1), 0)
})
