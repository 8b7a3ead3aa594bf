import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rest, struct, u8 } from '@holdfast/wire'
import { AgentEntry, DirectorEntry, FlowKey, tcpHeaderBytesMax } from './entries.ts'
import { offsetsOf } from './offsets.ts'

test('offsets are where the codec writes', () => {
  const zero = AgentEntry.decode(Buffer.alloc(AgentEntry.fixedSize))
  const bytes = AgentEntry.toBytes({ ...zero, addTsEcr: 0x0403_0201, synAck: Buffer.alloc(tcpHeaderBytesMax, 7), clientScale: 9 })
  const offsets = offsetsOf(AgentEntry)
  assert.equal(bytes.readUInt32LE(offsets.addTsEcr), 0x0403_0201)
  assert.deepEqual(bytes.subarray(offsets.synAck, offsets.synAck + tcpHeaderBytesMax), Buffer.alloc(tcpHeaderBytesMax, 7))
  assert.equal(bytes[offsets.clientScale], 9)
  assert.equal(offsetsOf(FlowKey).destinationPort, 34)
})

test('what the programs read at once is aligned', () => {
  const words: readonly (readonly [keyof typeof sizes, readonly number[]])[] = [
    [
      'u32',
      [
        offsetsOf(AgentEntry).addSequence,
        offsetsOf(AgentEntry).sequenceEndMax,
        offsetsOf(DirectorEntry).forwardUntil,
        offsetsOf(AgentEntry).newSourcePort,
      ],
    ],
    ['u64', [offsetsOf(AgentEntry).packets, offsetsOf(AgentEntry).lastNs, offsetsOf(DirectorEntry).packets, offsetsOf(DirectorEntry).lastNs]],
  ]
  const sizes = { u32: 4, u64: 8 }
  for (const [kind, offsets] of words) for (const offset of offsets) assert.equal(offset % sizes[kind], 0)
  // Values of a hash are aligned to 8 bytes.
  assert.deepEqual([AgentEntry.fixedSize % 8, DirectorEntry.fixedSize % 8], [0, 0])
})

test('a layout with variable parts has no offsets', () => {
  assert.throws(() => offsetsOf(struct('one', { kind: u8, all: rest() })), { code: 'bad-layout' })
})
