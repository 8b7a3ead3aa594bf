import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { memoryStore, type Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import type { ServedShare } from '@holdfast/smb/server'
import { memory } from '@holdfast/storage'
import type { NodeShare } from '../node/node-config.ts'
import { openPrefixOf } from '../node/open-store.ts'
import { memoryWorkers } from '../test-support/memory-workers.ts'
import type { ShareService } from './service.ts'
import { shareService } from './share-service.ts'
import { ShareStore } from './share-store.ts'
import { openWorkerShares } from './worker-shares.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-shares-'))
  for (const name of ['docs', 'other', 'state', 'state/inner']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'file'), '')
})
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, name)

const configured: NodeShare = { name: 'Fixed', source: { kind: 'directory', path: '/srv/fixed' }, comment: '', readOnly: true, encrypt: false }

interface Nodes {
  readonly store: Store
  readonly services: ShareService[]
  /** What the SMB servers of the workers were told: `0 add docs`. */
  readonly steps: string[]
  readonly mesh: ReturnType<typeof memoryWorkers>
  /** By worker: shares that cannot be opened. */
  readonly broken: Set<string>
  start(index: number, incarnation?: number): Promise<void>
}

async function nodes(workers = 3, store: Store = memoryStore()): Promise<Nodes> {
  const made: Nodes = {
    store,
    services: [],
    steps: [],
    mesh: memoryWorkers(workers),
    broken: new Set(),
    async start(index, incarnation = 1) {
      const node = { ...made.mesh.node(index), incarnation } as WorkerNode
      const told = (step: string) => (name: string) => void made.steps.push(`${index} ${step} ${name}`)
      const shares = await openWorkerShares({
        node,
        store: new ShareStore(store),
        control: {
          add: ({ name }: ServedShare) => told('add')(name),
          change: (name, { comment = '', encrypt = false }) => told(`change ${comment} ${encrypt}`)(name),
          withdraw: async name => told('withdraw')(name),
          endWaiting: async name => told('end-waiting')(name),
          remove: told('remove'),
        },
        configured: [configured],
        open: async ({ name, source }) => {
          if (made.broken.has(name)) throw new Error('no such device')
          assert.equal(source.kind, 'directory')
          return { name, fileSystem: memory() }
        },
        stateDir: at('state'),
      })
      made.services[index] = shareService({ node, shares, configured: [configured], stateDir: at('state') })
    },
  }
  for (let index = 0; index < workers; index++) await made.start(index)
  return made
}

const names = async (service: ShareService): Promise<string[]> => (await service.list()).items.map(({ name }) => name)

describe('a share that is made', () => {
  test('is served by every worker when that is told, and shown by each', async () => {
    const { services, steps } = await nodes()
    const made = await services[2].create({ name: 'docs', path: at('docs'), options: ['encrypt', 'read-only', 'encrypt'], comment: 'Papers' })
    assert.deepEqual(made, { name: 'docs', path: at('docs'), options: ['read-only', 'encrypt'], comment: 'Papers', origin: 'api' })
    assert.deepEqual(steps.sort(), ['0 add docs', '1 add docs', '2 add docs'])
    for (const service of services) assert.deepEqual(await names(service), ['docs', 'Fixed'])
    assert.deepEqual(await services[1].get('DOCS'), made)
  })

  test('is there again after a restart of the node, and of a worker', async () => {
    const first = await nodes()
    await first.services[0].create({ name: 'docs', path: at('docs') })
    const again = await nodes(2, first.store)
    assert.deepEqual(again.steps.sort(), ['0 add docs', '1 add docs'])
    again.steps.length = 0
    again.mesh.lose(1)
    await again.start(1, 2)
    assert.deepEqual(again.steps, ['1 add docs'])
  })

  test('is made once: again it is the same, unless it is another one', async () => {
    const { services } = await nodes()
    const share = { name: 'docs', path: at('docs') }
    await services[0].create(share)
    await assert.rejects(services[1].create({ ...share, name: 'DOCS' }), { code: 'SHARE_EXISTS' })
    assert.equal((await services[1].create(share, { again: true })).name, 'docs')
    await assert.rejects(services[1].create({ ...share, path: at('other') }, { again: true }), { code: 'SHARE_EXISTS' })
    await assert.rejects(services[1].create({ name: 'fixed', path: at('docs') }), { code: 'SHARE_EXISTS' })
  })

  test('is refused with what is wrong', async () => {
    const { services, store } = await nodes()
    const wrong: readonly (readonly [Parameters<ShareService['create']>[0], string, RegExp])[] = [
      [{ name: 'a/b', path: at('docs') }, 'INVALID_NAME', /80 characters/],
      [{ name: 'ipc$', path: at('docs') }, 'INVALID_NAME', /IPC\$/],
      [{ name: 'docs', path: 'docs' }, 'INVALID_PATH', /is not absolute/],
      [{ name: 'docs', path: at('nowhere') }, 'INVALID_PATH', /does not exist/],
      [{ name: 'docs', path: at('file') }, 'INVALID_PATH', /is no folder/],
      [{ name: 'docs', path: at('state') }, 'INVALID_PATH', /own state/],
      [{ name: 'docs', path: at('state/inner') }, 'INVALID_PATH', /own state/],
      [{ name: 'docs', path: folder }, 'INVALID_PATH', /own state/],
      [{ name: 'docs', path: at('docs'), options: ['fast'] }, 'INVALID_OPTION', /"fast".*read-only, encrypt/],
      [{ name: 'docs', path: at('docs'), options: ['scale-out'] }, 'INVALID_OPTION', /not available yet/],
    ]
    for (const [share, code, message] of wrong) {
      await assert.rejects(services[1].check(share), { code })
      await assert.rejects(services[1].create(share), (error: Error & { code: string }) => error.code === code && message.test(error.message))
    }
    assert.deepEqual((await store.range({ prefix: '' })).entries, [])
  })

  test('and cannot be served after all is not kept', async () => {
    const { services, broken } = await nodes()
    broken.add('docs')
    await assert.rejects(services[1].create({ name: 'docs', path: at('docs') }), { code: 'INVALID_PATH', message: /no such device/ })
    assert.deepEqual(await names(services[1]), ['Fixed'])
  })
})

describe('a share that is changed', () => {
  test('goes on where its files can: options and comment count for the next tree connect', async () => {
    const { services, steps } = await nodes(2)
    await services[0].create({ name: 'docs', path: at('docs') })
    steps.length = 0
    const changed = await services[1].change('docs', { options: ['encrypt'], comment: 'sealed' })
    assert.deepEqual([changed.options, changed.comment, changed.path], [['encrypt'], 'sealed', at('docs')])
    assert.deepEqual(steps.sort(), ['0 change sealed true docs', '1 change sealed true docs'])
  })

  for (const [what, change] of [
    ['folder', { path: 'other' }],
    ['promise', { options: ['continuous-availability'] }],
    ['right to write', { options: ['read-only'] }],
  ] as const) {
    test(`begins anew with another ${what}: all workers do one step after the other`, async () => {
      const { services, steps } = await nodes(2)
      await services[0].create({ name: 'docs', path: at('docs') })
      steps.length = 0
      await services[1].change('docs', { ...change, ...('path' in change && { path: at(change.path) }) })
      const order = ['withdraw', 'end-waiting', 'remove', 'add']
      assert.deepEqual(
        steps.map(step => step.split(' ')[1]),
        order.flatMap(step => [step, step]),
      )
    })
  }

  test('is none of the configuration, and is known', async () => {
    const { services } = await nodes()
    await assert.rejects(services[1].change('fixed', { comment: 'x' }), { code: 'SHARE_CONFIGURED', message: /--share/ })
    await assert.rejects(services[1].delete('fixed'), { code: 'SHARE_CONFIGURED' })
    await assert.rejects(services[1].change('docs', { comment: 'x' }), { code: 'UNKNOWN_SHARE' })
    await assert.rejects(services[1].get('docs'), { code: 'UNKNOWN_SHARE' })
  })
})

describe('a share that is deleted', () => {
  test('ends on all workers, one step after the other, with what the store has of its opens', async () => {
    const { services, steps, store } = await nodes(2)
    await services[0].create({ name: 'docs', path: at('docs') })
    await store.txn({ success: [{ type: 'put', key: `${openPrefixOf('docs')}01`, value: Buffer.from('left by a crash') }] })
    steps.length = 0
    await services[1].delete('DOCS')
    assert.deepEqual(
      steps.map(step => step.split(' ')[1]),
      ['withdraw', 'withdraw', 'end-waiting', 'end-waiting', 'remove', 'remove'],
    )
    assert.deepEqual((await store.range({ prefix: '' })).entries, [])
    await assert.rejects(services[0].delete('docs'), { code: 'UNKNOWN_SHARE' })
    await services[0].delete('docs', { again: true })
    assert.equal((await services[0].create({ name: 'docs', path: at('other') })).path, at('other'))
  })

  test('is gone after a crash in the middle, and nobody serves it meanwhile', async () => {
    const first = await nodes()
    await first.services[0].create({ name: 'docs', path: at('docs') })
    const shares = new ShareStore(first.store)
    await shares.put({ ...(await shares.get('docs'))!, isEnding: true })
    const again = await nodes(2, first.store)
    assert.deepEqual(await names(again.services[1]), ['Fixed'])
    assert.equal(
      again.steps.some(step => step.includes('add')),
      false,
    )
    assert.equal((await again.services[1].create({ name: 'docs', path: at('other') })).path, at('other'))
  })
})

test('what a worker has changed when it died is known to all when it has started again', async () => {
  const { services, steps, mesh, store, start } = await nodes()
  await services[0].create({ name: 'docs', path: at('docs') })
  steps.length = 0
  // As if it had died between the store and telling.
  const shares = new ShareStore(store)
  await shares.put({ ...(await shares.get('docs'))!, path: at('other') })
  mesh.lose(0)
  await start(0, 2)
  while (steps.filter(step => /^[12] add docs$/.test(step)).length < 2) await new Promise(resolve => setImmediate(resolve))
  for (const worker of [1, 2]) {
    assert.deepEqual(
      steps.filter(step => step.startsWith(String(worker))),
      ['withdraw', 'end-waiting', 'remove', 'add'].map(step => `${worker} ${step} docs`),
    )
  }
})
