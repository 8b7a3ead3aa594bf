import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AgentEntry, AgentState, Captured } from '../bpf/entries.ts'
import { damages, layouts, randomAddress, tcpPacket } from '../bpf/test-support/packets.ts'
import { Random } from '../bpf/test-support/random.ts'
import { checksumOf, pseudoHeaderSum, sumOf } from './checksum.ts'
import { Protocol, ipv4, ipv6 } from './families.ts'
import { newTcpOptions, readOptions } from './options.ts'
import { TcpFlag, newTcpPacket, readTcpPacket } from './packet.ts'
import { newSegment, segmentHeaderBytesMax, setEnds, writeSegment } from './segment.ts'
import { minus, plus } from './sequence.ts'
import { rescaled, transform } from './transform.ts'

const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))

/** What both checksums of a packet are when they are counted whole: 0 for right. */
function checksums(packet: Buffer): number[] {
  const headers = newTcpPacket()
  assert.ok(readTcpPacket(packet, 0, packet.length, headers))
  const { family, tcpAt, end } = headers
  const pseudo = sumOf(packet, family.addressesAt, family.addressesAt + 2 * family.addressBytes, pseudoHeaderSum(Protocol.tcp, end - tcpAt))
  return [family === ipv4 ? checksumOf(sumOf(packet, 0, family.headerBytes)) : 0, checksumOf(sumOf(packet, tcpAt, end, pseudo))]
}

test('a packet is changed where its entry says, and nowhere else', () => {
  const [client, vip, server] = ['0a000002', '0a000064', '0a00000b'].map(hex => Buffer.from(`00000000000000000000ffff${hex}`, 'hex'))
  assert.ok(client !== undefined && vip !== undefined && server !== undefined)
  const segment = newSegment()
  setEnds(segment, server, 8080, client, 5000)
  segment.sequence = 0xffff_fff0
  segment.acknowledgement = 1000
  segment.flags = TcpFlag.ack
  segment.window = 500
  segment.options.timestamps = true
  segment.options.tsVal = 7
  segment.options.tsEcr = 8
  segment.payload = Buffer.from('HTTP/1.1 200 OK')
  segment.payloadEnd = segment.payload.length
  const bytes = Buffer.alloc(segmentHeaderBytesMax + segment.payload.length)
  const packet = bytes.subarray(0, writeSegment(segment, bytes))
  const entry = {
    ...zero,
    newSource: vip,
    newDestination: client,
    newSourcePort: 80,
    newDestinationPort: 5001,
    addSequence: 0x20,
    addAcknowledgement: 0xffff_ffff,
    addTsVal: 100,
    addTsEcr: 0xffff_fff8,
    windowScaleFrom: 7,
    windowScaleTo: 9,
  }
  const { verdict, packet: changed, entry: after } = transform(packet, entry, 99)
  assert.equal(verdict, 'changed')
  setEnds(segment, vip, 80, client, 5001)
  segment.sequence = 0x10
  segment.acknowledgement = 999
  segment.window = 125
  segment.options.tsVal = 107
  segment.options.tsEcr = 0
  const expected = Buffer.alloc(bytes.length)
  assert.deepEqual(changed, expected.subarray(0, writeSegment(segment, expected)))
  assert.deepEqual(
    [after.packets, after.bytes, after.lastNs, after.flagsSeen, after.sequenceEndMax, after.lastAck],
    [1, packet.length, 99, TcpFlag.ack, 0x10 + 15, 999],
  )
})

test('checksums are right afterwards, whatever the options and numbers are (RFC 1624)', () => {
  const random = new Random(77)
  for (let round = 0; round < 5000; round++) {
    const family = random.of([ipv4, ipv6])
    const { packet, layout } = tcpPacket(random, { family, flags: TcpFlag.ack })
    const entry = {
      ...zero,
      newSource: randomAddress(random, family),
      newDestination: randomAddress(random, family),
      newSourcePort: random.below(0x10000),
      addSequence: random.edgyWord(),
      addAcknowledgement: random.edgyWord(),
      addTsVal: random.edgyWord(),
      addTsEcr: random.edgyWord(),
      windowScaleFrom: random.below(15),
      windowScaleTo: random.below(15),
    }
    assert.deepEqual(checksums(transform(packet, entry).packet), [0, 0], `${layout}, packet ${round}`)
  }
})

test('there and back is the same', () => {
  const random = new Random(78)
  for (let round = 0; round < 2000; round++) {
    const ends = { source: randomAddress(random, ipv6), destination: randomAddress(random, ipv6), sourcePort: 1, destinationPort: 2 }
    const { packet } = tcpPacket(random, { family: ipv6, flags: TcpFlag.ack, ...ends })
    const [sequence, acknowledgement, tsVal] = [random.edgyWord(), random.edgyWord(), random.edgyWord()]
    // A TSecr that becomes 0 is left alone on the way back.
    const there = {
      ...zero,
      newSource: randomAddress(random, ipv6),
      newDestination: randomAddress(random, ipv6),
      addSequence: sequence,
      addAcknowledgement: acknowledgement,
      addTsVal: tsVal,
    }
    const back = {
      ...zero,
      newSource: ends.source,
      newDestination: ends.destination,
      newSourcePort: 1,
      newDestinationPort: 2,
      addSequence: minus(0, sequence),
      addAcknowledgement: minus(0, acknowledgement),
      addTsVal: minus(0, tsVal),
    }
    assert.equal(transform(transform(packet, there).packet, back).packet.toString('hex'), packet.toString('hex'))
  }
})

test('a window is rescaled within its 16 bits, and what is open stays open (RFC 7323 2.2)', () => {
  const of = (window: number, windowScaleFrom: number, windowScaleTo: number): number => rescaled(window, { windowScaleFrom, windowScaleTo })
  assert.deepEqual([of(0, 14, 0), of(1, 0, 14), of(0xffff, 14, 0), of(500, 7, 7), of(500, 7, 9), of(500, 9, 7)], [0, 1, 0xffff, 500, 125, 2000])
})

test('the SYN-ACK of a second connection is kept, and nothing else goes further', () => {
  const random = new Random(5)
  const entry = { ...zero, state: AgentState.handshake }
  const { packet } = tcpPacket(random, { family: ipv4, flags: TcpFlag.syn | TcpFlag.ack, payloadBytes: 0 })
  const { verdict, entry: after } = transform(packet, entry)
  assert.deepEqual([verdict, after.captured], ['captured', Captured.synAck])
  const header = packet.subarray(20)
  assert.deepEqual(after.synAck.subarray(0, header.length), header)
  const reset = tcpPacket(random, { family: ipv4, flags: TcpFlag.rst }).packet
  assert.deepEqual([transform(reset, entry).verdict, transform(reset, entry).entry.captured], ['captured', Captured.other])
  assert.equal(transform(reset, after).entry.captured, Captured.synAck)
})

test("a SYN-ACK where the second connection is over is the server's own affair; where it lives no client is shown it", () => {
  const { packet } = tcpPacket(new Random(6), { family: ipv6, flags: TcpFlag.syn | TcpFlag.ack })
  const live = transform(packet, { ...zero, flagsSeen: TcpFlag.ack })
  assert.deepEqual([live.verdict, live.entry.state], ['dropped', AgentState.established])
  const over = transform(packet, { ...zero, flagsSeen: TcpFlag.fin })
  assert.deepEqual([over.verdict, over.entry.state, over.packet], ['pass', AgentState.dead, packet])
  assert.equal(transform(packet, over.entry).packet, packet)
})

test('how far a packet takes its sender counts SYN and FIN, and only forwards (RFC 9293 3.4)', () => {
  const random = new Random(9)
  const made = (flags: number, sequence: number): Buffer => tcpPacket(random, { family: ipv4, flags, sequence, payloadBytes: 10 }).packet
  const end = (packet: Buffer, sequenceEndMax: number): number => transform(packet, { ...zero, addSequence: 5, sequenceEndMax }).entry.sequenceEndMax
  assert.equal(end(made(TcpFlag.ack, 0xffff_fff0), 0), 0)
  assert.equal(end(made(TcpFlag.ack, 0xffff_fffb), 0), 10)
  assert.equal(end(made(TcpFlag.ack | TcpFlag.fin, 0xffff_fffb), 0), 11)
  assert.equal(end(made(TcpFlag.syn, 100), 90), plus(100, 16))
})

test('no damage and no layout of options makes it throw', () => {
  const random = new Random(10)
  for (let round = 0; round < 20_000; round++) {
    const family = random.of([ipv4, ipv6])
    const { packet } = tcpPacket(random, { family })
    const damaged = damages[random.of(Object.keys(damages))](packet, random, family)
    const changed = transform(damaged, {
      ...zero,
      newSource: randomAddress(random, family),
      newDestination: randomAddress(random, family),
      addSequence: 1,
    })
    assert.equal(changed.packet.length, damaged.length)
  }
})

test('options are read in any layout', () => {
  const random = new Random(11)
  const options = newTcpOptions()
  for (const name of Object.keys(layouts)) {
    const bytes = Buffer.from(layouts[name]?.(random) ?? [])
    readOptions(bytes, 0, bytes.length, options)
    if (name === 'SYN of Linux') assert.deepEqual([options.mss, options.sackPermitted, options.timestamps], [1460, true, true])
    if (name === 'timestamps at the end') assert.deepEqual([options.tsVal, options.tsEcr], [bytes.readUInt32BE(8), bytes.readUInt32BE(12)])
    if (name === 'SYN without timestamps') assert.deepEqual([options.timestamps, options.windowScale], [false, bytes.at(-1)])
  }
  // RFC 7323 2.3: a larger shift is taken as 14.
  assert.equal(readOptions(Buffer.from([3, 3, 200]), 0, 3, options).windowScale, 14)
})
