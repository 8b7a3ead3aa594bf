import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TCX_NEXT, TC_ACT_SHOT } from '@holdfast/posix/bpf'
import { ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { newTcpPacket, readTcpPacket, writeKeyOf } from '../../transform/packet.ts'
import { transform } from '../../transform/transform.ts'
import type { Transformed } from '../../transform/transform.ts'
import { AgentEntry, AgentState, Captured, FlowKey } from '../entries.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, ethernet, run } from '../test-support/laboratory.ts'
import { damages, randomAddress, reachedOf, tcpPacket } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'
import { egressProgram, ingressProgram } from './server-agent.ts'

const skip = programsUnavailable()

const rounds = 50_000

const damageNames = Object.keys(damages)

function randomEntry(random: Random, family: Family): AgentEntry {
  const scale = random.below(15)
  return {
    newSource: randomAddress(random, family),
    newDestination: randomAddress(random, family),
    newSourcePort: random.below(0x10000),
    newDestinationPort: random.below(0x10000),
    addSequence: random.of([0, random.edgyWord()]),
    addAcknowledgement: random.of([0, random.edgyWord()]),
    addTsVal: random.of([0, random.edgyWord()]),
    addTsEcr: random.of([0, random.edgyWord()]),
    windowScaleFrom: scale,
    windowScaleTo: random.once(2) ? scale : random.below(15),
    state: random.once(8) ? random.of([AgentState.handshake, AgentState.dead]) : AgentState.established,
    captured: random.of([Captured.nothing, Captured.nothing, Captured.synAck, Captured.other]),
    flagsSeen: random.below(256),
    sequenceEndMax: random.edgyWord(),
    lastAck: random.edgyWord(),
    packets: random.below(1000),
    bytes: random.word(),
    lastNs: 0,
    synAck: Buffer.alloc(60),
    generation: random.word(),
    connection: random.word(),
    director: random.bytes(16),
    directorPort: random.below(0x10000),
    direction: random.below(2),
    mss: random.below(0x10000),
    options: random.below(8),
    clientScale: random.below(15),
    directorScale: random.below(15),
    receiveWindow: random.word(),
  }
}

const returnedBy: Readonly<Record<Transformed['verdict'], number>> = {
  pass: TCX_NEXT,
  changed: TCX_NEXT,
  captured: TC_ACT_SHOT,
  dropped: TC_ACT_SHOT,
}

describe('the programs of the server agent against the oracle', { skip }, () => {
  const listen = Buffer.from('00000000000000000000ffff0a00000b', 'hex')
  const headers = newTcpPacket()
  const key = Buffer.alloc(FlowKey.fixedSize)
  const value = Buffer.alloc(AgentEntry.fixedSize)

  /** A random packet, as it comes by a link that has no header of its own when `linkBytes` is 0: a program is told the family beside it, here by the bytes that would be the Ethernet type. */
  function randomPacket(random: Random, linkBytes: number): { readonly packet: Buffer; readonly family: Family; readonly what: string } {
    const family = random.of([ipv4, ipv6])
    const source = randomAddress(random, family)
    if (linkBytes === 0) source.writeUInt16BE(family.etherType, family === ipv4 ? 12 : 4)
    const { packet, layout } = tcpPacket(random, { family, source })
    if (!random.once(5)) return { packet, family, what: `ipv${family.version}, ${layout}` }
    const damage = random.of(damageNames)
    return { packet: damages[damage](packet, random, family), family, what: `ipv${family.version}, ${layout}, ${damage}` }
  }

  for (const linkBytes of [14, 0]) {
    test(`${rounds.toLocaleString('en')} random packets behind ${linkBytes} bytes of link header: every byte equal, and every field of the entry`, t => {
      using laboratory = new Laboratory(AgentEntry.fixedSize)
      const programs = [laboratory.load(egressProgram({ linkBytes })), laboratory.load(ingressProgram({ listen, listenPort: 7001, linkBytes }))]
      for (const program of programs) t.diagnostic(`${program.info().name}: ${program.info().verifiedInstructions} instructions verified`)
      const random = new Random(0x5eed + linkBytes)
      const seen = new Map<string, number>()
      for (let round = 0; round < rounds; round++) {
        const { packet, family, what } = randomPacket(random, linkBytes)
        const frame = linkBytes === 0 ? packet : ethernet(packet, family)
        // The kernel runs programs on no less than an Ethernet and an IP header.
        if (frame.length < 14 + family.headerBytes) continue
        const isReadable = readTcpPacket(packet, 0, packet.length, headers)
        const drawn = randomEntry(random, family)
        const entry = random.once(2) ? drawn : { ...drawn, sequenceEndMax: reachedOf(random, headers.sequence + drawn.addSequence) }
        if (isReadable) writeKeyOf(packet, headers, key)
        AgentEntry.encode(entry, value, 0)
        assert.equal(laboratory.flows.update(key, value), 0)

        const direction = random.below(2)
        const result = run(programs[direction], frame)
        const transformed = transform(packet, entry)
        // Each program follows what is its own.
        const isOwn = entry.direction === direction || transformed.verdict === 'captured'
        const expected = isOwn ? transformed : { ...transformed, entry: { ...transformed.entry, synAck: entry.synAck } }
        seen.set(expected.verdict, (seen.get(expected.verdict) ?? 0) + 1)
        const message = `packet ${round}: ${what}, ${JSON.stringify(entry)}`
        const expectedFrame = Buffer.concat([frame.subarray(0, linkBytes), expected.packet])
        if (!result.frame.equals(expectedFrame)) assert.equal(result.frame.toString('hex'), expectedFrame.toString('hex'), message)
        assert.equal(result.returned, returnedBy[expected.verdict], message)
        laboratory.flows.lookup(key, value)
        const found = AgentEntry.decode(value)
        if (expected.entry.packets !== entry.packets) assert.ok(found.lastNs > 0, message)
        const after = { ...found, lastNs: 0 }
        if (JSON.stringify(after) !== JSON.stringify({ ...expected.entry, lastNs: 0 }))
          assert.deepEqual(after, { ...expected.entry, lastNs: 0 }, message)
        laboratory.flows.remove(key)
      }
      t.diagnostic([...seen].map(([verdict, count]) => `${verdict} ${count}`).join(', '))
      for (const verdict of Object.keys(returnedBy)) assert.ok((seen.get(verdict) ?? 0) > rounds / 1000, `${verdict} happened`)
    })
  }

  test('a packet with a VLAN tag is left alone', () => {
    using laboratory = new Laboratory(AgentEntry.fixedSize)
    const program = laboratory.load(egressProgram({ linkBytes: 14 }))
    const random = new Random(1)
    const { packet } = tcpPacket(random, { family: ipv4 })
    readTcpPacket(packet, 0, packet.length, headers)
    writeKeyOf(packet, headers, key)
    AgentEntry.encode({ ...randomEntry(random, ipv4), state: AgentState.established, direction: 1 }, value, 0)
    laboratory.flows.update(key, value)
    assert.notDeepEqual(run(program, ethernet(packet, ipv4)).frame, ethernet(packet, ipv4))
    const tagged = ethernet(Buffer.concat([Buffer.from([0, 7, 8, 0]), packet]), 0x8100)
    assert.deepEqual(run(program, tagged), { returned: TCX_NEXT, frame: tagged })
  })
})
