/** The octets of an NDR stub, read and written with alignment and deferred pointees (C706 14.2, 14.3.12.3). */

import { MalformedError } from '@holdfast/wire'

/** Entries that any one array may have, whatever its count says (the largest `range` in the IDLs we serve: MS-LSAT 2.2.18). */
const arrayEntriesMax = 20_480

/** Reads NDR from one reassembled stub; bounded by it. Throws `MalformedError` with a code that begins with `NDR_`. */
export class NdrReader {
  readonly bytes: Buffer
  readonly bigEndian: boolean
  #position = 0
  #pending: (() => void)[] = []

  constructor(bytes: Buffer, options: { readonly bigEndian?: boolean } = {}) {
    this.bytes = bytes
    this.bigEndian = options.bigEndian ?? false
  }

  get remainingBytes(): number {
    return this.bytes.length - this.#position
  }

  align(alignment: number): void {
    this.#position = (this.#position + alignment - 1) & -alignment
  }

  #take(lengthBytes: number): number {
    const at = this.#position
    if (lengthBytes > this.bytes.length - at)
      throw new MalformedError('NDR_TRUNCATED', `the stub ends at ${this.bytes.length}, ${at + lengthBytes} needed`)
    this.#position = at + lengthBytes
    return at
  }

  u8(): number {
    return this.bytes[this.#take(1)]
  }

  u16(): number {
    this.align(2)
    const at = this.#take(2)
    return this.bigEndian ? this.bytes.readUInt16BE(at) : this.bytes.readUInt16LE(at)
  }

  u32(): number {
    this.align(4)
    const at = this.#take(4)
    return this.bigEndian ? this.bytes.readUInt32BE(at) : this.bytes.readUInt32LE(at)
  }

  /** A view of the next bytes, not a copy. */
  raw(lengthBytes: number): Buffer {
    const at = this.#take(lengthBytes)
    return this.bytes.subarray(at, at + lengthBytes)
  }

  /** A count that is believed only when that many elements can be there. */
  count(elementBytes: number): number {
    const count = this.u32()
    if (count > arrayEntriesMax || count * elementBytes > this.remainingBytes)
      throw new MalformedError('NDR_COUNT', `${count} elements are not there`)
    return count
  }

  defer(read: () => void): void {
    this.#pending.push(read)
  }

  /** Reads the pointees of what was read since the last flush, depth first. */
  flush(): void {
    const pending = this.#pending
    this.#pending = []
    for (const read of pending) {
      read()
      this.flush()
    }
  }
}

/** Writes little-endian NDR into a buffer that grows to `limitBytes` at most. */
export class NdrWriter {
  readonly limitBytes: number
  #bytes = Buffer.allocUnsafe(512)
  #length = 0
  #referent = 0x0002_0000
  #pending: (() => void)[] = []

  constructor(options: { readonly limitBytes?: number } = {}) {
    this.limitBytes = options.limitBytes ?? 16 * 1024 * 1024
  }

  #reserve(lengthBytes: number): number {
    const at = this.#length
    const end = at + lengthBytes
    if (end > this.limitBytes) throw new RangeError(`an RPC response would exceed ${this.limitBytes} bytes`)
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#length = end
    return at
  }

  align(alignment: number): void {
    const padding = -this.#length & (alignment - 1)
    if (padding === 0) return
    const at = this.#reserve(padding)
    this.#bytes.fill(0, at, at + padding)
  }

  u8(value: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = value
  }

  u16(value: number): void {
    this.align(2)
    const at = this.#reserve(2)
    this.#bytes.writeUInt16LE(value & 0xffff, at)
  }

  u32(value: number): void {
    this.align(4)
    const at = this.#reserve(4)
    this.#bytes.writeUInt32LE(value >>> 0, at)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** UTF-16LE code units, as they are (unpaired surrogates included). */
  utf16(text: string): void {
    const at = this.#reserve(text.length * 2)
    for (let i = 0; i < text.length; i++) this.#bytes.writeUInt16LE(text.charCodeAt(i), at + 2 * i)
  }

  /** A referent id that no other pointer of this stub has (C706 14.3.10). */
  referent(): number {
    const id = this.#referent
    this.#referent += 4
    return id
  }

  defer(write: () => void): void {
    this.#pending.push(write)
  }

  /** Writes the pointees of what was written since the last flush, depth first. */
  flush(): void {
    const pending = this.#pending
    this.#pending = []
    for (const write of pending) {
      write()
      this.flush()
    }
  }

  /** What was written so far: a view. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}
