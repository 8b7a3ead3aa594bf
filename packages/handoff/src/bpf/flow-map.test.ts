import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { possibleCpus } from '@holdfast/posix/bpf'
import { errno } from '@holdfast/posix'
import { AgentEntry, DirectorEntry, FlowKey, Total } from './entries.ts'
import { flowMapOf } from './loader/instance.ts'
import { agentChanged } from './loader/server-agent.ts'
import { directorChanged } from './loader/director.ts'
import { offsetsOf } from './offsets.ts'
import { programsUnavailable } from './test-support/availability.ts'
import { Laboratory } from './test-support/laboratory.ts'

const skip = programsUnavailable()
const key = Buffer.alloc(FlowKey.fixedSize, 3)

/** Of each layout, what the programs write: the first and the last field. */
const counted = {
  director: { layout: DirectorEntry, changed: directorChanged, from: offsetsOf(DirectorEntry).packets, end: offsetsOf(DirectorEntry).generation },
  'server agent': { layout: AgentEntry, changed: agentChanged, from: offsetsOf(AgentEntry).captured, end: offsetsOf(AgentEntry).generation },
}

describe('a map of flows', { skip }, () => {
  for (const [name, { layout, changed, from, end }] of Object.entries(counted)) {
    test(`a change writes the agent's fields of an entry, and leaves what the program counts but for flags, which are added (${name})`, () => {
      using laboratory = new Laboratory(layout.fixedSize)
      const { flows, changer } = flowMapOf({ flows: laboratory.flows, totals: laboratory.totalsMap }, changed)
      using _changer = changer
      const [before, given, found] = [1, 2, 0].map(byte => Buffer.alloc(layout.fixedSize, byte))
      assert.ok(before !== undefined && given !== undefined && found !== undefined)
      assert.equal(flows.change(key, given), -errno.ENOENT)
      assert.equal(flows.update(key, before), 0)
      assert.equal(flows.change(key, given), 0)
      assert.ok(flows.lookup(key, found))
      const expected = Buffer.from(given)
      before.copy(expected, from, from, end)
      const { flagsAt } = changed
      if (flagsAt !== undefined) expected.writeUInt32LE(0x0303_0303, flagsAt)
      assert.deepEqual(found, expected)
      const seen: string[] = []
      flows.forEach(each => void seen.push(each.toString('hex')))
      assert.deepEqual(seen, [key.toString('hex')])
      assert.deepEqual([flows.remove(key), flows.remove(key), flows.lookup(key, found)], [true, false, false])
    })
  }

  test('totals are summed over all CPUs', () => {
    using laboratory = new Laboratory(8)
    const values = Buffer.alloc(laboratory.totalsMap.valueBytes)
    for (let cpu = 0; cpu < possibleCpus(); cpu++) {
      values.writeBigUInt64LE(BigInt(cpu + 1), cpu * 8 * Total.count + 8 * Total.raisedPackets)
      values.writeBigUInt64LE(2n ** 40n, cpu * 8 * Total.count + 8 * Total.outBytes)
    }
    laboratory.totalsMap.update(Buffer.alloc(4), values)
    const { raisedPackets, outBytes, inBytes } = laboratory.totals()
    assert.deepEqual([raisedPackets, outBytes, inBytes], [(possibleCpus() * (possibleCpus() + 1)) / 2, possibleCpus() * 2 ** 40, 0])
  })
})
