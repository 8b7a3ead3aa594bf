/** The head of a request, read where it lies (RFC 9112 2 to 6). */

import { isHost, isName, isTarget, isValue, lowered, of } from './characters.ts'

/** What `scanRequestHead` finds. */
export interface RequestHead {
  /** From where it was read to the end of the empty line. */
  readonly headBytes: number
  /** From where it was read to the first header field: the request line, and empty lines before it. */
  readonly lineBytes: number
  readonly method: string
  /** As it stands in the request line, with its query. */
  readonly target: string
  /** Of the Host field, or of a target in absolute form, in lower case; `''` where there is none (HTTP/1.0). */
  readonly host: string
  /** How the length of the content is told (RFC 9112 6.3). */
  readonly content: 'none' | 'length' | 'chunked'
  /** Of `length`. */
  readonly contentBytes: number
  /** The client wants another protocol on the connection (RFC 9110 7.8), or a tunnel (CONNECT). */
  readonly upgrade: boolean
  /** The connection ends with the response (RFC 9112 9.3). */
  readonly close: boolean
  /** The client waits for 100 (Continue) before it sends the content (RFC 9110 10.1.1). */
  readonly expectsContinue: boolean
  /** Header fields besides those that are told here: `readFields` reads them. */
  readonly otherFields: number
  /** Of the version: HTTP/1.x. */
  readonly minor: number
}

/** Why a head cannot be understood: the status to answer, and a sentence for people. */
export interface BadHead {
  readonly status: number
  readonly detail: string
}

/** How long a head and its parts may be (RFC 9110 4.1, 5.4 leave it to us). */
export interface HeadLimits {
  /** Beyond it: 431. */
  readonly headBytesMax: number
  /** Beyond it: 414. */
  readonly targetBytesMax: number
  /** Header fields; beyond it: 431. */
  readonly fieldsMax: number
}

/** What other servers take as well: a target of the 8,000 bytes that RFC 9110 4.1 recommends. */
export const requestHeadLimits: HeadLimits = { headBytesMax: 16 * 1024, targetBytesMax: 8000, fieldsMax: 100 }

const methodBytesMax = 32
const cr = 13
const lf = 10
const space = 32

const bad = (status: number, detail: string): BadHead => ({ status, detail })
const malformedLine = bad(400, 'The request line is malformed.')
const malformedField = bad(400, 'A header field is malformed.')

/** What a scan has found so far. There is one, for scans neither wait nor nest: a head costs no more than what is given back. */
const found = {
  /** The next byte. */
  at: 0,
  methodEnd: 0,
  targetFrom: 0,
  targetEnd: 0,
  minor: 0,
  hosts: 0,
  hostFrom: 0,
  hostEnd: 0,
  lengths: 0,
  contentBytes: 0,
  codings: 0,
  closes: false,
  keeps: false,
  wantsUpgrade: false,
  namesUpgrade: false,
  expectsContinue: false,
  others: 0,
}

function clear(at: number): void {
  found.at = at
  found.hosts = found.lengths = found.contentBytes = found.codings = 0
  found.hostFrom = found.hostEnd = found.others = 0
  found.closes = found.keeps = found.wantsUpgrade = found.namesUpgrade = found.expectsContinue = false
}

/**
 * Reads the head that begins at `from`; `'more'` while it has not ended, a status for what must be refused (400, 414, 417, 431, 501, 505). Copies nothing but the
 * words it gives. Never throws. What has served to smuggle requests past somebody who reads them otherwise is refused: folded lines, space before a colon, bare CR,
 * LF and NUL, several hosts or lengths, a length beside a transfer coding.
 */
export function scanRequestHead(bytes: Buffer, from: number, end: number, limits: HeadLimits = requestHeadLimits): RequestHead | BadHead | 'more' {
  const stop = Math.min(end, from + limits.headBytesMax)
  let at = from
  // An empty line before the request line is skipped (RFC 9112 2.2).
  while (at + 1 < stop && bytes[at] === cr && bytes[at + 1] === lf) at += 2
  clear(at)
  const methodFrom = at
  const line = scanLine(bytes, stop, limits)
  if (line !== undefined) return line === 'more' && stop < end ? tooLong(limits) : line
  const lineBytes = found.at - from
  for (let fields = 0; ; fields++) {
    at = found.at
    if (at + 1 < stop && bytes[at] === cr && bytes[at + 1] === lf) break
    if (fields === limits.fieldsMax) return bad(431, `More than ${limits.fieldsMax} header fields.`)
    const field = scanField(bytes, stop)
    if (field !== undefined) return field === 'more' && stop < end ? tooLong(limits) : field
  }
  return understood(bytes, { from, headBytes: found.at + 2 - from, lineBytes, method: wordOf(bytes, methodFrom, found.methodEnd) })
}

/** A head of exactly the limit may end there; one that has not ended there is too long. */
const tooLong = (limits: HeadLimits): BadHead => bad(431, `The request's head is longer than ${limits.headBytesMax} bytes.`)

/** The request line (RFC 9112 3); undefined where it is understood. */
function scanLine(bytes: Buffer, stop: number, limits: HeadLimits): BadHead | 'more' | undefined {
  let at = found.at
  const methodStop = Math.min(stop, at + methodBytesMax)
  const methodFrom = at
  while (at < methodStop && (of[bytes[at]] & isName) !== 0) at++
  if (at === stop) return 'more'
  if (at === methodFrom || bytes[at] !== space) return bytes[at] === cr && at + 1 === stop ? 'more' : malformedLine
  found.methodEnd = at
  const targetFrom = ++at
  const targetStop = Math.min(stop, targetFrom + limits.targetBytesMax + 1)
  while (at < targetStop && (of[bytes[at]] & isTarget) !== 0) at++
  if (at - targetFrom > limits.targetBytesMax) return bad(414, 'The request target is too long.')
  if (at === stop) return 'more'
  if (at === targetFrom || bytes[at] !== space) return malformedLine
  found.targetFrom = targetFrom
  found.targetEnd = at
  return scanVersion(bytes, at + 1, stop)
}

const version = Buffer.from('HTTP/1.1\r\n')
const minorAt = 7

function scanVersion(bytes: Buffer, from: number, stop: number): BadHead | 'more' | undefined {
  let major = 0
  for (let at = 0; at < version.length; at++) {
    if (from + at === stop) return 'more'
    const byte = bytes[from + at]
    const isDigit = byte >= 48 && byte <= 57
    if (at === minorAt - 2 && isDigit) major = byte - 48
    else if (at === minorAt && isDigit) found.minor = byte - 48
    else if (byte !== version[at]) return malformedLine
  }
  if (major !== 1) return bad(505, 'HTTP/1.1 is spoken here.')
  found.at = from + version.length
  return undefined
}

/** A header field (RFC 9112 5); undefined where it is understood. */
function scanField(bytes: Buffer, stop: number): BadHead | 'more' | undefined {
  const from = found.at
  let at = from
  while (at < stop && (of[bytes[at]] & isName) !== 0) at++
  if (at === stop) return 'more'
  // Neither a folded line nor space before the colon (RFC 9112 5.1, 5.2).
  if (at === from || bytes[at] !== 58) return at === from && bytes[at] === cr && at + 1 === stop ? 'more' : malformedField
  const nameEnd = at++
  while (at < stop && (bytes[at] === space || bytes[at] === 9)) at++
  const valueFrom = at
  while (at < stop && (of[bytes[at]] & isValue) !== 0) at++
  if (at === stop || (bytes[at] === cr && at + 1 === stop)) return 'more'
  // Nor a bare CR, LF or NUL (RFC 9110 5.5).
  if (bytes[at] !== cr || bytes[at + 1] !== lf) return malformedField
  found.at = at + 2
  const field = fieldsByLength[nameEnd - from]
  if (field === undefined || !isWord(bytes, from, nameEnd, field.name)) {
    found.others++
    return undefined
  }
  while (at > valueFrom && (bytes[at - 1] === space || bytes[at - 1] === 9)) at--
  return field.take(bytes, valueFrom, at)
}

interface KnownField {
  readonly name: Buffer
  take(bytes: Buffer, from: number, end: number): BadHead | undefined
}

const lengthDigitsMax = 15

/** The fields that say how messages are delimited and routed, each of a length of its own. */
const knownFields: readonly KnownField[] = [
  {
    name: Buffer.from('host'),
    take(bytes, from, end) {
      // RFC 9112 3.2: one, and only one.
      if (++found.hosts > 1) return bad(400, 'There is more than one Host header field.')
      for (let at = from; at < end; at++) if ((of[bytes[at]] & isHost) === 0) return bad(400, 'The Host header field is malformed.')
      found.hostFrom = from
      found.hostEnd = end
      return undefined
    },
  },
  {
    name: Buffer.from('content-length'),
    take(bytes, from, end) {
      if (++found.lengths > 1 || from === end || end - from > lengthDigitsMax) return bad(400, 'The Content-Length is malformed.')
      let length = 0
      for (let at = from; at < end; at++) {
        const digit = bytes[at] - 48
        if (digit < 0 || digit > 9) return bad(400, 'The Content-Length is malformed.')
        length = length * 10 + digit
      }
      found.contentBytes = length
      return undefined
    },
  },
  {
    name: Buffer.from('transfer-encoding'),
    take(bytes, from, end) {
      if (++found.codings > 1 || !isWord(bytes, from, end, words.chunked)) return bad(501, 'Only chunked is known of transfer codings.')
      return undefined
    },
  },
  {
    name: Buffer.from('connection'),
    take(bytes, from, end) {
      for (let at = from; at < end;) {
        let stop = at
        while (stop < end && bytes[stop] !== 44) stop++
        takeConnectionOption(bytes, at, stop)
        at = stop + 1
      }
      return undefined
    },
  },
  {
    name: Buffer.from('upgrade'),
    take(_bytes, from, end) {
      found.namesUpgrade = end > from
      return undefined
    },
  },
  {
    name: Buffer.from('expect'),
    take(bytes, from, end) {
      if (!isWord(bytes, from, end, words.continue)) return bad(417, 'Nothing but 100-continue may be expected.')
      found.expectsContinue = true
      return undefined
    },
  },
]

const fieldsByLength: readonly (KnownField | undefined)[] = Array.from({ length: 256 }, (_, length) =>
  knownFields.find(({ name }) => name.length === length),
)

const words = {
  chunked: Buffer.from('chunked'),
  close: Buffer.from('close'),
  keepAlive: Buffer.from('keep-alive'),
  upgrade: Buffer.from('upgrade'),
  continue: Buffer.from('100-continue'),
} as const

function takeConnectionOption(bytes: Buffer, from: number, end: number): void {
  while (from < end && (bytes[from] === space || bytes[from] === 9)) from++
  while (end > from && (bytes[end - 1] === space || bytes[end - 1] === 9)) end--
  if (isWord(bytes, from, end, words.close)) found.closes = true
  else if (isWord(bytes, from, end, words.keepAlive)) found.keeps = true
  else if (isWord(bytes, from, end, words.upgrade)) found.wantsUpgrade = true
}

/** Compares in any case with a word in lower case. */
function isWord(bytes: Buffer, from: number, end: number, word: Buffer): boolean {
  if (end - from !== word.length) return false
  for (let at = 0; at < word.length; at++) if (lowered[bytes[from + at]] !== word[at]) return false
  return true
}

const knownMethods: readonly { readonly word: string; readonly bytes: Buffer }[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'CONNECT',
].map(word => ({ word, bytes: Buffer.from(word) }))

/** A method. Those that are known need no new string. */
function wordOf(bytes: Buffer, from: number, end: number): string {
  for (const { word, bytes: known } of knownMethods) {
    if (known.length !== end - from) continue
    let at = 0
    while (at < known.length && bytes[from + at] === known[at]) at++
    if (at === known.length) return word
  }
  return bytes.toString('latin1', from, end)
}

interface Parts {
  readonly from: number
  readonly headBytes: number
  readonly lineBytes: number
  readonly method: string
}

/** What the fields say together. */
function understood(bytes: Buffer, { headBytes, lineBytes, method }: Parts): RequestHead | BadHead {
  const { minor } = found
  if (minor !== 0 && found.hosts === 0) return bad(400, 'The Host header field is missing.')
  // RFC 9112 6.1: both lengths, and a coding in HTTP/1.0, are signs of smuggling.
  if (found.codings > 0 && (found.lengths > 0 || minor === 0)) return bad(400, 'The length of the content is ambiguous.')
  const target = bytes.toString('latin1', found.targetFrom, found.targetEnd)
  const host = hostOf(bytes, method, target)
  if (host === undefined) return bad(400, 'The request target is malformed.')
  const isTunnel = method === 'CONNECT'
  return {
    headBytes,
    lineBytes,
    method,
    target,
    host,
    content: found.codings > 0 ? 'chunked' : found.contentBytes > 0 ? 'length' : 'none',
    contentBytes: found.contentBytes,
    // In HTTP/1.0 it is ignored (RFC 9110 7.8).
    upgrade: isTunnel || (found.wantsUpgrade && found.namesUpgrade && minor !== 0),
    close: found.closes || (minor === 0 && !found.keeps),
    expectsContinue: found.expectsContinue && minor !== 0,
    otherFields: found.others,
    minor,
  }
}

const absoluteForm = /^https?:\/\/([^/?#@]+)(?:[/?]|$)/i
const authority = /^[^/?#@]+:\d{1,5}$/

/** The host that a request is for (RFC 9112 3.2 and 3.3); undefined where its target is of none of the four forms. */
function hostOf(bytes: Buffer, method: string, target: string): string | undefined {
  if (method === 'CONNECT') return authority.test(target) ? target.toLowerCase() : undefined
  if (target.charCodeAt(0) !== 47 && !(target === '*' && method === 'OPTIONS')) return absoluteForm.exec(target)?.[1]?.toLowerCase()
  return lowerCaseOf(bytes, found.hostFrom, found.hostEnd)
}

/** Neighbouring requests are for the same host, and a string that is there need not be made. */
let hostBefore = ''

function lowerCaseOf(bytes: Buffer, from: number, end: number): string {
  if (end - from === hostBefore.length) {
    let at = 0
    while (at < hostBefore.length && lowered[bytes[from + at]] === hostBefore.charCodeAt(at)) at++
    if (at === hostBefore.length) return hostBefore
  }
  return (hostBefore = bytes.toString('latin1', from, end).toLowerCase())
}
