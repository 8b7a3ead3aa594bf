import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { followAnswers, noAnswers, noteAsked } from '../../transform/answers.ts'
import { familyOf, ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { newTcpPacket, readTcpPacket, writeKeyOf } from '../../transform/packet.ts'
import { plus } from '../../transform/sequence.ts'
import { AgentEntry, Answers, AnswerKind, Asked, FlowKey } from '../entries.ts'
import { offsetsOf } from '../offsets.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { Laboratory, ethernet, run } from '../test-support/laboratory.ts'
import { randomAddress, tcpPacket } from '../test-support/packets.ts'
import { Random } from '../test-support/random.ts'
import { egressProgram, ingressProgram } from './server-agent.ts'

const skip = programsUnavailable()
const at = offsetsOf(AgentEntry)
/** Of struct __sk_buff. */
const [skbBytes, gsoSegmentsAt] = [192, 164]
const listen = Buffer.from('00000000000000000000ffff0a00000b', 'hex')

const letters = (random: Random, name: string): string => (random.once(3) ? name.toLowerCase() : random.once(5) ? name.toUpperCase() : name)
const fields = (random: Random): string =>
  Array.from({ length: random.below(5) }, () => `X-${random.word()}: ${'v'.repeat(random.below(40))}\r\n`).join('')

/** Responses as servers send them, and some as they should not. */
const responses: Readonly<Record<string, (random: Random) => string>> = {
  'with a length': random => {
    const content = 'c'.repeat(random.of([0, 1, 10, 1000, 5000]))
    return `HTTP/1.1 200 OK\r\n${fields(random)}${letters(random, 'Content-Length')}:${random.of([' ', '', '  '])}${content.length}\r\n${fields(random)}\r\n${content}`
  },
  'in chunks': random => {
    const chunks = Array.from({ length: random.below(4) }, () => 1 + random.below(2000)).map(
      size => `${size.toString(16)}\r\n${'d'.repeat(size)}\r\n`,
    )
    return `HTTP/1.1 200 OK\r\n${fields(random)}${letters(random, 'Transfer-Encoding')}: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`
  },
  'in chunks, with a length as well': () => 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'without content': random => `HTTP/1.1 ${random.of(['204 No Content', '304 Not Modified'])}\r\nContent-Length: 700\r\n\r\n`,
  'an interim one': () => 'HTTP/1.1 100 Continue\r\n\r\n',
  'to HEAD': random => `HTTP/1.1 200 OK\r\nContent-Length: ${random.below(3000)}\r\n\r\n`,
  'until the end': random => `HTTP/1.0 200 OK\r\nServer: x\r\n\r\n${'e'.repeat(random.below(3000))}`,
  'another protocol': () => 'HTTP/1.1 101 Switching Protocols\r\n\r\nxyz',
  'a long head': random => `HTTP/1.1 200 OK\r\nX-Long: ${'h'.repeat(random.of([900, 960, 990, 2000]))}\r\nContent-Length: 3\r\n\r\nabc`,
  'a length that is none': random =>
    `HTTP/1.1 200 OK\r\nContent-Length: ${random.of(['x', '99999999999', '5000000000', '0000000000000000003', '-1', ''])}\r\n\r\n`,
  'lines that end otherwise': () => 'HTTP/1.1 200 OK\nContent-Length: 3\n\nabc',
  'what is no response': random => random.bytes(1 + random.below(100)).toString('latin1'),
}
const names = Object.keys(responses)

/** What the server sends, cut into packets: at places of its own, or where responses begin. */
function streamOf(random: Random): Buffer[] {
  const usual = random.once(2)
  const parts = Array.from({ length: 1 + random.below(8) }, () =>
    Buffer.from(responses[usual ? (names[random.below(4)] ?? '') : random.of(names)](random), 'latin1'),
  )
  const whole = random.once(2) ? parts : [Buffer.concat(parts)]
  return whole.flatMap(part => {
    const packets: Buffer[] = []
    for (let from = 0; from < part.length;) {
      const size = Math.min(1500, random.of([part.length, 1 + random.below(20), 1 + random.below(1400), 1400]))
      packets.push(part.subarray(from, from + size))
      from += size
    }
    return packets
  })
}

describe("the program follows the server's responses as the oracle does", { skip }, () => {
  for (const family of [ipv4, ipv6]) test(`by IPv${family.version}`, () => follow(family))
})

function follow(family: Family): void {
  using laboratory = new Laboratory(AgentEntry.fixedSize)
  const program = laboratory.load(egressProgram({ linkBytes: 14 }))
  const random = new Random(0xa45 + family.version)
  const [source, destination] = [randomAddress(random, family), randomAddress(random, family)]
  const ends = { family, source, destination, sourcePort: 80, destinationPort: 5000 }
  const key = Buffer.alloc(FlowKey.fixedSize)
  const value = Buffer.alloc(AgentEntry.fixedSize)
  const seen = new Map<number, number>()
  for (let round = 0; round < 1500; round++) {
    const begin = random.edgyWord()
    const addSequence = random.word()
    let expected = noAnswers(begin)
    const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))
    const synAck = Buffer.alloc(60)
    Answers.encode(expected, synAck, 0)
    const entry = AgentEntry.toBytes({
      ...zero,
      newSource: source,
      newDestination: destination,
      newSourcePort: 80,
      newDestinationPort: 5000,
      addSequence,
      synAck,
    })
    let isThere = false
    let next = begin
    const packets = streamOf(random)
    for (const [index, payload] of packets.entries()) {
      // One that is repeated, whole or with what follows, and one that did not come by.
      const sent = random.once(8) && index > 0 ? Buffer.concat([packets[index - 1], payload]) : payload
      const sequence = plus(next, payload.length - sent.length)
      next = plus(next, payload.length)
      if (random.once(60)) continue
      const { packet } = tcpPacket(random, { ...ends, sequence: plus(sequence, -addSequence >>> 0), flags: 0x18, payload: sent })
      readTcpPacket(packet, 0, packet.length, newTcpPacket())
      if (!isThere) {
        const headers = newTcpPacket()
        readTcpPacket(packet, 0, packet.length, headers)
        writeKeyOf(packet, headers, key)
        laboratory.flows.update(key, entry)
        isThere = true
      }
      run(program, ethernet(packet, family))
      expected = followAnswers(expected, sequence, sent)
      laboratory.flows.lookup(key, value)
      const found = Answers.decode(value.subarray(at.synAck))
      assert.deepEqual(comparable(found), comparable(expected), `round ${round}, packet ${index}: ${sent.toString('latin1').slice(0, 300)}`)
    }
    seen.set(expected.kind, (seen.get(expected.kind) ?? 0) + 1)
  }
  for (const kind of Object.values(AnswerKind)) assert.ok((seen.get(kind) ?? 0) > 20, `${kind} has been there: ${seen.get(kind)}`)
  assert.equal(familyOf(source), family)
}

/** What counts in each kind. */
const comparable = ({ kind, tail, followedEnd, end, ...rest }: Answers): object => ({
  kind,
  ...(kind === AnswerKind.length || kind === AnswerKind.open ? rest : {}),
  ...(kind === AnswerKind.length && { end }),
  ...(kind === AnswerKind.open && { tail: tail.toString('latin1').slice(1), followedEnd }),
})

describe("the program notes the client's last request", { skip }, () => {
  for (const family of [ipv4, ipv6])
    test(`by IPv${family.version}`, () => {
      using laboratory = new Laboratory(AgentEntry.fixedSize)
      const program = laboratory.load(ingressProgram({ listen, listenPort: 7001, linkBytes: 14 }))
      const random = new Random(0xa5d + family.version)
      const [source, destination] = [randomAddress(random, family), randomAddress(random, family)]
      const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))
      const headers = newTcpPacket()
      const key = Buffer.alloc(FlowKey.fixedSize)
      const value = Buffer.alloc(AgentEntry.fixedSize)
      for (let round = 0; round < 500; round++) {
        const before: Asked = { end: random.edgyWord(), requests: random.below(1000), isHead: random.below(2) }
        const synAck = Buffer.alloc(60)
        Asked.encode(before, synAck, 0)
        const sequence = plus(before.end, random.below(200) - 100)
        const payload = Buffer.from(
          random.of([
            '',
            'GET',
            'HEAD /a HTTP/1.1\r\n',
            'POST / HTTP/1.1\r\n',
            'PUT /',
            'OPTIONS *',
            'GET / HTTP/1.1\r\n',
            'GOT /',
            'x'.repeat(1000),
          ]),
        )
        const { packet } = tcpPacket(random, {
          family,
          source,
          destination,
          sourcePort: 5000,
          destinationPort: 80,
          sequence,
          flags: random.of([0x18, 0x19]),
          payload,
        })
        readTcpPacket(packet, 0, packet.length, headers)
        writeKeyOf(packet, headers, key)
        const addAcknowledgement = random.word()
        laboratory.flows.update(
          key,
          AgentEntry.toBytes({
            ...zero,
            newSource: source,
            newDestination: destination,
            newSourcePort: 5000,
            newDestinationPort: 80,
            addAcknowledgement,
            direction: 1,
            synAck,
          }),
        )
        run(program, ethernet(packet, family))
        laboratory.flows.lookup(key, value)
        const expected = noteAsked(before, sequence, payload)
        assert.deepEqual(Asked.decode(value.subarray(at.synAck)), expected, `round ${round}: ${payload.toString().slice(0, 20)}`)
      }
    })

  test('several packets that the kernel has made one of (GRO) count as several, where they have no content', () => {
    using laboratory = new Laboratory(AgentEntry.fixedSize)
    const program = laboratory.load(ingressProgram({ listen, listenPort: 7001, linkBytes: 14 }))
    const random = new Random(3)
    const [source, destination] = [randomAddress(random, ipv4), randomAddress(random, ipv4)]
    const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))
    const headers = newTcpPacket()
    const key = Buffer.alloc(FlowKey.fixedSize)
    const value = Buffer.alloc(AgentEntry.fixedSize)
    for (const [method, requests] of [
      ['GET', 3],
      ['HEAD', 3],
      ['POST', 1],
    ] as const) {
      const payload = Buffer.from(`${method} / HTTP/1.1\r\n\r\n`.repeat(3))
      const ends = { family: ipv4, source, destination, sourcePort: 5000, destinationPort: 80 }
      const { packet } = tcpPacket(random, { ...ends, sequence: 100, flags: 0x18, payload })
      readTcpPacket(packet, 0, packet.length, headers)
      writeKeyOf(packet, headers, key)
      laboratory.flows.update(key, AgentEntry.toBytes({ ...zero, newSource: source, newDestination: destination, direction: 1 }))
      const context = Buffer.alloc(skbBytes)
      context.writeUInt32LE(3, gsoSegmentsAt)
      program.testRun({ packet: ethernet(packet, ipv4), output: Buffer.alloc(2000), context })
      laboratory.flows.lookup(key, value)
      assert.equal(Asked.decode(value.subarray(at.synAck)).requests, requests, method)
    }
  })
})
