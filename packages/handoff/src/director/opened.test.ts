import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plus, TcpFlag } from '../transform/index.ts'
import { fire } from './core.ts'
import { DirectorScene, opening } from './test-support/director-scene.ts'

const get = 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n'
const begun = (): DirectorScene => {
  const scene = new DirectorScene()
  scene.open()
  return scene
}

describe('a connection that the program has opened', () => {
  test('is handed over by its first packet; what comes meanwhile follows', () => {
    const scene = begun()
    scene.send(get)
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)}`])
    const { connection, core } = scene
    assert.ok(connection !== undefined)
    const { clientSequenceNext, serverSequenceNext, mss, options, sendWindow } = connection
    assert.deepEqual(
      { clientSequenceNext, serverSequenceNext, mss, options, sendWindow },
      {
        clientSequenceNext: plus(opening.clientSequence, 1 + get.length),
        serverSequenceNext: opening.serverSequence + 1,
        mss: 1460,
        options: 7,
        sendWindow: 500 << 6,
      },
    )
    // TSvals are the program's clock.
    assert.equal(connection.tsDirector, scene.nowMs)
    scene.send('', { at: get.length, acknowledgement: opening.serverSequence + 100 })
    assert.deepEqual(scene.heard(), [])
    // What it acknowledges goes to the owner already; its next request does not.
    assert.deepEqual([connection.hasEntry, connection.forwardUntil], [true, connection.begin])
    fire(core, connection, 'accepted')
    assert.deepEqual([connection.state, connection.hasEntry, core.entries.count], ['handed', true, 1])
    assert.equal(scene.heard().length, 1, 'the acknowledgement')
    assert.deepEqual([core.counters.accepted, core.counters.handoffs, core.counters.moves, core.counters.reading], [1, 1, 0, 0])
  })

  test('two requests of two owners in one packet: the second follows when the first has been answered', () => {
    const scene = begun()
    const second = get.replace('/a', '/b/')
    scene.send(`${get}${second}`)
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)}`])
    fire(scene.core, scene.connection!, 'accepted')
    assert.equal(scene.connection?.state, 'releasing')
  })

  test('a head in pieces, in any order, and a FIN', () => {
    const scene = begun()
    scene.send(get.slice(10), { at: 10, flags: TcpFlag.ack | TcpFlag.fin })
    assert.deepEqual([scene.heard(), scene.connection?.state, scene.core.counters.reading], [[], 'opened', 1])
    scene.send(get.slice(0, 10))
    assert.equal(scene.connection?.state, 'opened')
    scene.send(get.slice(10), { at: 10, flags: TcpFlag.ack | TcpFlag.fin })
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)} FIN`])
    assert.equal(scene.core.counters.reading, 0)
  })

  test('chunked content goes with a head that ends the connection', () => {
    const scene = begun()
    scene.send('POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n')
    assert.match(scene.heard()[0] ?? '', /^a: HANDOFF 1 .*Connection: close.*5/)
    fire(scene.core, scene.connection!, 'accepted-last')
    assert.equal(scene.connection?.state, 'forwarded')
  })

  test('nobody is there, or what comes is no request: our own stack gets it', () => {
    const scene = begun()
    scene.isHealthy = false
    scene.send(get)
    assert.deepEqual([scene.heard(), scene.connection?.state], [[`restore ${get.length} bytes`], 'proxied'])
    const other = begun()
    other.send('\x16\x03\x01')
    assert.deepEqual(other.heard(), ['restore 3 bytes'])
  })

  test('refused: our own stack gets it', () => {
    const scene = begun()
    scene.send(get)
    scene.heard()
    fire(scene.core, scene.connection!, 'refused')
    assert.deepEqual(scene.heard(), [`restore ${get.length} bytes`])
  })

  test('no room in the map: nobody is asked to take it', () => {
    const scene = new DirectorScene(0)
    scene.open()
    scene.send(get)
    assert.deepEqual([scene.heard(), scene.core.counters.refusals.noRoom], [[`restore ${get.length} bytes`], 1])
  })

  test('the client goes before there was a request: FIN is answered by FIN, RST by nothing (RFC 9293 3.6)', () => {
    const scene = begun()
    scene.send('', { flags: TcpFlag.ack | TcpFlag.fin })
    assert.deepEqual(scene.heard(), [`FIN ${opening.serverSequence + 1} ${plus(opening.clientSequence, 2)}`])
    assert.equal(scene.connection, undefined)
    const other = begun()
    other.send(get.slice(0, 5))
    other.send('', { at: 5, flags: TcpFlag.rst })
    assert.deepEqual([other.heard(), other.connection, other.core.counters.reading], [[], undefined, 0])
  })

  test('the client has gone and begun another connection from its port, while the owner was asked', () => {
    const scene = begun()
    scene.send(get)
    scene.replace()
    scene.heard()
    fire(scene.core, scene.connection!, 'accepted')
    assert.deepEqual([scene.heard(), scene.connection], [['a: RELEASE 2'], undefined])
  })

  test('a packet that acknowledges what was not said, or is far away, is of none that was opened (RFC 5961 5)', () => {
    for (const wrong of [{ acknowledgement: opening.serverSequence }, { at: 70_000 }, { at: -1 }]) {
      const scene = begun()
      scene.send(get, wrong)
      assert.deepEqual([scene.heard(), scene.connection], [[], undefined])
    }
    const nothingOpened = new DirectorScene()
    nothingOpened.send(get)
    assert.deepEqual(nothingOpened.heard(), ['unknown'])
  })

  test('late packets of the connection before, from the same port, take nothing from it', () => {
    const scene = begun()
    scene.send('', { at: -5000, flags: TcpFlag.rst, acknowledgement: 0 })
    scene.send('late', { at: -5000, acknowledgement: 77 })
    assert.deepEqual([scene.heard(), scene.connection], [[], undefined])
    scene.send(get.slice(0, 5))
    scene.send('', { at: -5000, flags: TcpFlag.rst, acknowledgement: 0 })
    scene.send('late', { at: -5000, acknowledgement: 77 })
    scene.send(get.slice(5), { at: 5 })
    assert.deepEqual(scene.heard(), [`a: HANDOFF 1 ${JSON.stringify(get)}`])
  })
})
