/** The program that opens second connections without a handshake, at lo. It ends with the process: nothing that lives needs it. */

import { BPF_F_MMAPABLE, BPF_MAP_TYPE_ARRAY, createMap, createTcxLink } from '@holdfast/posix/bpf'
import type { BpfLink, BpfMap } from '@holdfast/posix/bpf'
import { PosixError } from '@holdfast/posix'
import { interfaceIndex } from '@holdfast/posix/network'
import { kernelFunction } from '../kernel-functions.ts'
import { assignFunction, openProgram } from '../programs/open.ts'
import { loadPacketProgram } from './instance.ts'
import type { InstanceMaps } from './instance.ts'

/** What marks packets that are to open a connection (SO_MARK): `HFO1`. */
export const openingMark = 0x4846_4f31

/** The program at work. */
export class Opening implements Disposable {
  readonly #map: BpfMap
  readonly #link: BpfLink

  constructor(maps: InstanceMaps, assign: number) {
    using stack = new DisposableStack()
    this.#map = stack.use(
      createMap({ type: BPF_MAP_TYPE_ARRAY, keyBytes: 4, valueBytes: 8, maxEntries: 1, flags: BPF_F_MMAPABLE, name: 'hf_opened' }),
    )
    const memory = this.#map.memory()
    this.count = () => memory.readUInt32LE(0)
    using program = loadPacketProgram(openProgram({ mark: openingMark, assign }), { ...maps, opened: this.#map })
    this.#link = createTcxLink(program, interfaceIndex('lo'), 'ingress')
    stack.move()
  }

  /** How many connections it has opened, modulo 2^32. */
  readonly count: () => number;

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]()
    this.#map[Symbol.dispose]()
  }
}

/** Puts it there. Undefined where the kernel cannot (before Linux 6.8, or without type information): handshakes do the same. */
export function attachOpening(maps: InstanceMaps): Opening | undefined {
  const assign = kernelFunction(assignFunction)
  if (assign === undefined) return undefined
  try {
    return new Opening(maps, assign)
  } catch (error) {
    if (error instanceof PosixError) return undefined
    throw error
  }
}
