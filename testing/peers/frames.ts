/** Direct TCP transport: a zero byte, three bytes of length, big-endian, and the message (MS-SMB2 2.1). */

/** Cuts a stream of bytes into frames (with their four bytes of length). */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Buffer[] = []
    for (;;) {
      if (this.#rest.length < 4) return frames
      const length = 4 + (this.#rest.readUInt32BE(0) & 0xffffff)
      if (this.#rest.length < length) return frames
      frames.push(this.#rest.subarray(0, length))
      this.#rest = this.#rest.subarray(length)
    }
  }
}

/** A message in a frame. */
export function frameOf(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(4 + message.length)
  frame.writeUInt32BE(message.length & 0xffffff)
  message.copy(frame, 4)
  return frame
}
