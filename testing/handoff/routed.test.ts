import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene } from './scene.ts'
import type { Scene } from './scene.ts'
import { oneLink, routed } from './topologies.ts'
import { fileBytes } from './web-servers.ts'

const big = '/a/big.bin'
const alternating = Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? '/a/middle.bin' : '/b/middle.bin'))

for (const [name, options] of [
  ['IPv6 on one link', { topology: oneLink, family: 'ipv6' }],
  ['IPv4 with routers between client, director and servers', { topology: routed, family: 'ipv4' }],
  ['IPv6 with routers between client, director and servers', { topology: routed, family: 'ipv6' }],
  // Responses are too big for the link to the client: routers tell the VIP (RFC 1191, RFC 8201).
  ['IPv4 with a link of a smaller MTU', { topology: () => routed({ narrowMtu: 1300 }), family: 'ipv4' }],
  ['IPv6 with a link of a smaller MTU', { topology: () => routed({ narrowMtu: 1300 }), family: 'ipv6' }],
] as const) {
  describe(name, { skip }, () => {
    let scene: Scene
    before(async () => {
      scene = await startScene(options)
    })
    after(async () => scene?.[Symbol.asyncDispose]())

    test('100 MiB, less than 0.2 % of it at the director', async t => {
      const { most, text } = await scene.throughDirector(fileBytes['big.bin'], async () =>
        assert.equal(await scene.sha256(big), scene.content.sha256[big]),
      )
      t.diagnostic(text)
      assert.ok(most < 0.002 * fileBytes['big.bin'], text)
      const { metrics } = await scene.status('director')
      assert.deepEqual([metrics['proxied'], (metrics['handoffs'] ?? 0) > 0], [0, true])
    })

    test('an upload of 3 MB', async () => {
      const content = randomBytes(3_000_000)
      const file = scene.ground.folder.at('upload')
      writeFileSync(file, content)
      const raised = async (): Promise<number> => (await scene.status('director')).metrics['raisedPackets'] ?? 0
      const before = await raised()
      assert.equal(await scene.curl('-T', file, scene.url('/upload')), `${createHash('sha256').update(content).digest('hex')} ${content.length}\n`)
      // Where packets are wrapped, the client has been told to leave room for that: none is too big for the program.
      assert.ok((await raised()) - before < 100)
    })

    test('requests of both owners on one connection, also with a head of several packets', async () => {
      const steps = alternating.map((path, i) => ({ send: get(path, ...(i > 3 ? [`X-Long: ${'y'.repeat(3000)}`] : [])), responses: i + 1 }))
      const { heard, ended } = await scene.converse({ steps, timeoutMs: 30_000 })
      assert.deepEqual(
        heard.map(({ sha256 }) => sha256),
        alternating.map(path => scene.content.sha256[path]),
        ended,
      )
    })

    test('nothing is left of connections that have ended', async () => scene.empty())
  })
}
