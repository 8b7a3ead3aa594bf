/** The director's program as it sends known requests on by itself, with what it needs for that. All of it is made anew by each process: what an earlier one knew of owners decides nothing any more. */

import {
  BPF_F_NO_PREALLOC,
  BPF_F_SLEEPABLE,
  BPF_MAP_TYPE_LPM_TRIE,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_PROG_TYPE_SYSCALL,
  createMap,
} from '@holdfast/posix/bpf'
import type { BpfProgram } from '@holdfast/posix/bpf'
import { PosixError } from '@holdfast/posix'
import type { Program } from '../assembler/index.ts'
import { HeaderValue, KnownLimits, OwnerKey, OwnerValue } from '../known-layouts.ts'
import { KnownRequests } from '../known-requests.ts'
import { directorProgram } from '../programs/director.ts'
import type { DirectorConstants } from '../programs/director.ts'
import { scratchBytes } from '../programs/known-request.ts'
import { giveLeadProgram, takeLeadProgram } from '../programs/lead.ts'
import { RequestLead } from '../request-lead.ts'
import { load, loadPacketProgram } from './instance.ts'
import type { InstanceMaps } from './instance.ts'

/** Prefixes of targets that there may be; each takes its memory when it comes. */
const ownersMax = 65_536

/** The maps that the program needs more. */
export type KnowingMaps = Required<Pick<InstanceMaps, 'owners' | 'headers' | 'scratch'>>

/** Makes them. Throws `PosixError`. */
export function createKnowingMaps(undo: DisposableStack): KnowingMaps {
  const headers = { keyBytes: KnownLimits.headerBytesMax, valueBytes: HeaderValue.fixedSize, maxEntries: KnownLimits.headersMax }
  const owners = { keyBytes: OwnerKey.bytes, valueBytes: OwnerValue.fixedSize, maxEntries: ownersMax, flags: BPF_F_NO_PREALLOC }
  return {
    owners: undo.use(createMap({ type: BPF_MAP_TYPE_LPM_TRIE, ...owners, name: 'hf_owners' })),
    headers: undo.use(createMap({ type: BPF_MAP_TYPE_LRU_HASH, ...headers, name: 'hf_headers' })),
    scratch: undo.use(createMap({ type: BPF_MAP_TYPE_PERCPU_ARRAY, keyBytes: 4, valueBytes: scratchBytes, maxEntries: 1, name: 'hf_scratch' })),
  }
}

/** The programs by which the lead over requests is given and taken. Throws `PosixError`. */
export function loadLead(maps: InstanceMaps): RequestLead {
  using undo = new DisposableStack()
  const loaded = (program: Program): BpfProgram => undo.use(load(program, maps, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE))
  const lead = new RequestLead(loaded(giveLeadProgram()), loaded(takeLeadProgram()))
  undo.move()
  return lead
}

/** See above. */
export class Knowing implements Disposable {
  readonly known: KnownRequests
  readonly maps: KnowingMaps
  /** The program, if no other is loaded that can do this and more. */
  readonly program: BpfProgram
  readonly #owned: DisposableStack

  /** Throws `PosixError`, a `VerifierError` where the kernel has not what the program calls. */
  constructor(constants: DirectorConstants, maps: InstanceMaps) {
    using undo = new DisposableStack()
    this.maps = createKnowingMaps(undo)
    this.program = undo.use(loadPacketProgram(directorProgram({ ...constants, knowsRequests: true }), { ...maps, ...this.maps }))
    this.known = new KnownRequests(this.maps.owners, this.maps.headers, undo.use(loadLead(maps)))
    this.#owned = undo.move()
  }

  [Symbol.dispose](): void {
    this.#owned.dispose()
  }
}

/** Loads the program so that it sends known requests on; where that cannot be, says why. */
export function loadKnowing(constants: DirectorConstants, maps: InstanceMaps): Knowing | string {
  try {
    return new Knowing(constants, maps)
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    return `the kernel does not let the program know requests (Linux 5.12 does, 5.18 on arm64), the director looks at each: ${error.message.split('\n', 1)[0]}`
  }
}
