/** A program with maps of its own, and packets for it: nothing of this touches a network. */

import { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, createMap } from '@holdfast/posix/bpf'
import type { BpfMap, BpfProgram } from '@holdfast/posix/bpf'
import type { Program } from '../assembler/index.ts'
import { FlowKey, OpeningEntry, Total } from '../entries.ts'
import { createHeads, loadPacketProgram } from '../loader/instance.ts'
import { readTotals } from '../totals.ts'
import type { Totals } from '../totals.ts'
import type { Family } from '../../transform/families.ts'

/** Maps for programs of a kind. */
export class Laboratory implements Disposable {
  readonly flows: BpfMap
  readonly totalsMap: BpfMap
  readonly directors: BpfMap
  readonly openings: BpfMap
  readonly settings: BpfMap
  readonly heads: BpfMap = createHeads()
  readonly #programs: BpfProgram[] = []

  constructor(valueBytes: number) {
    this.flows = createMap({ type: BPF_MAP_TYPE_HASH, keyBytes: FlowKey.fixedSize, valueBytes, maxEntries: 1000 })
    this.totalsMap = createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: 8 * Total.count, maxEntries: 1 })
    this.directors = createMap({ type: BPF_MAP_TYPE_HASH, keyBytes: 16, valueBytes: 8, maxEntries: 10 })
    this.openings = createMap({ type: BPF_MAP_TYPE_LRU_HASH, keyBytes: FlowKey.fixedSize, valueBytes: OpeningEntry.fixedSize, maxEntries: 10_000 })
    this.settings = createMap({ type: BPF_MAP_TYPE_ARRAY, keyBytes: 4, valueBytes: 4, maxEntries: 1 })
  }

  load(program: Program): BpfProgram {
    const { flows, totalsMap: totals, directors, openings, settings, heads } = this
    const loaded = loadPacketProgram(program, { flows, totals, directors, openings, settings, heads })
    this.#programs.push(loaded)
    return loaded
  }

  totals(): Totals {
    return readTotals(this.totalsMap)
  }

  [Symbol.dispose](): void {
    const { flows, totalsMap, directors, openings, settings, heads } = this
    for (const object of [...this.#programs, flows, totalsMap, directors, openings, settings, heads]) object[Symbol.dispose]()
  }
}

const output = Buffer.alloc(4096)

/** Runs a program on a frame. */
export function run(program: BpfProgram, frame: Buffer): { readonly returned: number; readonly frame: Buffer } {
  const { returned, outputBytes } = program.testRun({ packet: frame, output })
  return { returned, frame: Buffer.from(output.subarray(0, outputBytes)) }
}

/** Link addresses that say nothing. */
const linkAddresses = Buffer.from('020000000001020000000002', 'hex')

/** A frame of Ethernet. */
export function ethernet(packet: Buffer, family: Family | number): Buffer {
  const etherType = typeof family === 'number' ? family : family.etherType
  return Buffer.concat([linkAddresses, Buffer.from([etherType >>> 8, etherType & 0xff]), packet])
}
