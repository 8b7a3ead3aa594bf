import { sendFileNow } from '@holdfast/posix'
import { isUnresponsive, sendNow } from '@holdfast/posix/socket'
import type { Arena } from '../shared/arena.ts'
import { holdPieces, releasePieces } from '../shared/held-pieces.ts'
import { addToCount, Control, finishesMax, Intent, Slot, slotAt, stateWords, ToManager } from '../shared/layout.ts'
import type { Addresses, EngineLimits, Framing, WorkerMail } from '../shared/layout.ts'
import type { Connection, ConnectionHandler, FilePiece, Message, Settlement } from '../worker-api.ts'
import { readRest, sendWithFiles } from './files.ts'

/** What a connection needs of the worker node it lives on. */
export interface ConnectionHost {
  readonly table: Int32Array
  readonly control: Int32Array
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

/** Bytes of the outbound arena to be written, the block to be freed then (-1: none), and what holds from then on. */
interface Write {
  readonly block: number
  readonly offset: number
  readonly length: number
  readonly finishes: readonly Message[]
  readonly state?: readonly number[] | undefined
  /** `at` counts in the arena. */
  readonly files?: readonly FilePiece[] | undefined
}

const noMessages: readonly Message[] = []
const noFiles: readonly FilePiece[] = []

/** Takes the first message that has not been released along with a record: its index + 1, 0 where there is none. */
function takeFirst(messages: readonly Message[]): number {
  for (const message of messages) {
    const taken = message instanceof InboundMessage ? message.take() : 0
    if (taken !== 0) return taken
  }
  return 0
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
  #isDistributed: boolean
  #isBroken = false
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
    this.#isDistributed = options.distributed
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
    this.#transmit({ block, offset: block, length: lengthBytes + header, finishes: finishes === undefined ? noMessages : [finishes] })
  }

  sendPart(
    buffer: Buffer,
    fromBytes: number,
    lengthBytes: number,
    { finishes = noMessages, state }: Settlement = {},
    files: readonly FilePiece[] = noFiles,
  ): void {
    this.#transmit({
      ...(files.length > 0 && { files: files.map(piece => ({ ...piece, at: piece.at + buffer.byteOffset })) }),
      block: buffer.byteOffset - this.#framing.headerBytes,
      offset: buffer.byteOffset + fromBytes,
      length: lengthBytes,
      finishes,
      state,
    })
  }

  sendFile({ descriptor, offset, lengthBytes }: Omit<FilePiece, 'at'>, countsAt: number): number {
    const { table } = this.#host
    const slot = this.#slot
    const socket = table[slot + Slot.descriptor]
    if (this.#left || this.#isBroken || table[slot + Slot.closed] !== 0 || socket < 0) return 0
    if (Atomics.load(table, slot + Slot.managerWrites) !== 0) return 0
    this.#intend({ block: -1, offset: countsAt, length: lengthBytes, finishes: noMessages }, Intent.counted)
    const sent = sendFileNow(socket, descriptor, offset, lengthBytes)
    Atomics.add(table, slot + Slot.written, sent)
    if (sent > 0) {
      // In the other one: until the intent is withdrawn, it is from this one that the manager would count.
      const other = 1 - table[slot + Slot.stateInForce]
      table.set(this.state, this.#stateAt(other))
      addToCount(table, this.#stateAt(other) + countsAt, sent)
      table[slot + Slot.stateInForce] = other
    }
    Atomics.store(table, slot + Slot.intent, Intent.none)
    return sent
  }

  settle({ finishes = noMessages, state }: Settlement): void {
    this.#transmit({ block: -1, offset: 0, length: 0, finishes, state })
  }

  get state(): readonly number[] {
    const at = this.#stateAt(this.#host.table[this.#slot + Slot.stateInForce])
    return Array.from(this.#host.table.subarray(at, at + stateWords))
  }

  #stateAt(which: number): number {
    return this.#slot + Slot.state + which * stateWords
  }

  reframe(variant: number): void {
    if (!this.#left) Atomics.store(this.#host.table, this.#slot + Slot.framing, variant)
  }

  /** Writes what is in the outbound arena, and settles what goes with it. */
  #transmit(write: Write): void {
    const { block, offset, length, finishes, files } = write
    const host = this.#host
    const table = host.table
    const slot = this.#slot
    if (this.#left || this.#isBroken || table[slot + Slot.closed] !== 0) return this.#drop(write)
    const descriptor = table[slot + Slot.descriptor]
    const mayBeDirect = length > 0 && descriptor >= 0 && Atomics.load(table, slot + Slot.managerWrites) === 0
    const isDirect = mayBeDirect && (files === undefined || holdPieces(host.control, files))
    // Before it is intended: a manager that had to finish this would send what the memory had before.
    if (!isDirect && files !== undefined && !readRest(host.outbound.bytes, files, offset)) return this.#break(write)
    this.#intend(write, !isDirect ? Intent.throughManager : files === undefined ? Intent.direct : Intent.withFiles)
    let taken = 0
    if (isDirect) {
      taken = this.#sendNow(descriptor, write)
      Atomics.add(table, slot + Slot.written, taken)
      if (taken < length && files !== undefined && !readRest(host.outbound.bytes, files, offset + taken)) return this.#break(write)
    }
    if (taken < length) {
      Atomics.add(table, slot + Slot.managerWrites, 1)
      Atomics.add(table, slot + Slot.managerBytes, length - taken)
      // One record for the response and the end of its request: a worker's death leaves both or neither.
      host.push(ToManager.write, this.id, block, offset + taken, length - taken, takeFirst(finishes))
      host.ring()
    } else if (block >= 0) host.outbound.free(block)
    for (const message of finishes) message.release()
    table[slot + Slot.stateInForce] = table[slot + Slot.intentState]
    Atomics.store(table, slot + Slot.intent, Intent.none)
    if (files !== undefined) releasePieces(host.control)
    if (!this.#isDistributed) this.#leave()
  }

  /** A file could not be read: the client has a part of a message, or none, and nothing may follow that it would take for the rest. */
  #break(write: Write): void {
    this.#isBroken = true
    this.close('a file could not be read')
    Atomics.store(this.#host.table, this.#slot + Slot.intent, Intent.none)
    releasePieces(this.#host.control)
    this.#drop(write)
  }

  #drop({ block, finishes }: Write): void {
    if (block >= 0) this.#host.outbound.free(block)
    for (const message of finishes) message.release()
  }

  #sendNow(descriptor: number, write: Write): number {
    const { offset, length, files } = write
    const { bytes } = this.#host.outbound
    return files === undefined ? sendNow(descriptor, bytes.subarray(offset, offset + length), length) : sendWithFiles(descriptor, bytes, write)
  }

  /** Notes what is about to be done: from here on it is done, by this worker or, should it die, by the manager. */
  #intend({ offset, length, finishes, state }: Write, intent: number): void {
    const { table, control, nextRecord } = this.#host
    const slot = this.#slot
    if (finishes.length > finishesMax) throw new RangeError(`${finishes.length} messages finished by one write`)
    let count = 0
    for (const message of finishes) {
      if (message instanceof InboundMessage && !message.released) control[Control.finishing + count++] = message.index
    }
    const inForce = table[slot + Slot.stateInForce]
    if (state !== undefined) table.set(state, this.#stateAt(1 - inForce))
    table[slot + Slot.intentState] = state === undefined ? inForce : 1 - inForce
    table[slot + Slot.intentOffset] = offset
    table[slot + Slot.intentLength] = length
    table[slot + Slot.intentMessages] = count
    table[slot + Slot.intentRecord] = nextRecord
    table[slot + Slot.intentBase] = Atomics.load(table, slot + Slot.written)
    Atomics.store(table, slot + Slot.intent, intent)
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

  stay(): void {
    if (this.#left) return
    this.#isDistributed = true
    Atomics.store(this.#host.table, this.#slot + Slot.stays, 1)
  }

  known(): void {
    if (!this.#left) Atomics.store(this.#host.table, this.#slot + Slot.known, 1)
  }

  end(_reason: string): void {
    if (this.#left) return
    this.#host.push(ToManager.close, this.id, 1, 0, 0)
    this.#host.ring()
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
