/** SYNs that the director's program answers itself: of real clients, of a flood, and at a tunnel. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { DirectorPrograms, FlowKey, OpeningEntry } from '@holdfast/handoff/bpf'
import type { DirectorProgramOptions } from '@holdfast/handoff/bpf'
import {
  TcpFlag,
  checksumOf,
  completeChecksum,
  newSegment,
  newTcpPacket,
  readTcpPacket,
  setEnds,
  sumOf,
  writeSegment,
} from '@holdfast/handoff/transform'
import { orThrow } from '@holdfast/posix'
import { AF_INET, Endpoint, IPPROTO_RAW, SOCK_RAW, close, inNetworkNamespace, openSocket, parseAddress, sendTo } from '@holdfast/posix/network'
import { Capture } from './capture.ts'
import { Network } from './machine.ts'
import type { Machine } from './machine.ts'
import { setChecksumOffload } from './offload.ts'
import type { Program } from './program.ts'
import { topologyUnavailable } from './topology.ts'
import { Tunnel, packetOf, until } from './tunnel.ts'

const skip = topologyUnavailable()

const families = {
  IPv4: { client: '10.92.0.2', vip: '10.92.0.100', bits: 24, mss: 1460 },
  IPv6: { client: 'fd92::2', vip: 'fd92::100', bits: 64, mss: 1440 },
} as const
type Addresses = (typeof families)[keyof typeof families]
const [vipPort, raisePort, clientPort] = [80, 7002, 4321]
const timestampBytes = 12

const within = <Result>(machine: Machine, action: () => Result): Result => inNetworkNamespace(`/run/netns/${machine.namespace}`, action)
const headers = newTcpPacket()

interface Scene {
  readonly client: Machine
  readonly director: Machine
  readonly addresses: Addresses
}

/** A client and a director, with a cable between them. */
async function sceneOf(network: Network, addresses: Addresses): Promise<Scene> {
  const [client, director] = [await network.machine('client'), await network.machine('director')]
  await network.cable(
    { machine: client, device: 'eth0', addresses: [`${addresses.client}/${addresses.bits}`] },
    { machine: director, device: 'eth0', addresses: [`${addresses.vip}/${addresses.bits}`] },
  )
  await Promise.all([client.settled(), director.settled()])
  return { client, director, addresses }
}

function attach({ director, addresses: { vip } }: Scene, more: Partial<DirectorProgramOptions> = {}): DirectorPrograms {
  const programs = within(director, () => DirectorPrograms.attach({ interface: 'eth0', vip: parseAddress(vip), vipPort, raisePort, ...more }))
  assert.equal(programs.notAnswering, undefined)
  return programs
}

/** What the program answers for; it says hello to those whose handshake it has had itself. */
async function listen({ director, addresses: { vip } }: Scene): Promise<Program> {
  const script = `require('node:net').createServer(socket => socket.write('hello')).listen(${vipPort}, '${vip}', () => console.log('ready'))`
  return director.start([process.execPath, '-e', script], { ready: /ready/ })
}

/** A client that is connected, and then says `send`; it stays. */
async function connect({ client, addresses: { vip } }: Scene, { port = clientPort, send = '' } = {}): Promise<Program> {
  const script = `
    const socket = require('node:net').connect({ port: ${vipPort}, host: '${vip}', localPort: ${port} }, () => console.log('connected'))
    if ('${send}' !== '') socket.write('${send}')`
  return client.start([process.execPath, '-e', script], { ready: /connected/ })
}

const keyOf = ({ addresses: { client, vip } }: Scene, sourcePort = clientPort): Buffer =>
  FlowKey.toBytes({ source: parseAddress(client), destination: parseAddress(vip), sourcePort, destinationPort: vipPort })

function openingOf(programs: DirectorPrograms, key: Buffer): OpeningEntry | undefined {
  const value = Buffer.alloc(OpeningEntry.fixedSize)
  return programs.openings?.lookup(key, value) === true ? OpeningEntry.decode(value) : undefined
}

/** Connections and listeners as ss(8) tells of them, without what it says about nothing. */
const sockets = async (machine: Machine): Promise<string> => machine.must(['ss', '-Htanie'])
const openSockets = async (machine: Machine): Promise<string[]> =>
  (await sockets(machine)).split('\n').filter(line => /^(ESTAB|SYN-|FIN-|CLOSE-|LAST-)/.test(line))

/** What ss(8) says of options. */
const [ts, sack, scales] = [/\sts /, / sack /, / wscale:7,/]
const words = [ts, sack, scales]
/** Of a client: what it has switched off, and what comes of that. */
const clients: Readonly<Record<string, { readonly off: readonly string[]; readonly options: number; readonly said: readonly RegExp[] }>> = {
  'with all options': { off: [], options: 7, said: [ts, sack, scales] },
  'without timestamps': { off: ['tcp_timestamps'], options: 6, said: [sack, scales] },
  'without SACK': { off: ['tcp_sack'], options: 5, said: [ts, scales] },
  'without window scaling': { off: ['tcp_window_scaling'], options: 3, said: [ts, sack] },
  'with none of them': { off: ['tcp_timestamps', 'tcp_sack', 'tcp_window_scaling'], options: 0, said: [] },
}

describe('SYNs that the program answers', { skip }, () => {
  for (const [family, addresses] of Object.entries(families)) {
    for (const [what, { off, options, said }] of Object.entries(clients)) {
      test(`a client ${what} is connected, and no socket of the director knows of it (${family})`, async () => {
        await using network = new Network(`hfs${process.pid % 100_000}`)
        const scene = await sceneOf(network, addresses)
        const { client, director } = scene
        for (const name of off) await client.set({ [`net.ipv4.${name}`]: 0 })
        using programs = attach(scene)
        await using _listener = await listen(scene)
        programs.answerSyns(true)
        await using _connected = await connect(scene)
        const told = await sockets(client)
        assert.match(told, /^ESTAB/)
        assert.deepEqual(
          words.filter(word => word.test(told)),
          said,
        )
        const mss = addresses.mss - ((options & 1) === 1 ? timestampBytes : 0)
        assert.match(told, new RegExp(`\\bmss:${mss} `))
        assert.deepEqual(await openSockets(director), [])
        const opening = openingOf(programs, keyOf(scene))
        assert.deepEqual([opening?.options, opening?.mss, opening?.receiveWindow], [options, addresses.mss, 65_535])
        assert.equal(programs.totals().answeredSyns, 1)
      })
    }

    test(`checksums are right, whoever does them: stack or device, here and there (${family})`, async () => {
      for (const [ofClient, ofDirector] of [
        [false, true],
        [false, false],
        [true, false],
        [true, true],
      ] as const) {
        await using network = new Network(`hfs${process.pid % 100_000}`)
        const scene = await sceneOf(network, addresses)
        setChecksumOffload(scene.client, 'eth0', ofClient)
        setChecksumOffload(scene.director, 'eth0', ofDirector)
        using programs = attach(scene)
        await using _listener = await listen(scene)
        programs.answerSyns(true)
        using capture = new Capture(scene.client)
        await using _connected = await connect(scene)
        const [synAck, ...others] = capture
          .read()
          .filter(packet => readTcpPacket(packet, 0, packet.length, headers) && headers.sourcePort === vipPort)
        assert.ok(synAck !== undefined)
        assert.deepEqual(others, [])
        // Left to devices on both sides, nobody has done it.
        assert.equal(completeChecksum(synAck, 0, synAck.length), ofClient && ofDirector ? 'completed' : 'right', `${ofClient} ${ofDirector}`)
        if (family === 'IPv4') assert.equal(checksumOf(sumOf(synAck, 0, 20)), 0)
        assert.equal((await scene.client.tcpCounters())['TcpInCsumErrors'], 0)
      }
    })

    test(`the first packet with something in it comes up, and can be taken from there (${family})`, async () => {
      await using network = new Network(`hfs${process.pid % 100_000}`)
      const scene = await sceneOf(network, addresses)
      using programs = attach(scene, { wrappingBytes: 160 })
      await using _listener = await listen(scene)
      programs.answerSyns(true)
      await using _connected = await connect(scene, { send: 'GET' })
      await until(() => (programs.totals().raisedPackets > 0 ? true : undefined))
      assert.match(await sockets(scene.client), new RegExp(`\\bmss:${addresses.mss - 160 - timestampBytes} `), 'what the program was told to leave')
      const value = Buffer.alloc(OpeningEntry.fixedSize)
      assert.deepEqual([programs.openings?.take(keyOf(scene), value), programs.openings?.take(keyOf(scene), value)], [true, false])
      assert.equal(programs.totals().unknownPackets, 0)
      await until(() => (programs.totals().unknownPackets > 0 ? true : undefined))
    })

    test(`when it is not wanted any more the listener has new clients, also after the process is gone (${family})`, async () => {
      await using network = new Network(`hfs${process.pid % 100_000}`)
      const scene = await sceneOf(network, addresses)
      const programs = attach(scene, { attach: 'clsact' })
      await using _listener = await listen(scene)
      await using _first = await connect(scene, { port: 5001 })
      programs.answerSyns(true)
      await using _second = await connect(scene, { port: 5002 })
      programs.answerSyns(false)
      await using _third = await connect(scene, { port: 5003 })
      assert.equal((await openSockets(scene.director)).length, 2)
      assert.equal(programs.totals().answeredSyns, 1)
      programs[Symbol.dispose]()
      using again = attach(scene)
      await using _fourth = await connect(scene, { port: 5004 })
      assert.equal((await openSockets(scene.director)).length, 3)
      assert.equal(again.totals().answeredSyns, 0)
    })
  }

  test('a flood of SYNs takes no memory, and no client waits for it', async () => {
    await using network = new Network(`hfs${process.pid % 100_000}`)
    const scene = await sceneOf(network, families.IPv4)
    using programs = attach(scene)
    await using _listener = await listen(scene)
    programs.answerSyns(true)
    const [syns, openingsMax] = [200_000, 65_536]
    flood(scene, syns)
    const { answeredSyns } = programs.totals()
    assert.ok(answeredSyns > 2 * openingsMax, `${answeredSyns} SYNs came through`)
    assert.ok(programs.openings !== undefined)
    const { count } = programs.openings
    assert.ok(count > openingsMax / 2 && count <= openingsMax, `${count} openings`)
    await using _connected = await connect(scene)
    assert.equal(openingOf(programs, keyOf(scene))?.options, 7)
    assert.deepEqual(await openSockets(scene.director), [])
    const counters = await scene.director.tcpCounters()
    for (const name of ['TcpExtListenOverflows', 'TcpExtListenDrops', 'TcpExtSyncookiesSent', 'TcpPassiveOpens'])
      assert.equal(counters[name], 0, name)
  })

  for (const [family, { client, vip, bits }] of Object.entries(families)) {
    test(
      `at a tunnel; no listener takes the ACK of an opening that is gone for the answer to a SYN cookie (${family})`,
      { skip: existsSync('/dev/net/tun') ? false : 'there is no /dev/net/tun' },
      async () => {
        await using network = new Network(`hfs${process.pid % 100_000}`)
        const director = await network.machine('director')
        using tunnel = new Tunnel(director, 'tun0')
        await director.ip('addr', 'add', `${vip}/${bits}`, 'dev', 'tun0', ...(family === 'IPv6' ? ['nodad'] : []))
        await director.ip('link', 'set', 'tun0', 'up')
        // Cookies for all.
        await director.set({ 'net.ipv4.tcp_syncookies': 2 })
        const scene = { client: director, director, addresses: families[family as keyof typeof families] }
        using programs = attach(scene, { interface: 'tun0' })
        await using _listener = await listen(scene)
        // From here on it looks at cookies.
        tunnel.write(packetOf(client, clientPort + 1, vip, vipPort, TcpFlag.syn))
        await tunnel.read()
        programs.answerSyns(true)
        tunnel.write(packetOf(client, clientPort, vip, vipPort, TcpFlag.syn))
        const synAck = await tunnel.read()
        assert.equal(completeChecksum(synAck, 0, synAck.length), 'right')
        assert.ok(readTcpPacket(synAck, 0, synAck.length, headers))
        const { serverSequence = 0 } = openingOf(programs, keyOf(scene)) ?? {}
        assert.deepEqual([headers.flags, headers.sequence, headers.acknowledgement], [TcpFlag.syn | TcpFlag.ack, serverSequence, 1001])
        const ack = packetOf(client, clientPort, vip, vipPort, TcpFlag.ack, { sequence: 1001, acknowledgement: serverSequence + 1 })
        tunnel.write(ack)
        programs.openings?.take(keyOf(scene), Buffer.alloc(OpeningEntry.fixedSize))
        assert.equal(programs.totals().unknownPackets, 0)
        tunnel.write(ack)
        await until(() => (programs.totals().unknownPackets === 1 ? true : undefined))
        assert.deepEqual(await openSockets(director), [])
      },
    )
  }
})

/** Sends SYNs from so many clients. */
function flood({ client, addresses }: Scene, count: number): void {
  const fd = orThrow(
    within(client, () => openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW)),
    'socket',
  )
  const segment = newSegment()
  segment.flags = TcpFlag.syn
  segment.options.mss = 1460
  const source = parseAddress('10.93.0.0')
  const [destination, to] = [parseAddress(addresses.vip), Endpoint.of(addresses.vip, 0)]
  const packet = Buffer.alloc(60)
  for (let index = 0; index < count; index++) {
    source.writeUInt16BE(index >>> 8, 14)
    setEnds(segment, source, 1024 + (index & 0xff), destination, vipPort)
    const length = writeSegment(segment, packet)
    orThrow(sendTo(fd, packet, 0, length, to), 'sendto')
  }
  close(fd)
}
