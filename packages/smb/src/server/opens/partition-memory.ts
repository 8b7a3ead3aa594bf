/** Words before the slots: the owner's generation, the number of watches, and that of all who listen for changes in folders. */
const headerWords = 8
const wordsPerSlot = 2
const generationWord = 0
const watchesWord = 1
const listenersWord = 2

/** Bytes for a partition's shared memory. */
export const partitionMemoryBytes = (slots: number): number => (headerWords + slots * wordsPerSlot) * Int32Array.BYTES_PER_ELEMENT

/**
 * Memory that all workers share for a partition, so that the usual answer (no locks, nobody caches, nobody
 * watches) costs a load instead of a message. Each stream with opens has a slot with two counters. Give the
 * same to the open table of each worker.
 */
export const createPartitionMemory = (slots = 16_384): SharedArrayBuffer => new SharedArrayBuffer(partitionMemoryBytes(slots))

/** Slot 0 belongs to nobody: for who has it the answer is always "ask the owner". */
export const noSlot = 0

/** A worker's view of the shared memory. Only the owner writes. */
export class PartitionMemory {
  readonly #words: Int32Array<SharedArrayBuffer>

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  get slots(): number {
    return Math.floor((this.#words.length - headerWords) / wordsPerSlot)
  }

  /** Grows with each owner; a slot number counts only with the generation it was given in. */
  get generation(): number {
    return Atomics.load(this.#words, generationWord)
  }

  get watches(): number {
    return Atomics.load(this.#words, watchesWord)
  }

  /** Watches, and leases on folders with read caching: who is to know of a change in a folder's listing. */
  get listeners(): number {
    return Atomics.load(this.#words, listenersWord)
  }

  locks(slot: number): number {
    return Atomics.load(this.#words, headerWords + slot * wordsPerSlot)
  }

  /** Oplocks and leases with read caching on the stream. */
  caching(slot: number): number {
    return Atomics.load(this.#words, headerWords + slot * wordsPerSlot + 1)
  }

  /** A new owner starts: all counters zero. The generation goes first, so that nobody trusts a zero of the old one. */
  reset(): number {
    const generation = Atomics.add(this.#words, generationWord, 1) + 1
    for (let word = generationWord + 1; word < this.#words.length; word++) Atomics.store(this.#words, word, 0)
    return generation
  }

  addWatches(n: number): void {
    Atomics.add(this.#words, watchesWord, n)
    Atomics.add(this.#words, listenersWord, n)
  }

  addFolderLeases(n: number): void {
    Atomics.add(this.#words, listenersWord, n)
  }

  setLocks(slot: number, n: number): void {
    if (slot !== noSlot) Atomics.store(this.#words, headerWords + slot * wordsPerSlot, n)
  }

  setCaching(slot: number, n: number): void {
    if (slot !== noSlot) Atomics.store(this.#words, headerWords + slot * wordsPerSlot + 1, n)
  }
}

/** The owner's list of free slots. */
export class SlotAllocator {
  readonly #memory: PartitionMemory
  readonly #free: number[] = []
  #next = 1

  constructor(memory: PartitionMemory) {
    this.#memory = memory
  }

  /** `noSlot` when there are more streams open than slots. */
  allocate(): number {
    const reused = this.#free.pop()
    if (reused !== undefined) return reused
    return this.#next < this.#memory.slots ? this.#next++ : noSlot
  }

  free(slot: number): void {
    if (slot === noSlot) return
    this.#memory.setLocks(slot, 0)
    this.#memory.setCaching(slot, 0)
    this.#free.push(slot)
  }
}
