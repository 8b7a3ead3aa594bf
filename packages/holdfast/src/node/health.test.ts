import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sqliteStore } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import { type BlockDevice, BlockDeviceError } from '@holdfast/storage/block'
import type { ShareFolder } from '../shares/worker-shares.ts'
import { watchHealth } from './health.ts'
import type { WorkerVolumes } from './volumes-on-worker.ts'

type Methods = Readonly<Record<string, (argument: never) => unknown>>

/** Workers of one process that call each other. */
class Workers {
  readonly objects = new Map<number, Methods>()
  readonly logged: unknown[] = []
  listeners = [{ protocol: 'smb', isListening: true }]
  isReady = true
  attention = 0

  node(index: number, port?: ReturnType<WorkerNode['service']>): WorkerNode {
    const number = { add() {}, set() {}, observe() {} }
    return {
      index,
      workers: 2,
      counters: { counter: () => number, gauge: () => number, histogram: () => number },
      service: () => port,
      register: (_id: string, object: Methods) => void this.objects.set(index, object),
      call: async (worker: number, _id: string, method: string) => {
        const object = this.objects.get(worker)
        if (object === undefined) throw Object.assign(new Error('it died'), { code: 'WORKER_LOST' })
        return object[method](undefined as never)
      },
      ask: async () => ({ ready: this.isReady, listeners: this.listeners }),
      log: (...line: unknown[]) => void this.logged.push(line),
      beginAsync: () => void this.attention++,
      endAsync: () => void this.attention--,
    } as unknown as WorkerNode
  }
}

const shareOf = (name: string, path: string): ShareFolder => ({ name, path, isServed: true })

/** Volumes by name: who owns them, and what a read of them does; undefined where they cannot be opened. */
function volumesOf(fakes: Readonly<Record<string, { readonly owner: number; readonly read?: BlockDevice['read'] }>>): WorkerVolumes {
  return {
    list: () => Object.entries(fakes).map(([name, { owner }]) => ({ name, targetName: name, owner })),
    open: (name: string) => (fakes[name].read === undefined ? undefined : { device: { read: fakes[name].read } }),
  } as unknown as WorkerVolumes
}

function folder(context: { after(action: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-health-'))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a node that lacks nothing has no troubles', async context => {
  const path = folder(context)
  await using store = await sqliteStore({ path: join(path, 'store.sqlite') })
  const workers = new Workers()
  const volumes = volumesOf({ disk0: { owner: 0, read: async () => undefined }, disk1: { owner: 1, read: async () => undefined } })
  watchHealth({ node: workers.node(1), shares: () => [], volumes })
  const troubles = watchHealth({ node: workers.node(0, store.connect()), shares: () => [shareOf('docs', path)], volumes })
  assert.deepEqual(await troubles(), [])
  const { entries } = await store.range({ prefix: 'health/' })
  assert.deepEqual(
    entries.map(({ key }) => key),
    ['health/worker-0'],
    'the store was written to',
  )
  assert.equal(workers.attention, 0)
})

test('what is lacking is named, and nothing else of it is told', async context => {
  const path = folder(context)
  writeFileSync(join(path, 'file'), '')
  const ended = await sqliteStore({ path: join(path, 'store.sqlite') })
  const port = ended.connect()
  await ended.close()
  const workers = new Workers()
  workers.listeners = [
    { protocol: 'smb', isListening: true },
    { protocol: 'iscsi', isListening: false },
  ]
  const volumes = volumesOf({
    fine: { owner: 0, read: async () => undefined },
    broken: { owner: 0, read: () => Promise.reject(new BlockDeviceError('READ_FAILED')) },
    closed: { owner: 0 },
    elsewhere: { owner: 1 },
  })
  const shares = [
    shareOf('docs', path),
    shareOf('gone', join(path, 'nowhere')),
    shareOf('flat', join(path, 'file')),
    { name: 'own', isServed: true },
    { name: 'LOST', isServed: false },
  ]
  const troubles = watchHealth({ node: workers.node(0, port), shares: () => shares, volumes })
  const found = await troubles()
  // Which of the two it says depends on whether the thread's goodbye has come.
  const store = found.find(({ name }) => name === 'store')
  assert.match(store?.detail ?? '', /^(closed|unavailable)$/)
  assert.deepEqual(found, [
    { name: 'listener iscsi', detail: 'it does not listen' },
    store,
    { name: 'volume broken', detail: 'READ_FAILED' },
    { name: 'volume closed', detail: 'it cannot be opened' },
    { name: 'worker 1', detail: 'WORKER_LOST' },
    { name: 'share gone', detail: 'ENOENT' },
    { name: 'share flat', detail: 'ENOTDIR' },
    { name: 'share LOST', detail: 'it is not served' },
  ])
  assert.ok(!JSON.stringify(found).includes(path))
})

test("another worker's volumes are looked at there, and a node that shuts down takes no work", async () => {
  const workers = new Workers()
  workers.isReady = false
  const volumes = volumesOf({ disk1: { owner: 1 } })
  watchHealth({ node: workers.node(1), shares: () => [], volumes })
  const troubles = watchHealth({ node: workers.node(0), shares: () => [], volumes })
  assert.deepEqual(await troubles(), [
    { name: 'node', detail: 'it does not take work now' },
    { name: 'volume disk1', detail: 'it cannot be opened' },
  ])
})
