import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ActionContext } from '@holdfast/management'
import { volumeOptionWords } from '../config/volumes.ts'
import type { ImagePart, VolumeContent } from '../volumes/content.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { VolumeRequest, VolumeView } from '../volumes/volume.ts'
import { volumeActions } from './volume-actions.ts'

const folder = mkdtempSync(join(tmpdir(), 'actions-'))
after(() => rmSync(folder, { recursive: true }))
const MiB = 1 << 20
const image = join(folder, 'image')
writeFileSync(image, Buffer.alloc(150 * MiB))

class CodeError extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** Volumes in a map, and what was asked of them. */
function fixture() {
  const volumes = new Map<string, VolumeView>()
  const calls: string[] = []
  const find = (name: string): VolumeView => {
    const found = volumes.get(name)
    if (found === undefined) throw new CodeError('UNKNOWN_VOLUME')
    return found
  }
  const put = (view: VolumeView): VolumeView => {
    volumes.set(view.name, view)
    return view
  }
  const words = (access: VolumeRequest['access']) => [...volumeOptionWords(access), ...(access.users?.length === 0 ? ['nobody'] : [])]
  const service: VolumeService = {
    list: async () => [...volumes.values()],
    get: async name => find(name),
    async create({ name, sizeBytes = 0, access }) {
      calls.push(`create ${words(access).join()}`)
      if (volumes.has(name)) throw new CodeError('VOLUME_EXISTS')
      return put({ name, id: name, target: name, sizeBytes, options: volumeOptionWords(access), createdAt: '', snapshots: [] })
    },
    resize: async (name, sizeBytes) => put({ ...find(name), sizeBytes }),
    async setAccess(name, access) {
      calls.push(`access ${words(access).join()}`)
      return put({ ...find(name), options: volumeOptionWords(access) })
    },
    async createSnapshot(name, snapshot) {
      const view = find(name)
      if (view.snapshots.some(each => each.name === snapshot)) throw new CodeError('SNAPSHOT_EXISTS')
      const made = { name: snapshot, sizeBytes: view.sizeBytes, createdAt: '' }
      put({ ...view, snapshots: [...view.snapshots, made] })
      return made
    },
    async deleteSnapshot() {
      throw new CodeError('UNKNOWN_SNAPSHOT')
    },
    async delete(name) {
      calls.push('delete')
      find(name)
      volumes.delete(name)
    },
  }
  const content: VolumeContent = {
    map: () => assert.fail(),
    async copyImage({ offset, lengthBytes }: ImagePart) {
      calls.push(`copy ${offset / MiB}`)
      return Math.min(offset + lengthBytes, 150 * MiB)
    },
  }
  const kept: unknown[] = []
  const context = (changed: Partial<ActionContext> = {}): ActionContext => ({
    again: false,
    checkpoint: undefined,
    signal: new AbortController().signal,
    user: 'admin',
    progress: ({ checkpoint }) => kept.push(checkpoint),
    ...changed,
  })
  return { volumes, calls, kept, context, actions: volumeActions({ service, content }) }
}

const create = (body: { name: string; size?: string; options?: string[]; image?: string; from?: string }) => ({
  parameters: {},
  query: undefined,
  body,
})

describe('making a volume', () => {
  test('from an image: nobody may use it before all of it is there; its size is the image’s', async () => {
    const { actions, calls, context } = fixture()
    const made = await actions['volume.create'].run(create({ name: 'a', image, options: ['no-auth'] }), context())
    assert.deepEqual(calls, ['create nobody', 'copy 0', 'copy 64', 'copy 128', 'access no-auth'])
    assert.deepEqual([made.sizeBytes, made.options], [150 * MiB, ['no-auth']])
  })

  test('goes on where it was when the process died', async () => {
    const { actions, calls, kept, context } = fixture()
    const abort = new AbortController()
    const asked = create({ name: 'a', image })
    await assert.rejects(
      async () =>
        actions['volume.create'].run(
          asked,
          context({
            signal: abort.signal,
            progress({ checkpoint }) {
              kept.push(checkpoint)
              if (kept.length === 3) abort.abort()
            },
          }),
        ),
      { name: 'AbortError' },
    )
    calls.length = 0
    await actions['volume.create'].run(asked, context({ again: true, checkpoint: kept.at(-1) }))
    assert.deepEqual(calls, ['copy 128', 'access '])
  })

  test('one that somebody else has made is not taken for its own, and not undone', async () => {
    const { actions, calls, kept, context } = fixture()
    await actions['volume.create'].run(create({ name: 'a', size: '1GiB' }), context())
    kept.length = 0
    const other = create({ name: 'a', size: '2GiB' })
    await assert.rejects(actions['volume.create'].run(other, context()), { code: 'VOLUME_EXISTS' })
    await assert.rejects(actions['volume.create'].run(other, context({ again: true })), { code: 'VOLUME_EXISTS' })
    calls.length = 0
    await actions['volume.create'].undo?.(other, context({ checkpoint: kept.at(-1) }))
    assert.deepEqual(calls, [])
  })

  test('is undone by deleting what it made, also where that is gone already', async () => {
    const { actions, volumes, kept, context } = fixture()
    const asked = create({ name: 'a', size: '1GiB' })
    await actions['volume.create'].run(asked, context())
    for (const _ of [1, 2]) await actions['volume.create'].undo?.(asked, context({ checkpoint: kept.at(-1) }))
    assert.equal(volumes.size, 0)
  })

  test('what is wrong is told before the receipt', async () => {
    const { actions } = fixture()
    const check = async (body: Parameters<typeof create>[0]) => actions['volume.create'].check?.(create(body))
    await assert.rejects(check({ name: 'a', image, size: '1MiB' }), { code: 'INVALID_IMAGE', message: /more than the size/ })
    await assert.rejects(check({ name: 'a', image, from: 'b@c' }), { code: 'INVALID_IMAGE' })
    const invalid = (field: string, message: RegExp) => (error: { code: string; errors: { field: string; message: string }[] }) => {
      assert.deepEqual([error.code, error.errors.length, error.errors[0].field], ['INVALID', 1, field])
      assert.match(error.errors[0].message, message)
      return true
    }
    await assert.rejects(check({ name: 'a' }), invalid('size', /^is missing; allowed: a size from 1MiB/))
    await assert.rejects(check({ name: 'a', size: '1x' }), invalid('size', /^"1x" is not allowed; allowed: a size/))
    await assert.rejects(check({ name: 'a', size: '1GiB', options: ['thick'] }), invalid('options', /^"thick" is not allowed/))
    await assert.rejects(check({ name: 'a', from: 'b' }), invalid('from', /VOLUME@SNAPSHOT/))
  })
})

test('what was done before the process died is done: deleting, snapshots', async () => {
  const { actions, context } = fixture()
  const again = context({ again: true })
  const parameters = { name: 'a', snapshot: 's' }
  assert.equal(await actions['volume.delete'].run({ parameters, query: undefined, body: undefined }, again), null)
  assert.equal(await actions['snapshot.delete'].run({ parameters, query: undefined, body: undefined }, again), null)
  await actions['volume.create'].run(create({ name: 'a', size: '1GiB' }), context())
  const snapshot = { parameters, query: undefined, body: { name: 's' } }
  await actions['snapshot.create'].run(snapshot, context())
  assert.equal((await actions['snapshot.create'].run(snapshot, again)).name, 's')
  await assert.rejects(actions['snapshot.create'].run(snapshot, context()), { code: 'SNAPSHOT_EXISTS' })
})
