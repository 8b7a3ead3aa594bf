import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessBits } from './access.ts'
import type { FolderWatcher } from './notify/external-changes.ts'
import { notifyActions, notifyFilters, type FolderChange } from './notify/types.ts'
import { createOpenTableClient, type OpenTableClient } from './open-table-client.ts'
import type { OpenTable } from './open-table.ts'
import { createPartitionMemory, PartitionMemory } from './partition-memory.ts'
import { Pending } from './pending.ts'
import { createTable, FakeNetwork, leaseRequest, leaseState, letters, opened, request, settle, settled } from './testing-support.ts'
import { oplockLevels, type OpenGrant, type OpenRequest, type OpenResult } from './types.ts'

type Overrides = Parameters<typeof leaseRequest>[2]

const folder = { fileId: 7n, path: 'Dir', isFolder: true } as const
const folderLease = (key: string, asked: string, overrides: Overrides = {}): OpenRequest =>
  leaseRequest(key, asked, { ...folder, ...overrides, lease: { version: 2, ...overrides?.lease } })

/** Something happens to `dir/x`. */
const change = (overrides: Partial<FolderChange> = {}): FolderChange => ({
  folder: 'dir',
  name: 'x',
  action: notifyActions.added,
  filter: notifyFilters.fileName,
  listing: true,
  ...overrides,
})

const acknowledge = (table: OpenTable, leaseKey: string, state: string): void =>
  assert.equal(table.acknowledgeLeaseBreak({ clientGuid: 'c1', leaseKey, state: leaseState(state) }).status, 'SUCCESS')

describe('leases on folders', () => {
  test('read and handle caching are granted, write caching never (MS-SMB2 3.3.5.9.11)', () => {
    for (const [asked, granted] of [
      ['', ''],
      ['R', 'R'],
      ['RW', 'R'],
      ['RH', 'RH'],
      ['RWH', 'RH'],
      ['W', ''],
      ['H', ''],
    ] as const) {
      const { table } = createTable()
      const { oplockLevel, lease } = opened(table.open(0, folderLease('k1', asked)))
      assert.equal(oplockLevel, oplockLevels.lease)
      assert.equal(letters(lease!.state), granted, asked)
      assert.equal(lease!.epoch, granted === '' ? 0 : 1)
    }
  })

  test('there are no oplocks on folders, no leases of version 1, and none on their streams', () => {
    const { table } = createTable()
    for (const asked of [
      request({ ...folder, oplockLevel: oplockLevels.batch }),
      folderLease('k1', 'RH', { lease: { version: 1 } }),
      folderLease('k1', 'RH', { stream: 'tag' }),
    ]) {
      const { oplockLevel, lease } = opened(table.open(0, asked))
      assert.deepEqual({ oplockLevel, lease }, { oplockLevel: oplockLevels.none, lease: undefined })
    }
  })

  test('several clients hold them together, and one joins and upgrades its own', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, folderLease('k1', 'R')))
    assert.equal(letters(opened(table.open(0, folderLease('k2', 'RH', { clientGuid: 'c2' }))).lease!.state), 'RH')
    const upgraded = opened(table.open(0, folderLease('k1', 'RWH'))).lease!
    assert.equal(letters(upgraded.state), 'RH')
    assert.equal(upgraded.epoch, 2)
    assert.deepEqual(breaks(), [])
  })

  test('a change in the listing breaks them to none; the lease it was made under stays (MS-FSA 2.1.4.12)', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, folderLease('k1', 'RH')))
    opened(table.open(0, folderLease('k2', 'R')))
    opened(table.open(0, folderLease('k3', 'RH')))
    table.notify.publish(change({ parentKey: 'k3' }))
    assert.deepEqual(breaks(), ['k1 RH>!', 'k2 R>'])
    table.notify.publish(change({ parentKey: 'k3' }))
    assert.deepEqual(breaks(), [], 'one break at a time')
    acknowledge(table, 'k1', '')
    assert.equal(opened(table.open(0, folderLease('k1', 'RH'))).lease!.epoch, 3)
  })

  test('what does not show in the listing, and what happens elsewhere, breaks nothing', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, folderLease('k1', 'RH')))
    table.notify.publish(change({ listing: false }))
    table.notify.publish(change({ folder: '' }))
    table.notify.publish(change({ folder: 'dir/sub' }))
    assert.deepEqual(breaks(), [])
  })

  test('a rename breaks those on both folders', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, folderLease('k1', 'RH')))
    opened(table.open(0, folderLease('k2', 'RH', { fileId: 8n, path: 'other' })))
    const rename = { from: { folder: 'dir', name: 'x' }, to: { folder: 'other', name: 'y' }, isFolder: false }
    table.notify.publishRename({ ...rename, parentKey: 'k2' })
    assert.deepEqual(breaks(), ['k1 RH>!'])
    table.notify.publishRename(rename)
    assert.deepEqual(breaks(), ['k2 RH>!'])
  })

  test('a sharing violation breaks handle caching; closing lets the other in', async () => {
    const { table, breaks } = createTable()
    const holder = opened(table.open(0, folderLease('k1', 'RH')))
    const refused = table.open(0, request({ ...folder, shareAccess: 0, clientGuid: 'c2' }))
    assert.deepEqual(breaks(), ['k1 RH>R!'])
    assert.ok(refused instanceof Pending)
    acknowledge(table, 'k1', 'R')
    assert.equal((await settled(refused)).status, 'SHARING_VIOLATION')
    const again = opened(table.open(0, folderLease('k1', 'RH')))
    const waiting = table.open(0, request({ ...folder, shareAccess: 0, clientGuid: 'c2' })) as Pending<OpenResult>
    table.close(holder.openId)
    table.close(again.openId)
    assert.equal((await settled(waiting)).status, 'SUCCESS')
  })

  test('renaming or deleting the folder breaks handle caching (MS-FSA 2.1.5.14.11, 2.1.5.14.3)', () => {
    const { table, breaks } = createTable()
    opened(table.open(0, folderLease('k1', 'RH')))
    const other = opened(table.open(0, request({ ...folder, clientGuid: 'c2' })))
    const renaming = table.prepareRename(other.openId, { path: 'elsewhere' })
    assert.deepEqual([renaming instanceof Pending, ...breaks()], [true, 'k1 RH>R!'])
    acknowledge(table, 'k1', 'R')
    opened(table.open(0, folderLease('k1', 'RH')))
    const deleting = table.setDeletePending(other.openId, true)
    assert.deepEqual([deleting instanceof Pending, ...breaks()], [true, 'k1 RH>R!'])
  })

  test('a rename into a folder that is open for deletion waits for who may close it (MS-FSA 2.1.5.14.11)', async () => {
    const { table, breaks } = createTable()
    const access = accessBits.delete
    const holder = opened(table.open(0, folderLease('k1', 'RH', { access })))
    const file = opened(table.open(0, request({ path: 'x' })))
    const refused = table.prepareRename(file.openId, { path: 'dir/x' })
    assert.deepEqual(breaks(), ['k1 RH>R!'])
    acknowledge(table, 'k1', 'R')
    assert.deepEqual(await settled(refused as Pending<{ status: string }>), { status: 'SHARING_VIOLATION' })
    const upgrading = opened(table.open(0, folderLease('k1', 'RH', { access })))
    table.close(upgrading.openId)
    const renaming = table.prepareRename(file.openId, { path: 'dir/x' })
    table.close(holder.openId)
    assert.deepEqual(await settled(renaming as Pending<{ status: string }>), { status: 'SUCCESS' })
  })

  test('a deletion goes under a key that both who marked the file and who closes it last have', () => {
    for (const [marks, closes, under] of [
      ['k1', 'k1', 'k1'],
      ['k1', 'k2', undefined],
      [undefined, undefined, undefined],
    ] as const) {
      const { table } = createTable()
      const openUnder = (key: string, parentKey: string | undefined): OpenGrant =>
        opened(table.open(0, leaseRequest(key, 'R', { path: 'dir/x', lease: { version: 2, ...(parentKey && { parentKey }) } })))
      const [first, last] = [openUnder('f1', marks), openUnder('f2', closes)]
      table.setDeletePending(first.openId, true)
      table.close(first.openId)
      assert.equal(table.close(last.openId).deleteNow?.parentKey, under)
    }
  })

  test('who caches a folder is counted among those that listen, as long as it caches', () => {
    const memory = createPartitionMemory(64)
    const view = new PartitionMemory(memory)
    const { table } = createTable({ memory })
    const holder = opened(table.open(0, folderLease('k1', 'RH')))
    opened(table.open(0, leaseRequest('k2', 'RH')))
    assert.deepEqual([view.listeners, view.watches, table.notify.listened, table.notify.watched], [1, 0, true, false])
    table.notify.publish(change())
    acknowledge(table, 'k1', '')
    assert.equal(view.listeners, 0)
    opened(table.open(0, folderLease('k1', 'RH')))
    assert.equal(view.listeners, 1)
    table.close(holder.openId)
    table.close(holder.openId + 2n)
    assert.equal(view.listeners, 0)
  })

  test('what others do on the disk breaks them where the folder is watched, what the server does there does not twice', () => {
    let report: Parameters<FolderWatcher>[2] = () => assert.fail('nobody watches')
    const watchFolder: FolderWatcher = (_path, _options, listener) => {
      report = listener
      return undefined
    }
    const { table, breaks, scheduler } = createTable({ watchFolder })
    const holder = opened(table.open(0, folderLease('k1', 'RH')))
    table.nextChange({ openId: holder.openId, recursive: false, filter: notifyFilters.fileName, maxBytes: 1000 })
    table.notify.publish(change({ parentKey: 'k1' }))
    report({ folder: 'Dir', name: 'x', action: 'added', isFolder: false })
    scheduler.advance(1_000)
    assert.deepEqual(breaks(), [])
    report({ folder: 'Dir', name: 'y', action: 'added', isFolder: false })
    scheduler.advance(1_000)
    assert.deepEqual(breaks(), ['k1 RH>!'])
  })

  test('a new owner breaks them: what happened meanwhile is unknown', () => {
    const { table } = createTable()
    opened(table.open(0, folderLease('k1', 'RH')))
    const successor = createTable()
    successor.table.reclaim(0, { opens: [...table.records()], watches: [] })
    assert.deepEqual(successor.breaks(), ['k1 RH>!'])
  })
})

describe('leases on folders, from two workers', () => {
  const createWorkers = () => {
    const network = new FakeNetwork(2)
    const memory = createPartitionMemory(64)
    const events: string[] = []
    const opens = [0, 1].map(index =>
      createOpenTableClient({
        node: network.nodes[index],
        partition: 'docs',
        memory,
        ownerOf: () => 0,
        events: {
          onOplockBreak: () => undefined,
          onLeaseBreak: ({ leaseKey, newState }) => events.push(`${index}: ${leaseKey}>${letters(newState)}`),
        },
      }),
    ) as [OpenTableClient, OpenTableClient]
    return { network, events, opens }
  }
  const granted = async (result: OpenResult | Pending<OpenResult>): Promise<OpenGrant> =>
    (result instanceof Pending ? await result.promise : result) as OpenGrant

  test('a change on one breaks what is held on the other, after the call that told of it', async () => {
    const { opens, events } = createWorkers()
    const [owner, other] = opens
    await granted(other.open(folderLease('k1', 'RH')))
    await granted(owner.open(folderLease('k2', 'RH')))
    await settle()
    owner.notify.publish(change({ parentKey: 'k2' }))
    await Promise.resolve()
    assert.deepEqual(events, [])
    await settle()
    assert.deepEqual(events, ['1: k1>'])
    other.notify.publish(change())
    await settle()
    assert.deepEqual(events, ['1: k1>', '0: k2>'])
  })

  test('where nobody caches a folder, changes in the listing cost no message; where nobody watches, writes cost none', async () => {
    const { network, opens } = createWorkers()
    const [, other] = opens
    await settle()
    const sent = (): number => network.log.filter(line => line.startsWith('publish')).length
    other.notify.publish(change())
    other.notify.publishRename({ from: { folder: 'dir', name: 'x' }, to: { folder: 'dir', name: 'y' }, isFolder: false })
    assert.equal(sent(), 0)
    await granted(other.open(folderLease('k1', 'RH')))
    assert.deepEqual([other.notify.listened, other.notify.watched], [true, false])
    other.notify.publish(change({ listing: false }))
    assert.equal(sent(), 0)
    other.notify.publish(change())
    assert.equal(sent(), 1)
  })
})
