import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { agentPort, endpoint, startDirector } from './agents.ts'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene, until } from './scene.ts'

test("the director's machine is gone: another director gets the VIP, and goes on with its connections", { skip }, async () => {
  await using scene = await startScene()
  const { topology, addresses, ground } = scene
  const { spare, client, middle } = topology
  assert.ok(spare)
  await spare.set({ 'net.ipv4.ip_nonlocal_bind': 1 })
  const owners = [`/=${endpoint(addresses.a, agentPort)}`, `/b/=${endpoint(addresses.b, agentPort)}`]
  await using second = await startDirector(spare, addresses, owners, { ground, name: 'second' })
  const talk = scene.converse({
    steps: [
      { send: get('/slow/a/big.bin'), responses: 1 },
      { send: get('/b/middle.bin'), responses: 2 },
      { send: get('/a/small.txt'), responses: 3 },
    ],
    timeoutMs: 20_000,
  })
  await until('it is handed over', async () => ((await scene.status('director')).metrics['entries'] ?? 0) > 0)
  await sleep(300)
  await middle.ip('link', 'set', 'dev', 'director', 'down')
  await spare.ip('addr', 'add', `${addresses.vip}/24`, 'dev', 'eth0')
  // What a gratuitous ARP does: the VIP has another link address.
  await client.ip('neigh', 'flush', 'to', addresses.vip)
  const { heard, ended } = await talk
  assert.deepEqual(
    heard.map(({ sha256 }) => sha256),
    ['/a/big.bin', '/b/middle.bin', '/a/small.txt'].map(path => scene.content.sha256[path]),
    `${ended}\n${second.log}`,
  )
  assert.equal(await scene.sha256('/b/middle.bin'), scene.content.sha256['/b/middle.bin'])
  await middle.ip('link', 'set', 'dev', 'director', 'up')
})
