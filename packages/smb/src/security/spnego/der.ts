import { MalformedError } from '@holdfast/wire'

/** The part of DER (X.690) that SPNEGO needs: definite lengths, single-byte tags, bounded by the bytes at hand. */

export const derTag = Object.freeze({
  octetString: 0x04,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  generalString: 0x1b,
  sequence: 0x30,
  /** [APPLICATION 0], constructed: RFC 2743's InitialContextToken. */
  initialContextToken: 0x60,
})

/** [n], constructed. */
export const contextTag = (n: number): number => 0xa0 | n

/** Reads elements one after the other. All bytes given are views. Throws MalformedError `der_short`, `der_length`, `der_tag`. */
export class DerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** The next element's tag; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at]
  }

  /** The content of the next element, which must have this tag. */
  read(tag: number): Buffer {
    return this.readWhole(tag).content
  }

  /** The content of the next element when it has this tag. */
  readOptional(tag: number): Buffer | undefined {
    return this.tag === tag ? this.read(tag) : undefined
  }

  /** The next element with its own tag and length, and its content. */
  readWhole(tag: number): { whole: Buffer; content: Buffer } {
    const bytes = this.#bytes
    const start = this.#at
    if (bytes.length - start < 2) throw new MalformedError('der_short')
    if (bytes[start] !== tag) throw new MalformedError('der_tag')
    let contentAt = start + 2
    let lengthBytes = bytes[start + 1]
    if (lengthBytes >= 0x80) {
      // 0x80 would be the indefinite length; more than four bytes of length nobody needs.
      const lengthLength = lengthBytes & 0x7f
      if (lengthLength === 0 || lengthLength > 4) throw new MalformedError('der_length')
      if (bytes.length - contentAt < lengthLength) throw new MalformedError('der_short')
      lengthBytes = bytes.readUIntBE(contentAt, lengthLength)
      contentAt += lengthLength
    }
    if (lengthBytes > bytes.length - contentAt) throw new MalformedError('der_short')
    this.#at = contentAt + lengthBytes
    return { whole: bytes.subarray(start, this.#at), content: bytes.subarray(contentAt, this.#at) }
  }

  /** Passes over the next element, whatever it is. */
  skip(): void {
    const { tag } = this
    if (tag !== undefined) this.readWhole(tag)
  }
}

/** Encodes one element. */
export function encodeDer(tag: number, ...contents: readonly Buffer[]): Buffer {
  let lengthBytes = 0
  for (const content of contents) lengthBytes += content.length
  const header = [tag]
  if (lengthBytes < 0x80) header.push(lengthBytes)
  else if (lengthBytes < 0x100) header.push(0x81, lengthBytes)
  else if (lengthBytes < 0x10000) header.push(0x82, lengthBytes >> 8, lengthBytes & 0xff)
  else header.push(0x84, lengthBytes >>> 24, (lengthBytes >> 16) & 0xff, (lengthBytes >> 8) & 0xff, lengthBytes & 0xff)
  return Buffer.concat([Buffer.from(header), ...contents])
}

const arcLengthMax = 5

/** The dotted form of an OBJECT IDENTIFIER's content. Throws MalformedError `der_oid`. */
export function decodeOid(content: Buffer): string {
  const arcs: number[] = []
  let arc = 0
  let arcLength = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    arcLength += 1
    if (arcLength > arcLengthMax) throw new MalformedError('der_oid')
    if (byte & 0x80) continue
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(arc / 40))
      arcs.push(first, arc - first * 40)
    } else arcs.push(arc)
    arc = arcLength = 0
  }
  if (arcLength > 0 || arcs.length === 0) throw new MalformedError('der_oid')
  return arcs.join('.')
}

/** A whole OBJECT IDENTIFIER from its dotted form. */
export function encodeOid(oid: string): Buffer {
  const [first = 0, second = 0, ...others] = oid.split('.').map(Number)
  const content: number[] = []
  for (const arc of [first * 40 + second, ...others]) {
    const septets = [arc % 128]
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) septets.unshift(0x80 | (rest % 128))
    content.push(...septets)
  }
  return encodeDer(derTag.objectIdentifier, Buffer.from(content))
}
