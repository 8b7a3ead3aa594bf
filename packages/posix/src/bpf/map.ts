/** Maps: what programs and processes share. */
import { readFileSync } from 'node:fs'
import { addressAt, allocate, rangeAt } from '../addresses.ts'
import { errno, orThrow } from '../errors.ts'
import { bindCalls, memoryAt } from '../libc.ts'
import { BpfObject, Command, attributeBytes, attributeWords, bpf, nameAt, objectInfo, openPinned, setName, setPointer } from './call.ts'
import { BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH } from './constants.ts'

const mapping = bindCalls({ mmap: ['mmap', 'int64', 'int64', 'int64', 'int', 'int', 'int', 'int64'] })
const PROT_READ = 1
const MAP_SHARED = 1
/** Larger pages are multiples of it, and a mapping may be shorter than they are. */
const pageBytes = 4096

/** What a map is. */
export interface MapShape {
  readonly type: number
  readonly keyBytes: number
  /** Of one CPU, where each has its own. */
  readonly valueBytes: number
  readonly maxEntries: number
  readonly flags?: number
  /** At most 15 characters. */
  readonly name?: string
}

const perCpuTypes: readonly number[] = [BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH]

let cpus = 0

/** How many CPUs there may ever be: a value of a per-CPU map has a part for each. */
export const possibleCpus = (): number => {
  // A list of ranges as `0-3,8-11`; numbers that are left out in between count as well.
  cpus ||= Math.max(...readFileSync('/sys/devices/system/cpu/possible', 'latin1').trim().split(/[-,]/).map(Number)) + 1
  return cpus
}

/** Bytes of a command's attributes. */
const elementBytes = { lookup: 32, update: 32, delete: 16, nextKey: 24 }
/** Where a batch's attributes are: in_batch, out_batch, keys, values; then two words. */
const batch = { in: 0, out: 8, keys: 16, values: 24, countWord: 8, fdWord: 9, bytes: 56 }
const batchEntries = 1024

/** A map: keys and values of fixed length, that programs and processes share. */
export class BpfMap extends BpfObject {
  readonly type: number
  readonly keyBytes: number
  /** Of all CPUs together, where each has its own (each a multiple of 8). */
  readonly valueBytes: number
  readonly maxEntries: number
  readonly name: string
  #sums: Buffer | undefined

  /** Takes over a descriptor; `createMap` and `openPinnedMap` make one. */
  constructor(fd: number, { type, keyBytes, valueBytes, maxEntries, name = '' }: MapShape) {
    super(fd)
    this.type = type
    this.keyBytes = keyBytes
    this.valueBytes = perCpuTypes.includes(type) ? possibleCpus() * Math.ceil(valueBytes / 8) * 8 : valueBytes
    this.maxEntries = maxEntries
    this.name = name
  }

  /** Reads a value to `value`. -ENOENT: no such key. */
  lookup(key: Uint8Array, value: Uint8Array): number {
    this.#setElement(key, value, this.valueBytes, 0)
    return bpf(Command.mapLookupElement, elementBytes.lookup)
  }

  /** Writes a value. `BPF_NOEXIST` (-EEXIST), `BPF_EXIST` (-ENOENT); -E2BIG: the map is full. */
  update(key: Uint8Array, value: Uint8Array, flags = 0): number {
    this.#setElement(key, value, this.valueBytes, flags)
    return bpf(Command.mapUpdateElement, elementBytes.update)
  }

  /** Reads a value to `value` and removes it, at once: of all who ask, one gets it. Of hashes since Linux 5.14. -ENOENT: no such key. */
  take(key: Uint8Array, value: Uint8Array): number {
    this.#setElement(key, value, this.valueBytes, 0)
    return bpf(Command.mapLookupAndDeleteElement, elementBytes.lookup)
  }

  /** -ENOENT: no such key. */
  remove(key: Uint8Array): number {
    this.#setKey(key)
    return bpf(Command.mapDeleteElement, elementBytes.delete)
  }

  /** The key after `previous` (undefined: the first) to `key`. -ENOENT: that was the last. */
  nextKey(previous: Uint8Array | undefined, key: Uint8Array): number {
    if (previous === undefined) this.#setElement(key, key, this.keyBytes, 0)
    else this.#setElement(previous, key, this.keyBytes, 0)
    if (previous === undefined) setPointer(8, 0)
    return bpf(Command.mapGetNextKey, elementBytes.nextKey)
  }

  /** Writes `count` entries, whose keys and values stand one behind the other: in rows, a third of the price. Returns how many were written; the next one is what failed. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    const valuesAt = rangeAt(values, 0, count * this.valueBytes)
    this.#setBatch(rangeAt(keys, 0, count * this.keyBytes), valuesAt, count)
    return this.#batchDone(Command.mapUpdateBatch, count)
  }

  /** Removes `count` keys that stand one behind the other. Returns how many were removed: the next one is not there. */
  removeBatch(keys: Uint8Array, count: number): number {
    this.#setBatch(rangeAt(keys, 0, count * this.keyBytes), 0, count)
    return this.#batchDone(Command.mapDeleteBatch, count)
  }

  /**
   * Calls `visit` with each entry; both Buffers are used again for the next. What changes meanwhile may be seen or not. Entries may be removed in it.
   */
  forEach(visit: (key: Buffer, value: Buffer) => void): void {
    const { keyBytes, valueBytes } = this
    let entries = Math.min(batchEntries, this.maxEntries)
    // A place in the map: a number, or a key.
    const cursor = allocate(Math.max(8, keyBytes))
    let keys = allocate(entries * keyBytes)
    let values = allocate(entries * valueBytes)
    for (let begun = false; ;) {
      this.#setBatch(keys.address, values.address, entries)
      if (begun) setPointer(batch.in, cursor.address)
      setPointer(batch.out, cursor.address)
      const result = bpf(Command.mapLookupBatch, batch.bytes)
      if (result === -errno.ENOSPC) {
        // A bucket of the hash has more than that.
        entries *= 2
        keys = allocate(entries * keyBytes)
        values = allocate(entries * valueBytes)
        continue
      }
      if (result !== -errno.ENOENT) orThrow(result, 'BPF_MAP_LOOKUP_BATCH')
      const count = attributeWords[batch.countWord]
      for (let i = 0; i < count; i++)
        visit(keys.bytes.subarray(i * keyBytes, (i + 1) * keyBytes), values.bytes.subarray(i * valueBytes, (i + 1) * valueBytes))
      if (result === -errno.ENOENT) return
      begun = true
    }
  }

  /**
   * Of an array with `BPF_F_MMAPABLE`: its values (each a multiple of 8 bytes) as they are, without a call. Good until the process ends; the map lives for as long.
   * Throws `PosixError`.
   */
  memory(): Buffer {
    const lengthBytes = Math.ceil((Math.ceil(this.valueBytes / 8) * 8 * this.maxEntries) / pageBytes) * pageBytes
    return memoryAt(orThrow(mapping.mmap(0, lengthBytes, PROT_READ, MAP_SHARED, this.fd, 0), 'mmap'), lengthBytes)
  }

  /** Of a per-CPU array of u64: the sum over all CPUs at an index. */
  sum(index: number): number {
    const scratch = (this.#sums ??= allocate(8 + this.valueBytes).bytes)
    scratch.writeUInt32LE(index, 0)
    orThrow(this.lookup(scratch.subarray(0, 4), scratch.subarray(8)), 'BPF_MAP_LOOKUP_ELEM')
    let total = 0
    for (let at = 8; at < 8 + this.valueBytes; at += 8) total += scratch.readUInt32LE(at) + scratch.readUInt32LE(at + 4) * 0x1_0000_0000
    return total
  }

  #setBatch(keys: number, values: number, count: number): void {
    attributeBytes.fill(0, 0, batch.bytes)
    setPointer(batch.keys, keys)
    setPointer(batch.values, values)
    attributeWords[batch.countWord] = count
    attributeWords[batch.fdWord] = this.fd
  }

  #batchDone(command: number, count: number): number {
    if (count === 0) return 0
    const result = bpf(command, batch.bytes)
    // Only then has the kernel not begun, and not written how far it got.
    if (result === -errno.EINVAL) orThrow(result, 'bpf batch')
    return result === 0 ? count : attributeWords[batch.countWord]
  }

  #setKey(key: Uint8Array): void {
    if (key.length < this.keyBytes) throw new RangeError(`a key of ${key.length} bytes, not ${this.keyBytes}`)
    attributeWords[0] = this.fd
    attributeWords[1] = 0
    setPointer(8, addressAt(key))
  }

  #setElement(key: Uint8Array, second: Uint8Array, secondBytes: number, flags: number): void {
    this.#setKey(key)
    if (second.length < secondBytes) throw new RangeError(`a value of ${second.length} bytes, not ${secondBytes}`)
    setPointer(16, addressAt(second))
    attributeWords[6] = flags
    attributeWords[7] = 0
  }
}

/** Makes a map. */
export const createMap = (shape: MapShape): BpfMap => {
  attributeBytes.fill(0)
  const { type, keyBytes, valueBytes, maxEntries, flags = 0, name = '' } = shape
  for (const [word, value] of [type, keyBytes, valueBytes, maxEntries, flags].entries()) attributeWords[word] = value
  setName(28, name)
  return new BpfMap(orThrow(bpf(Command.mapCreate, 72), 'BPF_MAP_CREATE'), shape)
}

/** Opens a map that is pinned; undefined when there is no such name. */
export const openPinnedMap = (path: string): BpfMap | undefined => {
  const fd = openPinned(path)
  if (fd === undefined) return undefined
  const info = objectInfo(fd, 88)
  const [type = 0, , keyBytes = 0, valueBytes = 0, maxEntries = 0, flags = 0] = new Uint32Array(info.buffer, 0, 6)
  return new BpfMap(fd, { type, keyBytes, valueBytes, maxEntries, flags, name: nameAt(info, 24) })
}
