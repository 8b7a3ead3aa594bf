/** Whole requests of HTTP/1.1 (RFC 9112 3, 5, 6), bytes in. */

import { readChunked } from './chunked.ts'
import type { RequestLimits } from './framing.ts'
import { type BadHead, type RequestHead, scanRequestHead } from './head.ts'

/** A request, understood. */
export interface HttpRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** Without `?`, `''` where there is none. */
  readonly query: string
  /** Names in lower case; the values of a repeated field joined with `, ` (RFC 9110 5.3). */
  readonly headers: ReadonlyMap<string, string>
  readonly content: Buffer
}

/** More bytes are needed. With `continue` the client waits to be told that it may send them (RFC 9110 10.1.1). */
export interface Unfinished {
  readonly unfinished: true
  readonly continue: boolean
}

const bad = (status: number, detail: string): BadHead => ({ status, detail })

/** Reads a request; `{status, detail}` for what must be refused (400, 413, 414, 417, 431, 501, 505). Never throws. */
export function readRequest(bytes: Buffer, limits: RequestLimits): HttpRequest | BadHead | Unfinished {
  const head = scanRequestHead(bytes, 0, bytes.length, limits)
  if (head === 'more') return { unfinished: true, continue: false }
  if ('status' in head) return head
  const { path, query } = splitTarget(head.target)
  if (!path.startsWith('/')) return bad(400, 'The request target is malformed.')
  const content = readContent(bytes.subarray(head.headBytes), head, limits)
  return Buffer.isBuffer(content) ? { method: head.method, path, query, headers: readFields(bytes, 0, head), content } : content
}

/** The path and the query of a target in origin or absolute form (RFC 9112 3.2); of the other forms the target is the path. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const origin = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?]*/i, '')
  const question = origin.indexOf('?')
  const path = question === -1 ? origin : origin.slice(0, question)
  // An empty path is that of the root (RFC 9110 4.2.3).
  return { path: path === '' ? '/' : path, query: question === -1 ? '' : origin.slice(question + 1) }
}

/** The header fields of a head that `scanRequestHead` has read at `from`: names in lower case, repeated ones joined with `, ` (RFC 9110 5.3). */
export function readFields(bytes: Buffer, from: number, { lineBytes, headBytes }: Pick<RequestHead, 'lineBytes' | 'headBytes'>): Map<string, string> {
  const fields = new Map<string, string>()
  // Without the CR LF of the last field and that of the empty line.
  const text = bytes.toString('latin1', from + lineBytes, from + headBytes - 4)
  if (text === '') return fields
  for (const field of text.split('\r\n')) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}

function readContent(bytes: Buffer, head: RequestHead, { contentBytesMax }: RequestLimits): Buffer | BadHead | Unfinished {
  const unfinished: Unfinished = { unfinished: true, continue: head.expectsContinue && bytes.length === 0 }
  const tooLong = bad(413, `The content is longer than ${contentBytesMax} bytes.`)
  if (head.content !== 'chunked') {
    if (head.contentBytes > contentBytesMax) return tooLong
    return bytes.length < head.contentBytes ? unfinished : bytes.subarray(0, head.contentBytes)
  }
  const read = readChunked(bytes, { at: 0, end: bytes.length, dataBytesMax: contentBytesMax })
  if (read === 'more') return unfinished
  if (read === 'malformed') return bad(400, 'A chunk of the content is malformed.')
  return read === 'too-long' ? tooLong : Buffer.concat(read.data)
}
