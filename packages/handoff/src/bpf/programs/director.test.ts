import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TCX_NEXT, TC_ACT_REDIRECT, TC_ACT_SHOT } from '@holdfast/posix/bpf'
import type { BpfProgram } from '@holdfast/posix/bpf'
import { direct } from '../../transform/direction.ts'
import { wrap } from '../../transform/encapsulation.ts'
import { Protocol, ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { icmpKey, readIcmpError } from '../../transform/icmp.ts'
import { TcpFlag, newTcpPacket, readTcpPacket, writeKeyOf } from '../../transform/packet.ts'
import { DirectorAction, DirectorEntry, FlowKey, ForwardMethod, replacedFlag, resetFlag } from '../entries.ts'
import { directorChanged } from '../loader/director.ts'
import { flowMapOf } from '../loader/instance.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, ethernet, run } from '../test-support/laboratory.ts'
import { damages, icmpPacket, ipPacket, randomAddress, reachedOf, tcpPacket } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'
import { directorProgram } from './director.ts'

const skip = programsUnavailable()

const vips = { 4: Buffer.from('00000000000000000000ffff0a000064', 'hex'), 6: Buffer.from('fd770000000000000000000000000100', 'hex') }
const [vipPort, raisePort] = [80, 7002]
const rounds = 10_000
const damageNames = Object.keys(damages)

const key = Buffer.alloc(FlowKey.fixedSize)
const value = Buffer.alloc(DirectorEntry.fixedSize)
const headers = newTcpPacket()

function randomEntry(random: Random, family: Family, more: Partial<DirectorEntry> = {}): DirectorEntry {
  return {
    action: random.below(4),
    method: random.below(2),
    interfaceIndex: 1,
    forwardUntil: random.edgyWord(),
    nextHop: randomAddress(random, family),
    agent: randomAddress(random, random.of([ipv4, ipv6])),
    outerSource: random.bytes(16),
    agentPort: random.below(0x10000),
    outerSourcePort: random.below(0x10000),
    packets: random.below(1000),
    bytes: random.word(),
    lastNs: 0,
    flagsSeen: random.below(256) | (random.once(8) ? replacedFlag : 0),
    lastAck: random.word(),
    lastSequenceEnd: random.word(),
    requestAck: random.word(),
    requestAt: 0,
    generation: random.word(),
    connection: random.word(),
    mss: 1460,
    options: 7,
    clientScale: 7,
    directorScale: 7,
    note: 1,
    receiveWindow: 65_535,
    ...more,
  }
}

interface Bench {
  readonly laboratory: Laboratory
  readonly program: BpfProgram
  readonly family: Family
  readonly vip: Buffer
}

function withProgram(family: Family, body: (bench: Bench) => void): void {
  using laboratory = new Laboratory(DirectorEntry.fixedSize)
  const vip = vips[family.version]
  body({ laboratory, family, vip, program: laboratory.load(directorProgram({ vip, vipPort, raisePort, linkBytes: 14 })) })
}

/** What comes of a packet to the VIP: the program's word, and the packet it leaves. */
function send({ program, family }: Bench, packet: Buffer): { readonly returned: number; readonly packet: Buffer } {
  const { returned, frame } = run(program, ethernet(packet, family))
  return { returned, packet: frame.subarray(14) }
}

/** Wrapped for the agent: the packet without what the link has put behind it; that follows the datagram. */
function raised(packet: Buffer, vip: Buffer): Buffer {
  const { source } = FlowKey.decode(key)
  const ends = { source, destination: vip, sourcePort: headers.sourcePort, destinationPort: raisePort }
  return Buffer.concat([wrap(packet.subarray(0, headers.end), ends), packet.subarray(headers.end)])
}

function forwarded(packet: Buffer, entry: DirectorEntry, end = packet.length): Buffer {
  if (entry.method === ForwardMethod.neighbour) return packet
  const ends = { source: entry.outerSource, destination: entry.agent, sourcePort: entry.outerSourcePort, destinationPort: entry.agentPort }
  return Buffer.concat([wrap(packet.subarray(0, end), ends), packet.subarray(end)])
}

describe("the director's program against the oracle", { skip }, () => {
  for (const family of [ipv4, ipv6]) {
    test(`${rounds.toLocaleString('en')} random packets of IPv${family.version} with entries: where they go, every byte, and every field of the entry`, t =>
      withProgram(family, bench => {
        const random = new Random(0xd1 + family.version)
        const seen = new Map<string, number>()
        for (let round = 0; round < rounds; round++) {
          // A wish for payload to end about where the agent said that it may.
          const wanted = { family, destination: bench.vip, destinationPort: vipPort, ...(random.once(3) ? { sequence: random.word() } : {}) }
          const made = tcpPacket(random, wanted).packet
          assert.ok(readTcpPacket(made, 0, made.length, headers))
          const end = headers.sequence + headers.end - headers.payloadAt
          const entry = randomEntry(random, family, {
            ...(random.once(2) && { forwardUntil: (end + random.below(5) - 2) >>> 0 }),
            ...(random.once(2) && { lastSequenceEnd: random.once(4) ? headers.sequence : reachedOf(random, end) }),
          })
          const damage = random.once(5) ? random.of(damageNames.filter(name => name !== 'cut off')) : undefined
          const packet = damage === undefined ? made : damages[damage](made, random, family)
          writeKeyOf(made, headers, key)
          DirectorEntry.encode(entry, value, 0)
          assert.equal(bench.laboratory.flows.update(key, value), 0)

          const result = send(bench, packet)
          const expected = direct(packet, entry)
          readTcpPacket(packet, 0, packet.length, headers)
          const message = `packet ${round}: ${damage}, ${JSON.stringify(entry)}`
          seen.set(expected.where, (seen.get(expected.where) ?? 0) + 1)
          assert.equal(result.returned, expected.where === 'forward' ? TC_ACT_REDIRECT : TCX_NEXT, message)
          const left =
            expected.where === 'pass' ? packet : expected.where === 'raise' ? raised(packet, bench.vip) : forwarded(packet, entry, headers.end)
          if (!result.packet.equals(left)) assert.equal(result.packet.toString('hex'), left.toString('hex'), message)
          bench.laboratory.flows.lookup(key, value)
          assert.deepEqual({ ...DirectorEntry.decode(value), lastNs: 0 }, expected.entry, message)
          bench.laboratory.flows.remove(key)
        }
        t.diagnostic([...seen].map(([where, count]) => `${where} ${count}`).join(', '))
        for (const where of ['pass', 'forward', 'raise']) assert.ok((seen.get(where) ?? 0) > rounds / 20, `${where} happened`)
      }))

    test(`what is not for the VIP's port passes, with an entry or without (IPv${family.version})`, () =>
      withProgram(family, bench => {
        const random = new Random(2)
        for (const wanted of [{ destination: bench.vip, destinationPort: 81 }, { destinationPort: vipPort }, { source: bench.vip }]) {
          const { packet } = tcpPacket(random, { family, ...wanted })
          readTcpPacket(packet, 0, packet.length, headers)
          writeKeyOf(packet, headers, key)
          DirectorEntry.encode(randomEntry(random, family, { action: DirectorAction.hold }), value, 0)
          bench.laboratory.flows.update(key, value)
          assert.deepEqual(send(bench, packet), { returned: TCX_NEXT, packet })
        }
      }))

    test(`no datagram from outside gets to the agent's port, whatever is in front of it (IPv${family.version})`, () =>
      withProgram(family, bench => {
        const random = new Random(3)
        const datagram = (port: number): Buffer => {
          const body = random.bytes(40)
          body.writeUInt16BE(port, 2)
          return body
        }
        for (const [what, disguise] of Object.entries(disguises(family))) {
          for (const [port, returned] of [
            [raisePort, TC_ACT_SHOT],
            [raisePort + 1, TCX_NEXT],
          ] as const) {
            const packet = disguise(ipPacket(random, { family, protocol: Protocol.udp, body: datagram(port), checksumAt: 6, destination: bench.vip }))
            assert.equal(send(bench, packet).returned, returned, `${what}, port ${port}`)
          }
        }
      }))

    test(`errors about packets of the VIP follow their connection, unless the director's stack has it (IPv${family.version})`, () =>
      withProgram(family, bench => {
        const random = new Random(4)
        for (let round = 0; round < 1000; round++) {
          const client = randomAddress(random, family)
          const about = { family, source: bench.vip, destination: client, sourcePort: vipPort, destinationPort: 1 + random.below(60_000) }
          const packet = icmpPacket(random, about, { type: random.below(14) })
          const error = readIcmpError(packet)
          const entry = randomEntry(random, family)
          DirectorEntry.encode(entry, value, 0)
          if (error !== undefined) icmpKey(packet, error).copy(key)
          bench.laboratory.flows.update(key, value)
          const { action } = entry
          const isOwned = (action === DirectorAction.forward || action === DirectorAction.split) && (entry.flagsSeen & replacedFlag) === 0
          const goesOn = error !== undefined && isOwned
          assert.deepEqual(send(bench, packet), {
            returned: goesOn ? TC_ACT_REDIRECT : TCX_NEXT,
            packet: goesOn ? forwarded(packet, entry) : packet,
          })
          bench.laboratory.flows.lookup(key, value)
          assert.deepEqual(DirectorEntry.decode(value), entry, 'an error is no packet of the client')
          bench.laboratory.flows.remove(key)
        }
      }))
  }

  test('a client that uses its port again gets to the stack, and so does all it sends from then on (RFC 9293 3.6.1)', () =>
    withProgram(ipv4, bench => {
      const random = new Random(5)
      const ends = { family: ipv4, source: randomAddress(random, ipv4), sourcePort: 5000, destination: bench.vip, destinationPort: vipPort }
      const segment = (flags: number, sequence = 0xffff_fff0): Buffer => tcpPacket(random, { ...ends, flags, sequence, payloadBytes: 0 }).packet
      const syn = segment(TcpFlag.syn)
      readTcpPacket(syn, 0, syn.length, headers)
      writeKeyOf(syn, headers, key)
      DirectorEntry.encode(randomEntry(random, ipv4, { action: DirectorAction.forward, flagsSeen: TcpFlag.ack, lastSequenceEnd: 10 }), value, 0)
      bench.laboratory.flows.update(key, value)
      assert.equal(send(bench, syn).returned, TC_ACT_REDIRECT, 'the server answers it with a challenge ACK (RFC 9293 3.10.7.4)')
      // Of a connection before, from the same port: it ends nothing.
      assert.equal(send(bench, segment(TcpFlag.rst, 0x8000_0000)).returned, TC_ACT_REDIRECT)
      assert.equal(send(bench, segment(TcpFlag.ack)).returned, TC_ACT_REDIRECT)
      assert.equal(send(bench, syn).returned, TC_ACT_REDIRECT)
      assert.equal(send(bench, segment(TcpFlag.fin | TcpFlag.ack)).returned, TC_ACT_REDIRECT)
      assert.equal(send(bench, segment(TcpFlag.ack)).returned, TC_ACT_REDIRECT)
      assert.equal(send(bench, syn).returned, TCX_NEXT)
      assert.equal(send(bench, segment(TcpFlag.ack)).returned, TCX_NEXT)
      bench.laboratory.flows.lookup(key, value)
      assert.equal(DirectorEntry.decode(value).flagsSeen, TcpFlag.ack | TcpFlag.fin | replacedFlag)
      // An agent that does not know it yet, and writes to the entry, changes nothing of it.
      const { flows, changer } = flowMapOf({ flows: bench.laboratory.flows, totals: bench.laboratory.totalsMap }, directorChanged)
      using _changer = changer
      DirectorEntry.encode(randomEntry(random, ipv4, { action: DirectorAction.split, flagsSeen: TcpFlag.rst }), value, 0)
      assert.equal(flows.change(key, value), 0)
      assert.equal(send(bench, segment(TcpFlag.ack)).returned, TCX_NEXT)
    }))

  test('a client that has forgotten its connection, and begins another one from its port, gets to the stack when it has answered the challenge ACK (RFC 9293 3.10.7.3)', () =>
    withProgram(ipv4, bench => {
      const random = new Random(6)
      const ends = { family: ipv4, source: randomAddress(random, ipv4), sourcePort: 5000, destination: bench.vip, destinationPort: vipPort }
      const segment = (flags: number, sequence: number): Buffer => tcpPacket(random, { ...ends, flags, sequence, payloadBytes: 0 }).packet
      const syn = segment(TcpFlag.syn, 0x8000_0000)
      readTcpPacket(syn, 0, syn.length, headers)
      writeKeyOf(syn, headers, key)
      DirectorEntry.encode(randomEntry(random, ipv4, { action: DirectorAction.split, flagsSeen: TcpFlag.ack, lastSequenceEnd: 1000 }), value, 0)
      bench.laboratory.flows.update(key, value)
      assert.equal(send(bench, syn).returned, TC_ACT_REDIRECT)
      const flagsSeen = (): number => {
        bench.laboratory.flows.lookup(key, value)
        return DirectorEntry.decode(value).flagsSeen
      }
      assert.equal(send(bench, segment(TcpFlag.rst, 999)).returned, TC_ACT_REDIRECT)
      assert.equal(send(bench, segment(TcpFlag.rst, 999)).returned, TC_ACT_REDIRECT)
      assert.equal(flagsSeen(), TcpFlag.ack | TcpFlag.rst, 'not the number that is expected, and not the second time either')
      DirectorEntry.encode(randomEntry(random, ipv4, { action: DirectorAction.split, flagsSeen: TcpFlag.ack, lastSequenceEnd: 1000 }), value, 0)
      bench.laboratory.flows.update(key, value)
      assert.equal(send(bench, segment(TcpFlag.rst, 1000)).returned, TC_ACT_REDIRECT)
      assert.equal(flagsSeen(), TcpFlag.ack | TcpFlag.rst | resetFlag)
      assert.equal(send(bench, syn).returned, TCX_NEXT)
    }))
})

/** What can be in front of a datagram. */
function disguises(family: Family): Record<string, (packet: Buffer) => Buffer> {
  const plain = (packet: Buffer): Buffer => packet
  if (family === ipv4) {
    const optionBytes = 8
    const options = (packet: Buffer): Buffer => {
      const bytes = Buffer.concat([packet.subarray(0, 20), Buffer.alloc(optionBytes, 1), packet.subarray(20)])
      bytes[0] = 0x47
      bytes.writeUInt16BE(bytes.length, 2)
      return bytes
    }
    const fragment = (packet: Buffer): Buffer => {
      const bytes = Buffer.from(packet)
      bytes.writeUInt16BE(0x2000, 6)
      return bytes
    }
    return { nothing: plain, options, 'a first fragment': fragment, both: packet => fragment(options(packet)) }
  }
  const extend =
    (...kinds: readonly number[]) =>
    (packet: Buffer): Buffer => {
      const chain = kinds.map((_, index) => Buffer.from([kinds[index + 1] ?? Protocol.udp, 0, 0, 0, 0, 0, 0, 0]))
      const bytes = Buffer.concat([packet.subarray(0, 40), ...chain, packet.subarray(40)])
      bytes[6] = kinds[0] ?? Protocol.udp
      bytes.writeUInt16BE(bytes.length - 40, 4)
      return bytes
    }
  return {
    nothing: plain,
    'hop-by-hop options': extend(0),
    'destination options': extend(60),
    'a routing header': extend(43),
    'a first fragment': extend(44),
    all: extend(0, 60, 43, 44, 60),
  }
}
