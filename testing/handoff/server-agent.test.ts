/** The server agent with a kernel and nginx: a director that the test drives hands connections over that nobody had, and the test looks at the wire. */
import assert from 'node:assert/strict'
import { release } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { HandoffFlags, readKeyFile, RefuseReason, ReleaseFlags } from '@holdfast/handoff/protocol'
import { ahead, furthest, minus, plus, TcpFlag } from '@holdfast/handoff/transform'
import { agentPort, endpoint, makeGround, startAgent, statusOf } from './agents.ts'
import type { Ground } from './agents.ts'
import { ClientWire, FakeDirector, firstConnection } from './fake-director.ts'
import type { FirstConnection, SeenPacket } from './fake-director.ts'
import type { Program } from './program.ts'
import { oneLink } from './topologies.ts'
import type { Topology } from './topologies.ts'
import { topologyUnavailable } from './topology.ts'
import { makeContent, startNginx } from './web-servers.ts'

const get = 'GET /a/small.txt HTTP/1.1\r\nHost: example.org\r\n\r\n'
const ackFlags = TcpFlag.ack | TcpFlag.psh

describe('server agent', { skip: topologyUnavailable(), timeout: 120_000 }, () => {
  const stack = new AsyncDisposableStack()
  let topology: Topology
  let ground: Ground
  let agent: Program
  let director: FakeDirector
  let wire: ClientWire
  let lastPort = 20_000

  before(async () => {
    ground = stack.use(await makeGround())
    topology = stack.use(await oneLink())
    const { a, client, addresses } = topology
    // Clients that nobody is, and a VIP that nobody has: their packets only cross the wire.
    await a.ip('route', 'add', '10.99.0.0/16', 'via', addresses.ipv4.client)
    await client.ip('route', 'add', '10.98.0.0/16', 'via', addresses.ipv4.a)
    await a.ip('route', 'add', 'fd99::/64', 'via', addresses.ipv6.client)
    await client.ip('route', 'add', 'fd98::/64', 'via', addresses.ipv6.a)
    const content = makeContent(ground.folder.at('content'), ['a'], ['small.txt'])
    stack.use(await startNginx({ machine: a, folder: ground.folder, name: 'a', content: content.folder }))
    agent = await startAgent(a, 'a', addresses.ipv4, { ground })
    stack.defer(() => agent[Symbol.asyncDispose]())
    director = stack.use(new FakeDirector(topology.director, endpoint(addresses.ipv4.a, agentPort), readKeyFile(ground.keyFile)))
    wire = stack.use(new ClientWire(client))
    director.ready()
  })
  after(() => stack.disposeAsync())

  /** A client's connection that has not been handed over before. */
  const fresh = (different: Partial<FirstConnection> = {}): FirstConnection =>
    firstConnection('10.99.0.5', '10.98.0.1', { clientPort: ++lastPort, ...different })

  /** Packets from the VIP to the client, when those that are waited for have come. */
  const packetsUntil = (state: FirstConnection, isEnough: (packets: readonly SeenPacket[]) => boolean): SeenPacket[] => {
    const packets: SeenPacket[] = []
    director.until('packets come', () => {
      packets.push(...wire.take().filter(({ sourcePort, destinationPort }) => sourcePort === 80 && destinationPort === state.clientPort))
      return isEnough(packets)
    })
    return packets
  }
  /** What the packets carry, in order; on a machine with much to do, servers repeat what nobody has acknowledged. */
  const textOf = (packets: readonly SeenPacket[]): string => {
    const parts = packets.filter(({ payload }) => payload !== '')
    const first = parts.reduce((least, { sequence }) => (ahead(sequence, least) < 0 ? sequence : least), parts[0]?.sequence ?? 0)
    return parts
      .toSorted((one, other) => ahead(one.sequence, other.sequence))
      .reduce((text, { sequence, payload }) => text + payload.slice(text.length - minus(sequence, first)), '')
  }
  const isWhole = (packets: readonly SeenPacket[]): boolean => /\r\n\r\n[^]{1024}$/.test(textOf(packets))
  /** Hands a connection over and waits for the response to its request. */
  const served = (state: FirstConnection): SeenPacket[] => {
    wire.take()
    assert.equal(director.handOff(state, get), `accept ${state.connection}.${state.generation}`)
    return packetsUntil(state, isWhole).filter(({ payload }) => payload !== '')
  }
  /** Sequence numbers begin anew in the middle of the first response. */
  const endOf = (packets: readonly SeenPacket[]): number =>
    packets.map(({ sequence, payload }) => plus(sequence, payload.length)).reduce((end, other) => furthest(end, other))
  /** Connections of the server's own stack with this port of a client. */
  const socketsOf = async (port: number): Promise<string> => topology.a.must(['ss', '-Htn', 'state', 'all', 'dport', '=', `:${port}`])

  test('the response leaves with the address and port of the VIP, the numbers of the first connection, and nothing is repeated', async () => {
    const state = fresh()
    wire.take()
    assert.equal(director.handOff(state, get), `accept ${state.connection}.1`)
    const packets = packetsUntil(state, isWhole)
    for (const { source, destination, acknowledgement, flags, options } of packets) {
      assert.deepEqual([source, destination, flags & TcpFlag.syn], ['10.98.0.1', '10.99.0.5', 0])
      assert.equal(acknowledgement, state.clientSequenceNext)
      assert.equal(options.tsEcr, state.tsClient)
      assert.ok(
        options.tsVal >= state.tsDirector && options.tsVal < state.tsDirector + 1000,
        `TSval goes on from ${state.tsDirector}: ${options.tsVal}`,
      )
    }
    const [first] = packets.filter(({ payload }) => payload !== '')
    assert.equal(first?.sequence, state.serverSequenceNext)
    assert.match(textOf(packets), /^HTTP\/1\.1 200 OK\r\n[^]*X-Server: a\r\n/)
    assert.match(await socketsOf(state.clientPort), /10\.77\.0\.11:80 +10\.99\.0\.5:/)
  })

  test('a request opens its connection by itself where the kernel can; one that is long, or of a client with a small MSS, has a handshake', async () => {
    const handshakes = async (): Promise<number> => (await statusOf('agent-a', ground)).metrics['handshakes'] ?? NaN
    const before = await handshakes()
    served(fresh())
    // Linux 6.8 has what it takes.
    const [major = 0, minor = 0] = release().split('.').map(Number)
    const direct = major > 6 || (major === 6 && minor >= 8)
    assert.equal((await handshakes()) - before, direct ? 0 : 1)
    // The kernel opens none for less than 536 (RFC 9293 3.7.1).
    served(fresh({ mss: 500 }))
    const long = fresh()
    wire.take()
    const bytes = get.replace('\r\n\r\n', `\r\nX-Long: ${'x'.repeat(5000)}\r\n\r\n`)
    assert.equal(director.handOff(long, bytes), `accept ${long.connection}.1`)
    assert.equal(packetsUntil(long, isWhole).at(-1)?.acknowledgement, long.clientSequenceNext)
    assert.equal((await handshakes()) - before, direct ? 2 : 3)
  })

  test('so does it by IPv6, with an agent of its own', async () => {
    const { a, addresses } = topology
    await using _second = await startAgent(a, 'b', { ...addresses.ipv6, b: addresses.ipv6.a }, { ground })
    using v6 = new FakeDirector(topology.director, endpoint(addresses.ipv6.a, agentPort), readKeyFile(ground.keyFile))
    const state = firstConnection('fd99::5', 'fd98::1', { clientPort: ++lastPort })
    wire.take()
    assert.equal(v6.handOff(state, get), `accept ${state.connection}.1`)
    const packets = packetsUntil(state, isWhole)
    assert.deepEqual([packets[0]?.source, packets[0]?.destination], ['fd98::1', 'fd99::5'])
    assert.equal(packets.find(({ payload }) => payload !== '')?.sequence, state.serverSequenceNext)
  })

  test('later packets of the client go to the same server, as CONTINUE and by themselves', () => {
    const state = fresh()
    const end = endOf(served(state))
    const { connection, generation } = state
    wire.send(
      state,
      { sequence: state.clientSequenceNext, acknowledgement: end, flags: TcpFlag.ack, window: 502 },
      { timestamps: true, tsVal: state.tsClient + 5, tsEcr: 77_010 },
    )
    const later = { connection, generation, sequence: state.clientSequenceNext, acknowledgement: end, window: 502, flags: ackFlags }
    director.link.sendContinue({ ...later, tsVal: state.tsClient + 6, tsEcr: 77_011 }, Buffer.from(get), 0, get.length)
    const second = packetsUntil(state, isWhole)
    assert.equal(second.find(({ payload }) => payload !== '')?.sequence, end)
    const third = { sequence: (state.clientSequenceNext + get.length) >>> 0, acknowledgement: endOf(second), flags: ackFlags, window: 502 }
    wire.send(state, { ...third, payload: Buffer.from(get), payloadEnd: get.length }, { timestamps: true, tsVal: state.tsClient + 7, tsEcr: 77_012 })
    assert.equal(packetsUntil(state, isWhole).at(-1)?.acknowledgement, state.clientSequenceNext + 2 * get.length)
  })

  test('RELEASE: BUSY until the client has all, then the server forgets the connection', async () => {
    const state = fresh()
    const { connection, generation } = state
    const end = endOf(served(state))
    director.link.sendRelease({ connection, generation, clientAck: end - 1, flags: 0 })
    assert.equal(director.next(state), `busy ${connection}.1`)
    director.link.sendRelease({ connection, generation, clientAck: end, flags: 0 })
    assert.equal(director.next(state), `released ${connection}.1`)
    assert.equal(await socketsOf(state.clientPort), '')
    const again = { ...state, generation: 2, clientSequenceNext: state.clientSequenceNext + 500, serverSequenceNext: end }
    assert.equal(served(again)[0]?.sequence, end, 'and comes back as another generation')
  })

  test('RELEASE with finish: the server gets the FIN, answers what it has, and ends the connection', () => {
    const state = fresh()
    const { connection, generation } = state
    const end = endOf(served(state))
    director.link.sendRelease({ connection, generation, clientAck: end, flags: ReleaseFlags.finish })
    assert.equal(director.next(state), `released ${connection}.1`)
    const fins = packetsUntil(state, packets => packets.some(({ flags }) => (flags & TcpFlag.fin) !== 0))
    assert.equal(fins.at(-1)?.acknowledgement, state.clientSequenceNext + 1)
  })

  test('a client that has sent its FIN gets its response, and the FIN of the server', () => {
    const state = fresh({ flags: HandoffFlags.clientFinished })
    wire.take()
    assert.equal(director.handOff(state, get), `accept ${state.connection}.1`)
    const packets = packetsUntil(state, seen => seen.some(({ flags }) => (flags & TcpFlag.fin) !== 0))
    assert.match(textOf(packets), /^HTTP\/1\.1 200 OK/)
    assert.equal(packets.at(-1)?.acknowledgement, state.clientSequenceNext)
  })

  test('a hand-off that comes again is accepted again, and the server gets it once', async () => {
    const state = fresh()
    const end = endOf(served(state))
    assert.equal(director.handOff(state, get), `accept ${state.connection}.1`)
    director.pass(50)
    // Nobody acknowledges the response: the server may repeat it. Another one would go further.
    const further = wire
      .take()
      .filter(({ sequence, payload, destinationPort }) => destinationPort === state.clientPort && ahead(plus(sequence, payload.length), end) > 0)
    assert.deepEqual(further, [])
    assert.equal((await socketsOf(state.clientPort)).trim().split('\n').length, 1)
  })

  test('a director with another key is not heard', () => {
    using stranger = new FakeDirector(topology.director, endpoint(topology.addresses.ipv4.a, agentPort), Buffer.alloc(32, 'x'))
    assert.throws(() => stranger.until('there is a session', () => stranger.link.isReady, 700), /not so/)
  })

  for (const [name, option] of [
    ['timestamps', 'tcp_timestamps'],
    ['SACK', 'tcp_sack'],
    ['window scaling', 'tcp_window_scaling'],
  ] as const) {
    test(`a server without ${name} is refused to a client that was promised it, and taken by one that was not`, async () => {
      await topology.a.set({ [`net.ipv4.${option}`]: 0 })
      try {
        const state = fresh()
        assert.equal(director.handOff(state, get), `refuse ${state.connection}.1 ${RefuseReason.optionMissing}`)
        assert.equal(await socketsOf(state.clientPort), '', 'nothing is left at the server')
        served(fresh({ options: 0 }))
      } finally {
        await topology.a.set({ [`net.ipv4.${option}`]: 1 })
      }
    })
  }

  test("a client's port that the server has a connection with is exchanged for another, and the client does not see it", async () => {
    const state = fresh()
    const direct = { ...state, vip: firstConnection('0.0.0.0', topology.addresses.ipv4.a).vip }
    wire.take()
    wire.send(direct, { sequence: 5000, flags: TcpFlag.syn, window: 64_240 }, { mss: 1460 })
    const [synAck] = packetsUntil(state, packets => packets.length > 0)
    assert.equal(synAck?.source, topology.addresses.ipv4.a)
    wire.send(direct, { sequence: 5001, acknowledgement: (synAck.sequence + 1) >>> 0, flags: TcpFlag.ack, window: 64_240 })
    const packets = served(state)
    assert.deepEqual([packets[0]?.source, packets[0]?.sequence], ['10.98.0.1', state.serverSequenceNext])
    assert.ok((await statusOf('agent-a', ground)).metrics['otherPorts'] > 0)
  })

  test('where nobody listens the hand-off is refused; a second agent for another server on the same machine is no hindrance', async () => {
    const { a, addresses } = topology
    const words = ['--listen', endpoint(addresses.ipv4.a, 7451), '--local', endpoint(addresses.ipv4.a, 81)]
    await using _second = await startAgent(a, 'b', { ...addresses.ipv4, b: addresses.ipv4.a }, { ground, extra: words })
    using other = new FakeDirector(topology.director, endpoint(addresses.ipv4.a, 7451), readKeyFile(ground.keyFile))
    other.ready()
    const state = fresh()
    assert.equal(other.handOff(state, get), `refuse ${state.connection}.1 ${RefuseReason.serverDown}`)
    served(fresh())
  })

  test("a connection that the server has ended leaves no TIME-WAIT, and the client's next one with that port needs no handshake", async () => {
    const state = fresh()
    wire.take()
    assert.equal(director.handOff(state, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), `accept ${state.connection}.1`)
    const packets = packetsUntil(state, seen => seen.some(({ flags }) => (flags & TcpFlag.fin) !== 0))
    const acknowledgement = plus(endOf(packets), 1)
    wire.send(
      state,
      { sequence: state.clientSequenceNext, acknowledgement, flags: TcpFlag.fin | TcpFlag.ack, window: 502 },
      { timestamps: true, tsVal: state.tsClient + 8, tsEcr: 77_010 },
    )
    director.pass(20)
    assert.match(await socketsOf(state.clientPort), /TIME-WAIT/)
    assert.equal(director.next(state), `closed ${state.connection}.1`)
    assert.equal(await socketsOf(state.clientPort), '')
    const { handshakes } = (await statusOf('agent-a', ground)).metrics
    served({ ...state, connection: state.connection + 1, clientSequenceNext: state.clientSequenceNext + 100_000, tsClient: state.tsClient + 5000 })
    assert.equal((await statusOf('agent-a', ground)).metrics['handshakes'], handshakes)
  })

  test("a hand-off is taken also where the server still waits for the FIN of another connection with the client's port, and answers a SYN with a RST", async () => {
    const state = fresh({ clientSequenceNext: 7000 })
    const direct = { ...state, vip: firstConnection('0.0.0.0', topology.addresses.ipv4.a).vip }
    const payload = Buffer.from(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    wire.take()
    wire.send(direct, { sequence: 5000, flags: TcpFlag.syn, window: 64_240 }, { mss: 1460 })
    const [synAck] = packetsUntil(state, packets => packets.length > 0)
    wire.send(direct, {
      sequence: 5001,
      acknowledgement: plus(synAck.sequence, 1),
      flags: ackFlags,
      window: 64_240,
      payload,
      payloadEnd: payload.length,
    })
    const packets = packetsUntil(state, seen => seen.some(({ flags }) => (flags & TcpFlag.fin) !== 0))
    const next = { sequence: 5001 + payload.length, acknowledgement: plus(endOf(packets), 1) }
    wire.send(direct, { ...next, flags: TcpFlag.ack, window: 64_240 })
    director.pass(20)
    assert.match(await socketsOf(state.clientPort), /FIN-WAIT-2/)
    assert.equal(served(state)[0]?.sequence, state.serverSequenceNext)
  })

  test('what has ended is gone soon, and the director is told', async () => {
    const state = fresh()
    const end = endOf(served(state))
    const { connections = 0 } = await statusOf('agent-a', ground)
    assert.match(await socketsOf(state.clientPort), /ESTAB/)
    wire.send(state, { sequence: state.clientSequenceNext, acknowledgement: end, flags: TcpFlag.rst, window: 0 })
    assert.equal(director.next(state), `closed ${state.connection}.1`)
    assert.ok(((await statusOf('agent-a', ground)).connections ?? 0) < connections)
    assert.equal(await socketsOf(state.clientPort), '')
  })

  test('an agent that is killed leaves its connections at work, and the next one takes them up', async () => {
    const state = fresh()
    let end = endOf(served(state))
    const before = (await statusOf('agent-a', ground)).connections
    // What is not acknowledged would come again.
    wire.send(
      state,
      { sequence: state.clientSequenceNext, acknowledgement: end, flags: TcpFlag.ack, window: 502 },
      { timestamps: true, tsVal: state.tsClient + 8, tsEcr: 77_010 },
    )
    await agent.kill()
    wire.take()
    const next = { sequence: state.clientSequenceNext, acknowledgement: end, flags: ackFlags, window: 502 }
    wire.send(state, { ...next, payload: Buffer.from(get), payloadEnd: get.length }, { timestamps: true, tsVal: state.tsClient + 9, tsEcr: 77_010 })
    end = endOf(packetsUntil(state, isWhole))
    agent = await startAgent(topology.a, 'a', topology.addresses.ipv4, { ground })
    const { metrics, connections } = await statusOf('agent-a', ground)
    assert.equal(connections, before)
    assert.equal(metrics['resumed'], before)
    const { connection, generation } = state
    const released = (clientAck: number, word: string): void =>
      director.until(`it says ${word}`, () => {
        director.link.sendRelease({ connection, generation, clientAck, flags: 0 })
        director.pass(50)
        return director.said(`${word} ${connection}.1`)
      })
    released(end - 1, 'busy')
    released(end, 'released')
    assert.equal(await socketsOf(state.clientPort), '')
  })
})
