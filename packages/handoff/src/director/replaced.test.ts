import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resetFlag } from '../bpf/index.ts'
import { ReleaseFlags } from '../protocol/index.ts'
import { plus, TcpFlag } from '../transform/index.ts'
import { fire } from './core.ts'
import { DirectorScene, opening } from './test-support/director-scene.ts'

const get = 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n'
const other = get.replace('/a', '/b/')
/** What is agreed of the connection that the client begins next from the same port, and what its packets say. */
const next = { clientSequence: plus(opening.clientSequence, 5000), serverSequence: 9000 }
const ofNext = { at: 5000, acknowledgement: next.serverSequence + 1 }
const abandoned = `a: RELEASE ${ReleaseFlags.reset}`

function handed(): DirectorScene {
  const scene = new DirectorScene()
  scene.open()
  scene.send(get)
  fire(scene.core, scene.connection!, 'accepted')
  scene.heard()
  return scene
}

describe('a client that has begun another connection from its port', () => {
  test('is served, and the connection before is over, when the program has noticed', () => {
    const scene = handed()
    scene.see(TcpFlag.rst)
    scene.replace()
    scene.open(next)
    scene.send(get, ofNext)
    assert.deepEqual(scene.heard(), [abandoned, `a: HANDOFF 1 ${JSON.stringify(get)}`])
    assert.deepEqual([scene.core.connections.size, scene.core.entries.count], [1, 1])
  })

  test('and when it has not', () => {
    const scene = handed()
    scene.open(next)
    scene.send(get, ofNext)
    assert.deepEqual(scene.heard(), [abandoned, `a: HANDOFF 1 ${JSON.stringify(get)}`])
    assert.deepEqual([scene.connection?.serverSequenceNext, scene.core.entries.count], [next.serverSequence + 1, 1])
  })

  test('also where only half a head has come of the one before', () => {
    const scene = new DirectorScene()
    scene.open()
    scene.send(get.slice(0, 10))
    scene.open(next)
    scene.send(get, ofNext)
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)}`])
    assert.equal(scene.core.connections.size, 1)
  })

  test('and where the one before is asked to be taken, and its RST is told later', () => {
    const scene = new DirectorScene()
    scene.open()
    scene.send(get)
    scene.send('', { at: get.length, flags: TcpFlag.rst })
    scene.open(next)
    fire(scene.core, scene.connection!, 'accepted')
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)}`, abandoned])
    scene.send(get, ofNext)
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)}`])
  })

  test('is not taken for one by a late copy of the SYN before, nor by what acknowledges something else', () => {
    const scene = handed()
    scene.open()
    scene.send(get)
    assert.match(scene.heard()[0] ?? '', /^a: packet of/, 'the request, which was repeated')
    scene.open(next)
    scene.send(get, { ...ofNext, acknowledgement: next.serverSequence })
    assert.deepEqual([scene.heard(), scene.connection?.state], [[], 'handed'])
  })
})

describe('what the program has seen of a connection', () => {
  test('stays seen when the connection moves: the client has reset it, and begins another one before the next owner has answered', () => {
    const scene = handed()
    scene.see(TcpFlag.rst | resetFlag)
    scene.send(other, { at: get.length, acknowledgement: opening.serverSequence + 100 })
    assert.deepEqual([scene.heard(), scene.entry?.flagsSeen], [['a: RELEASE 0'], TcpFlag.rst | resetFlag])
    fire(scene.core, scene.connection!, 'released')
    assert.deepEqual(scene.heard(), [`b: HANDOFF 2 ${JSON.stringify(other)}`])
    fire(scene.core, scene.connection!, 'accepted')
    assert.deepEqual([scene.heard(), scene.entry], [[`b: RELEASE ${ReleaseFlags.reset}`], undefined])
  })

  test("is not an end when a RST was anybody's, with a number near the one that is expected (RFC 5961 3.2)", () => {
    const scene = handed()
    scene.see(TcpFlag.rst)
    scene.send(other, { at: get.length, acknowledgement: opening.serverSequence + 100 })
    fire(scene.core, scene.connection!, 'released')
    fire(scene.core, scene.connection!, 'accepted')
    assert.deepEqual([scene.heard().length, scene.connection?.state], [2, 'handed'])
  })
})

describe('a SYN that comes up', () => {
  test('is answered with a challenge ACK while the connection before it moves, and changes nothing (RFC 9293 3.10.7.4)', () => {
    const scene = handed()
    scene.send(other, { at: get.length, acknowledgement: opening.serverSequence + 100 })
    scene.heard()
    scene.send('', { at: 9000, flags: TcpFlag.syn, acknowledgement: 0 })
    assert.deepEqual(scene.heard(), [`ACK ${plus(opening.clientSequence, 1 + get.length)}`])
    assert.deepEqual([scene.connection?.state, scene.connection?.gathered?.acknowledgement], ['releasing', opening.serverSequence + 100])
  })
})
