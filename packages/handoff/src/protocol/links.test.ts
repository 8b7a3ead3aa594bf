import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { AF_INET, bind, close, connect, Endpoint as SocketAddress, openSocket, receive, send, SOCK_DGRAM } from '@holdfast/posix/network'
import { unsupportedReason } from '@holdfast/posix'
import { Loop } from '../loop/index.ts'
import { AgentLinks } from './agent-links.ts'
import type { AgentHandler } from './agent-links.ts'
import type { DirectorPeer } from './agent-sessions.ts'
import { decodeMessage, encodeMessage } from './codec.ts'
import type { Message } from './codec.ts'
import { DirectorLink, localOf } from './director-link.ts'
import type { DirectorHandler } from './director-link.ts'
import { parseEndpoint } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import type { Health } from './health.ts'
import { createMac } from './mac.ts'
import { MessageType, RefuseReason } from './messages.ts'
import { listNamesMax } from './name-lists.ts'

const key = Buffer.alloc(32, 5)
const mac = createMac(key)
const server = parseEndpoint('127.0.0.1:80')
const address = (text: string): Buffer => parseEndpoint(`${text}:1`).address

const closers: (() => void)[] = []
afterEach(() => {
  for (const closer of closers.splice(0).reverse()) closer()
})
function closing<T extends { close(): void }>(thing: T): T {
  closers.push(() => thing.close())
  return thing
}

/** Turns of the loop until something is so. Not a measure of speed: it only must not take forever. */
function until(loop: Loop, isSo: () => boolean, what: string): void {
  const end = performance.now() + 20_000
  while (!isSo()) {
    assert.ok(performance.now() < end, `never: ${what}`)
    loop.turn()
  }
}

type Said = readonly [string, ...unknown[]]

class Agent implements AgentHandler {
  readonly said: Said[] = []
  /** Of the last HANDOFF. */
  waitedMs = -1
  peer: DirectorPeer | undefined
  readonly links: AgentLinks
  constructor(loop: Loop, listen: Endpoint) {
    this.links = new AgentLinks({ loop, mac, listen, server, capacity: 1000, handler: this })
    closers.push(() => this.links.close())
  }
  handoff: AgentHandler['handoff'] = (_, value, bytes, from, to, waitedMs) => {
    this.waitedMs = waitedMs
    this.said.push(['handoff', { ...value, client: value.client.toString('hex') }, bytes.toString('latin1', from, to)])
  }
  continue: AgentHandler['continue'] = (_, value, bytes, from, to) => this.said.push(['continue', { ...value }, bytes.toString('latin1', from, to)])
  release: AgentHandler['release'] = (_, value) => this.said.push(['release', { ...value }])
  whoHas: AgentHandler['whoHas'] = (_, { clientPort, vipPort }) => this.said.push(['whoHas', clientPort, vipPort])
  wrapped: AgentHandler['wrapped'] = (bytes, from, to, source, port) =>
    this.said.push(['wrapped', bytes.toString('latin1', from, to), source.toString('hex'), port])
  known: AgentHandler['known'] = peer => this.said.push(['known', peer.endpoint.text])
  forgotten: AgentHandler['forgotten'] = peer => this.said.push(['forgotten', peer.endpoint.text])
  connections = (): number => 42
}

class Director implements DirectorHandler {
  readonly said: Said[] = []
  readonly link: DirectorLink
  constructor(loop: Loop, agent: Endpoint, number = 77, own = mac) {
    this.link = closing(new DirectorLink({ loop, mac: own, agent, handler: this, director: number }))
  }
  accepted = (_: DirectorLink, ...name: number[]): unknown => this.said.push(['accepted', ...name])
  refused = (_: DirectorLink, ...name: number[]): unknown => this.said.push(['refused', ...name])
  released = (_: DirectorLink, ...name: number[]): unknown => this.said.push(['released', ...name])
  busy = (_: DirectorLink, ...name: number[]): unknown => this.said.push(['busy', ...name])
  closed = (_: DirectorLink, ...name: number[]): unknown => this.said.push(['closed', ...name])
  owner: DirectorHandler['owner'] = (_, { connection, clientPort, mss }) => this.said.push(['owner', connection, clientPort, mss])
  health = (_: DirectorLink, health: Health, before: Health): unknown => this.said.push(['health', health, before])
}

const handoff = {
  connection: 2 ** 40 + 1,
  generation: 3,
  client: address('192.0.2.9'),
  vip: address('10.0.0.100'),
  clientPort: 50_000,
  vipPort: 80,
  clientSequenceNext: 0xffff_fff0,
  serverSequenceNext: 7,
  tsDirector: 8,
  tsClient: 9,
  sendWindow: 65_535,
  receiveWindow: 64_240,
  mss: 1460,
  options: 7,
  clientScale: 7,
  directorScale: 10,
  flags: 0,
  requestBytes: 0,
}

/** A socket that says what it is told to say. */
function plainSocket(to: Endpoint): { say(bytes: Buffer): void; hear(): Buffer | undefined; readonly local: Endpoint } {
  const fd = openSocket(AF_INET, SOCK_DGRAM)
  assert.equal(connect(fd, SocketAddress.ofMapped(to.address, to.port)), 0)
  closers.push(() => close(fd))
  const buffer = Buffer.alloc(65_536)
  return {
    say: bytes => assert.equal(send(fd, bytes, 0, bytes.length), bytes.length),
    hear() {
      const length = receive(fd, buffer, 0, buffer.length)
      return length < 0 ? undefined : Buffer.from(buffer.subarray(0, length))
    },
    local: localOf(fd),
  }
}

function sealed(message: Partial<Message> & { readonly type: Message['type'] }, by = mac): Buffer {
  const bytes = Buffer.alloc(2000)
  const end = encodeMessage({ session: 0, sequence: 0, mac: Buffer.alloc(16), values: [], payload: Buffer.alloc(0), ...message }, bytes)
  by.seal(bytes, 0, end)
  return bytes.subarray(0, end)
}

describe('links on loopback', { skip: unsupportedReason }, () => {
  function agentOn(loop: Loop, port: number): Agent {
    return new Agent(loop, parseEndpoint(`127.0.0.1:${port}`))
  }
  function newLoop(): Loop {
    const loop = new Loop()
    closers.push(() => loop[Symbol.dispose]())
    return loop
  }
  /** A port that nobody has. */
  function freePort(): number {
    const fd = openSocket(AF_INET, SOCK_DGRAM)
    bind(fd, SocketAddress.of('127.0.0.1', 0))
    const { port } = localOf(fd)
    close(fd)
    return port
  }
  function pair(): { loop: Loop; agent: Agent; director: Director; peer: DirectorPeer } {
    const loop = newLoop()
    const agent = agentOn(loop, freePort())
    const director = new Director(loop, agent.links.local)
    until(loop, () => director.link.isReady && agent.said.length > 0, 'a session')
    const [peer] = agent.links.peers
    assert.ok(peer !== undefined)
    assert.deepEqual(agent.said.splice(0), [['known', director.link.local.text]])
    assert.deepEqual(director.said.splice(0), [['health', 'healthy', 'unknown']])
    return { loop, agent, director, peer }
  }

  test('a director greets; WELCOME tells it the server and the capacity, ALIVE how many connections there are', () => {
    const { loop, agent, director, peer } = pair()
    assert.equal(director.link.server?.text, server.text)
    assert.equal(director.link.capacity, 1000)
    until(loop, () => director.link.connections === 42, 'ALIVE')
    assert.equal(peer.director, 77)
    assert.equal(agent.links.peerAt(director.link.local.address, director.link.local.port), peer)
    assert.equal(agent.links.peerAt(director.link.local.address, 1), undefined)
  })

  test('links go over IPv6 as well', () => {
    const loop = newLoop()
    const agent = new Agent(loop, parseEndpoint(`[::1]:${freePort()}`))
    const director = new Director(loop, agent.links.local)
    until(loop, () => director.link.isReady && agent.said.length > 0, 'a session')
    assert.match(director.link.local.text, /^\[::1\]:\d+$/)
    assert.equal(director.link.sendHandoff({ ...handoff }, Buffer.alloc(60_000, 'x'), 0, 60_000), true)
    const packet = Buffer.from('a packet')
    assert.equal(director.link.sendPacket(packet, 0, packet.length), true)
    until(loop, () => agent.said.length === 3, 'HANDOFF and a packet')
    assert.deepEqual(agent.said[2], ['wrapped', 'a packet', director.link.local.address.toString('hex'), director.link.local.port])
  })

  test('with another key there is no session, whoever has it', () => {
    const loop = newLoop()
    const agent = agentOn(loop, freePort())
    const director = new Director(loop, agent.links.local, 77, createMac(Buffer.alloc(32, 6)))
    until(loop, () => agent.links.rejected >= 3, 'three HELLOs')
    assert.deepEqual([director.link.health, director.link.isReady, agent.said, director.said], ['unknown', false, [], []])
    assert.equal(director.link.sendRelease({ connection: 5, generation: 1, clientAck: 9, flags: 0 }), false)
  })

  test('what a director says in a turn comes in its order, long requests and packets of clients too', () => {
    const { loop, agent, director } = pair()
    const { link } = director
    const long = Buffer.alloc(50_000, 'x')
    const request = Buffer.from('..GET / HTTP/1.1\r\n\r\n..')
    assert.equal(link.sendHandoff(handoff, request, 2, request.length - 2), true)
    assert.equal(link.sendHandoff({ ...handoff }, long, 0, long.length), true)
    const packet = { connection: 5, generation: 1, sequence: 2, acknowledgement: 3, tsVal: 4, tsEcr: 5, window: 6, flags: 24 }
    assert.equal(link.sendContinue(packet, request, 2, 5), true)
    assert.equal(link.sendContinue(packet, request, 0, 0), true)
    assert.equal(link.sendPacket(Buffer.from('E a packet'), 0, 10), true)
    assert.equal(link.sendRelease({ connection: 5, generation: 1, clientAck: 9, flags: 2 }), true)
    assert.equal(link.sendWhoHas({ client: handoff.client, vip: handoff.vip, clientPort: 50_000, vipPort: 80 }), true)
    assert.equal(link.sendHandoff(handoff, Buffer.alloc(65_500), 0, 65_500), false, 'too long for a datagram')
    until(loop, () => agent.said.length === 7, 'all of it')
    const client = handoff.client.toString('hex')
    const value = { ...handoff, client, requestBytes: request.length - 4 }
    assert.deepEqual(
      agent.said.map(([what, , text]) => [what, typeof text === 'string' && text.length > 100 ? text.length : text]),
      [
        ['handoff', 'GET / HTTP/1.1\r\n\r\n'],
        ['handoff', 50_000],
        ['continue', 'GET'],
        ['continue', ''],
        ['wrapped', handoffSource],
        ['release', undefined],
        ['whoHas', 80],
      ],
    )
    assert.deepEqual({ ...(agent.said[0]?.[1] as object), vip: handoff.vip }, value)
    assert.deepEqual(agent.said[2]?.[1], packet)
    assert.deepEqual(agent.said[4], ['wrapped', 'E a packet', handoffSource, link.local.port])
    assert.deepEqual(agent.said[5]?.[1], { connection: 5, generation: 1, clientAck: 9, flags: 2 })
  })

  test('a HANDOFF says how long it has waited', () => {
    const { loop, agent, director } = pair()
    director.link.sendHandoff(handoff, Buffer.alloc(10), 0, 10)
    // It goes out at the end of this turn.
    loop.turn()
    assert.deepEqual(agent.said, [])
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
    until(loop, () => agent.said.length === 1, 'HANDOFF')
    assert.ok(agent.waitedMs >= 59, `${agent.waitedMs} ms`)
  })

  test('what an agent says of many connections in a turn is gathered, and all of it comes', () => {
    const { loop, agent, director, peer } = pair()
    const many = 3 * listNamesMax + 1
    for (let i = 1; i <= many; i++) agent.links.accept(peer, i, 1)
    agent.links.closed(peer, 7, 2)
    agent.links.released(peer, 8, 3)
    agent.links.refuse(peer, 9, 4, RefuseReason.noRoom)
    agent.links.busy(peer, 10, 5)
    agent.links.owner(peer, { ...handoff, connection: 11 })
    until(loop, () => director.said.length === many + 5, 'all of it')
    const accepted = director.said.filter(([what]) => what === 'accepted')
    assert.deepEqual(
      accepted,
      Array.from({ length: many }, (_, i) => ['accepted', i + 1, 1]),
    )
    const others = director.said.filter(([what]) => what !== 'accepted').sort(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(others, [
      ['busy', 10, 5],
      ['closed', 7, 2],
      ['owner', 11, 50_000, 1460],
      ['refused', 9, 4, RefuseReason.noRoom],
      ['released', 8, 3],
    ])
  })

  test('ACCEPTs of a turn share one datagram', () => {
    const loop = newLoop()
    const agent = agentOn(loop, freePort())
    const socket = plainSocket(agent.links.local)
    const peer = greet(loop, agent, socket)
    for (let i = 1; i <= 50; i++) agent.links.accept(peer, i, 1)
    loop.turn()
    const message = decodeMessage(socket.hear() ?? Buffer.alloc(0))
    assert.equal(message.type, MessageType.accept)
    assert.equal(message.values.length, 50)
    assert.equal(socket.hear(), undefined)
  })

  /** Makes a socket that is no link a director with a session. */
  function greet(loop: Loop, agent: Agent, socket: ReturnType<typeof plainSocket>, director = 5): DirectorPeer {
    const session = offerOf(loop, socket, director)
    socket.say(sealed({ type: MessageType.heartbeat, session, sequence: 1, values: [{ connections: 0 }] }))
    until(loop, () => [...agent.links.peers].some(peer => peer.director === director), 'a session')
    socket.hear()
    const peer = [...agent.links.peers].find(each => each.director === director)
    assert.ok(peer !== undefined)
    return peer
  }
  function offerOf(loop: Loop, socket: ReturnType<typeof plainSocket>, director: number): number {
    socket.say(sealed({ type: MessageType.hello, values: [{ director, nonce: 9 }] }))
    let heard: Buffer | undefined
    until(loop, () => (heard = socket.hear()) !== undefined, 'WELCOME')
    const welcome = decodeMessage(heard ?? Buffer.alloc(0))
    assert.equal(welcome.type, MessageType.welcome)
    return welcome.session
  }

  test('a HELLO that comes again ends no session, and is offered the same one until that is taken', () => {
    const { loop, agent, director, peer } = pair()
    const socket = plainSocket(agent.links.local)
    const offered = offerOf(loop, socket, peer.director)
    assert.equal(offerOf(loop, socket, peer.director), offered)
    agent.links.accept(peer, 1, 1)
    assert.equal(director.link.sendRelease({ connection: 5, generation: 1, clientAck: 9, flags: 0 }), true)
    until(loop, () => director.said.length > 0 && agent.said.length > 0, 'both ways')
    assert.deepEqual(director.said, [['accepted', 1, 1]])
  })

  test('a session that is not known is told so; the director begins a new one and the agent, started anew, knows it', () => {
    const { loop, agent, director } = pair()
    const { port } = agent.links.local
    agent.links.close()
    const second = agentOn(loop, port)
    until(loop, () => second.said.length > 0, 'the new session')
    assert.deepEqual(second.said, [['known', director.link.local.text]])
    until(loop, () => director.link.health === 'healthy', 'health')
    assert.equal(director.link.sendRelease({ connection: 5, generation: 1, clientAck: 9, flags: 0 }), true)
    until(loop, () => second.said.length > 1, 'RELEASE')
  })

  test('a director whose process begins again at the same place takes the place of the one before', () => {
    const { loop, agent } = pair()
    const socket = plainSocket(agent.links.local)
    greet(loop, agent, socket, 5)
    greet(loop, agent, socket, 6)
    const known = [...agent.links.peers].map(peer => peer.director)
    assert.deepEqual(known, [77, 6])
    assert.deepEqual(agent.said, [
      ['known', socket.local.text],
      ['forgotten', socket.local.text],
      ['known', socket.local.text],
    ])
  })

  test('ECONNREFUSED says that the process is gone; when it is back, the link is too', () => {
    const { loop, agent, director } = pair()
    const { port } = agent.links.local
    agent.links.close()
    until(loop, () => director.said.length > 0, 'process-gone')
    assert.deepEqual(director.said, [['health', 'process-gone', 'healthy']])
    const second = agentOn(loop, port)
    until(loop, () => director.link.health === 'healthy' && second.said.length > 0, 'the agent is back')
    assert.deepEqual(director.said.at(-1), ['health', 'healthy', 'process-gone'])
  })

  test('datagrams of nobody change nothing, and are counted', () => {
    const { loop, agent, director } = pair()
    const stranger = plainSocket(agent.links.local)
    const wrong = createMac(Buffer.alloc(32, 6))
    const hello = { type: MessageType.hello, values: [{ director: 77, nonce: 9 }] } as const
    stranger.say(sealed(hello, wrong))
    stranger.say(sealed(hello).subarray(0, 50))
    stranger.say(Buffer.concat([sealed(hello), Buffer.alloc(1)]))
    // Of an agent: a director's own words are not taken from it.
    stranger.say(sealed({ type: MessageType.accept, session: 1, sequence: 1, values: [{ connection: 1, generation: 1 }] }))
    const before = agent.links.rejected
    until(loop, () => agent.links.rejected >= before + 4, 'four rejected')
    assert.equal(stranger.hear(), undefined)
    assert.deepEqual([...agent.links.peers].length, 1)
    assert.deepEqual(agent.said, [])
    assert.equal(director.link.isReady, true)
  })
})

const handoffSource = address('127.0.0.1').toString('hex')
