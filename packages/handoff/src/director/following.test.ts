import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plus, TcpFlag } from '../transform/index.ts'
import { fire } from './core.ts'
import { DirectorScene, opening } from './test-support/director-scene.ts'

const get = 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n'
const post = 'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345'
const ofOther = get.replace('/a', '/b/')
/** What the client has got of the first response. */
const answered = opening.serverSequence + 100

/** The connection is a's, and the program leads: it knows the next request. `at` is where that begins. */
function led(): { readonly scene: DirectorScene; readonly at: number } {
  const scene = new DirectorScene()
  scene.open()
  scene.send(get)
  assert.ok(scene.connection !== undefined)
  fire(scene.core, scene.connection, 'accepted')
  scene.isKnown = true
  scene.send(get, { at: get.length, acknowledgement: answered })
  scene.heard()
  return { scene, at: 2 * get.length }
}

const sequenceOf = (at: number): number => plus(opening.clientSequence, 1 + at)

describe('requests for the owner that has the connection', () => {
  test('that are known: the program is given the lead with the first of them', () => {
    const { scene, at } = led()
    assert.deepEqual([scene.programLeads, scene.connection?.programLeads, scene.connection?.state], [true, true, 'handed'])
    const { nextRequest, requestAck } = scene.connection ?? {}
    assert.deepEqual([nextRequest, requestAck, scene.core.counters.continued], [sequenceOf(at), answered, 1])
  })

  for (const [what, text, flags] of [
    ['with content', post, TcpFlag.ack],
    ['two at once', get + get, TcpFlag.ack],
    ['the last', get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), TcpFlag.ack],
    ['with a FIN', get, TcpFlag.ack | TcpFlag.fin],
  ] as const) {
    test(`that the program knows nothing of (${what}): it is not given the lead, and has it no more`, () => {
      const { scene, at } = led()
      scene.sendKnown(get, { at, acknowledgement: answered + 1 })
      scene.send(text, { at: at + get.length, flags, acknowledgement: answered + 2 })
      assert.deepEqual([scene.programLeads, scene.connection?.programLeads], [false, false])
      assert.deepEqual(scene.heard().length, 1, 'it goes to the owner')
      assert.equal(scene.connection?.nextRequest, sequenceOf(at + get.length + text.length))
    })
  }

  test('what the program has sent on and comes up late goes the same way, and is nothing new', () => {
    const { scene, at } = led()
    scene.sendKnown(get, { at, acknowledgement: answered + 1 })
    scene.send(get, { at, acknowledgement: answered })
    assert.deepEqual([scene.heard().length, scene.core.counters.continued, scene.connection?.nextRequest], [1, 1, sequenceOf(at + get.length)])
    scene.send(get, { at: at + get.length, acknowledgement: answered + 2 })
    assert.deepEqual([scene.heard().length, scene.core.counters.continued, scene.programLeads], [1, 2, true])
  })
})

describe('the next request is for another owner, and the program has sent others on', () => {
  test('the connection moves, from where the program got to', () => {
    const { scene, at } = led()
    scene.sendKnown(get, { at, acknowledgement: answered + 1 })
    scene.sendKnown(get, { at: at + get.length, acknowledgement: answered + 2 })
    scene.send(ofOther, { at: at + 2 * get.length, acknowledgement: answered + 3 })
    const { connection, core } = scene
    assert.ok(connection !== undefined)
    assert.deepEqual([scene.heard(), connection.state, scene.programLeads], [['a: RELEASE 0'], 'releasing', false])
    fire(core, connection, 'released')
    assert.deepEqual(scene.heard(), [`b: HANDOFF 2 ${JSON.stringify(ofOther)}`])
    assert.deepEqual([connection.clientSequenceNext, connection.serverSequenceNext], [sequenceOf(at + 2 * get.length + ofOther.length), answered + 3])
    fire(core, connection, 'accepted')
    assert.deepEqual([connection.state, scene.programLeads], ['handed', false])
  })

  test('the owner is not asked to let go as long as the last of them has no answer', () => {
    const { scene, at } = led()
    scene.sendKnown(get, { at, acknowledgement: answered + 1 })
    scene.send(ofOther, { at: at + get.length, acknowledgement: answered + 1 })
    assert.deepEqual([scene.heard(), scene.connection?.state, scene.connection?.isBusy], [[], 'releasing', true])
  })

  test('half a head takes the lead as well: the rest comes to us', () => {
    const { scene, at } = led()
    scene.sendKnown(get, { at, acknowledgement: answered + 1 })
    scene.send(ofOther.slice(0, 8), { at: at + get.length, acknowledgement: answered + 2 })
    assert.deepEqual([scene.connection?.state, scene.programLeads], ['gathering', false])
    scene.send(ofOther.slice(8), { at: at + get.length + 8, acknowledgement: answered + 2 })
    assert.deepEqual([scene.heard(), scene.connection?.state], [['a: RELEASE 0'], 'releasing'])
  })
})

test('a hole: the client repeats what is missing, and the program leads again from there', () => {
  const { scene, at } = led()
  scene.send(get, { at: at + get.length, acknowledgement: answered })
  assert.deepEqual([scene.heard(), scene.programLeads], [[], false])
  scene.send(get, { at, acknowledgement: answered })
  assert.deepEqual([scene.heard().length, scene.programLeads, scene.connection?.nextRequest], [1, true, sequenceOf(at + get.length)])
})
