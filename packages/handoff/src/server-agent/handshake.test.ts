import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { HandoffFlags, handoffGoodForMs, RefuseReason, ReleaseFlags } from '../protocol/messages.ts'
import { TcpFlag } from '../transform/packet.ts'
import {
  agent,
  at,
  client,
  entry,
  flagsSent,
  handOff,
  inKey,
  keyOf,
  machine,
  outKey,
  pass,
  peer,
  release,
  server,
  setUp,
  words,
} from './test-support/agent-scene.ts'
import { handoffOf, mapped, request } from './test-support/fake-directors.ts'

beforeEach(setUp)

test("a hand-off opens a connection in the client's name, with its options and numbers, and sends the request with the third packet", () => {
  assert.deepEqual(handOff(), ['accept 1 77.1'])
  const [syn, ack, ...more] = machine.sent
  assert.equal(more.length, 0)
  assert.deepEqual([...syn.source], [192, 0, 2, 5])
  assert.deepEqual([syn.sourcePort, syn.destinationPort, syn.flags, syn.sequence], [40_000, 8080, TcpFlag.syn, 10_000 - request.length - 1])
  assert.deepEqual(syn.options, { mss: 1460, windowScale: 7, sackPermitted: true, timestamps: true, tsVal: 600, tsEcr: 0 })
  assert.deepEqual([ack.flags, ack.sequence, ack.acknowledgement], [TcpFlag.ack | TcpFlag.psh, 10_000 - request.length, 0x7000_0001])
  assert.deepEqual([ack.options.tsVal, ack.options.tsEcr, ack.window], [600, 5_000_000, 64_000 >> 7])
  assert.equal(String(ack.payload), String(request))
  assert.deepEqual([agent.connections(), agent.counters.handoffs, machine.flows.entries.size], [1, 1, 2])
  assert.equal(entry(outKey).readUInt32LE(at.addSequence), (20_000 - 0x7000_0001) >>> 0)
  assert.equal(entry(inKey).readUInt32LE(at.addTsEcr), 5_000_000 - 900)
})

test('a hand-off that comes again is accepted again, and nothing else happens', () => {
  handOff()
  assert.deepEqual(handOff(), ['accept 1 77.1'])
  assert.deepEqual([machine.sent.length, agent.counters.handoffs, agent.counters.repeats], [2, 1, 1])
})

test('a hand-off that comes again late, when it has been refused or is over, is answered as it was, and nothing else happens', () => {
  machine.behaviours = ['reset', 'reset', 'synAck']
  handOff()
  assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.serverDown}`])
  assert.deepEqual([machine.sent.length, agent.connections()], [2, 0])
  assert.deepEqual(handOff({ generation: 2 }), ['accept 1 77.2'])
  release(0, ReleaseFlags.reset, 2)
  const { length } = machine.sent
  assert.deepEqual([handOff({ generation: 2 }), handOff({ generation: 1 })], [['released 1 77.2'], ['released 1 77.1']])
  assert.deepEqual([machine.sent.length, agent.connections()], [length, 0])
  machine.advance(2000)
  assert.deepEqual(handOff({ generation: 2 }), ['accept 1 77.2'])
})

test('a client that has promised to send no more has its FIN behind the request', () => {
  handOff({ flags: HandoffFlags.clientFinished })
  const [syn, ack] = machine.sent
  assert.equal(syn.sequence, 10_000 - request.length - 2)
  assert.deepEqual([ack.sequence, ack.flags], [10_000 - request.length - 1, TcpFlag.ack | TcpFlag.psh | TcpFlag.fin])
})

test('a request longer than a packet goes in several, and the FIN with the last', () => {
  machine.window = 65_535
  const long = Buffer.alloc(65_500, 'x')
  assert.deepEqual(handOff({ flags: HandoffFlags.clientFinished }, long), ['accept 1 77.1'])
  const [, first, last] = machine.sent
  assert.equal(first.payload.length + last.payload.length, long.length)
  assert.equal(last.sequence, (first.sequence + first.payload.length) >>> 0)
  assert.deepEqual([first.flags & TcpFlag.fin, last.flags & TcpFlag.fin], [0, TcpFlag.fin])
})

for (const [missing, options] of [
  ['timestamps', { timestamps: false, tsVal: 0 }],
  ['SACK', { sackPermitted: false }],
  ['window scaling', { windowScale: -1 }],
] as const) {
  test(`a server without ${missing} is refused to a client that was promised it, and is told to forget`, () => {
    Object.assign(machine.options, options)
    assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.optionMissing}`])
    assert.deepEqual(flagsSent(), [TcpFlag.syn, TcpFlag.rst])
    assert.equal(machine.sent[1].sequence, 10_000 - request.length)
    assert.deepEqual([agent.connections(), machine.flows.entries.size], [0, 0])
  })
}

test('a client that was promised nothing gets a connection without options', () => {
  machine.options = { mss: 1460 }
  assert.deepEqual(handOff({ options: 0 }), ['accept 1 77.1'])
  assert.deepEqual(machine.sent[0].options, { mss: 1460, windowScale: -1, sackPermitted: false, timestamps: false, tsVal: 0, tsEcr: 0 })
  assert.equal(entry(outKey).readUInt32LE(at.addTsVal), 0)
})

test('a request that does not fit into the first window of the server is refused', () => {
  machine.window = request.length - 1
  assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.system}`])
})

for (const [what, behaviour] of [
  ['a RST', 'reset'],
  ['silence', 'silence'],
] as const)
  test(`${what} at the client's port may be of an earlier connection: another port tells whether the server is there`, () => {
    machine.behaviours = [behaviour, 'synAck']
    assert.deepEqual([...handOff(), ...(machine.advance(10), words.take())], ['accept 1 77.1'])
    assert.notEqual(machine.sent.at(-1)?.sourcePort, 40_000)
    assert.deepEqual([agent.counters.otherPorts, agent.counters.refusals.serverDown, machine.flows.entries.size], [1, 0, 2])
  })

test('where nobody listens, or answers, the hand-off is refused', () => {
  machine.behaviours = ['reset']
  assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.serverDown}`])
  assert.deepEqual([machine.sent.length, machine.flows.entries.size], [2, 0])
  machine.behaviours = ['silence']
  assert.deepEqual(handOff({ generation: 2 }), [])
  machine.advance(10)
  assert.deepEqual(words.take(), [`refuse 1 77.2 ${RefuseReason.serverDown}`])
  assert.deepEqual([agent.connections(), machine.flows.entries.size, agent.counters.refusals.serverDown], [0, 0, 2])
})

test('a SYN-ACK that is late is found at the second look, with the request as it was', () => {
  machine.behaviours = ['late']
  const bytes = Buffer.from(request)
  assert.deepEqual(handOff({}, bytes), [])
  bytes.fill(0)
  assert.deepEqual(handOff(), [], 'it is on its way')
  machine.advance(1)
  assert.deepEqual(words.take(), ['accept 1 77.1'])
  assert.equal(String(machine.sent[1].payload), String(request))
  assert.equal(agent.counters.secondLooks, 1)
})

test('a hand-off that waits for its SYN-ACK can be taken back', () => {
  machine.behaviours = ['late']
  handOff()
  assert.deepEqual(release(20_000), ['released 1 77.1'])
  machine.advance(10)
  assert.deepEqual(words.take(), [])
  assert.deepEqual([flagsSent(), machine.flows.entries.size], [[TcpFlag.syn, TcpFlag.rst], 0])
})

describe('after standing still', () => {
  const late = (generation = 1, waitedMs = handoffGoodForMs + 1): string[] => {
    agent.handoff(peer, handoffOf({ requestBytes: request.length, generation }), request, 0, request.length, waitedMs)
    return words.take()
  }

  test('a hand-off that has waited for too long is refused, and so it is when it comes again', () => {
    assert.deepEqual(late(), [`refuse 1 77.1 ${RefuseReason.late}`])
    assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.late}`])
    assert.deepEqual([machine.sent.length, machine.flows.entries.size, agent.connections(), agent.counters.refusals.late], [0, 0, 0, 1])
    assert.deepEqual(late(2, handoffGoodForMs), ['accept 1 77.2'])
  })

  test('one that has been taken is said to be, however late it is asked for again', () => {
    handOff()
    assert.deepEqual(late(), ['accept 1 77.1'])
    assert.equal(agent.connections(), 1)
  })

  test('what waited for its SYN-ACK is not taken any more', () => {
    machine.behaviours = ['late']
    assert.deepEqual(handOff(), [])
    machine.timeMs += handoffGoodForMs + 1
    machine.advance(1)
    assert.deepEqual(words.take(), [`refuse 1 77.1 ${RefuseReason.late}`])
    assert.deepEqual([flagsSent(), machine.flows.entries.size, agent.connections()], [[TcpFlag.syn, TcpFlag.rst], 0, 0])
    assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.late}`])
  })
})

test("a client's port that the server still has a connection with is exchanged for another", () => {
  machine.behaviours = ['challenge', 'synAck']
  assert.deepEqual(handOff(), ['accept 1 77.1'])
  const [first, second, ack] = machine.sent
  assert.equal(first.sourcePort, 40_000)
  assert.notEqual(second.sourcePort, 40_000)
  assert.equal(ack.sourcePort, second.sourcePort)
  assert.equal(entry(inKey).readUInt16BE(at.newSourcePort), second.sourcePort)
  const out = entry(keyOf(server.address, client, 8080, second.sourcePort))
  assert.equal(out.readUInt16BE(at.newDestinationPort), 40_000)
  assert.deepEqual([machine.flows.entries.size, agent.counters.otherPorts], [2, 1])
})

test("a client's port that another connection of ours has is left to it", () => {
  handOff()
  const otherVip = mapped(198, 51, 100, 2)
  assert.deepEqual(handOff({ connection: 78, vip: otherVip }), ['accept 1 78.1'])
  assert.equal(machine.sent.filter(({ flags }) => flags === TcpFlag.syn).length, 2)
  assert.notEqual(machine.sent[2].sourcePort, 40_000)
  assert.equal(machine.flows.entries.size, 4)
})

test('when no port leads anywhere the hand-off is refused', () => {
  machine.behaviours = ['challenge']
  assert.deepEqual(handOff(), [`refuse 1 77.1 ${RefuseReason.noRoom}`])
  assert.equal(machine.flows.entries.size, 0)
})

test('where the kernel can, the request opens the connection by itself, and there is nothing to add to the numbers', () => {
  machine.canOpen()
  assert.deepEqual(handOff(), ['accept 1 77.1'])
  const [opening] = machine.opening
  assert.deepEqual([opening.sequence, opening.acknowledgement, opening.flags], [10_000 - request.length, 20_000, TcpFlag.ack | TcpFlag.psh])
  assert.deepEqual([opening.options.tsVal, opening.options.tsEcr, String(opening.payload)], [600, 900, String(request)])
  const [out, incoming] = [entry(outKey), entry(inKey)]
  for (const field of ['addSequence', 'addAcknowledgement', 'addTsVal', 'addTsEcr'] as const)
    assert.deepEqual([out.readUInt32LE(at[field]), incoming.readUInt32LE(at[field])], [0, 0], field)
  assert.deepEqual([out[at.windowScaleFrom], out[at.windowScaleTo]], [8, 8])
  assert.deepEqual([machine.sent.length, agent.counters.handshakes, agent.counters.handoffs], [0, 0, 1])
  pass(1250)
  assert.deepEqual(machine.opening[1], opening, 'a server whose queue was full is asked again')
})

test('what is in the way of that is left to a handshake', () => {
  machine.canOpen('inTheWay')
  assert.deepEqual(handOff(), ['accept 1 77.1'])
  assert.deepEqual([flagsSent(), agent.counters.handshakes], [[TcpFlag.syn, TcpFlag.ack | TcpFlag.psh], 1])
  machine.behaviours = ['reset']
  assert.deepEqual(handOff({ connection: 78, clientPort: 5000 }), [`refuse 1 78.1 ${RefuseReason.serverDown}`])
  assert.equal(machine.flows.entries.size, 2)
})

test('a request that opens the connection a moment later is waited for, and can be taken back meanwhile', () => {
  machine.canOpen('late')
  assert.deepEqual(handOff(), [])
  machine.advance(1)
  assert.deepEqual(words.take(), ['accept 1 77.1'])
  assert.deepEqual([machine.sent.length, machine.opening.length], [0, 1])
  assert.deepEqual(handOff({ connection: 78, clientPort: 5000 }), [])
  agent.release(peer, { connection: 78, generation: 1, clientAck: 20_000, flags: 0 })
  assert.deepEqual([words.take(), flagsSent(), machine.flows.entries.size], [['released 1 78.1'], [TcpFlag.rst], 2])
})

test('a long request has a handshake, which says how much the server takes', () => {
  machine.canOpen()
  handOff({}, Buffer.alloc(5000, 'x'))
  assert.deepEqual([machine.opening.length, machine.sent.length], [0, 2])
})
