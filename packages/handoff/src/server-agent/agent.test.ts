import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { AgentState } from '../bpf/entries.ts'
import { endpointOf } from '../protocol/index.ts'
import { HandoffFlags, RefuseReason, ReleaseFlags } from '../protocol/messages.ts'
import { TcpFlag } from '../transform/packet.ts'
import { newSegment, setEnds, writeSegment } from '../transform/segment.ts'
import {
  agent,
  at,
  capacity,
  client,
  entry,
  flagsSent,
  handOff,
  idleMs,
  inKey,
  keyOf,
  machine,
  outKey,
  pass,
  peer,
  release,
  server,
  setUp,
  start,
  vip,
  words,
} from './test-support/agent-scene.ts'
import { mapped, peerOf, request } from './test-support/fake-directors.ts'

beforeEach(setUp)

/** A response of so many bytes, head and content. */
function whole(bytes: number): Buffer {
  const begin = 'HTTP/1.1 200 OK\r\nContent-Length: '
  const contentBytes = bytes - begin.length - 3 - 4
  return Buffer.from(`${begin}${String(contentBytes).padStart(3, '0')}\r\n\r\n${'c'.repeat(contentBytes)}`)
}

test('an older generation than that which is there is not answered', () => {
  handOff({ generation: 2 })
  assert.deepEqual(handOff({ generation: 1 }), [])
  assert.equal(machine.sent.length, 2)
})

test('one that is over gives way at once', () => {
  handOff()
  pass(500)
  machine.pass(inKey, { flags: TcpFlag.rst })
  pass(750)
  const otherVip = mapped(198, 51, 100, 2)
  assert.deepEqual(handOff({ connection: 78, vip: otherVip }), ['accept 1 78.1'])
  assert.equal(machine.sent[2].sourcePort, 40_000)
  assert.deepEqual([agent.connections(), machine.flows.entries.size], [1, 2])
})

test("a new connection of the same client's address and port resets the older one", () => {
  handOff()
  assert.deepEqual(handOff({ connection: 78, clientSequenceNext: 90_000 }), ['accept 1 78.1'])
  assert.deepEqual(flagsSent(), [TcpFlag.syn, TcpFlag.ack | TcpFlag.psh, TcpFlag.rst, TcpFlag.syn, TcpFlag.ack | TcpFlag.psh])
  assert.equal(machine.sent[2].sequence, 10_000)
  assert.deepEqual([agent.connections(), machine.flows.entries.size, agent.counters.replaced], [1, 2, 1])
})

test('a newer generation resets the older one', () => {
  handOff()
  assert.deepEqual(handOff({ generation: 3 }), ['accept 1 77.3'])
  assert.deepEqual([agent.connections(), machine.flows.entries.size, agent.counters.replaced], [1, 2, 1])
})

test('what is more than the agent has room for is refused; when the map is full, too', () => {
  for (let i = 0; i < capacity; i++) handOff({ connection: i, clientPort: 1000 + i })
  assert.deepEqual(handOff({ connection: 99 }), [`refuse 1 99.1 ${RefuseReason.noRoom}`])
  setUp()
  machine.flows.maxEntries = 1
  assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.noRoom}`])
  assert.deepEqual([machine.flows.entries.size, machine.sent.at(-1)?.flags], [0, TcpFlag.rst])
})

test('an agent that is about to end takes nothing new', () => {
  handOff()
  agent.isEnding = true
  assert.deepEqual(handOff({ connection: 78, clientPort: 5 }), [`refuse 1 78.1 ${RefuseReason.ending}`])
  assert.deepEqual(handOff(), ['accept 1 77.1'])
})

const packetOfClient = { connection: 77, generation: 1, sequence: 10_000, acknowledgement: 20_500, tsVal: 700, tsEcr: 950, window: 500, flags: 0x18 }

test('CONTINUE goes to the server with the numbers that it knows', () => {
  handOff()
  agent.continue(peer, packetOfClient, request, 0, request.length)
  const sent = machine.sent.at(-1)!
  assert.deepEqual([sent.sequence, sent.acknowledgement, sent.window, sent.flags], [10_000, 0x7000_0001 + 500, 500, 0x18])
  assert.deepEqual([sent.options.tsVal, sent.options.tsEcr], [700, 950 + 5_000_000 - 900])
  assert.equal(String(sent.payload), String(request))
})

test('a TSecr of 0 stays 0 (RFC 7323 3.2); CONTINUE of a connection or generation that is not there is dropped', () => {
  handOff()
  agent.continue(peer, { ...packetOfClient, tsEcr: 0 }, request, 0, 1)
  assert.equal(machine.sent.at(-1)!.options.tsEcr, 0)
  const { length } = machine.sent
  agent.continue(peer, { ...packetOfClient, generation: 2 }, request, 0, 1)
  agent.continue(peer, { ...packetOfClient, connection: 1 }, request, 0, 1)
  assert.equal(machine.sent.length, length)
})

test('RELEASE: BUSY while the server has not answered, or the client has not all of the answer', () => {
  handOff()
  assert.deepEqual(release(20_000), ['busy 1 77.1'])
  machine.say(outKey, whole(1000))
  assert.deepEqual(release(20_999), ['busy 1 77.1'])
  assert.deepEqual(release(21_000), ['released 1 77.1'])
  assert.deepEqual([flagsSent().slice(2), machine.sent.at(-1)!.sequence], [[TcpFlag.rst], 10_000])
  assert.deepEqual([agent.connections(), machine.flows.entries.size], [0, 0])
  assert.deepEqual(release(21_000), ['released 1 77.1'], 'again')
})

test('the entries are gone before the server has lost the connection: what it then answers to a late packet of the client does not get to the client', () => {
  handOff()
  machine.say(outKey, whole(1000))
  const entries: number[] = []
  const send = machine.send.bind(machine)
  machine.send = (packet, lengthBytes) => {
    entries.push(machine.flows.entries.size)
    return send(packet, lengthBytes)
  }
  assert.deepEqual([release(21_000), entries], [['released 1 77.1'], [0]])
})

test('a RST goes where the server expects it, and where what has been sent ends', () => {
  handOff()
  machine.pass(inKey, { flags: TcpFlag.ack, sequenceEnd: 12_000 })
  machine.say(outKey, whole(1000))
  machine.pass(outKey, { flags: TcpFlag.ack, ack: 11_000 })
  release(21_000)
  assert.deepEqual(
    machine.sent.slice(2).map(({ sequence }) => sequence),
    [12_000, 11_000],
  )
})

describe('RELEASE while the server pauses, and the client has all that came:', () => {
  test('BUSY in the middle of a content, and before the next response', () => {
    handOff()
    const response = whole(1000)
    machine.say(outKey, response.subarray(0, 600))
    assert.deepEqual(release(20_600), ['busy 1 77.1'])
    machine.say(outKey, response.subarray(600))
    machine.ask(inKey, { end: 10_100, requests: 1, isHead: 0 })
    assert.deepEqual(release(21_000), ['busy 1 77.1'], 'the second request is not answered')
    machine.say(outKey, Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'))
    assert.deepEqual(release(21_025), ['busy 1 77.1'], 'nor by an interim response')
    machine.say(outKey, whole(500))
    assert.deepEqual(release(21_525), ['released 1 77.1'])
  })

  test('a request that was injected counts as one that came by the program', () => {
    handOff()
    machine.say(outKey, whole(1000))
    agent.continue(peer, { ...packetOfClient, acknowledgement: 21_000 }, request, 0, request.length)
    assert.deepEqual(release(21_000), ['busy 1 77.1'])
    machine.say(outKey, whole(200))
    assert.deepEqual(release(21_200), ['released 1 77.1'])
  })

  test('the answer to HEAD has no content', () => {
    const head = Buffer.from('HEAD / HTTP/1.1\r\nHost: example.org\r\n\r\n')
    const response = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n')
    handOff({}, head)
    machine.say(outKey, response)
    const end = 20_000 + response.length
    machine.ask(inKey, { end: 10_100, requests: 1, isHead: 1 })
    assert.deepEqual(release(end), ['busy 1 77.1'])
    machine.say(outKey, response)
    assert.deepEqual(release(end + response.length), ['released 1 77.1'])
  })

  test('what is chunked ends with its last chunk, what has neither with the connection', () => {
    handOff()
    machine.say(outKey, Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'))
    const end = (): number => entry(outKey).readUInt32LE(at.sequenceEndMax)
    assert.deepEqual(release(end()), ['busy 1 77.1'])
    machine.say(outKey, Buffer.from('0\r\n\r\n'))
    assert.deepEqual(release(end()), ['released 1 77.1'])
    handOff({ generation: 2 })
    machine.say(outKey, Buffer.from('HTTP/1.0 200 OK\r\n\r\nabc'))
    assert.deepEqual(release(end(), 0, 2), ['busy 1 77.2'])
    machine.pass(outKey, { flags: TcpFlag.fin | TcpFlag.ack, sequenceEnd: end() + 1 })
    assert.deepEqual(release(end(), 0, 2), ['released 1 77.2'])
  })

  test('where responses can not be told from each other, the server is to finish when it has been silent: several requests were under way', () => {
    handOff()
    machine.say(outKey, Buffer.concat([whole(100), whole(100), whole(100)]))
    assert.deepEqual(release(20_300), ['busy 1 77.1'])
    const sent = machine.sent.length
    machine.advance(600)
    assert.deepEqual(release(20_299), ['busy 1 77.1'], 'the client does not have all of it')
    assert.equal(machine.sent.length, sent)
    assert.deepEqual(release(20_300), ['busy 1 77.1'])
    const fin = machine.sent.at(-1)!
    assert.deepEqual([machine.sent.length, fin.flags, fin.sequence], [sent + 1, TcpFlag.fin | TcpFlag.ack, 10_000])
    assert.deepEqual(release(20_300), ['busy 1 77.1'], 'it is asked to once')
    assert.equal(machine.sent.length, sent + 1)
  })

  test('what can not be told counts as whole: what is no HTTP, and what an agent finds when it is started', () => {
    handOff()
    machine.say(outKey, Buffer.from('anything'))
    assert.deepEqual(release(20_008), ['released 1 77.1'])
    handOff({ generation: 2 })
    machine.say(outKey, whole(1000).subarray(0, 900))
    start()
    assert.deepEqual(release(20_900, 0, 2), ['released 1 77.2'])
  })

  test('several requests in one: each is to be answered', () => {
    const bytes = Buffer.concat([request, Buffer.from('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'), request])
    handOff({}, bytes)
    machine.say(outKey, whole(100))
    machine.say(outKey, whole(100))
    assert.deepEqual(release(20_200), ['busy 1 77.1'])
    machine.say(outKey, whole(100))
    assert.deepEqual(release(20_300), ['released 1 77.1'])
  })
})

test('RELEASE with reset does not ask; with finish the server gets the FIN of the client and the connection goes on', () => {
  handOff()
  assert.deepEqual(release(20_000, ReleaseFlags.finish), ['released 1 77.1'])
  const fin = machine.sent.at(-1)!
  assert.deepEqual([fin.flags, fin.sequence, fin.acknowledgement], [TcpFlag.fin | TcpFlag.ack, 10_000, 0x7000_0001])
  assert.equal(machine.flows.entries.size, 2)
  assert.deepEqual(release(20_000, ReleaseFlags.finish), ['released 1 77.1'])
  assert.equal(machine.sent.at(-1), fin, 'once')
  assert.deepEqual(release(20_000, ReleaseFlags.reset), ['released 1 77.1'])
  assert.equal(machine.flows.entries.size, 0)
})

test('RELEASE of another generation changes nothing', () => {
  handOff({ generation: 2 })
  assert.deepEqual(release(20_000, ReleaseFlags.reset, 1), ['released 1 77.1'])
  assert.equal(machine.flows.entries.size, 2)
})

test('a connection is gone a second after the last packet when both sides have sent FIN, and the director is told', () => {
  handOff()
  machine.pass(inKey, { flags: TcpFlag.fin | TcpFlag.ack })
  machine.pass(outKey, { flags: TcpFlag.ack })
  pass(3000)
  assert.deepEqual(words.take(), [], 'one side may go on')
  machine.pass(outKey, { flags: TcpFlag.fin | TcpFlag.ack })
  pass(750)
  assert.equal(machine.flows.entries.size, 2)
  pass(2500)
  assert.deepEqual(words.take(), ['closed 1 77.1'])
  assert.deepEqual([agent.connections(), machine.flows.entries.size, agent.counters.closed], [0, 0, 1])
})

test("with it goes the server's TIME-WAIT, by a RST where the client's bytes end; not where there are no timestamps to tell the next one by", () => {
  for (const [options, sent] of [
    [7, [TcpFlag.rst]],
    [6, []],
  ] as const) {
    setUp()
    handOff({ options })
    machine.pass(inKey, { flags: TcpFlag.fin | TcpFlag.ack, sequenceEnd: 10_001 })
    machine.pass(outKey, { flags: TcpFlag.fin | TcpFlag.ack })
    pass(2500)
    assert.deepEqual(words.take(), ['closed 1 77.1'])
    assert.deepEqual(flagsSent().slice(2), sent)
    assert.equal(machine.sent[2]?.sequence ?? 10_001, 10_001)
  }
})

test('a FIN that the agent injected counts, and one RST is enough', () => {
  handOff({ flags: HandoffFlags.clientFinished })
  machine.pass(outKey, { flags: TcpFlag.fin | TcpFlag.ack })
  pass(2500)
  assert.deepEqual(words.take(), ['closed 1 77.1'])
  handOff({ generation: 2 })
  machine.pass(outKey, { flags: TcpFlag.rst })
  pass(2500)
  assert.deepEqual(words.take(), ['closed 1 77.2'])
})

test('a request that the server has not taken is sent again after a second, a few times; one that it has, is not', () => {
  handOff()
  pass(1250)
  const [, first, again] = machine.sent
  assert.deepEqual(again.options, first.options)
  assert.deepEqual([again.sequence, again.acknowledgement, String(again.payload)], [first.sequence, first.acknowledgement, String(request)])
  pass(10_000)
  assert.equal(machine.sent.length, 5)
  assert.equal(agent.counters.requestsRepeated, 3)
  handOff({ connection: 78, clientPort: 40_001 })
  machine.pass(keyOf(server.address, client, 8080, 40_001), { flags: TcpFlag.ack })
  pass(10_000)
  assert.equal(machine.sent.length, 7)
})

test('what is idle for too long is reset and gone; what is not, is not', () => {
  handOff()
  for (let minute = 0; minute < 3; minute++) {
    pass(idleMs - 5000)
    machine.pass(inKey, { flags: TcpFlag.ack, sequenceEnd: 10_000 })
  }
  assert.equal(agent.connections(), 1)
  pass(idleMs + 2000)
  assert.deepEqual(words.take(), ['closed 1 77.1'])
  assert.deepEqual([machine.sent.at(-1)!.flags, machine.flows.entries.size, agent.counters.idle], [TcpFlag.rst, 0, 1])
})

test('addresses and ports that the server uses for a connection of its own are left alone', () => {
  handOff()
  const out = entry(outKey)
  out[at.state] = AgentState.dead
  machine.flows.update(outKey, out)
  pass(1250)
  assert.deepEqual([machine.flows.entries.size, machine.sent.length], [0, 2])
})

const wrappedPacket = (payload = request): Buffer => {
  const segment = newSegment()
  setEnds(segment, client, 40_000, vip, 80)
  segment.sequence = 10_000
  segment.acknowledgement = 20_500
  segment.flags = 0x18
  segment.window = 300
  segment.options.timestamps = true
  segment.options.tsVal = 701
  segment.options.tsEcr = 951
  segment.payload = payload
  segment.payloadEnd = payload.length
  const packet = Buffer.alloc(2000)
  return packet.subarray(0, writeSegment(segment, packet))
}
const wrap = (packet: Buffer, from = peer.endpoint): void => agent.wrapped(packet, 0, packet.length, from.address, from.port)

test('a wrapped packet that comes before its hand-off is sent behind the request', () => {
  wrap(wrappedPacket())
  handOff()
  const sent = machine.sent.at(-1)!
  assert.deepEqual([sent.sequence, sent.acknowledgement, sent.options.tsVal, sent.options.tsEcr], [10_000, 0x7000_0001 + 500, 701, 951 + 4_999_100])
  assert.equal(String(sent.payload), String(request))
  assert.equal(agent.counters.kept, 1)
  wrap(wrappedPacket())
  assert.equal(machine.sent.length, 4, 'at once, when the connection is there')
})

test('a wrapped packet that nobody asks for is dropped after a moment, and no RST is sent', () => {
  wrap(wrappedPacket())
  machine.advance(60)
  handOff()
  assert.deepEqual([machine.sent.length, agent.counters.unknown], [2, 1])
})

test('wrapped packets of strangers, and damaged ones, are dropped', () => {
  handOff()
  wrap(wrappedPacket(), endpointOf(mapped(10, 0, 0, 9), 4000))
  const damaged = wrappedPacket()
  damaged[60] ^= 1
  wrap(damaged)
  wrap(Buffer.from('not a packet'))
  assert.deepEqual([machine.sent.length, agent.counters.unknown], [2, 3])
})

test('WHO_HAS is answered by who has the connection, and by nobody else', () => {
  const asked = { client, vip, clientPort: 40_000, vipPort: 80 }
  agent.whoHas(peer, asked)
  assert.deepEqual(words.take(), [])
  handOff()
  const other = peerOf(2)
  agent.whoHas(other, asked)
  assert.deepEqual(words.take(), ['owner 2 77.1 1460'])
  machine.pass(outKey, { flags: TcpFlag.rst })
  pass(2500)
  assert.deepEqual(words.take(), ['closed 2 77.1'], 'it is told who asked')
})

test('wrapped packets are taken from addresses of directors that are known', () => {
  agent.known(peer)
  assert.deepEqual(machine.trusted, [peer.endpoint.address.toString('hex')])
  handOff()
  agent.forgotten(peer)
  assert.deepEqual(machine.trusted, [])
  words.peers.length = 0
  machine.pass(outKey, { flags: TcpFlag.rst })
  pass(2500)
  assert.deepEqual(words.take(), [], 'nobody is told')
})

test('an agent that is started anew takes up what is in the map', () => {
  handOff()
  handOff({ connection: 78, clientPort: 40_001 })
  machine.behaviours = ['late']
  handOff({ connection: 79, clientPort: 40_002 })
  machine.pass(outKey, { flags: TcpFlag.ack, sequenceEnd: 21_000, ack: 10_000 })
  start()
  assert.deepEqual([agent.connections(), agent.counters.resumed, machine.flows.entries.size], [2, 2, 4])
  assert.deepEqual(handOff(), ['accept 1 77.1'])
  assert.deepEqual(release(20_900), ['busy 1 77.1'])
  agent.continue(peer, packetOfClient, request, 0, request.length)
  assert.deepEqual([machine.sent.at(-1)!.acknowledgement, machine.sent.at(-1)!.options.tsEcr], [0x7000_0001 + 500, 950 + 5_000_000 - 900])
  agent.release(peer, { connection: 78, generation: 1, clientAck: 20_000, flags: 0 })
  assert.deepEqual(words.take(), ['busy 1 78.1'], 'its request has not been answered')
  machine.pass(outKey, { flags: TcpFlag.rst })
  pass(2500)
  assert.deepEqual(words.take(), ['closed 1 77.1'])
})

test('half of a connection, and one of another server, are removed at the start', () => {
  handOff()
  machine.flows.remove(outKey)
  handOff({ connection: 78, clientPort: 40_001 })
  start(endpointOf(server.address, 8081))
  assert.deepEqual([agent.connections(), machine.flows.entries.size], [0, 0])
})
