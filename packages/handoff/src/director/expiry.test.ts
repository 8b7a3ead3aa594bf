import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Deadlines, Loop } from '../loop/index.ts'
import { ReleaseFlags } from '../protocol/index.ts'
import type { Connection } from './connection.ts'
import { fire } from './core.ts'
import { endOf, Expiry } from './expiry.ts'
import { DirectorScene } from './test-support/director-scene.ts'

const get = 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n'

/** The connection is a's, and is looked at from time to time. */
class Scene extends DirectorScene {
  readonly handed: Connection
  #queue: Deadlines | undefined

  constructor() {
    super()
    const loop = { now: () => this.nowMs, addQueue: (queue: Deadlines) => void (this.#queue = queue) } as Partial<Loop> as Loop
    const expiry = new Expiry(this.core, loop)
    this.open()
    this.send(get)
    assert.ok(this.connection !== undefined)
    this.handed = this.connection
    fire(this.core, this.handed, 'accepted')
    this.handed.checkMs = 0
    expiry.add(this.handed)
    this.heard()
  }

  after(ms: number): string[] {
    this.nowMs += ms
    this.#queue?.run(this.nowMs, Infinity)
    return this.heard()
  }
}

describe('a connection that an owner has', () => {
  test('stays while nothing says that it has ended', () => {
    const scene = new Scene()
    assert.deepEqual([scene.after(2000), scene.after(4000), scene.handed.state], [[], [], 'handed'])
  })

  test('is over when the client has begun another one from its port, though nothing of that one comes up: the owner is told', () => {
    const scene = new Scene()
    scene.replace()
    assert.deepEqual(scene.after(2000), [`a: RELEASE ${ReleaseFlags.reset}`])
    assert.deepEqual([scene.handed.state, scene.connection, scene.core.entries.count], ['gone', undefined, 0])
  })

  test('is over some time after the last packet of a client that has ended it', () => {
    const [fin, rst] = [1, 4]
    assert.deepEqual(
      [
        [999, rst],
        [1000, rst],
        [2999, fin],
        [3000, fin],
        [599_999, 0],
        [600_000, 0],
      ].map(([idleMs, flagsSeen]) => endOf({ idleMs, flagsSeen }, 600_000)),
      [undefined, 'closed', undefined, 'closed', undefined, 'idle'],
    )
  })
})
