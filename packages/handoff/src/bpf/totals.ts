/** What the programs of an instance have counted since it was first attached: the sum over all CPUs. */

import type { BpfMap } from '@holdfast/posix/bpf'
import { Total } from './entries.ts'

/** Names of totals. */
export type TotalName = Exclude<keyof typeof Total, 'count'>

/** All totals. */
export type Totals = Readonly<Record<TotalName, number>>

const names = Object.keys(Total).filter(name => name !== 'count') as TotalName[]
const key = Buffer.alloc(4)

/** Reads them all. The map has one element for each CPU: `Total.count` words of 64 bits. */
export function readTotals(map: BpfMap, scratch: Buffer = Buffer.alloc(map.valueBytes)): Totals {
  const partBytes = 8 * Total.count
  map.lookup(key, scratch)
  const sum = (index: number): number => {
    let total = 0
    for (let at = 8 * index; at < scratch.length; at += partBytes) total += scratch.readUInt32LE(at) + scratch.readUInt32LE(at + 4) * 0x1_0000_0000
    return total
  }
  return Object.fromEntries(names.map(name => [name, sum(Total[name])])) as Totals
}
