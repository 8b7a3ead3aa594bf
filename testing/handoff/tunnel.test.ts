/** Director and server agent at interfaces whose packets have no link header (tunnels). */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { AgentEntry, DirectorAction, DirectorEntry, DirectorPrograms, FlowKey, ForwardMethod, ServerAgentPrograms } from '@holdfast/handoff/bpf'
import { TcpFlag, newTcpPacket, readTcpPacket, wrap } from '@holdfast/handoff/transform'
import { inNetworkNamespace, interfaceIndex, parseAddress } from '@holdfast/posix/network'
import { Network } from './machine.ts'
import type { Machine } from './machine.ts'
import { topologyUnavailable } from './topology.ts'
import { Tunnel, packetOf, until } from './tunnel.ts'

const unavailable = topologyUnavailable()
const skip = unavailable === false && !existsSync('/dev/net/tun') ? 'there is no /dev/net/tun' : unavailable

const families = {
  IPv4: { client: '10.90.0.2', vip: '10.90.0.100', own: '10.91.0.1', server: '10.91.0.11', bits: [24, 32] },
  IPv6: { client: 'fd90::2', vip: 'fd90::100', own: 'fd91::1', server: 'fd91::11', bits: [64, 128] },
} as const
const [clientPort, vipPort, serverPort, listenPort, raisePort] = [5000, 80, 8080, 7001, 7002]
const sequence = 0xffff_ff00

const within = <Result>(machine: Machine, action: () => Result): Result => inNetworkNamespace(`/run/netns/${machine.namespace}`, action)

const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))

describe('at an interface without link headers', { skip }, () => {
  for (const [family, { client, vip, own, server, bits }] of Object.entries(families)) {
    const inKey = FlowKey.toBytes({ source: parseAddress(client), destination: parseAddress(vip), sourcePort: clientPort, destinationPort: vipPort })
    const entryIn = {
      ...zero,
      direction: 1,
      newSource: parseAddress(client),
      newDestination: parseAddress(server),
      newSourcePort: clientPort,
      newDestinationPort: serverPort,
    }

    test(`a director's packets get to the server, as they are and wrapped (${family})`, async () => {
      await using network = new Network(`hfb${process.pid % 100_000}`)
      const [director, machine] = [await network.machine('director'), await network.machine('server')]
      await network.cable(
        { machine: director, device: 'eth0', addresses: [`${own}/${bits[0]}`] },
        { machine, device: 'eth0', addresses: [`${server}/${bits[0]}`] },
      )
      using tunnel = new Tunnel(director, 'tun0')
      await director.ip('addr', 'add', `${vip}/${bits[0]}`, 'dev', 'tun0', ...(family === 'IPv6' ? ['nodad'] : []))
      await director.ip('link', 'set', 'tun0', 'up')
      using programs = within(director, () => DirectorPrograms.attach({ interface: 'tun0', vip: parseAddress(vip), vipPort, raisePort }))
      using agent = within(machine, () => ServerAgentPrograms.attach({ interfaces: ['eth0'], listen: parseAddress(server), listenPort }))
      agent.addDirector(parseAddress(own))
      const value = AgentEntry.toBytes(entryIn)
      agent.flows.update(inKey, value)
      const counted = (): number => {
        agent.flows.lookup(inKey, value)
        return AgentEntry.decode(value).packets
      }
      for (const [index, method] of [ForwardMethod.neighbour, ForwardMethod.encapsulate].entries()) {
        programs.flows.update(
          inKey,
          DirectorEntry.toBytes({
            ...DirectorEntry.decode(Buffer.alloc(DirectorEntry.fixedSize)),
            action: DirectorAction.forward,
            method,
            interfaceIndex: within(director, () => interfaceIndex('eth0')),
            nextHop: parseAddress(server),
            agent: parseAddress(server),
            agentPort: listenPort,
            outerSource: parseAddress(own),
            outerSourcePort: listenPort,
          }),
        )
        tunnel.write(packetOf(client, clientPort, vip, vipPort, TcpFlag.ack))
        await until(() => (counted() === index + 1 ? true : undefined))
      }
    })

    test(`a server agent takes packets out of datagrams, and changes those that leave (${family})`, async () => {
      await using network = new Network(`hfb${process.pid % 100_000}`)
      const machine = await network.machine('server')
      using tunnel = new Tunnel(machine, 'tun0')
      await machine.ip('addr', 'add', `${server}/${bits[0]}`, 'dev', 'tun0', ...(family === 'IPv6' ? ['nodad'] : []))
      await machine.ip('link', 'set', 'tun0', 'up')
      await machine.ip('route', 'add', `${client}/${bits[1]}`, 'dev', 'tun0')
      using agent = within(machine, () => ServerAgentPrograms.attach({ interfaces: ['tun0'], listen: parseAddress(server), listenPort }))
      agent.addDirector(parseAddress(own))
      agent.flows.update(inKey, AgentEntry.toBytes(entryIn))
      const outKey = FlowKey.toBytes({
        source: parseAddress(server),
        destination: parseAddress(client),
        sourcePort: serverPort,
        destinationPort: clientPort,
      })
      const out = {
        ...zero,
        direction: 1,
        newSource: parseAddress(vip),
        newDestination: parseAddress(client),
        newSourcePort: vipPort,
        newDestinationPort: clientPort,
      }
      agent.flows.update(outKey, AgentEntry.toBytes({ ...out, addSequence: sequence }))
      const outer = { source: parseAddress(own), destination: parseAddress(server), sourcePort: listenPort, destinationPort: listenPort }
      // Nobody listens: a RST says that the packet has got to the stack.
      tunnel.write(wrap(packetOf(client, clientPort, vip, vipPort, TcpFlag.ack), outer))
      const answer = await tunnel.read()
      const headers = newTcpPacket()
      readTcpPacket(answer, 0, answer.length, headers)
      assert.deepEqual([headers.flags, headers.sequence, headers.sourcePort, headers.destinationPort], [TcpFlag.rst, sequence, vipPort, clientPort])
      assert.ok(answer.includes(headers.family.version === 4 ? parseAddress(vip).subarray(12) : parseAddress(vip)))
    })

    test(`the end of a handshake that only its SYN cookie knows about gets to the stack, a made up one to the agent (${family})`, async () => {
      await using network = new Network(`hfb${process.pid % 100_000}`)
      const director = await network.machine('director')
      using tunnel = new Tunnel(director, 'tun0')
      await director.ip('addr', 'add', `${vip}/${bits[0]}`, 'dev', 'tun0', ...(family === 'IPv6' ? ['nodad'] : []))
      await director.ip('link', 'set', 'tun0', 'up')
      // Cookies for all, not only when it is too much.
      await director.set({ 'net.ipv4.tcp_syncookies': 2 })
      using programs = within(director, () => DirectorPrograms.attach({ interface: 'tun0', vip: parseAddress(vip), vipPort, raisePort }))
      const greet = `require('node:net').createServer(socket => socket.write('hello')).listen(${vipPort}, '${vip}', () => console.log('ready'))`
      await using _server = await director.start([process.execPath, '-e', greet], { ready: /ready/ })
      tunnel.write(packetOf(client, clientPort, vip, vipPort, TcpFlag.syn))
      const headers = newTcpPacket()
      const answer = await tunnel.read()
      readTcpPacket(answer, 0, answer.length, headers)
      assert.equal(headers.flags, TcpFlag.syn | TcpFlag.ack)
      const numbers = { sequence: 1001, acknowledgement: headers.sequence + 1 }
      tunnel.write(packetOf(client, clientPort, vip, vipPort, TcpFlag.ack, { ...numbers, acknowledgement: headers.sequence + 77 }))
      await until(() => (programs.totals().unknownPackets === 1 ? true : undefined))
      tunnel.write(packetOf(client, clientPort, vip, vipPort, TcpFlag.ack, numbers))
      const greeting = await tunnel.read()
      readTcpPacket(greeting, 0, greeting.length, headers)
      assert.equal(greeting.toString('latin1', headers.payloadAt, headers.end), 'hello', 'no RST came before it')
      assert.equal(programs.totals().unknownPackets, 1)
    })
  }
})
