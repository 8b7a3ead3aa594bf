/** Direct TCP framing (MS-SMB2 2.1): four bytes of length, then a message. A large message is received straight into a buffer of its own. */
import { MalformedError } from '@holdfast/wire'
import type { BufferPool, PooledBuffer } from './buffers.ts'

/** Bytes in front of a message: zero, and its length in 24 bits, big-endian. */
export const frameHeaderSize = 4

/** What came in one frame. */
export interface Frame {
  /** Without the length. Valid until the receiver of frames returns, unless `owner` is retained. */
  readonly bytes: Buffer
  /** Undefined: the bytes are in the common buffer and must be copied to be kept. */
  readonly owner: PooledBuffer | undefined
}

const stagingBytes = 128 * 1024
/** A message that is longer gets its own buffer. */
const stagedMax = 32 * 1024
/** Read this much while large messages come one after the other, so that little of the next is received in the wrong place. */
const peekBytes = 512

/**
 * Cuts a stream into frames. Says where the next bytes shall go (`target`), and is told how many came (`received`); there is one copy
 * only of what comes with or behind small messages.
 */
export class FrameReceiver {
  /** A frame that is longer is malformed; at most 2^24-1. */
  maxFrameBytes = stagingBytes - frameHeaderSize
  readonly #pool: BufferPool
  readonly #onFrame: (frame: Frame) => void
  readonly #staging = Buffer.allocUnsafeSlow(stagingBytes)
  #filled = 0
  #peeking = false
  #large: PooledBuffer | undefined
  #largeFilled = 0

  constructor(options: { readonly pool: BufferPool; readonly onFrame: (frame: Frame) => void }) {
    this.#pool = options.pool
    this.#onFrame = options.onFrame
  }

  /** Where the next bytes of the stream go. */
  target(): Buffer {
    if (this.#large !== undefined) return this.#large.bytes.subarray(this.#largeFilled)
    return this.#staging.subarray(this.#filled, this.#peeking ? Math.min(this.#filled + peekBytes, stagingBytes) : stagingBytes)
  }

  /** That many bytes came into the target. Throws MalformedError `bad-frame`, and what the receiver of frames throws. */
  received(lengthBytes: number): void {
    if (this.#large === undefined) {
      this.#filled += lengthBytes
      this.#cut()
      return
    }
    this.#largeFilled += lengthBytes
    if (this.#largeFilled < this.#large.bytes.length) return
    const owner = this.#large
    this.#large = undefined
    this.#peeking = true
    try {
      this.#onFrame({ bytes: owner.bytes, owner })
    } finally {
      owner.release()
    }
  }

  /** Hands out what is complete. */
  #cut(): void {
    const staging = this.#staging
    let at = 0
    while (this.#filled - at >= frameHeaderSize) {
      const lengthBytes = staging.readUInt32BE(at)
      if (lengthBytes > this.maxFrameBytes) throw new MalformedError('bad-frame', `a frame of ${lengthBytes} bytes`)
      const begin = at + frameHeaderSize
      if (begin + lengthBytes <= this.#filled) {
        at = begin + lengthBytes
        this.#peeking = false
        this.#onFrame({ bytes: staging.subarray(begin, at), owner: undefined })
      } else if (lengthBytes > stagedMax) {
        this.#large = this.#pool.take(lengthBytes)
        staging.copy(this.#large.bytes, 0, begin, this.#filled)
        this.#largeFilled = this.#filled - begin
        at = this.#filled
      } else {
        break
      }
    }
    // A frame that is not complete begins at the start, where there is room for all of it.
    if (at > 0) staging.copyWithin(0, at, this.#filled)
    this.#filled -= at
    if (this.#filled >= frameHeaderSize) this.#peeking = false
  }
}
