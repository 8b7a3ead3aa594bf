import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BPF_F_NO_PREALLOC, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, createMap } from '@holdfast/posix/bpf'
import { errno } from '@holdfast/posix'
import { AgentEntry, AgentState, FlowKey } from '../entries.ts'
import { offsetsOf } from '../offsets.ts'
import { noted, PairThere } from '../programs/pair.ts'
import { programsUnavailable } from '../test-support/availability.ts'
import { FlowPairs } from './pairs.ts'

const at = offsetsOf(AgentEntry)
const { fixedSize } = AgentEntry

describe('both entries of a connection', { skip: programsUnavailable() }, () => {
  const filled = (lengthBytes: number, byte: number): Buffer => Buffer.alloc(lengthBytes, byte)
  const [outKey, inKey] = [filled(FlowKey.fixedSize, 1), filled(FlowKey.fixedSize, 2)]
  const [out, incoming] = [filled(fixedSize, 3), filled(fixedSize, 4)]
  const make = (maxEntries = 10) => {
    const stack = new DisposableStack()
    const flows = stack.use(
      createMap({ type: BPF_MAP_TYPE_HASH, keyBytes: FlowKey.fixedSize, valueBytes: fixedSize, maxEntries, flags: BPF_F_NO_PREALLOC }),
    )
    const totals = stack.use(createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: 8, maxEntries: 1 }))
    const pairs = stack.use(new FlowPairs({ flows, totals }))
    return { flows, pairs, [Symbol.dispose]: () => stack.dispose() }
  }

  test('are written whole, and removed', () => {
    using made = make()
    assert.equal(made.pairs.write(outKey, out, inKey, incoming), 0)
    const value = Buffer.alloc(fixedSize)
    assert.equal(made.flows.lookup(outKey, value), 0)
    assert.deepEqual(value, out)
    assert.equal(made.flows.lookup(inKey, value), 0)
    assert.deepEqual(value, incoming)
    made.pairs.remove(outKey, inKey)
    assert.deepEqual([made.flows.lookup(outKey, value), made.flows.lookup(inKey, value)], [-errno.ENOENT, -errno.ENOENT])
    made.pairs.remove(outKey, inKey)
  })

  test('are not written over those of a connection that is there', () => {
    using made = make()
    made.flows.update(outKey, incoming)
    assert.equal(made.pairs.write(outKey, out, inKey, incoming), -errno.EEXIST)
    const value = Buffer.alloc(fixedSize)
    assert.equal(made.flows.lookup(inKey, value), -errno.ENOENT)
    made.flows.lookup(outKey, value)
    assert.deepEqual(value, incoming)
  })

  test('of the client alone is written anew', () => {
    using made = make()
    made.flows.update(inKey, out)
    assert.equal(made.pairs.write(outKey, out, inKey, incoming), 0)
    const value = Buffer.alloc(fixedSize)
    made.flows.lookup(inKey, value)
    assert.deepEqual(value, incoming)
  })

  test('are written both or not at all when the map is full', () => {
    using made = make(1)
    assert.equal(made.pairs.write(outKey, out, inKey, incoming), -errno.E2BIG)
    assert.equal(made.flows.lookup(outKey, Buffer.alloc(fixedSize)), -errno.ENOENT)
  })

  test('what the programs note is read of both, to where it is in an entry', () => {
    using made = make()
    made.pairs.write(outKey, out, inKey, incoming)
    const [outRead, inRead] = [Buffer.alloc(fixedSize), Buffer.alloc(fixedSize)]
    assert.equal(made.pairs.read(outKey, outRead, inKey, inRead), true)
    for (const [read, byte] of [
      [outRead, 3],
      [inRead, 4],
    ] as const) {
      assert.deepEqual(read.subarray(noted.from, noted.end), filled(noted.end - noted.from, byte))
      assert.deepEqual(read.subarray(noted.end), Buffer.alloc(fixedSize - noted.end))
    }
    for (const field of ['state', 'captured', 'flagsSeen', 'sequenceEndMax', 'lastAck', 'packets', 'bytes', 'lastNs'] as const)
      assert.ok(at[field] >= noted.from && at[field] < noted.end, field)
  })

  for (const [what, isSettled, flags, injectedFlags, agoMs] of [
    ['FIN of both', true, [1, 1], 0, 1100],
    ["FIN of both, the client's injected", true, [1, 16], 1, 1100],
    ['RST of one', true, [4, 0], 0, 1100],
    ['FIN of one', false, [1, 16], 0, 1100],
    ['FIN of both just now', false, [1, 1], 0, 500],
    ['neither', false, [16, 16], 0, 5000],
  ] as const)
    test(`with ${what}: ${isSettled ? 'read, and removed' : 'only read'}`, () => {
      using made = make()
      const nowNs = process.hrtime.bigint()
      const entries = flags.map((seen, index) => {
        const entry = Buffer.alloc(fixedSize)
        entry.writeUInt32LE(seen, at.flagsSeen)
        // One of them was silent for longer.
        entry.writeBigUInt64LE(nowNs - BigInt(agoMs + 200 * index) * 1_000_000n, at.lastNs)
        return entry
      })
      made.pairs.write(outKey, entries[0], inKey, entries[1])
      const [outRead, inRead] = [filled(fixedSize, 9), filled(fixedSize, 9)]
      const there = made.pairs.settle(outKey, outRead, inKey, inRead, injectedFlags)
      assert.equal(there, PairThere.out | PairThere.in | (isSettled ? PairThere.settled : 0))
      assert.deepEqual([outRead.readUInt32LE(at.flagsSeen), inRead.readUInt32LE(at.flagsSeen)], flags)
      const left = isSettled ? -errno.ENOENT : 0
      assert.deepEqual([made.flows.lookup(outKey, outRead), made.flows.lookup(inKey, inRead)], [left, left])
    })

  test('that are not there can not be settled; what the server has taken for itself is not', () => {
    using made = make()
    const [outRead, inRead] = [filled(fixedSize, 9), filled(fixedSize, 9)]
    assert.equal(made.pairs.settle(outKey, outRead, inKey, inRead, 4), 0)
    const dead = Buffer.alloc(fixedSize)
    dead[at.state] = AgentState.dead
    dead.writeUInt32LE(4, at.flagsSeen)
    made.pairs.write(outKey, dead, inKey, dead)
    assert.equal(made.pairs.settle(outKey, outRead, inKey, inRead, 4), PairThere.out | PairThere.in)
  })

  test('what is not there is read as zero', () => {
    using made = make()
    const [outRead, inRead] = [filled(fixedSize, 9), filled(fixedSize, 9)]
    made.flows.update(inKey, incoming)
    assert.equal(made.pairs.read(outKey, outRead, inKey, inRead), false)
    assert.deepEqual(outRead.subarray(noted.from, noted.end), Buffer.alloc(noted.end - noted.from))
    assert.equal(inRead[at.state], 4)
  })
})
