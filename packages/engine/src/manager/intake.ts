/**
 * Cuts what a socket delivers into messages in shared memory.
 *
 * All sockets share one landing buffer: the kernel reads into it and the callback empties it before another socket is
 * read. A small message is copied from there once. A large one gets a block of its own as soon as its length is known,
 * and the kernel then reads the rest of it straight into that block.
 */
import type { Arena } from '../shared/arena.ts'
import type { Framing } from '../shared/layout.ts'

export const landingBytes = 16 << 10

export interface IntakeOwner {
  readonly arena: Arena
  readonly landing: Buffer
  /** The connection's variant of the framing. */
  readonly variant: number
  /** A whole message: `offset` and `length` in the arena, without the frame's header. */
  deliver(offset: number, length: number): void
}

export class Intake {
  readonly #framing: Framing
  readonly #owner: IntakeOwner
  readonly #messageBytes: number
  /** The block of the message that is arriving, or -1. */
  #block = -1
  #expected = 0
  #arrived = 0
  /** The block that `target` last pointed into, or -1 for the landing buffer. */
  #armed = -1
  /** A frame's first bytes that did not suffice to tell its length, or that found no memory. */
  #lead: Buffer = Buffer.alloc(0)

  constructor(options: { framing: Framing; owner: IntakeOwner; messageBytes: number }) {
    this.#framing = options.framing
    this.#owner = options.owner
    this.#messageBytes = options.messageBytes
  }

  /** Where the kernel shall put what comes next. */
  target(): Buffer {
    this.#armed = this.#block
    if (this.#block < 0) return this.#owner.landing
    return this.#owner.arena.bytes.subarray(this.#block + this.#arrived, this.#block + this.#expected)
  }

  /** `count` bytes have arrived in `target()`. Returns false when shared memory has run out: call `retry` later, read nothing before. */
  arrived(count: number): boolean {
    if (this.#armed >= 0) {
      this.#arrived += count
      if (this.#arrived === this.#expected) this.#finish()
      return true
    }
    const landed = this.#continue(this.#owner.landing.subarray(0, count))
    if (this.#lead.length === 0) return this.#cut(landed)
    const joined = Buffer.concat([this.#lead, landed])
    this.#lead = Buffer.alloc(0)
    return this.#cut(joined)
  }

  /** After `arrived` returned false and memory has been freed. */
  retry(): boolean {
    const lead = this.#lead
    this.#lead = Buffer.alloc(0)
    return this.#cut(lead)
  }

  /** Gives back what has arrived of an unfinished message. */
  abandon(): void {
    if (this.#block >= 0) this.#owner.arena.free(this.#block)
    this.#block = -1
  }

  /** Bytes that landed although a block is being filled (it was begun after the kernel got its target). */
  #continue(landed: Buffer): Buffer {
    if (this.#block < 0) return landed
    const part = Math.min(landed.length, this.#expected - this.#arrived)
    landed.copy(this.#owner.arena.bytes, this.#block + this.#arrived, 0, part)
    this.#arrived += part
    if (this.#arrived === this.#expected) this.#finish()
    return landed.subarray(part)
  }

  #cut(bytes: Buffer): boolean {
    const { headerBytes, leadBytes } = this.#framing
    let at = 0
    while (at < bytes.length) {
      const left = bytes.length - at
      const frame = left < leadBytes ? 0 : this.#framing.frameBytes(bytes, at, bytes.length, this.#owner.variant)
      if (frame === 0) {
        if (left > this.#messageBytes) throw new FrameError('FRAME_TOO_LONG', `no message end within ${left} bytes`)
        this.#lead = Buffer.from(bytes.subarray(at))
        return true
      }
      const length = frame - headerBytes
      if (length > this.#messageBytes)
        throw new FrameError('FRAME_TOO_LONG', `a message of ${length} bytes; at most ${this.#messageBytes} are allowed`)
      const block = this.#owner.arena.allocate(Math.max(length, 1))
      if (block < 0) {
        this.#lead = Buffer.from(bytes.subarray(at))
        return false
      }
      const here = Math.min(length, left - headerBytes)
      bytes.copy(this.#owner.arena.bytes, block, at + headerBytes, at + headerBytes + here)
      this.#block = block
      this.#expected = length
      this.#arrived = here
      if (here < length) return true
      this.#finish()
      at += frame
    }
    return true
  }

  #finish(): void {
    const block = this.#block
    this.#block = -1
    this.#owner.deliver(block, this.#expected)
  }
}

/** The client's bytes are no frames of this protocol. `code` is stable. */
export class FrameError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'FrameError'
    this.code = code
  }
}
