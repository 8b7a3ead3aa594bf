/** Responses in a stream of bytes (RFC 9112 6): with a length, in chunks, or until the end. */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { Heard } from './conversation.ts'

interface Begun {
  readonly status: number
  readonly headers: Record<string, string>
  readonly hash: Hash
  readonly firstByteMs: number
  readonly isChunked: boolean
  /** Undefined: until the end. */
  left: number | undefined
  bytes: number
  begin: string
}

const headEnd = Buffer.from('\r\n\r\n')
const lineEnd = Buffer.from('\r\n')

/** Takes bytes as they come; each response is given away when it is complete. */
export class ResponseReader {
  readonly #onHeard: (heard: Heard) => void
  readonly #nowMs: () => number
  #pending: Buffer = Buffer.alloc(0)
  #firstByteMs: number | undefined
  #begun: Begun | undefined

  constructor(onHeard: (heard: Heard) => void, nowMs: () => number) {
    this.#onHeard = onHeard
    this.#nowMs = nowMs
  }

  take(bytes: Buffer): void {
    this.#firstByteMs ??= this.#nowMs()
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    while (this.#step());
  }

  /** The connection is over: a response that goes on until then is complete. */
  end(): void {
    if (this.#begun !== undefined && this.#begun.left === undefined && !this.#begun.isChunked) this.#done(this.#begun)
  }

  #step(): boolean {
    if (this.#pending.length === 0) return false
    if (this.#begun === undefined) return this.#head()
    return this.#begun.isChunked ? this.#chunk(this.#begun) : this.#content(this.#begun)
  }

  #head(): boolean {
    const end = this.#pending.indexOf(headEnd)
    if (end < 0) return false
    const [first = '', ...lines] = this.#pending.toString('latin1', 0, end).split('\r\n')
    this.#pending = this.#pending.subarray(end + headEnd.length)
    const headers = Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
    const status = Number(first.split(' ')[1])
    const isChunked = headers['transfer-encoding'] === 'chunked'
    const length = headers['content-length']
    const hasNone = status < 200 || status === 204 || status === 304
    const left = hasNone ? 0 : length === undefined ? undefined : Number(length)
    const begun = { status, headers, hash: createHash('sha256'), firstByteMs: this.#firstByteMs ?? 0, isChunked, left, bytes: 0, begin: '' }
    this.#begun = begun
    if (left === 0 && !isChunked) this.#done(begun)
    return true
  }

  #content(begun: Begun): boolean {
    const part = this.#pending.subarray(0, begun.left)
    this.#add(begun, part)
    this.#pending = this.#pending.subarray(part.length)
    if (begun.left === undefined) return false
    begun.left -= part.length
    if (begun.left === 0) this.#done(begun)
    return begun.left === 0
  }

  /** RFC 9112 7.1, without trailers. */
  #chunk(begun: Begun): boolean {
    const end = this.#pending.indexOf(lineEnd)
    if (end < 0) return false
    const bytes = Number.parseInt(this.#pending.toString('latin1', 0, end), 16)
    const next = end + 2 + bytes + 2
    if (this.#pending.length < next) return false
    this.#add(begun, this.#pending.subarray(end + 2, end + 2 + bytes))
    this.#pending = this.#pending.subarray(next)
    if (bytes === 0) this.#done(begun)
    return true
  }

  #add(begun: Begun, part: Buffer): void {
    begun.hash.update(part)
    begun.bytes += part.length
    if (begun.begin.length < 200) begun.begin += part.toString('latin1', 0, 200 - begun.begin.length)
  }

  #done({ status, headers, hash, firstByteMs, bytes, begin }: Begun): void {
    this.#begun = undefined
    this.#firstByteMs = this.#pending.length > 0 ? this.#nowMs() : undefined
    this.#onHeard({ status, headers, sha256: hash.digest('hex'), bytes, begin, firstByteMs, doneMs: this.#nowMs() })
  }
}
