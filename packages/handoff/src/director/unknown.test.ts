import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TcpFlag } from '../transform/index.ts'
import type { Core } from './core.ts'
import { DirectorScene, opening } from './test-support/director-scene.ts'
import { UnknownFlows } from './unknown.ts'

const everybodyAsked = ['a: WHO_HAS', 'b: WHO_HAS']

/** A director that knows no connection at all. */
class Scene extends DirectorScene {
  readonly flows: UnknownFlows

  constructor() {
    super()
    const { core } = this
    const flows = new UnknownFlows(core)
    this.flows = flows
    ;(core as { unknown: Core['unknown'] }).unknown = packet => flows.take(packet)
  }

  /** What is said when a packet comes, so many ms later. */
  after(ms: number, text = 'x', how: Parameters<DirectorScene['send']>[1] = {}): string[] {
    this.nowMs += ms
    this.send(text, how)
    return this.heard()
  }
}

describe('a packet of a connection that nobody here knows', () => {
  test('all agents are asked, again every 250 ms, and the client hears that it is lost when each must have read the question', () => {
    const scene = new Scene()
    assert.deepEqual(scene.after(0), everybodyAsked)
    assert.deepEqual(scene.after(200), [])
    assert.deepEqual(scene.after(100), everybodyAsked)
    assert.deepEqual(scene.after(999), everybodyAsked)
    assert.deepEqual(scene.after(1), [`RST ${opening.serverSequence + 1}`])
    assert.equal(scene.core.counters.reset, 1)
  })

  test('not as long as an agent may have it that has not been heard', () => {
    const scene = new Scene()
    scene.after(0)
    ;(scene.agents.b.link as { health: string }).health = 'silent'
    assert.deepEqual(scene.after(1500), everybodyAsked)
  })

  test('a packet of another connection from the same port begins anew: it is far away, or comes late', () => {
    const scene = new Scene()
    scene.after(0)
    assert.deepEqual(scene.after(1000, 'x', { at: 0x0200_0000 }), everybodyAsked)
    assert.deepEqual(scene.after(2500, 'x', { at: 0x0200_0000 }), everybodyAsked)
  })

  test('a RST is nobody’s business', () => {
    assert.deepEqual(new Scene().after(0, '', { flags: TcpFlag.rst }), [])
  })

  test('it is found: what came last of it is told once', () => {
    const scene = new Scene()
    scene.after(0)
    scene.after(10, 'y', { at: 1 })
    const { flow } = scene.core.packet
    assert.equal(scene.flows.found(flow), (opening.clientSequence + 2) >>> 0)
    assert.equal(scene.flows.found(flow), undefined)
  })
})
