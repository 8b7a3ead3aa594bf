import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { memoryStore } from '@holdfast/cluster'
import { ConnectionManager } from '@holdfast/engine'
import { MemoryVolumes } from '../test-support/memory-volumes.ts'
import { VolumeOwner } from '../volumes/owner.ts'
import { type CallOwner, routedVolumeService } from '../volumes/routed-service.ts'
import { defaultAccess } from '../volumes/volume.ts'
import { controlSocketAnswers, controlVolumeService } from './control-client.ts'
import { controlFraming, createControlProtocol } from './control-protocol.ts'
import { socketPath } from './socket-path.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-control-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A node's control socket, with volumes in memory behind it. */
async function listen(path: string): Promise<AsyncDisposable> {
  const nobody = { withdraw: () => Promise.resolve(), announce: () => Promise.resolve() }
  const owner = new VolumeOwner({ manager: new MemoryVolumes().manager(), store: memoryStore(), audience: nobody, owns: () => true })
  const service = routedVolumeService(1, ((_worker: number, method: 'views', argument: undefined) => owner[method](argument)) as CallOwner)
  await using started = new AsyncDisposableStack()
  const manager = started.use(
    await ConnectionManager.start({ inThread: { control: { framing: controlFraming, create: node => createControlProtocol(node, service) } } }),
  )
  await manager.listen({ protocol: 'control', framing: controlFraming, distributed: false, path: started.use(socketPath(path)).path })
  return started.move()
}

describe('the control socket', () => {
  test('does what the service does, and says what it says', async () => {
    const path = join(folder, 'control.sock')
    assert.equal(await controlSocketAnswers(path), false)
    await using _node = await listen(path)
    assert.equal(await controlSocketAnswers(path), true)
    const volumes = controlVolumeService(path)
    const made = await volumes.create({ name: 'disk0', sizeBytes: 2 ** 30, blockBytes: 4096, access: { ...defaultAccess, users: ['alice'] } })
    assert.deepEqual([made.name, made.sizeBytes, made.options], ['disk0', 2 ** 30, ['block-size=4096', 'user=alice']])
    assert.deepEqual(await volumes.list(), [made])
    assert.equal((await volumes.resize('disk0', 2 ** 31)).sizeBytes, 2 ** 31)
    assert.deepEqual((await volumes.setAccess('disk0', { readOnly: true, noAuth: true })).options, ['read-only', 'no-auth', 'block-size=4096'])
    const snapshot = await volumes.createSnapshot('disk0', 'before')
    assert.deepEqual((await volumes.get('disk0')).snapshots, [snapshot])
    const copy = await volumes.create({ name: 'copy', from: { volume: 'disk0', snapshot: 'before' }, access: defaultAccess })
    assert.equal(copy.sizeBytes, 2 ** 31)
    await volumes.deleteSnapshot('disk0', 'before')
    await volumes.delete('disk0')
    assert.deepEqual(
      (await volumes.list()).map(({ name }) => name),
      ['copy'],
    )
    await assert.rejects(volumes.get('disk0'), { name: 'CommandError', code: 'UNKNOWN_VOLUME', message: 'there is no volume "disk0"' })
  })

  test('is found where its path is too long for the system', async () => {
    const deep = join(folder, 'x'.repeat(100), 'y'.repeat(100))
    mkdirSync(deep, { recursive: true })
    const path = join(deep, 'control.sock')
    await using _node = await listen(path)
    assert.deepEqual(await controlVolumeService(path).list(), [])
  })

  test('answers nonsense, and content that is too long, with a problem', async () => {
    const path = join(folder, 'control.sock')
    await using _node = await listen(path)
    const statusOf = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(path, () => socket.write(text))
        socket.on('error', reject)
        socket.once('data', (bytes: Buffer) => {
          resolve(bytes.toString('latin1').split(' ')[1])
          socket.destroy()
        })
      })
    assert.equal(await statusOf('nonsense\r\n\r\n'), '400')
    assert.equal(await statusOf('GET /v1/volumes HTTP/1.1\r\n\r\n'), '400')
    assert.equal(await statusOf('POST /v1/volumes HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n'), '413')
    assert.equal(await statusOf('GET /v1/volumes HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/volumes HTTP/1.1\r\nHost: a\r\n\r\n'), '200')
  })

  test('takes a request in pieces', async () => {
    const path = join(folder, 'control.sock')
    await using _node = await listen(path)
    const body = JSON.stringify({ name: 'disk0', size: '1GiB' })
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'Content-Length': String(body.length) }
      const sent = request({ socketPath: path, method: 'POST', path: '/v1/volumes', headers, agent: false }, response => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject)
      sent.write(body.slice(0, 5))
      setImmediate(() => sent.end(body.slice(5)))
    })
    assert.equal(status, 201)
  })
})
