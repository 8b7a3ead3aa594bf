/** HTTP/1.1 (RFC 9112) as far as short requests and one response per connection need it: bytes in, bytes out. */

/** What a listener's framing looks like to the engine (its `Framing`). */
interface HttpFraming {
  readonly headerBytes: number
  readonly leadBytes: number
  frameBytes(bytes: Buffer, at: number, end: number): number
  writeHeader(into: Buffer, at: number, lengthBytes: number): void
}

/** Longest request head taken (RFC 9110 5.4 leaves it to us); beyond it: 431. */
export const requestHeadBytesMax = 8192
const headersMax = 100
const headEnd = Buffer.from('\r\n\r\n')

/**
 * Cuts a stream into request heads. A head that does not end within `requestHeadBytesMax` is cut there, so that the application can
 * answer 431. Bodies are not waited for: the connection ends with the response.
 */
export const httpFraming: HttpFraming = {
  headerBytes: 0,
  leadBytes: 1,
  frameBytes(bytes, at, end) {
    const head = bytes.subarray(at, Math.min(end, at + requestHeadBytesMax))
    const found = head.indexOf(headEnd)
    if (found !== -1) return found + headEnd.length
    return end - at >= requestHeadBytesMax ? requestHeadBytesMax : 0
  },
  writeHeader() {},
}

/**
 * As `httpFraming`, for requests that have content: a head is cut together with as many bytes as its Content-Length says (RFC 9112 6.2). One
 * that says more than `contentBytesMax` is cut alone, so that the application can answer 413.
 */
export const httpFramingWithContent = (contentBytesMax: number): HttpFraming => ({
  ...httpFraming,
  frameBytes(bytes, at, end) {
    const headBytes = httpFraming.frameBytes(bytes, at, end)
    const length = headBytes === 0 ? 0 : contentLengthOf(bytes.toString('latin1', at, at + headBytes))
    return headBytes + (length <= contentBytesMax ? length : 0)
  },
})

/** 0 where there is none, or where it is not one: the application says so. */
const contentLengthOf = (head: string): number => Number(/\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n/i.exec(head)?.[1] ?? 0)

/** A request, understood (RFC 9112 3, 5, 6). */
export interface HttpRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** Without `?`, `''` where there is none. */
  readonly query: string
  /** Names in lower case; the values of a repeated field joined with `, ` (RFC 9110 5.3). */
  readonly headers: ReadonlyMap<string, string>
  /** A view of the request's bytes. */
  readonly content: Buffer
}

/** What `writeResponse` makes bytes of. */
export interface HttpResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Why a request cannot be understood: the status to answer, and a sentence for people. */
export interface BadRequest {
  readonly status: number
  readonly detail: string
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([!-~]{1,2048}) HTTP\/(\d)\.(\d)$/
const bad = (status: number, detail: string): BadRequest => ({ status, detail })

/**
 * Reads a request. Undefined while more bytes are needed; `{status, detail}` for what must be refused (400, 413, 414, 431, 501, 505).
 * Never throws.
 */
export function readRequest(
  bytes: Buffer,
  { contentBytesMax = 0 }: { readonly contentBytesMax?: number } = {},
): HttpRequest | BadRequest | undefined {
  // An empty line before the request line is skipped (RFC 9112 2.2).
  const from = bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10 ? 2 : 0
  const end = bytes.indexOf(headEnd, from)
  if (end === -1) return bytes.length >= requestHeadBytesMax ? bad(431, `The request's head is longer than ${requestHeadBytesMax} bytes.`) : undefined
  if (end > requestHeadBytesMax) return bad(431, `The request's head is longer than ${requestHeadBytesMax} bytes.`)
  const [first = '', ...lines] = bytes.toString('latin1', from, end).split('\r\n')
  const line = requestLine.exec(first)
  if (line === null) return first.length > 2100 ? bad(414, 'The request target is too long.') : bad(400, 'The request line is malformed.')
  const [, method = '', target = '', major = ''] = line
  if (major !== '1') return bad(505, 'HTTP/1.1 is spoken here.')
  if (lines.length > headersMax) return bad(431, `More than ${headersMax} header fields.`)
  const headers = new Map<string, string>()
  for (const field of lines) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    // Neither folded lines nor space before the colon (RFC 9112 5.1, 5.2): both have served to smuggle requests.
    if (colon < 1 || !token.test(name)) return bad(400, 'A header field is malformed.')
    const value = field.slice(colon + 1).trim()
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  if (first.endsWith('HTTP/1.1') && !headers.has('host')) return bad(400, 'The Host header field is missing.')
  if (headers.has('transfer-encoding')) return bad(501, 'Transfer codings are not implemented.')
  const length = headers.get('content-length') ?? '0'
  if (!/^\d{1,15}$/.test(length)) return bad(400, 'The Content-Length is malformed.')
  if (Number(length) > contentBytesMax)
    return bad(413, contentBytesMax === 0 ? 'No request here has content.' : `The content is longer than ${contentBytesMax} bytes.`)
  const contentAt = end + headEnd.length
  const content = bytes.subarray(contentAt, contentAt + Number(length))
  if (content.length < Number(length)) return undefined
  const path = target.startsWith('/') ? target : (/^https?:\/\/[^/?#]*(.*)$/.exec(target)?.[1] ?? '')
  if (!path.startsWith('/')) return bad(400, 'The request target is malformed.')
  const question = path.indexOf('?')
  return question === -1
    ? { method, path, query: '', headers, content }
    : { method, path: path.slice(0, question), query: path.slice(question + 1), headers, content }
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
}

export const reasonOf = (status: number): string => reasons[status] ?? 'Unknown'

/** A whole response; the connection ends with it. `head` leaves out the body and keeps its length (RFC 9110 9.3.2). */
export function writeResponse(
  { status, contentType, body, headers = {} }: HttpResponse,
  options: { readonly head?: boolean; readonly date?: Date } = {},
): Buffer {
  const lines = [
    `HTTP/1.1 ${status} ${reasonOf(status)}`,
    `Date: ${(options.date ?? new Date()).toUTCString()}`,
    // A response without content says nothing about it (RFC 9110 8.6).
    ...(status === 204 ? [] : [`Content-Type: ${contentType}`, `Content-Length: ${Buffer.byteLength(body)}`]),
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${options.head ? '' : body}`, 'utf8')
}

/** An RFC 9457 problem. `type` is stable: `about:blank` says no more than the status; `members` are extensions (3.2). */
export function problem(
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
  members: Readonly<Record<string, unknown>> = {},
): HttpResponse {
  const body = JSON.stringify({ type: 'about:blank', title: reasonOf(status), status, detail, ...members })
  return { status, contentType: 'application/problem+json', body: `${body}\n`, headers }
}
