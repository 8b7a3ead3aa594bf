import { isUnresponsive, sendNow } from '@holdfast/posix/socket'
import type { Arena } from '../shared/arena.ts'
import { Slot, slotAt, ToManager } from '../shared/layout.ts'
import type { Addresses, EngineLimits, Framing, WorkerMail } from '../shared/layout.ts'
import type { Connection, ConnectionHandler, Message } from '../worker-api.ts'

/** What a connection needs of the worker node it lives on. */
export interface ConnectionHost {
  readonly table: Int32Array
  readonly inbound: Buffer
  readonly outbound: Arena
  readonly limits: EngineLimits
  push(type: number, a: number, b: number, c: number, d: number, e?: number): void
  /** The number that the next pushed record will have. */
  readonly nextRecord: number
  /** Makes the manager look at the ring soon. */
  ring(): void
  mail(mail: WorkerMail): void
  forget(connection: number): void
}

/** Where a message lies, and whether a worker that died had it before. */
export interface MessagePlace {
  readonly index: number
  readonly bytes: Buffer
  readonly orphaned: boolean
}

/** Who has the messages of one connection, and accounts for each of them once. */
interface MessageHolder {
  taken(): void
  release(index: number): void
}

/** A message in the inbound arena; its memory belongs to the manager, which gets it back by `release`. */
export class InboundMessage implements Message {
  readonly bytes: Buffer
  readonly orphaned: boolean
  readonly index: number
  #holder: MessageHolder | undefined

  constructor(holder: MessageHolder, place: MessagePlace) {
    this.#holder = holder
    this.index = place.index
    this.bytes = place.bytes
    this.orphaned = place.orphaned
  }

  get released(): boolean {
    return this.#holder === undefined
  }

  /** For a record that releases it along with something else: its index + 1, or 0 when it has been released. */
  take(): number {
    const holder = this.#holder
    if (holder === undefined) return 0
    this.#holder = undefined
    holder.taken()
    return this.index + 1
  }

  release(): void {
    const holder = this.#holder
    if (holder === undefined) return
    this.#holder = undefined
    holder.release(this.index)
  }
}

/**
 * The worker's end of a client connection.
 *
 * A response normally goes straight to the client: the worker writes it on the connection's socket (a duplicate of the
 * descriptor) from shared memory. What the socket does not take at once, and everything after it until it has gone out,
 * goes to the manager, which waits for the client. Before each direct write its intent is noted in shared memory, so
 * that the manager can finish it exactly should this worker die in the middle.
 */
export class WorkerConnection implements Connection, MessageHolder {
  readonly id: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly distributed: boolean
  handler: ConnectionHandler | undefined
  /** Messages that wait for the client to read its responses. */
  readonly held: InboundMessage[] = []
  readonly #host: ConnectionHost
  readonly #framing: Framing
  readonly #slot: number
  #left = false
  #hasMoved = false
  #isClosed = false
  /** Messages that have not been released. */
  #messages = 0

  constructor(host: ConnectionHost, options: { id: number; addresses: Addresses; framing: Framing; distributed: boolean }) {
    this.#host = host
    this.#framing = options.framing
    this.id = options.id
    this.remoteAddress = options.addresses.remoteAddress
    this.remotePort = options.addresses.remotePort
    this.localAddress = options.addresses.localAddress
    this.localPort = options.addresses.localPort
    this.distributed = options.distributed
    this.#slot = slotAt(options.id)
  }

  /** True once the connection has been closed or moved; what is sent then is dropped. */
  get left(): boolean {
    return this.#left
  }

  get unsentBytes(): number {
    return Atomics.load(this.#host.table, this.#slot + Slot.managerBytes)
  }

  get isCongested(): boolean {
    return this.unsentBytes > this.#host.limits.unsentBytesPerConnection
  }

  receive(place: MessagePlace): InboundMessage {
    this.#messages++
    return new InboundMessage(this, place)
  }

  taken(): void {
    this.#messages--
  }

  release(index: number): void {
    this.#messages--
    // What has moved away is the other worker's to release.
    if (this.#hasMoved) return
    this.#host.push(ToManager.release, index, 0, 0, 0)
    if (this.#isClosed) this.#leaveForGood()
  }

  allocate(lengthBytes: number): Buffer {
    const header = this.#framing.headerBytes
    const offset = this.#host.outbound.allocate(lengthBytes + header)
    if (offset < 0) throw new OutOfSharedMemory(lengthBytes)
    return this.#host.outbound.bytes.subarray(offset + header, offset + header + lengthBytes)
  }

  discard(buffer: Buffer): void {
    this.#host.outbound.free(buffer.byteOffset - this.#framing.headerBytes)
  }

  send(buffer: Buffer, lengthBytes: number, finishes?: Message): void {
    const header = this.#framing.headerBytes
    const block = buffer.byteOffset - header
    this.#framing.writeHeader(this.#host.outbound.bytes, block, lengthBytes)
    this.#transmit(block, block, lengthBytes + header, finishes)
  }

  sendPart(buffer: Buffer, fromBytes: number, lengthBytes: number): void {
    this.#transmit(buffer.byteOffset, buffer.byteOffset + fromBytes, lengthBytes)
  }

  reframe(variant: number): void {
    if (!this.#left) Atomics.store(this.#host.table, this.#slot + Slot.framing, variant)
  }

  /** Writes `length` bytes at `offset` of the outbound arena, and frees `block`, which they are in. */
  #transmit(block: number, offset: number, length: number, finishes?: Message): void {
    const host = this.#host
    const table = host.table
    const slot = this.#slot
    if (this.#left || table[slot + Slot.closed] !== 0) {
      host.outbound.free(block)
      finishes?.release()
      return
    }
    const descriptor = table[slot + Slot.descriptor]
    const direct = descriptor >= 0 && Atomics.load(table, slot + Slot.managerWrites) === 0
    let taken = 0
    if (direct) {
      table[slot + Slot.intentOffset] = offset
      table[slot + Slot.intentLength] = length
      table[slot + Slot.intentMessage] = finishes instanceof InboundMessage && !finishes.released ? finishes.index + 1 : 0
      table[slot + Slot.intentRecord] = host.nextRecord
      table[slot + Slot.intentBase] = Atomics.load(table, slot + Slot.written)
      Atomics.store(table, slot + Slot.intent, 1)
      taken = sendNow(descriptor, host.outbound.bytes.subarray(offset, offset + length), length)
      Atomics.add(table, slot + Slot.written, taken)
    }
    if (taken < length) {
      Atomics.add(table, slot + Slot.managerWrites, 1)
      Atomics.add(table, slot + Slot.managerBytes, length - taken)
      // One record for the response and the end of its request: a worker's death leaves both or neither.
      const finished = finishes instanceof InboundMessage ? finishes.take() : 0
      host.push(ToManager.write, this.id, block, offset + taken, length - taken, finished)
      host.ring()
    } else {
      finishes?.release()
      host.outbound.free(block)
    }
    if (direct) Atomics.store(table, slot + Slot.intent, 0)
    if (!this.distributed) this.#leave()
  }

  isSilent(silentMs: number): boolean {
    const descriptor = this.#host.table[this.#slot + Slot.descriptor]
    return !this.#left && descriptor >= 0 && isUnresponsive(descriptor, silentMs)
  }

  checkpoint(key: string, state: unknown): void {
    if (!this.#left) this.#host.mail({ kind: 'checkpoint', connection: this.id, key, state })
  }

  moveTo(worker: number, redeliver?: Message): void {
    if (this.#left) return
    this.#host.mail({ kind: 'move', connection: this.id, to: worker, first: redeliver instanceof InboundMessage ? redeliver.index : -1 })
    this.#hasMoved = true
    this.#leave()
    this.handler?.onClose('moved')
  }

  known(): void {
    if (!this.#left) Atomics.store(this.#host.table, this.#slot + Slot.known, 1)
  }

  close(_reason: string): void {
    if (this.#left) return
    this.#host.push(ToManager.close, this.id, 0, 0, 0)
    this.#host.ring()
  }

  #leave(): void {
    this.#left = true
    this.#host.forget(this.id)
  }

  /** The manager says that the client is gone. */
  closed(reason: 'closed' | 'moved' | 'shutdown'): void {
    for (const message of this.held.splice(0)) message.release()
    this.#leave()
    this.handler?.onClose(reason)
    this.#isClosed = true
    this.#leaveForGood()
  }

  /** Requests may still be reading messages, a write to a disk for one: until then neither their memory nor the id is anybody else's. */
  #leaveForGood(): void {
    if (this.#messages === 0) this.#host.mail({ kind: 'gone', connection: this.id })
  }
}

/** A response found no room in shared memory. `code` is stable. */
export class OutOfSharedMemory extends Error {
  readonly code = 'OUT_OF_SHARED_MEMORY'
  constructor(lengthBytes: number) {
    super(`no shared memory for a response of ${lengthBytes} bytes`)
    this.name = 'OutOfSharedMemory'
  }
}
