import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AgentEntry, AgentState, FlowKey } from '../bpf/entries.ts'
import { HandoffFlags, HandoffOptions } from '../protocol/messages.ts'
import type { Handoff } from '../protocol/messages.ts'
import { newTcpOptions, readOptions } from './options.ts'
import { TcpFlag, newTcpPacket, readTcpPacket } from './packet.ts'
import type { TcpPacket } from './packet.ts'
import { requestSequence, setRequest, setSyn, writeHandshake, writeIn, writeInKey, writeOut, writeOutKey } from './second-connection.ts'
import { completeChecksum, newSegment, segmentHeaderBytesMax, writeSegment } from './segment.ts'
import { transform } from './transform.ts'

const address = (last: number): Buffer => Buffer.from(`00000000000000000000ffff0a0000${last.toString(16).padStart(2, '0')}`, 'hex')
const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')

/** A is so small that the request begins before the wrap. */
const handoff: Handoff = {
  connection: 0x1_0000_0007,
  generation: 3,
  client: address(2),
  vip: address(100),
  clientPort: 5000,
  vipPort: 80,
  clientSequenceNext: 10,
  serverSequenceNext: 0xffff_fff0,
  tsDirector: 1000,
  tsClient: 2000,
  sendWindow: 64_000,
  receiveWindow: 60_000,
  mss: 1400,
  options: HandoffOptions.timestamps | HandoffOptions.sack | HandoffOptions.windowScale,
  clientScale: 8,
  directorScale: 9,
  flags: 0,
  requestBytes: request.length,
}
const second = { server: address(11), serverPort: 8080, sourcePort: 5001 }
const numbers = { sequence: 0x7fff_fff0, tsVal: 5_000_000, scale: 7 }
const director = { address: address(1), port: 7000 }

/** The packet of a segment, its bytes and what they say. */
function made(set: (segment: ReturnType<typeof newSegment>) => void): { readonly packet: Buffer; readonly headers: TcpPacket } {
  const segment = newSegment()
  set(segment)
  const bytes = Buffer.alloc(segmentHeaderBytesMax + request.length)
  const packet = Buffer.from(bytes.subarray(0, writeSegment(segment, bytes)))
  const headers = newTcpPacket()
  assert.ok(readTcpPacket(packet, 0, packet.length, headers))
  assert.equal(completeChecksum(packet, 0, packet.length), 'right')
  return { packet, headers }
}

test("the SYN has the client's options, and its numbers, so that they need no change", () => {
  const { packet, headers } = made(segment => setSyn(segment, handoff, second))
  assert.deepEqual([headers.flags, headers.sequence, headers.sourcePort, headers.destinationPort], [TcpFlag.syn, 0xffff_ffee, 5001, 8080])
  assert.equal(requestSequence(handoff), 0xffff_ffef)
  assert.equal(headers.window, 64_000, 'not scaled (RFC 7323 2.2)')
  const options = readOptions(packet, headers.optionsAt, headers.payloadAt, newTcpOptions())
  assert.deepEqual(options, { mss: 1400, windowScale: 8, sackPermitted: true, timestamps: true, tsVal: 2000, tsEcr: 0 })
})

test('what the client has not offered is not in the SYN', () => {
  for (const bits of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const { packet, headers } = made(segment => setSyn(segment, { ...handoff, options: bits }, second))
    const options = readOptions(packet, headers.optionsAt, headers.payloadAt, newTcpOptions())
    assert.equal(options.timestamps, (bits & HandoffOptions.timestamps) !== 0)
    assert.equal(options.sackPermitted, (bits & HandoffOptions.sack) !== 0)
    assert.equal(options.windowScale, (bits & HandoffOptions.windowScale) === 0 ? -1 : 8)
    assert.equal((headers.payloadAt - headers.optionsAt) % 4, 0)
  }
})

test('acknowledgement and request are one packet, with the window as the client scales it', () => {
  const all = { bytes: request, from: 0, end: request.length }
  const { packet, headers } = made(segment => setRequest(segment, handoff, second, numbers, all))
  assert.deepEqual([headers.sequence, headers.acknowledgement, headers.window], [0xffff_ffef, 0x7fff_fff1, 250])
  assert.deepEqual(packet.subarray(headers.payloadAt), request)
  const options = readOptions(packet, headers.optionsAt, headers.payloadAt, newTcpOptions())
  assert.deepEqual([options.tsVal, options.tsEcr, options.windowScale], [2000, 5_000_000, -1])
  const finished = { ...handoff, flags: HandoffFlags.clientFinished }
  const last = made(segment => setRequest(segment, finished, second, numbers, all)).headers
  assert.deepEqual([last.sequence, last.flags & TcpFlag.fin], [0xffff_ffee, TcpFlag.fin], 'the FIN counts')
})

test("entries make the server's numbers those of the first connection, and the client's those of the second", () => {
  const [out, input] = [Buffer.alloc(AgentEntry.fixedSize, 0xaa), Buffer.alloc(AgentEntry.fixedSize, 0xaa)]
  writeOut(out, handoff, numbers, director, 12_345_678_901_234)
  writeIn(input, handoff, second, numbers, director, 5)
  const entry = AgentEntry.decode(out)
  // B − (I + 1), T: tsDirector − T.
  assert.deepEqual([entry.addSequence, entry.addTsVal, entry.addAcknowledgement, entry.addTsEcr], [0x7fff_ffff, (1000 - 5_000_000) >>> 0, 0, 0])
  assert.deepEqual([entry.windowScaleFrom, entry.windowScaleTo, entry.lastNs, entry.connection], [7, 9, 12_345_678_901_234, 0x1_0000_0007])
  const back = AgentEntry.decode(input)
  assert.deepEqual([back.addSequence, back.addAcknowledgement, back.addTsVal, back.addTsEcr], [0, 0x8000_0001, 0, 4_999_000])
  assert.deepEqual([back.windowScaleFrom, back.windowScaleTo, back.direction, entry.direction], [0, 0, 1, 0])

  // The first byte of the response is the one that the client waits for.
  const { packet } = made(segment => {
    setRequest(segment, handoff, second, numbers, { bytes: request, from: 0, end: request.length })
    ;[segment.source, segment.destination] = [segment.destination, segment.source]
    ;[segment.sequence, segment.acknowledgement] = [numbers.sequence + 1, handoff.clientSequenceNext]
    segment.options.tsVal = numbers.tsVal + 3
  })
  const { packet: response } = transform(packet, entry)
  const headers = newTcpPacket()
  assert.ok(readTcpPacket(response, 0, response.length, headers))
  const options = readOptions(response, headers.optionsAt, headers.payloadAt, newTcpOptions())
  assert.deepEqual(
    [headers.sequence, headers.acknowledgement, headers.sourcePort, headers.destinationPort, options.tsVal],
    [handoff.serverSequenceNext, handoff.clientSequenceNext, 80, 5000, handoff.tsDirector + 3],
  )
})

test('without window scaling or timestamps nothing is scaled and no timestamp added', () => {
  const out = Buffer.alloc(AgentEntry.fixedSize)
  writeOut(out, { ...handoff, options: HandoffOptions.sack }, numbers, director, 0)
  const entry = AgentEntry.decode(out)
  assert.deepEqual([entry.windowScaleFrom, entry.windowScaleTo, entry.addTsVal], [0, 0, 0])
})

test('keys are those of the packets, and while the SYN is on its way its answer is waited for', () => {
  const [outKey, inKey, entry] = [Buffer.alloc(36), Buffer.alloc(36), Buffer.alloc(AgentEntry.fixedSize, 0xaa)]
  writeOutKey(outKey, handoff, second)
  writeInKey(inKey, handoff)
  assert.deepEqual(FlowKey.decode(outKey), { source: address(11), destination: address(2), sourcePort: 8080, destinationPort: 5001 })
  assert.deepEqual(FlowKey.decode(inKey), { source: address(2), destination: address(100), sourcePort: 5000, destinationPort: 80 })
  writeHandshake(entry, handoff, director, 1)
  const { state, newSource, newDestinationPort, captured } = AgentEntry.decode(entry)
  assert.deepEqual([state, newSource, newDestinationPort, captured], [AgentState.handshake, address(100), 5000, 0])
})

test('a checksum that was left to the device is written, one that is wrong is told (CHECKSUM_PARTIAL)', () => {
  const { packet } = made(segment => setSyn(segment, handoff, second))
  const right = packet.readUInt16BE(36)
  const tcpBytes = packet.length - 20
  // The sum of the pseudo header alone, not complemented.
  let sum = 6 + tcpBytes
  for (let at = 12; at < 20; at += 2) sum += packet.readUInt16BE(at)
  packet.writeUInt16BE((sum & 0xffff) + (sum >>> 16), 36)
  assert.equal(completeChecksum(packet, 0, packet.length), 'completed')
  assert.equal(packet.readUInt16BE(36), right)
  packet[21] ^= 1
  assert.equal(completeChecksum(packet, 0, packet.length), 'wrong')
  assert.equal(completeChecksum(packet, 0, 30), 'none')
})
