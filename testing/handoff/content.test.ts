import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene } from './scene.ts'
import type { Scene } from './scene.ts'
import { fileBytes } from './web-servers.ts'

const big = '/a/big.bin'

describe("Holdfast's own servers behind a director", { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene({ server: 'holdfast' })
  })
  after(async () => scene?.[Symbol.asyncDispose]())

  test('100 MiB, less than 0.2 % of it at the director', async t => {
    const { most, text } = await scene.throughDirector(fileBytes['big.bin'], async () =>
      assert.equal(await scene.sha256(big), scene.content.sha256[big]),
    )
    t.diagnostic(text)
    assert.ok(most < 0.002 * fileBytes['big.bin'], text)
  })

  test('both owners on one connection, ranges and conditions as well', async () => {
    const first = await scene.converse({ steps: [{ send: get('/b/small.txt'), responses: 1 }] })
    const etag = first.heard[0]?.headers['etag'] ?? ''
    const requests = [
      get('/a/middle.bin'),
      get('/b/small.txt', `If-None-Match: ${etag}`),
      get('/a/middle.bin', 'Range: bytes=0-1023'),
      get('/b/middle.bin'),
      get('/a/nowhere'),
      get('/b/small.txt'),
    ]
    const { heard, ended } = await scene.converse({ steps: requests.map((send, i) => ({ send, responses: i + 1 })) })
    assert.deepEqual(
      heard.map(({ status, bytes }) => [status, status === 404 ? 0 : bytes]),
      [
        [200, fileBytes['middle.bin']],
        [304, 0],
        [206, 1024],
        [200, fileBytes['middle.bin']],
        [404, 0],
        [200, fileBytes['small.txt']],
      ],
      ended,
    )
    assert.equal(heard[3]?.sha256, scene.content.sha256['/b/middle.bin'])
    assert.equal((await scene.status('director')).metrics['proxied'], 0)
  })

  test('nothing is left of connections that have ended', async () => scene.empty())
})
