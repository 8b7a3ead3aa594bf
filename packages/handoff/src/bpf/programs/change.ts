/**
 * The program by which an agent writes its own fields of an entry, and leaves the others as they are: `update` after `lookup` would take back what the packet programs have noted in between, a FIN above all.
 * It is called with a key and a value, one after the other.
 */

import { Assembler, Frame, at, r0, r1, r6, r7 } from '../assembler/index.ts'
import type { Program } from '../assembler/index.ts'
import { maps } from './context.ts'

/** Bytes `from` to `end` of an entry. */
export type Range = readonly [from: number, end: number]

/** Where the value begins. */
export const valueAt = 40

/** What it writes of an entry. */
export interface Changed {
  /** What is the agent's. */
  readonly ranges: readonly Range[]
  /** Where there are flags (32 bits) that are added to those that are there. */
  readonly flagsAt?: number
}

/** Makes it. It returns 0, or 1 when there is no such entry. */
export function changeProgram({ ranges, flagsAt }: Changed): Program {
  const a = new Assembler('hf_change')
  a.mov(r6, r1)
  // A helper takes no part of what the program is called with.
  const key = new Frame().take(valueAt)
  for (let offset = 0; offset < valueAt; offset += 8) a.ldxdw(r1, at(r6, offset)).stdw(key.plus(offset), r1)
  a.call('map_lookup_elem', maps.flows, key.address)
  a.jeq(r0, 0, 'none')
  a.mov(r7, r0)
  for (const [from, end] of ranges) copy(a, from, end)
  if (flagsAt !== undefined) a.ldxw(r1, at(r6, valueAt + flagsAt)).atomicOr32(at(r7, flagsAt), r1)
  a.mov32(r0, 0)
  a.exit()
  a.label('none')
  a.mov32(r0, 1)
  a.exit()
  return a.assemble()
}

/** In the largest pieces that are aligned. */
function copy(a: Assembler, from: number, end: number): void {
  for (let offset = from; offset < end;) {
    const bytes = [8, 4, 2].find(size => offset % size === 0 && offset + size <= end) ?? 1
    const [source, target] = [at(r6, valueAt + offset), at(r7, offset)]
    if (bytes === 8) a.ldxdw(r1, source).stdw(target, r1)
    else if (bytes === 4) a.ldxw(r1, source).stw(target, r1)
    else if (bytes === 2) a.ldxh(r1, source).sth(target, r1)
    else a.ldxb(r1, source).stb(target, r1)
    offset += bytes
  }
}
