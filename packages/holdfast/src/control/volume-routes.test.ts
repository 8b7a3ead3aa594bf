import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { memoryStore } from '@holdfast/cluster'
import { readRequest } from '@holdfast/management'
import { MemoryVolumes } from '../test-support/memory-volumes.ts'
import { VolumeOwner } from '../volumes/owner.ts'
import { type CallOwner, routedVolumeService } from '../volumes/routed-service.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { VolumeView } from '../volumes/volume.ts'
import { answerVolumeRequest, parseSnapshotName } from './volume-routes.ts'

function volumes(): VolumeService {
  const nobody = { withdraw: () => Promise.resolve(), announce: () => Promise.resolve() }
  const owner = new VolumeOwner({ manager: new MemoryVolumes().manager(), store: memoryStore(), audience: nobody, owns: () => true })
  return routedVolumeService(1, ((_worker: number, method: 'views', argument: undefined) => owner[method](argument)) as CallOwner)
}

async function ask(service: VolumeService, line: string, body?: unknown, again = false) {
  const content = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const text = `${line} HTTP/1.1\r\nHost: node\r\nContent-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`
  const request = readRequest(Buffer.from(text), { contentBytesMax: 65_536 })
  assert.ok(request !== undefined && 'content' in request)
  const { status, body: answer, headers = {}, contentType } = await answerVolumeRequest(request, { service, again })
  return { status, headers, contentType, value: answer === '' ? undefined : (JSON.parse(answer) as Record<string, unknown>) }
}

describe('/v1/volumes', () => {
  test('POST makes one, GET lists and shows, PATCH grows, DELETE deletes', async () => {
    const service = volumes()
    const made = await ask(service, 'POST /v1/volumes', { name: 'disk1', size: '10GiB', options: ['user=alice', 'block-size=4096'] })
    assert.deepEqual([made.status, made.headers], [201, { Location: '/v1/volumes/disk1' }])
    const { value } = await ask(service, 'GET /v1/volumes/disk1')
    const { id, createdAt, ...rest } = value as unknown as VolumeView
    assert.ok(id !== '' && createdAt !== '')
    const expected = {
      name: 'disk1',
      target: 'iqn.2026-11.io.holdfast:disk1',
      sizeBytes: 10 * 2 ** 30,
      usedBytes: 0,
      options: ['block-size=4096', 'user=alice'],
      snapshots: [],
    }
    assert.deepEqual(rest, expected)
    assert.deepEqual((await ask(service, 'GET /v1/volumes')).value, { items: [value], next: null })
    const grown = await ask(service, 'PATCH /v1/volumes/disk1', { size: 20 * 2 ** 30, options: ['no-auth'] })
    assert.deepEqual([grown.status, grown.value?.['sizeBytes'], grown.value?.['options']], [200, 20 * 2 ** 30, ['no-auth', 'block-size=4096']])
    assert.deepEqual(await ask(service, 'DELETE /v1/volumes/disk1'), { status: 204, headers: {}, contentType: 'application/json', value: undefined })
    assert.deepEqual((await ask(service, 'GET /v1/volumes')).value, { items: [], next: null })
  })

  test('snapshots are made, listed and deleted; a volume begins with one', async () => {
    const service = volumes()
    await ask(service, 'POST /v1/volumes', { name: 'disk1', size: '1GiB' })
    const made = await ask(service, 'POST /v1/volumes/disk1/snapshots', { name: 'before' })
    assert.deepEqual([made.status, made.headers], [201, { Location: '/v1/volumes/disk1/snapshots/before' }])
    assert.deepEqual((await ask(service, 'GET /v1/volumes/disk1/snapshots')).value, { items: [made.value], next: null })
    const copy = await ask(service, 'POST /v1/volumes', { name: 'copy', from: 'disk1@before' })
    assert.deepEqual([copy.status, copy.value?.['sizeBytes']], [201, 2 ** 30])
    assert.equal((await ask(service, 'DELETE /v1/volumes/disk1/snapshots/before')).status, 204)
    assert.equal((await ask(service, 'DELETE /v1/volumes/disk1/snapshots/before')).status, 404)
  })

  test('what was done before a worker died is not an error when it is asked for again', async () => {
    const service = volumes()
    const volume = { name: 'disk1', size: '1GiB' }
    for (const [line, body, status, code] of [
      ['POST /v1/volumes', volume, 201, 'VOLUME_EXISTS'],
      ['POST /v1/volumes/disk1/snapshots', { name: 'before' }, 201, 'SNAPSHOT_EXISTS'],
      ['DELETE /v1/volumes/disk1/snapshots/before', undefined, 204, 'UNKNOWN_SNAPSHOT'],
      ['DELETE /v1/volumes/disk1', undefined, 204, 'UNKNOWN_VOLUME'],
    ] as const) {
      const first = await ask(service, line, body)
      assert.equal(first.status, status, line)
      assert.equal((await ask(service, line, body)).value?.['code'], code)
      assert.deepEqual(await ask(service, line, body, true), first)
    }
  })
})

test('a worker that dies is no reason for the client to ask again; one that always dies is', async () => {
  let deaths = 2
  const mortal = (service: VolumeService): VolumeService => ({
    ...service,
    async create(volume) {
      const made = await service.create(volume)
      if (deaths-- > 0) throw Object.assign(new Error('worker 1 died'), { code: 'WORKER_LOST' })
      return made
    },
  })
  const service = mortal(volumes())
  assert.equal((await ask(service, 'POST /v1/volumes', { name: 'disk1', size: '1GiB' })).status, 201)
  // What is there is not what is asked for: somebody else has made it.
  deaths = 1
  const other = mortal({ ...service, create: () => Promise.reject(Object.assign(new Error('taken'), { code: 'VOLUME_EXISTS' })) })
  assert.equal((await ask(other, 'POST /v1/volumes', { name: 'disk1', size: '2GiB' }, true)).status, 409)
  deaths = Infinity
  const always: VolumeService = { ...service, list: () => Promise.reject(Object.assign(new Error('worker 1 died'), { code: 'WORKER_LOST' })) }
  const { status, value } = await ask(always, 'GET /v1/volumes')
  assert.deepEqual([status, value?.['code']], [503, 'WORKER_LOST'])
})

describe('problems (RFC 9457) name the key, the value and what is allowed', () => {
  for (const [line, body, status, code, detail] of [
    ['GET /v1/volumes/nope', undefined, 404, 'UNKNOWN_VOLUME', 'there is no volume "nope"'],
    ['DELETE /v1/volumes/nope', undefined, 404, 'UNKNOWN_VOLUME', 'there is no volume "nope"'],
    ['PATCH /v1/volumes/disk1', { size: '512MiB' }, 409, 'SIZE_TOO_SMALL', 'below what the volume has'],
    ['PATCH /v1/volumes/disk1', { size: 'big' }, 400, 'CONFIG', 'size: "big" is not allowed; allowed: a size from 1MiB'],
    ['PATCH /v1/volumes/disk1', { name: 'disk2' }, 400, 'CONFIG', 'there is no key "name"; allowed: size, options'],
    ['PATCH /v1/volumes/disk1', { options: ['block-size=512'] }, 400, 'CONFIG', 'leave block-size out'],
    ['POST /v1/volumes', { name: 'disk1', size: '1GiB' }, 409, 'VOLUME_EXISTS', 'there is a volume "disk1" already'],
    ['POST /v1/volumes', { name: 'Disk1', size: '1GiB' }, 400, 'CONFIG', 'name: "Disk1" is not allowed'],
    ['POST /v1/volumes', { name: 'disk2' }, 400, 'CONFIG', 'size is missing; allowed: a size from 1MiB'],
    ['POST /v1/volumes', { name: 'disk2', size: '1GiB', options: ['fast'] }, 400, 'CONFIG', 'options: "fast" is not allowed'],
    ['POST /v1/volumes', { name: 'disk2', size: '1GiB', options: 'no-auth' }, 400, 'CONFIG', 'allowed: a list of texts'],
    ['POST /v1/volumes', { name: 'disk2', from: 'disk1' }, 400, 'CONFIG', 'from: "disk1" is not allowed; allowed: VOLUME@SNAPSHOT'],
    ['POST /v1/volumes', '{', 400, 'CONFIG', 'the content is not JSON'],
    ['POST /v1/volumes', '[]', 400, 'CONFIG', 'the content is not a JSON object'],
    ['POST /v1/volumes/disk1/snapshots', { name: 5 }, 400, 'CONFIG', 'name: "5" is not allowed'],
    ['PUT /v1/volumes', {}, 405, undefined, '/v1/volumes answers GET, POST.'],
    ['constructor /v1/volumes', {}, 405, undefined, 'answers GET, POST.'],
    ['GET /v1/volumes/', undefined, 404, undefined, 'There is nothing at /v1/volumes/.'],
    ['GET /v1/volumes/../users.json', undefined, 404, undefined, 'There is nothing at'],
    ['GET /', undefined, 404, undefined, 'There is nothing at /.'],
  ] as const) {
    test(`${line} ${JSON.stringify(body)}: ${status}`, async () => {
      const service = volumes()
      await ask(service, 'POST /v1/volumes', { name: 'disk1', size: '1GiB' })
      const { value, contentType, ...answer } = await ask(service, line, body)
      assert.deepEqual([answer.status, value?.['status'], value?.['code'], contentType], [status, status, code, 'application/problem+json'])
      assert.ok(String(value?.['detail']).includes(detail), String(value?.['detail']))
    })
  }

  test('whatever is sent is done, or a problem that is the sender’s', async () => {
    const service = volumes()
    const line = fc.constantFrom('POST /v1/volumes', 'PATCH /v1/volumes/disk1', 'POST /v1/volumes/disk1/snapshots', 'GET /v1/volumes/disk1')
    const body = fc.dictionary(
      fc.constantFrom('name', 'size', 'options', 'from', 'x'),
      fc.oneof(fc.jsonValue(), fc.constantFrom('disk1', '2MiB', ['no-auth'])),
    )
    await fc.assert(
      fc.asyncProperty(line, body, async (line, body) => {
        const { status } = await ask(service, line, body)
        assert.ok(status < 500, String(status))
      }),
    )
  })
})

test('VOLUME@SNAPSHOT', () => {
  assert.deepEqual(parseSnapshotName('disk1@before'), { volume: 'disk1', snapshot: 'before' })
  for (const text of ['disk1', '@before', 'disk1@', 'disk1@a@b', 'Disk1@a', 5, undefined]) assert.equal(parseSnapshotName(text), undefined)
})
