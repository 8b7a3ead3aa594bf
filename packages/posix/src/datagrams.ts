/** Many datagrams in one call: recvmmsg(2) and sendmmsg(2), over memory that is laid out once. */
import { allocate, rangeAt, setAddress } from './addresses.ts'
import type { Memory } from './addresses.ts'
import { Endpoint } from './endpoint.ts'
import { errno } from './errors.ts'
import { bindCalls } from './libc.ts'
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_TRUNC, SO_TIMESTAMPNS, SOL_SOCKET } from './network-constants.ts'

const calls = bindCalls({
  recvmmsg: ['recvmmsg', 'int', 'int', 'int64', 'uint32', 'int', 'int64'],
  sendmmsg: ['sendmmsg', 'int', 'int', 'int64', 'uint32', 'int'],
})

/** struct mmsghdr: a struct msghdr, and how long the message is. In words of 32 bits: */
const headerWords = 16
const at = { name: 0, nameLength: 2, vectors: 4, vectorCount: 6, control: 8, controlLength: 10, flags: 12, length: 14 }
/** struct iovec. */
const vectorWords = 4
/** A sockaddr_in6, up to the next multiple of 8. */
const nameBytes = 32

/** A struct cmsghdr (its length, level and type) with a struct timespec. */
const controlBytes = 32
const controlAt = { level: 2, type: 3, seconds: 4, nanoseconds: 6 }

/** How much memory a batch has. */
export interface DatagramMemory {
  /** Datagrams. */
  readonly slots: number
  /** Bytes of each. */
  readonly slotBytes: number
}

const endpoints = (memory: Memory, slots: number): Endpoint[] =>
  Array.from({ length: slots }, (_, slot) => new Endpoint(memory.bytes.subarray(slot * nameBytes, slot * nameBytes + 28)))

/**
 * Receives up to `slots` datagrams in one call. What came stays until the next `receive`.
 *
 * @example
 * const fd = openSocket(AF_INET, SOCK_DGRAM)
 * bind(fd, Endpoint.of('127.0.0.1', 0))
 * const own = new Endpoint()
 * localEndpoint(fd, own)
 *
 * const queue = new DatagramQueue({ slots: 64, slotBytes: 2048 })
 * queue.push(queue.slot().write('hello'), own)
 * queue.flush(fd)
 *
 * const batch = new DatagramBatch({ slots: 64, slotBytes: 2048 })
 * const count = batch.receive(fd)
 * for (let i = 0; i < count; i++) console.log(batch.bytes(i).toString('utf8', 0, batch.length(i))) // hello
 * close(fd)
 */
export class DatagramBatch {
  /** All slots, one after the other. */
  readonly memory: Buffer
  readonly slots: number
  readonly slotBytes: number
  readonly #headers: Memory
  readonly #views: Buffer[]
  readonly #sources: Endpoint[]
  readonly #vectors: Memory
  readonly #controls: Memory

  constructor({ slots, slotBytes }: DatagramMemory) {
    const data = allocate(slots * slotBytes)
    const names = allocate(slots * nameBytes)
    this.memory = data.bytes
    this.slots = slots
    this.slotBytes = slotBytes
    this.#headers = allocate(slots * headerWords * 4)
    this.#vectors = allocate(slots * vectorWords * 4)
    this.#controls = allocate(slots * controlBytes)
    this.#sources = endpoints(names, slots)
    this.#views = Array.from({ length: slots }, (_, slot) => data.bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes))
    for (let slot = 0; slot < slots; slot++) {
      const vector = slot * vectorWords
      setAddress(this.#vectors.words, vector, data.address + slot * slotBytes)
      this.#vectors.words[vector + 2] = slotBytes
      const header = slot * headerWords
      setAddress(this.#headers.words, header + at.name, names.address + slot * nameBytes)
      setAddress(this.#headers.words, header + at.vectors, this.#vectors.address + vector * 4)
      this.#headers.words[header + at.vectorCount] = 1
      setAddress(this.#headers.words, header + at.control, this.#controls.address + slot * controlBytes)
    }
  }

  /** Takes what is there, at most `slots`. Returns how many, or -errno (-EAGAIN: none). */
  receive(fd: number): number {
    const { words, address } = this.#headers
    // The kernel has written how long the last ones were.
    for (let slot = 0, header = 0; slot < this.slots; slot++, header += headerWords) {
      words[header + at.nameLength] = nameBytes
      words[header + at.controlLength] = controlBytes
    }
    return calls.recvmmsg(fd, address, this.slots, MSG_DONTWAIT, 0)
  }

  /** The whole slot; the datagram is its first `length(slot)` bytes. */
  bytes(slot: number): Buffer {
    return this.#views[slot]
  }

  length(slot: number): number {
    return this.#headers.words[slot * headerWords + at.length]
  }

  /** Whether the datagram was longer than its slot. */
  truncated(slot: number): boolean {
    return (this.#headers.words[slot * headerWords + at.flags] & MSG_TRUNC) !== 0
  }

  /** When it came to this machine, by the system's clock as `Date.now()`, in ms; undefined where the socket has not been told to say so (`SO_TIMESTAMPNS`). */
  arrivedMs(slot: number): number | undefined {
    if (this.#headers.words[slot * headerWords + at.controlLength] < controlBytes) return undefined
    const { words } = this.#controls
    const control = (slot * controlBytes) / 4
    if (words[control + controlAt.level] !== SOL_SOCKET || words[control + controlAt.type] !== SO_TIMESTAMPNS) return undefined
    // 64 bits each; of the nanoseconds the lower half is all.
    const seconds = words[control + controlAt.seconds] + words[control + controlAt.seconds + 1] * 2 ** 32
    return seconds * 1000 + words[control + controlAt.nanoseconds] / 1e6
  }

  /** Where it came from; good until the next `receive`. */
  source(slot: number): Endpoint {
    return this.#sources[slot]
  }
}

/** How much memory a queue has. */
export interface QueueMemory extends DatagramMemory {
  /** Called when the first datagram is queued, so that somebody flushes at the end of the turn. */
  readonly onFirst?: () => void
}

/**
 * Datagrams that are sent in one call. Each has what was written into its slot, and may have a piece of another Buffer behind that.
 *
 * @example
 * const fd = openSocket(AF_INET, SOCK_DGRAM)
 * bind(fd, Endpoint.of('127.0.0.1', 0))
 * const own = new Endpoint()
 * localEndpoint(fd, own)
 *
 * const queue = new DatagramQueue({ slots: 64, slotBytes: 2048 })
 * queue.push(queue.slot().write('hello'), own)
 * queue.flush(fd)
 *
 * const batch = new DatagramBatch({ slots: 64, slotBytes: 2048 })
 * const count = batch.receive(fd)
 * for (let i = 0; i < count; i++) console.log(batch.bytes(i).toString('utf8', 0, batch.length(i))) // hello
 * close(fd)
 */
export class DatagramQueue {
  readonly #slots: number
  readonly #slotBytes: number
  readonly #views: Buffer[]
  readonly #names: Memory
  readonly #headers: Memory
  readonly #vectors: Memory
  readonly #onFirst: () => void
  #count = 0
  #dropped = 0

  constructor({ slots, slotBytes, onFirst = () => {} }: QueueMemory) {
    const data = allocate(slots * slotBytes)
    this.#slots = slots
    this.#slotBytes = slotBytes
    this.#views = Array.from({ length: slots }, (_, slot) => data.bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes))
    this.#names = allocate(slots * nameBytes)
    this.#headers = allocate(slots * headerWords * 4)
    this.#vectors = allocate(slots * 2 * vectorWords * 4)
    this.#onFirst = onFirst
    for (let slot = 0; slot < slots; slot++) {
      const vector = slot * 2 * vectorWords
      setAddress(this.#vectors.words, vector, data.address + slot * slotBytes)
      setAddress(this.#headers.words, slot * headerWords + at.vectors, this.#vectors.address + vector * 4)
    }
  }

  /** Datagrams that wait. */
  get count(): number {
    return this.#count
  }

  /** How many have been lost since the start: the kernel did not take them, or the queue was full. */
  get dropped(): number {
    return this.#dropped
  }

  /** Memory for the next datagram. When the queue is full it is that of the last one, and `push` drops. */
  slot(): Buffer {
    return this.#views[Math.min(this.#count, this.#slots - 1)]
  }

  /** Queues what `slot()` has, for a connected socket or for `endpoint`. False: the queue is full; flush it first. */
  push(length: number, endpoint?: Endpoint): boolean {
    return this.pushWith(length, undefined, 0, 0, endpoint)
  }

  /** The same, with `tailLength` bytes of `tail` behind it, which must stay as they are until the flush. `length` may be 0. */
  pushWith(length: number, tail: Uint8Array | undefined, tailOffset: number, tailLength: number, endpoint?: Endpoint): boolean {
    const slot = this.#count
    if (slot === this.#slots || length > this.#slotBytes) {
      this.#dropped++
      return false
    }
    const tailAddress = tail === undefined ? 0 : rangeAt(tail, tailOffset, tailLength)
    if (slot === 0) this.#onFirst()
    this.#count++
    const vector = slot * 2 * vectorWords
    const vectors = this.#vectors.words
    vectors[vector + 2] = length
    if (tail !== undefined) {
      setAddress(vectors, vector + vectorWords, tailAddress)
      vectors[vector + vectorWords + 2] = tailLength
    }
    const header = slot * headerWords
    const headers = this.#headers.words
    headers[header + at.vectorCount] = tail === undefined ? 1 : 2
    this.#setName(slot, header, endpoint)
    return true
  }

  /** Sends all. Returns how many the kernel took; the others are dropped, as a network would. */
  flush(fd: number): number {
    let taken = 0
    let told = false
    for (let next = 0; next < this.#count;) {
      const result = calls.sendmmsg(fd, this.#headers.address + next * headerWords * 4, this.#count - next, MSG_DONTWAIT | MSG_NOSIGNAL)
      if (result > 0) {
        taken += result
        next += result
        told = false
      } else if (result === -errno.EAGAIN || result === -errno.ENOBUFS) {
        // No room: there will be none for the others either.
        break
      } else if (result === -errno.ECONNREFUSED && !told) {
        // This is about an earlier one (an ICMP message came); the call has done nothing else.
        told = true
      } else {
        next++
        told = false
      }
    }
    this.#dropped += this.#count - taken
    this.#count = 0
    return taken
  }

  #setName(slot: number, header: number, endpoint: Endpoint | undefined): void {
    const headers = this.#headers.words
    if (endpoint === undefined) {
      setAddress(headers, header + at.name, 0)
      headers[header + at.nameLength] = 0
      return
    }
    const { bytes, length } = endpoint
    const offset = slot * nameBytes
    const names = this.#names.bytes
    for (let i = 0; i < length; i++) names[offset + i] = bytes[i]
    setAddress(headers, header + at.name, this.#names.address + offset)
    headers[header + at.nameLength] = length
  }
}
