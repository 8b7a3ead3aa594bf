import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { agentPort } from './agents.ts'
import type { Machine } from './machine.ts'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene } from './scene.ts'
import type { Scene } from './scene.ts'

/** What docs/hand-off.md says that has to be let in; all else is dropped, and so is what belongs to no connection. */
async function firewall(machine: Machine, accepted: readonly string[]): Promise<void> {
  const rules = ['iif lo accept', 'ct state invalid drop', 'ct state established,related accept', 'ip protocol icmp accept', ...accepted]
  await machine.must(['nft', 'add table inet wall; add chain inet wall in { type filter hook input priority 0; policy drop; }'])
  for (const rule of rules) await machine.must(['nft', `add rule inet wall in ${rule}`])
}

describe('firewalls with state, and strict source checks, on director and servers', { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    const { director, a, b } = scene.topology
    const server = ['tcp dport 80 ct state new accept', `ip saddr ${scene.addresses.director} udp dport ${agentPort} accept`]
    const { vip } = scene.addresses
    await firewall(director, [`ip daddr ${vip} tcp dport 80 ct state new accept`, `ip daddr ${vip} udp dport 7002 accept`])
    for (const machine of [a, b]) {
      await firewall(machine, server)
      await machine.set({ 'net.ipv4.conf.all.rp_filter': 1, 'net.ipv4.conf.eth0.rp_filter': 1 })
    }
    await director.set({ 'net.ipv4.conf.all.rp_filter': 1, 'net.ipv4.conf.eth0.rp_filter': 1 })
  })
  after(async () => scene?.[Symbol.asyncDispose]())

  test('connections are handed over and move as ever', async () => {
    assert.equal(await scene.sha256('/a/big.bin'), scene.content.sha256['/a/big.bin'])
    const paths = ['/a/middle.bin', '/b/middle.bin', '/b/small.txt', '/a/small.txt']
    const { heard, ended } = await scene.converse({
      steps: paths.map((path, i) => ({ send: get(path, `X-Long: ${'y'.repeat(5000)}`), responses: i + 1 })),
    })
    assert.deepEqual(
      heard.map(({ sha256 }) => sha256),
      paths.map(path => scene.content.sha256[path]),
      ended,
    )
    const { metrics } = await scene.status('director')
    assert.deepEqual([metrics['proxied'], (metrics['moves'] ?? 0) > 0], [0, true])
  })

  test('what is proxied gets there as well', async () => {
    await scene.part('b').kill()
    assert.equal(await scene.sha256('/b/middle.bin'), scene.content.sha256['/b/middle.bin'])
    await scene.start('b')
    await scene.healthy()
  })

  test('nothing is left of connections that have ended', async () => scene.empty())
})
