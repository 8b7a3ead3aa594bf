/** Both entries of a server agent's connection at a time. */

import { PosixError } from '@holdfast/posix'
import type { BpfProgram } from '@holdfast/posix/bpf'
import { BPF_F_SLEEPABLE, BPF_PROG_TYPE_SYSCALL } from '@holdfast/posix/bpf'
import { noted, PairAt, PairThere, readPairProgram, removePairProgram, settlePairProgram, writePairProgram } from '../programs/pair.ts'
import { load } from './instance.ts'
import type { InstanceMaps } from './instance.ts'

const notedBytes = noted.end - noted.from

/** See above. Keys are those of `out` (server → client) and `in` (client → VIP); they and the entries have the lengths of their layouts. */
export class FlowPairs implements Disposable {
  readonly #write: BpfProgram
  readonly #read: BpfProgram
  readonly #settle: BpfProgram
  readonly #remove: BpfProgram
  readonly #given = Buffer.alloc(PairAt.bytes)
  readonly #settleGiven = this.#given.subarray(0, PairAt.injectedFlags + 8)
  readonly #outNoted = this.#given.subarray(PairAt.outNoted, PairAt.outNoted + notedBytes)
  readonly #inNoted = this.#given.subarray(PairAt.inNoted, PairAt.inNoted + notedBytes)
  readonly #readGiven = this.#given.subarray(0, PairAt.inNoted + notedBytes)
  readonly #keysGiven = this.#given.subarray(0, PairAt.outNoted)

  constructor(maps: InstanceMaps) {
    const [write, read, settle, remove] = [writePairProgram(), readPairProgram(), settlePairProgram(), removePairProgram()]
    this.#write = load(write, maps, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE)
    this.#read = load(read, maps, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE)
    this.#settle = load(settle, maps, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE)
    this.#remove = load(remove, maps, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE)
  }

  /** Writes both, or none: -EEXIST when there is an `out` already, -E2BIG when the map is full. */
  write(outKey: Buffer, out: Buffer, inKey: Buffer, incoming: Buffer): number {
    this.#setKeys(outKey, inKey)
    this.#given.set(out, PairAt.outEntry)
    this.#given.set(incoming, PairAt.inEntry)
    try {
      return this.#write.run(this.#given)
    } catch (error) {
      // No memory, say: one hand-off is refused, and nobody else hears of it.
      if (error instanceof PosixError) return -error.errno
      throw error
    }
  }

  /** Reads what the programs for packets have noted in both (state, flags, numbers, counters) to where it is in an entry. False: there is no `out`. What there is none of is zero. */
  read(outKey: Buffer, out: Buffer, inKey: Buffer, incoming: Buffer): boolean {
    this.#setKeys(outKey, inKey)
    this.#given.fill(0, PairAt.outNoted, PairAt.inNoted + notedBytes)
    const there = this.#read.run(this.#readGiven)
    out.set(this.#outNoted, noted.from)
    incoming.set(this.#inNoted, noted.from)
    return (there & PairThere.out) !== 0
  }

  /**
   * The same, and removes both when the connection has been over for `lingerMs`: RST, or FIN of both sides, of which `injectedFlags` are the client's that no program has seen. Returns `PairThere`; without
   * `out` nothing is read.
   */
  settle(outKey: Buffer, out: Buffer, inKey: Buffer, incoming: Buffer, injectedFlags: number): number {
    this.#setKeys(outKey, inKey)
    this.#inNoted.fill(0)
    this.#given.writeUInt32LE(injectedFlags, PairAt.injectedFlags)
    const there = this.#settle.run(this.#settleGiven)
    out.set(this.#outNoted, noted.from)
    incoming.set(this.#inNoted, noted.from)
    return there
  }

  /** Removes both. */
  remove(outKey: Buffer, inKey: Buffer): void {
    this.#setKeys(outKey, inKey)
    this.#remove.run(this.#keysGiven)
  }

  [Symbol.dispose](): void {
    for (const program of [this.#write, this.#read, this.#settle, this.#remove]) program[Symbol.dispose]()
  }

  #setKeys(outKey: Buffer, inKey: Buffer): void {
    this.#given.set(outKey, PairAt.out)
    this.#given.set(inKey, PairAt.in)
  }
}
