/** A connection through the programs of director and server agent alone, with entries that are there from the beginning: what the kernel makes of packets that are many in one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  AgentEntry,
  AgentState,
  DirectorAction,
  DirectorEntry,
  DirectorPrograms,
  FlowKey,
  ForwardMethod,
  ServerAgentPrograms,
} from '@holdfast/handoff/bpf'
import { TcpFlag, newSegment, setEnds, writeSegment } from '@holdfast/handoff/transform'
import { TCX_NEXT, TC_ACT_REDIRECT } from '@holdfast/posix/bpf'
import { inNetworkNamespace, interfaceIndex, parseAddress } from '@holdfast/posix/network'
import { Network } from './machine.ts'
import type { Machine } from './machine.ts'
import { oneLink, routed } from './topologies.ts'
import type { Family, Topology } from './topologies.ts'
import { topologyUnavailable } from './topology.ts'

const skip = topologyUnavailable()

const [clientPort, vipPort, serverPort, agentPort, raisePort] = [5555, 80, 8080, 7001, 7002]
const megabytes = 64

const within = <Result>(machine: Machine, action: () => Result): Result => inNetworkNamespace(`/run/netns/${machine.namespace}`, action)

const echo = `
  const host = process.argv[1]
  require('node:net').createServer({ allowHalfOpen: true }, socket => socket.pipe(socket)).listen(${serverPort}, host, () => console.log('ready'))`
/** Sends bytes and takes as many; prints whether they are the same. */
const client = `
  const { createHash, randomBytes } = require('node:crypto')
  const [sent, taken] = [createHash('sha256'), createHash('sha256')]
  const block = randomBytes(1 << 20)
  const socket = require('node:net').connect({ host: process.argv[1], port: ${vipPort}, localPort: ${clientPort} })
  let left = ${megabytes}
  const more = () => {
    while (left-- > 0) {
      sent.update(block)
      if (!socket.write(block)) return void socket.once('drain', more)
    }
    socket.end()
  }
  socket.on('connect', more).on('data', bytes => taken.update(bytes))
  socket.on('end', () => console.log(sent.digest('hex') === taken.digest('hex') ? 'equal' : 'different'))`

/** What is added to the server's numbers on the way to the client. */
const [sequence, timestamp] = [0xfff0_0000, 0x7fff_ff00]
const negative = (value: number): number => -value >>> 0

interface Scene {
  readonly director: DirectorPrograms
  readonly agent: ServerAgentPrograms
}

/** Entries as a hand-off leaves them, but that the client's SYN goes to the server too; and a SYN-ACK is taken for one of a client's. Returns the key of the client's packets. */
function enter({ director, agent }: Scene, topology: Topology, family: Family, method: ForwardMethod): Buffer {
  const addresses = topology.addresses[family]
  const [from, vip, server, own] = [addresses.client, addresses.vip, addresses.a, addresses.director].map(parseAddress)
  assert.ok(from !== undefined && vip !== undefined && server !== undefined && own !== undefined)
  const inKey = FlowKey.toBytes({ source: from, destination: vip, sourcePort: clientPort, destinationPort: vipPort })
  const outKey = FlowKey.toBytes({ source: server, destination: from, sourcePort: serverPort, destinationPort: clientPort })
  const common = {
    addTsVal: 0,
    addTsEcr: 0,
    addSequence: 0,
    addAcknowledgement: 0,
    windowScaleFrom: 7,
    windowScaleTo: 7,
    state: AgentState.established,
    direction: 1,
    director: own,
    directorPort: agentPort,
    synAck: Buffer.alloc(60),
  }
  const numbers = { captured: 0, flagsSeen: 0, sequenceEndMax: 0, lastAck: 0, packets: 0, bytes: 0, lastNs: 0, generation: 1, connection: 1 }
  const told = { mss: 1460, options: 7, clientScale: 7, directorScale: 7, receiveWindow: 65_535 }
  agent.flows.update(
    outKey,
    AgentEntry.toBytes({
      ...common,
      ...numbers,
      ...told,
      newSource: vip,
      newDestination: from,
      newSourcePort: vipPort,
      newDestinationPort: clientPort,
      addSequence: sequence,
      addTsVal: timestamp,
    }),
  )
  agent.flows.update(
    inKey,
    AgentEntry.toBytes({
      ...common,
      ...numbers,
      ...told,
      newSource: from,
      newDestination: server,
      newSourcePort: clientPort,
      newDestinationPort: serverPort,
      addAcknowledgement: negative(sequence),
      addTsEcr: negative(timestamp),
    }),
  )
  director.flows.update(
    inKey,
    DirectorEntry.toBytes({
      ...numbers,
      ...told,
      action: DirectorAction.forward,
      method,
      interfaceIndex: method === ForwardMethod.neighbour ? within(topology.director, () => interfaceIndex('eth0')) : 0,
      forwardUntil: 0,
      nextHop: server,
      agent: server,
      outerSource: own,
      agentPort,
      outerSourcePort: agentPort,
      lastSequenceEnd: 0,
      requestAck: 0,
      requestAt: 0,
      note: 0,
    }),
  )
  return inKey
}

/** Of a client's packets, as the server agent's program sees them. */
function averageBytes(agent: ServerAgentPrograms, key: Buffer): number {
  const value = Buffer.alloc(AgentEntry.fixedSize)
  assert.ok(agent.flows.lookup(key, value))
  const { bytes, packets } = AgentEntry.decode(value)
  assert.ok(bytes > megabytes << 20, 'all of it went by the entry')
  return bytes / packets
}

interface Case {
  readonly title: string
  readonly family: Family
  readonly method: ForwardMethod
  readonly make: () => Promise<Topology>
  /** The director's interface takes no packets that are many in one: the kernel parts them, each with an outer header of its own. */
  readonly isParted?: boolean
}

const cases: readonly Case[] = [
  { title: 'over a link, IPv4', family: 'ipv4', method: ForwardMethod.neighbour, make: oneLink },
  { title: 'over a link, IPv6', family: 'ipv6', method: ForwardMethod.neighbour, make: oneLink },
  { title: 'wrapped over a router, IPv4', family: 'ipv4', method: ForwardMethod.encapsulate, make: routed },
  { title: 'wrapped over a router, IPv6', family: 'ipv6', method: ForwardMethod.encapsulate, make: routed },
  { title: 'wrapped and parted, IPv4', family: 'ipv4', method: ForwardMethod.encapsulate, make: routed, isParted: true },
  { title: 'wrapped and parted, IPv6', family: 'ipv6', method: ForwardMethod.encapsulate, make: routed, isParted: true },
]

describe('a connection through the programs alone', { skip }, () => {
  for (const { title, family, method, make, isParted = false } of cases) {
    test(`${title}: ${megabytes} MiB there and back are the same, and no checksum is wrong`, async t => {
      await using topology = await make()
      const { a, client: from, director: machine, addresses } = topology
      const { vip, a: server, director: own } = addresses[family]
      // So that the client's packets have room for what they are wrapped in.
      if (method === ForwardMethod.encapsulate) await narrow(a, family)
      if (isParted) await machine.ip('link', 'set', 'dev', 'eth0', 'gso_max_size', '2000')
      using director = within(machine, () => DirectorPrograms.attach({ interface: 'eth0', vip: parseAddress(vip), vipPort, raisePort }))
      using agent = within(a, () => ServerAgentPrograms.attach({ interfaces: ['eth0'], listen: parseAddress(server), listenPort: agentPort }))
      agent.addDirector(parseAddress(own))
      const key = enter({ director, agent }, topology, family, method)
      await using _server = await a.start([process.execPath, '-e', echo, server], { ready: /ready/ })
      const answer = await from.must([process.execPath, '-e', client, vip], { timeoutMs: 60_000 })
      assert.equal(answer.trim(), 'equal')

      const { forwardedBytes, forwardedPackets, raisedPackets } = director.totals()
      const [sent, taken] = [forwardedBytes / forwardedPackets, averageBytes(agent, key)]
      t.diagnostic(`${Math.round(sent)} bytes a packet at the director, ${Math.round(taken)} at the agent`)
      assert.equal(raisedPackets, 0)
      assert.ok(sent > 1500, 'packets that are many in one stay so at the director')
      assert.equal(taken > 1500, !isParted, 'and on the way, where they may')
      for (const one of [from, a]) assert.equal((await one.tcpCounters())['TcpInCsumErrors'], 0)
    })
  }
})

describe('a packet that does not fit when it is wrapped', { skip }, () => {
  for (const family of ['ipv4', 'ipv6'] as const) {
    test(`goes up to the agent, and one that just fits to the server (${family})`, async () => {
      await using network = new Network(`hfb${process.pid % 100_000}`)
      const machine = await network.machine('narrow')
      const mtu = 1400
      await machine.ip('link', 'set', 'lo', 'mtu', String(mtu))
      const [from, vip, server] = (family === 'ipv4' ? ['10.0.0.2', '10.0.0.100', '10.0.0.11'] : ['fd77::2', 'fd77::100', 'fd77::11']).map(
        parseAddress,
      )
      assert.ok(from !== undefined && vip !== undefined && server !== undefined)
      using director = within(machine, () => DirectorPrograms.attach({ interface: 'lo', vip, vipPort, raisePort }))
      director.flows.update(
        FlowKey.toBytes({ source: from, destination: vip, sourcePort: clientPort, destinationPort: vipPort }),
        DirectorEntry.toBytes({
          ...DirectorEntry.decode(Buffer.alloc(DirectorEntry.fixedSize)),
          action: DirectorAction.forward,
          method: ForwardMethod.encapsulate,
          agent: server,
          agentPort,
          outerSource: vip,
          outerSourcePort: agentPort,
        }),
      )
      const [headersBytes, outerBytes] = family === 'ipv4' ? [40, 28] : [60, 48]
      /** What the program says, and the port that the datagram goes to. */
      const send = (packetBytes: number): [number, number] => {
        const segment = newSegment()
        setEnds(segment, from, clientPort, vip, vipPort)
        segment.flags = TcpFlag.ack
        segment.payload = Buffer.alloc(packetBytes)
        segment.payloadEnd = packetBytes - headersBytes
        const [frame, output] = [Buffer.alloc(14 + packetBytes), Buffer.alloc(2000)]
        frame.writeUInt16BE(family === 'ipv4' ? 0x0800 : 0x86dd, 12)
        assert.equal(writeSegment(segment, frame, 14), packetBytes)
        const { returned } = within(machine, () => director.program.testRun({ packet: frame, output }))
        return [returned, output.readUInt16BE(14 + outerBytes - 6)]
      }
      assert.deepEqual(send(mtu - outerBytes), [TC_ACT_REDIRECT, agentPort])
      assert.deepEqual(send(mtu - outerBytes + 1), [TCX_NEXT, raisePort])
      const { forwardedPackets, raisedPackets } = director.totals()
      assert.deepEqual([forwardedPackets, raisedPackets], [1, 1])
    })
  }
})

async function narrow(machine: Machine, family: Family): Promise<void> {
  const [route = ''] = (await machine.ip(family === 'ipv4' ? '-4' : '-6', 'route', 'show', 'default')).split('\n')
  await machine.ip(family === 'ipv4' ? '-4' : '-6', 'route', 'replace', ...route.trim().split(/\s+/), 'advmss', '1380')
}
