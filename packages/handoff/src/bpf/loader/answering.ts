/** The director's program as it answers SYNs itself, with what it needs for that: the map of openings, which outlives the process, and the setting by which it does so, which does not. */

import { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_LRU_HASH, createMap } from '@holdfast/posix/bpf'
import type { BpfMap, BpfProgram } from '@holdfast/posix/bpf'
import { PosixError, orThrow } from '@holdfast/posix'
import { interfaceMtu } from '@holdfast/posix/network'
import { FlowKey, OpeningEntry } from '../entries.ts'
import { OpeningMap } from '../opening-map.ts'
import { directorProgram } from '../programs/director.ts'
import type { DirectorConstants } from '../programs/director.ts'
import { familyOf } from '../../transform/families.ts'
import { tcpHeaderBytesMin } from '../../transform/packet.ts'
import { loadPacketProgram } from './instance.ts'
import type { InstanceMaps } from './instance.ts'
import type { Pins } from './pins.ts'

/** A flood of SYNs pushes out what is oldest. */
const openingsMax = 65_536

const openOpenings = (pins: Pins): BpfMap =>
  pins.map('openings', {
    type: BPF_MAP_TYPE_LRU_HASH,
    keyBytes: FlowKey.fixedSize,
    valueBytes: OpeningEntry.fixedSize,
    maxEntries: openingsMax,
    name: 'hf_openings',
  })

/** A program that is loaded begins with all of them off, whatever became of the process that has loaded the one before. */
const createSettings = (): BpfMap => createMap({ type: BPF_MAP_TYPE_ARRAY, keyBytes: 4, valueBytes: 4, maxEntries: 1, name: 'hf_settings' })

const key = Buffer.alloc(4)
const [on, off] = [Buffer.from([1, 0, 0, 0]), Buffer.alloc(4)]

/** See above. */
export class Answering implements Disposable {
  readonly program: BpfProgram
  readonly openings: OpeningMap
  readonly #openings: BpfMap
  readonly #settings: BpfMap

  /** Throws `PosixError`, a `VerifierError` where the kernel has not what the program calls. */
  constructor(constants: DirectorConstants & { readonly synAckMss: number }, maps: InstanceMaps, pins: Pins) {
    using stack = new DisposableStack()
    this.#settings = stack.use(createSettings())
    this.#openings = stack.use(openOpenings(pins))
    this.openings = new OpeningMap(this.#openings)
    this.program = loadPacketProgram(directorProgram(constants), { ...maps, openings: this.#openings, settings: this.#settings })
    stack.move()
  }

  /** Has SYNs answered, or not. */
  set(isOn: boolean): void {
    orThrow(this.#settings.update(key, isOn ? on : off), 'BPF_MAP_UPDATE_ELEM')
  }

  [Symbol.dispose](): void {
    this.set(false)
    for (const object of [this.program, this.#openings, this.#settings]) object[Symbol.dispose]()
  }
}

/** MSS by the interface's MTU (RFC 6691 2). */
export const mssOf = (device: string, vip: Uint8Array): number => interfaceMtu(device) - familyOf(vip).headerBytes - tcpHeaderBytesMin

/** Loads the program so that it answers SYNs; where that cannot be, says why. */
export function loadAnswering(constants: DirectorConstants & { readonly synAckMss: number }, maps: InstanceMaps, pins: Pins): Answering | string {
  try {
    return new Answering(constants, maps, pins)
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    pins.remove('openings')
    return `the kernel does not let the program answer clients' SYNs (Linux 6.0 does), the stack's listener does: ${error.message.split('\n', 1)[0]}`
  }
}
