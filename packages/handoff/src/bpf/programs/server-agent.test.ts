import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TCX_NEXT } from '@holdfast/posix/bpf'
import type { BpfProgram } from '@holdfast/posix/bpf'
import { unwrap, wrap } from '../../transform/encapsulation.ts'
import { familyOf, ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { icmpKey, readIcmpError, transformIcmp } from '../../transform/icmp.ts'
import { newTcpPacket, readTcpPacket, writeKeyOf } from '../../transform/packet.ts'
import { transform } from '../../transform/transform.ts'
import { AgentEntry, AgentState, FlowKey } from '../entries.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, ethernet, run } from '../test-support/laboratory.ts'
import { icmpPacket, randomAddress, tcpPacket } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'
import { ingressProgram } from './server-agent.ts'

const skip = programsUnavailable()

const listens = { 4: Buffer.from('00000000000000000000ffff0a00000b', 'hex'), 6: Buffer.from('fd770000000000000000000000000011', 'hex') }
const listenPort = 7001
const headers = newTcpPacket()
const key = Buffer.alloc(FlowKey.fixedSize)
const value = Buffer.alloc(AgentEntry.fixedSize)

/** An entry of the direction client → server. */
function entryIn(random: Random, family: Family, state: AgentState = AgentState.established): AgentEntry {
  const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))
  return {
    ...zero,
    newSource: randomAddress(random, family),
    newDestination: randomAddress(random, family),
    newSourcePort: random.below(0x10000),
    newDestinationPort: random.below(0x10000),
    addAcknowledgement: random.edgyWord(),
    addTsEcr: random.edgyWord(),
    direction: 1,
    state,
  }
}

interface Bench {
  readonly laboratory: Laboratory
  readonly program: BpfProgram
  readonly outer: Family
  readonly listen: Buffer
  readonly director: Buffer
  readonly random: Random
}

function withProgram(outer: Family, body: (bench: Bench) => void): void {
  using laboratory = new Laboratory(AgentEntry.fixedSize)
  const listen = listens[outer.version]
  const random = new Random(0xa9e + outer.version)
  const director = randomAddress(random, outer)
  laboratory.directors.update(director, Buffer.alloc(8))
  body({ laboratory, listen, director, random, outer, program: laboratory.load(ingressProgram({ listen, listenPort, linkBytes: 14 })) })
}

/** Puts an entry there for the time of a run. */
function withEntry<Result>({ laboratory }: Bench, entry: AgentEntry, action: () => Result): Result {
  AgentEntry.encode(entry, value, 0)
  assert.equal(laboratory.flows.update(key, value), 0)
  try {
    return action()
  } finally {
    laboratory.flows.remove(key)
  }
}

function wrapped({ listen, director, random }: Bench, packet: Buffer, more: { readonly from?: Buffer; readonly port?: number } = {}): Buffer {
  const { from = director, port = listenPort } = more
  return wrap(packet, { source: from, destination: listen, sourcePort: random.below(0x10000), destinationPort: port })
}

describe("the server agent's program and packets that are wrapped", { skip }, () => {
  for (const outer of [ipv4, ipv6]) {
    for (const family of [ipv4, ipv6]) {
      test(`a packet of IPv${family.version} in a datagram of IPv${outer.version} is taken out and transformed`, () =>
        withProgram(outer, bench => {
          const { random } = bench
          for (let round = 0; round < 3000; round++) {
            const { packet } = tcpPacket(random, { family })
            readTcpPacket(packet, 0, packet.length, headers)
            writeKeyOf(packet, headers, key)
            const entry = entryIn(random, family)
            const datagram = wrapped(bench, packet)
            assert.deepEqual(unwrap(datagram, bench.listen, listenPort), packet)
            const result = withEntry(bench, entry, () => run(bench.program, ethernet(datagram, outer)))
            assert.equal(result.returned, TCX_NEXT)
            const expected = transform(packet, entry)
            // The kernel is told the family beside the packet; the link header's type stays.
            assert.equal(result.frame.subarray(14).toString('hex'), expected.packet.toString('hex'), `packet ${round}`)
          }
        }))

      test(`an error about a packet of IPv${family.version} in a datagram of IPv${outer.version} as well`, () =>
        withProgram(outer, bench => {
          const { random } = bench
          const about = {
            family,
            source: randomAddress(random, family),
            destination: randomAddress(random, family),
            sourcePort: 80,
            destinationPort: 5000,
          }
          const packet = icmpPacket(random, about, { type: 3 })
          const error = readIcmpError(packet)
          assert.ok(error !== undefined)
          icmpKey(packet, error).copy(key)
          const entry = entryIn(random, family)
          const result = withEntry(bench, entry, () => run(bench.program, ethernet(wrapped(bench, packet), outer)))
          assert.deepEqual(result.frame.subarray(14), transformIcmp(packet, error, entry))
        }))
    }

    test(`what nobody we know has wrapped goes up to the agent, and so does what has no entry (IPv${outer.version})`, () =>
      withProgram(outer, bench => {
        const { random } = bench
        const { packet } = tcpPacket(random, { family: outer })
        readTcpPacket(packet, 0, packet.length, headers)
        writeKeyOf(packet, headers, key)
        const entry = entryIn(random, outer)
        const passes = (datagram: Buffer, what: string): void => {
          const frame = ethernet(datagram, outer)
          assert.deepEqual(run(bench.program, frame), { returned: TCX_NEXT, frame }, what)
        }
        passes(wrapped(bench, packet), 'no entry')
        withEntry(bench, entry, () => {
          assert.notDeepEqual(run(bench.program, ethernet(wrapped(bench, packet), outer)).frame, ethernet(wrapped(bench, packet), outer))
          passes(wrapped(bench, packet, { from: randomAddress(random, outer) }), 'an unknown director')
          passes(wrapped(bench, packet, { port: listenPort + 1 }), 'another port')
          passes(wrapped(bench, Buffer.concat([Buffer.from('HFO1'), packet])), 'a message')
          passes(wrapped(bench, packet.subarray(0, 30)), 'cut off')
          passes(wrapped(bench, Buffer.alloc(0)), 'empty')
        })
        // Dead: it passes, but no longer wrapped. Only its own entry says so, so it is not another's.
        const dead = withEntry(bench, { ...entry, state: AgentState.dead }, () => run(bench.program, ethernet(wrapped(bench, packet), outer)))
        assert.deepEqual(dead.frame, ethernet(packet, outer))
      }))
  }
})

describe('errors about packets of a connection at the server agent', { skip }, () => {
  for (const family of [ipv4, ipv6]) {
    test(`are about the packet that the server has sent, every byte as the oracle has it (IPv${family.version}, RFC 792, RFC 4443)`, () =>
      withProgram(family, bench => {
        const { random } = bench
        let changed = 0
        for (let round = 0; round < 5000; round++) {
          const about = {
            family,
            source: randomAddress(random, family),
            destination: randomAddress(random, family),
            sourcePort: random.below(0x10000),
            destinationPort: random.below(0x10000),
          }
          const packet = icmpPacket(random, about, {
            type: random.below(14),
            ...(random.once(10) ? { destination: randomAddress(random, family) } : {}),
          })
          const error = readIcmpError(packet)
          // An error that goes to another than whose packet it is about must not find the entry.
          const own = Buffer.from(packet)
          about.source.copy(own, family.addressesAt + family.addressBytes, family.inMapped)
          const found = readIcmpError(own)
          if (found !== undefined) icmpKey(own, found).copy(key)
          const state = random.once(10) ? AgentState.dead : AgentState.established
          const entry = entryIn(random, family, state)
          const frame = ethernet(packet, family)
          const isChanged = error !== undefined && state === AgentState.established
          if (isChanged) changed++
          const expected = isChanged ? ethernet(transformIcmp(packet, error, entry), family) : frame
          const result = withEntry(bench, entry, () => run(bench.program, frame))
          assert.equal(result.frame.toString('hex'), expected.toString('hex'), `error ${round}`)
          assert.equal(result.returned, TCX_NEXT)
        }
        assert.ok(changed > 500)
        assert.equal(familyOf(bench.listen), family)
      }))
  }
})
