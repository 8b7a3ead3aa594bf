import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { Header, magic, MessageType } from '@holdfast/handoff/protocol'
import { agentPort } from './agents.ts'
import { skip } from './prerequisites.ts'
import { get } from './requests.ts'
import { startScene } from './scene.ts'
import type { Scene } from './scene.ts'
import { listenToUdp, payloadOf, sayAgain } from './wire.ts'

const big = '/a/big.bin'
const typeOf = (packet: Buffer): number => Header.decode(payloadOf(packet)).type
const changed = [MessageType.handoff, MessageType.release, MessageType.continue] as number[]

describe('packets that an attacker on the wire sends again, or changes', { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
  })
  after(async () => scene?.[Symbol.asyncDispose]())

  /** What the director has told a's agent while something was done: messages, not clients' packets. */
  async function overheard(work: () => Promise<void>): Promise<Buffer[]> {
    const tap = listenToUdp(scene.topology.a, agentPort)
    await work()
    tap.stop()
    return tap.packets.filter(packet => payloadOf(packet).toString('latin1', 0, 4) === magic)
  }

  /** What changes when an agent believes something. */
  async function state(): Promise<object> {
    const { metrics, connections } = await scene.status('agent-a')
    const { handoffs, repeats, refusals, released, continued, finished, replaced } = metrics
    return { connections, handoffs, repeats, refusals, released, continued, finished, replaced }
  }

  test('hand-offs and releases of connections that are over: nothing happens', async () => {
    const packets = await overheard(async () => {
      await scene.sha256('/a/middle.bin')
      const paths = ['/a/small.txt', '/b/small.txt', '/a/small.txt', '/a/small.txt']
      await scene.converse({ steps: paths.map((path, i) => ({ send: get(path), responses: i + 1 })) })
    })
    assert.deepEqual(new Set(packets.map(typeOf)).isSupersetOf(new Set([MessageType.handoff, MessageType.release])), true)
    await scene.empty()
    const before = await state()
    sayAgain(scene.topology.director, packets)
    sayAgain(scene.topology.director, packets.toReversed())
    await sleep(200)
    assert.deepEqual(await state(), before)
  })

  test('those of a connection that is there: its transfer goes on', async () => {
    let download: Promise<string> | undefined
    const packets = await overheard(async () => {
      download = scene.sha256('/slow/a/big.bin')
      await sleep(500)
    })
    assert.ok(packets.some(packet => typeOf(packet) === MessageType.handoff))
    const before = await state()
    for (let i = 0; i < 20; i++) sayAgain(scene.topology.director, packets)
    await sleep(200)
    assert.deepEqual(await state(), before)
    assert.equal(await download, scene.content.sha256[big])
    await scene.healthy()
  })

  test('one bit is another, wherever: nothing happens', async () => {
    const packets = (await overheard(async () => void (await scene.sha256('/a/small.txt')))).filter(packet => changed.includes(typeOf(packet)))
    assert.ok(packets.length > 0)
    await scene.empty()
    const before = await state()
    const forged = packets.flatMap(packet => {
      const bits = payloadOf(packet).length * 8
      // So that the number is one that has not been used, too: it is in the header.
      return Array.from({ length: bits }, (_, bit) => {
        const copy = Buffer.from(packet)
        const payload = payloadOf(copy)
        payload[bit >> 3] = (payload[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        return copy
      })
    })
    for (let i = 0; i < forged.length; i += 100) {
      sayAgain(scene.topology.director, forged.slice(i, i + 100))
      await sleep(5)
    }
    await sleep(200)
    assert.deepEqual(await state(), before)
    assert.equal(await scene.sha256('/a/small.txt'), scene.content.sha256['/a/small.txt'])
    assert.equal((await scene.status('director')).metrics['proxied'], 0)
  })

  test('an agent with another key takes nothing, and its server is proxied to', async () => {
    const { ground } = scene
    await scene.part('b').stop()
    const other = ground.folder.at('other-key')
    writeFileSync(other, 'another key that is as long as it has to be\n', { mode: 0o600 })
    await scene.start('b', ['--key-file', other])
    assert.equal((await scene.status('agent-b')).metrics['handoffs'], 0)
    const { heard, ended } = await scene.converse({ steps: [{ send: get('/b/small.txt'), responses: 1 }] })
    assert.equal(heard[0]?.sha256, scene.content.sha256['/b/small.txt'], ended)
    assert.equal((await scene.status('agent-b')).metrics['handoffs'], 0)
  })
})
