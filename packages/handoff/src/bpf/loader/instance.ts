/** What director and server agent have in common: maps that are made or found, a program to change entries, and programs at interfaces. */

import {
  BPF_F_NO_PREALLOC,
  BPF_F_SLEEPABLE,
  BPF_MAP_TYPE_HASH,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SYSCALL,
  VerifierError,
  createMap,
  loadProgram,
} from '@holdfast/posix/bpf'
import { BPF_MAP_TYPE_PERCPU_ARRAY } from '@holdfast/posix/bpf'
import type { BpfMap, BpfProgram } from '@holdfast/posix/bpf'
import { errno } from '@holdfast/posix'
import type { Program } from '../assembler/index.ts'
import { FlowKey, Total } from '../entries.ts'
import { FlowMap } from '../flow-map.ts'
import type { ChangeEntry } from '../flow-map.ts'
import { headsValueBytes } from '../programs/answers.ts'
import { changeProgram, valueAt } from '../programs/change.ts'
import type { Changed } from '../programs/change.ts'
import { readTotals } from '../totals.ts'
import type { Totals } from '../totals.ts'
import type { Pins } from './pins.ts'

/** Entries a map has room for where nothing is said. */
export const maxEntriesDefault = 262_144

/** Maps of an instance by the names that its programs know them by. */
export interface InstanceMaps {
  readonly flows: BpfMap
  readonly totals: BpfMap
  readonly directors?: BpfMap
  readonly opened?: BpfMap
  readonly openings?: BpfMap
  readonly settings?: BpfMap
  readonly heads?: BpfMap
  readonly owners?: BpfMap
  readonly headers?: BpfMap
  readonly scratch?: BpfMap
}

/** Directors a server agent takes wrapped packets from, at most. */
const directorsMax = 1024
const addressBytes = 16

/** Makes the map of flows, or finds it; memory is taken when entries come. */
export const openFlows = (pins: Pins, valueBytes: number, maxEntries = maxEntriesDefault): BpfMap =>
  pins.map('flows', { type: BPF_MAP_TYPE_HASH, keyBytes: FlowKey.fixedSize, valueBytes, maxEntries, flags: BPF_F_NO_PREALLOC, name: 'hf_flows' })

/** Makes the map of totals, or finds it. */
export const openTotals = (pins: Pins): BpfMap =>
  pins.map('totals', { type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: 8 * Total.count, maxEntries: 1, name: 'hf_totals' })

/** Makes the memory that heads of responses are read in: nothing that lasts. */
export const createHeads = (): BpfMap =>
  createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: headsValueBytes, maxEntries: 1, name: 'hf_heads' })

/** Makes the list of known directors, or finds it. */
export const openDirectors = (pins: Pins): BpfMap =>
  pins.map('directors', {
    type: BPF_MAP_TYPE_HASH,
    keyBytes: addressBytes,
    valueBytes: 8,
    maxEntries: directorsMax,
    flags: BPF_F_NO_PREALLOC,
    name: 'hf_directors',
  })

/** Loads a program for packets. Throws `VerifierError`, with what the verifier said and our labels in it. */
export function loadPacketProgram(program: Program, maps: InstanceMaps): BpfProgram {
  return load(program, maps, BPF_PROG_TYPE_SCHED_CLS, 0)
}

/** Loads one of another type. */
export function load(program: Program, maps: InstanceMaps, type: number, flags: number): BpfProgram {
  const fds = Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, (map as BpfMap).fd]))
  try {
    return loadProgram({ type, flags, instructions: program.bytes(fds), name: program.name })
  } catch (error) {
    if (error instanceof VerifierError) throw new VerifierError(error.errno, program.explain(error.log))
    throw error
  }
}

/** The map for an agent, with `change` done in the kernel. */
export function flowMapOf(maps: InstanceMaps, changed: Changed): { readonly flows: FlowMap; readonly changer: BpfProgram } {
  const changer = load(changeProgram(changed), maps, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE)
  const given = Buffer.alloc(valueAt + maps.flows.valueBytes)
  const change: ChangeEntry = (key, value) => {
    key.copy(given, 0, 0, FlowKey.fixedSize)
    value.copy(given, valueAt, 0, maps.flows.valueBytes)
    return changer.run(given) === 0 ? 0 : -errno.ENOENT
  }
  return { flows: new FlowMap(maps.flows, change), changer }
}

/** Reads totals into memory that is used again. */
export function totalsReader(map: BpfMap): () => Totals {
  const scratch = Buffer.alloc(map.valueBytes)
  return () => readTotals(map, scratch)
}
