/** Messages of one socket that wait for the end of the loop's turn, when they go out in one call. */
import { DatagramQueue } from '@holdfast/posix/network'
import type { Endpoint as SocketAddress } from '@holdfast/posix/network'
import type { Struct } from '@holdfast/wire'
import type { Loop } from '../loop/index.ts'
import { headerBytes, macBytes, messageBytesMax } from './codec.ts'
import type { Mac } from './mac.ts'
import { Header } from './messages.ts'
import type { MessageType } from './messages.ts'

/** Datagrams of a turn; more go out before its end. */
const slots = 64
/** What is longer is sent at once, from where it is. */
const slotBytes = 2048

/** Who has sessions: whose numbers a message has. */
export interface Sender {
  readonly number: number
  nextSequence(): number
}

/** The session of what is said outside of any. */
export const noSession: Sender = { number: 0, nextSequence: () => 0 }

const header = { type: 0, lengthBytes: 0, session: 0, sequence: 0, mac: Buffer.alloc(macBytes) }

/** The way out of a socket. */
export class Outbox {
  readonly #loop: Loop
  readonly #fd: number
  readonly #mac: Mac
  readonly #queue: DatagramQueue
  readonly #beforeFlush: () => void
  readonly #atEnd = (): void => this.#end()
  #isArmed = false

  /** `beforeFlush` may add what it has kept until the end of the turn. */
  constructor(loop: Loop, fd: number, mac: Mac, beforeFlush: () => void = () => {}) {
    this.#loop = loop
    this.#fd = fd
    this.#mac = mac
    this.#queue = new DatagramQueue({ slots, slotBytes, onFirst: () => this.arm() })
    this.#beforeFlush = beforeFlush
  }

  /** Datagrams that the kernel has not taken. */
  get dropped(): number {
    return this.#queue.dropped
  }

  /** Makes sure that this turn ends with `beforeFlush` and a flush. */
  arm(): void {
    if (this.#isArmed) return
    this.#isArmed = true
    this.#loop.atEndOfTurn(this.#atEnd)
  }

  /** A message with one value of its layout, or none. To whom the socket is connected, or to `to`. */
  send<In>(type: MessageType, sender: Sender, layout: Struct<unknown, In> | undefined, value: In, to?: SocketAddress): void {
    const slot = this.#slot()
    const end = this.#write(slot, type, sender, layout, value, 0)
    this.#mac.seal(slot, 0, end)
    this.#queue.push(end, to)
  }

  /** A message with a value and the payload `bytes[from, to)` behind it. False: it is longer than a message may be. */
  sendWith<In>(type: MessageType, sender: Sender, layout: Struct<unknown, In>, value: In, bytes: Buffer, from: number, to: number): boolean {
    const payloadBytes = to - from
    if (headerBytes + layout.fixedSize + payloadBytes > messageBytesMax) return false
    const slot = this.#slot()
    const end = this.#write(slot, type, sender, layout, value, payloadBytes)
    if (end + payloadBytes <= slotBytes) {
      copy(slot, end, bytes, from, to)
      this.#mac.seal(slot, 0, end + payloadBytes)
      this.#queue.push(end + payloadBytes)
    } else {
      this.#mac.seal(slot, 0, end, bytes, from, to)
      this.#queue.pushWith(end, bytes, from, payloadBytes)
      // The bytes are the caller's again when this returns.
      this.#queue.flush(this.#fd)
    }
    return true
  }

  /** A message that has been written but for its header, `bytes[0, length)`; it must stay as it is until the end of the turn. */
  sendWritten(type: MessageType, sender: Sender, bytes: Buffer, length: number, to: SocketAddress): void {
    writeHeader(bytes, type, sender, length - headerBytes)
    this.#mac.seal(bytes, 0, length)
    this.#slot()
    this.#queue.pushWith(0, bytes, 0, length, to)
  }

  /** `bytes[from, to)` as they are. */
  sendRaw(bytes: Buffer, from: number, to: number): void {
    const slot = this.#slot()
    if (to - from <= slotBytes) {
      copy(slot, 0, bytes, from, to)
      this.#queue.push(to - from)
      return
    }
    this.#queue.pushWith(0, bytes, from, to - from)
    this.#queue.flush(this.#fd)
  }

  /** Sends what waits. */
  flush(): void {
    if (this.#queue.count > 0) this.#queue.flush(this.#fd)
  }

  #end(): void {
    this.#isArmed = false
    this.#beforeFlush()
    this.flush()
  }

  #slot(): Buffer {
    if (this.#queue.count === slots) this.#queue.flush(this.#fd)
    return this.#queue.slot()
  }

  #write<In>(slot: Buffer, type: MessageType, sender: Sender, layout: Struct<unknown, In> | undefined, value: In, payloadBytes: number): number {
    const end = headerBytes + (layout?.fixedSize ?? 0)
    writeHeader(slot, type, sender, end - headerBytes + payloadBytes)
    layout?.encode(value, slot, headerBytes)
    return end
  }
}

function writeHeader(bytes: Buffer, type: MessageType, sender: Sender, lengthBytes: number): void {
  header.type = type
  header.lengthBytes = lengthBytes
  header.session = sender.number
  header.sequence = sender.nextSequence()
  Header.encode(header, bytes, 0)
}

/** Below this many bytes a loop beats the call into the runtime. */
const shortBytes = 64

function copy(into: Buffer, at: number, bytes: Buffer, from: number, to: number): void {
  if (to - from > shortBytes) bytes.copy(into, at, from, to)
  else for (let i = from; i < to; i++) into[at++] = bytes[i]
}
