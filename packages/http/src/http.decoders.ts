/** What clients of HTTP send, for the fuzzer: with what has to hold of whatever is accepted. */
import assert from 'node:assert/strict'
import { evaluateConditions, rangeApplies } from './conditions.ts'
import { readBasicCredentials } from './credentials.ts'
import { formatHttpDate, parseHttpDate } from './date.ts'
import { requestFraming, type RequestLimits } from './framing.ts'
import { scanRequestHead } from './head.ts'
import { readRanges } from './ranges.ts'
import { readFields, readRequest } from './request.ts'

const limits: RequestLimits = { headBytesMax: 4096, targetBytesMax: 1024, fieldsMax: 50, contentBytesMax: 8192 }
const framing = requestFraming(limits)
const malformed = (): Error => Object.assign(new Error('refused'), { name: 'MalformedError' })

/** A head as RFC 9112 has it, without anything that somebody might read otherwise: what the scan takes has to be one. */
const strict = /^(?:\r\n)*[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [!"$-~]+ HTTP\/1\.\d\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\u0080-\u00ff]*\r\n)*\r\n$/

/** See above. Throws for what is refused, and for a scan that takes what it must not, or another part of it. */
export function checkedHead(bytes: Buffer): void {
  const head = scanRequestHead(bytes, 0, bytes.length, limits)
  // However little of it has come: a head is not taken before its end, nor refused if the whole of it is not.
  if (head === 'more' || 'status' in head) throw malformed()
  assert.match(bytes.toString('latin1', 0, head.headBytes), strict)
  for (const end of [head.headBytes - 1, head.headBytes >> 1, head.lineBytes - 1]) assert.equal(scanRequestHead(bytes, 0, end, limits), 'more')
  const moved = Buffer.concat([Buffer.from('GET'), bytes])
  assert.deepEqual(scanRequestHead(moved, 3, moved.length, limits), head)
  const fields = readFields(bytes, 0, head)
  assert.equal(head.content === 'chunked', fields.has('transfer-encoding'))
  assert.equal(head.contentBytes, Number(fields.get('content-length') ?? 0))
  assert.ok(!(fields.has('transfer-encoding') && fields.has('content-length')))
  assert.ok(head.minor === 0 || fields.has('host'))
}

/** The framing cuts as the application reads. */
function checkedRequest(bytes: Buffer): void {
  const frameBytes = bytes.length === 0 ? 0 : framing.frameBytes(bytes, 0, bytes.length)
  const request = readRequest(bytes, limits)
  if ('unfinished' in request) assert.ok(frameBytes === 0 || frameBytes > bytes.length || request.continue)
  if ('status' in request && frameBytes === 0) assert.ok(request.status < 500)
  if (!('content' in request)) throw malformed()
  assert.ok(frameBytes > 0 && request.content.length <= frameBytes)
  assert.deepEqual(readRequest(bytes.subarray(0, frameBytes), limits), request)
}

function checkedRanges(bytes: Buffer): void {
  const size = bytes[0] ?? 0
  const ranges = readRanges(bytes.toString('latin1', 1), size)
  if (typeof ranges === 'string') throw malformed()
  for (const { offset, lengthBytes } of ranges) assert.ok(offset >= 0 && lengthBytes > 0 && offset + lengthBytes <= size)
}

function checkedDate(bytes: Buffer): void {
  const seconds = parseHttpDate(bytes.toString('latin1'), Date.UTC(2026, 10, 21))
  if (seconds === undefined) throw malformed()
  assert.equal(parseHttpDate(formatHttpDate(seconds * 1000)), seconds)
}

const text = (...lines: readonly string[]): Buffer => Buffer.from(lines.join('\r\n'), 'latin1')
const heads = [
  text('GET /docs/a%20b?c HTTP/1.1', 'Host: 127.0.0.1:8080', 'User-Agent: curl/8.14.1', 'Accept: */*', '', ''),
  text('', 'POST http://example.org:80/x HTTP/1.0', 'Connection: keep-alive, Upgrade', 'Content-Length: 5', '', 'hello'),
  text('PUT / HTTP/1.1', 'host:\ta ', 'Transfer-Encoding: chunked', 'Expect: 100-continue', '', '5', 'hello', '0', '', ''),
  text('CONNECT example.org:443 HTTP/1.1', 'Host: example.org', 'Upgrade: websocket', '', ''),
]

/** For the fuzzer. */
export const decoders = {
  head: { decode: checkedHead, seeds: heads },
  request: { decode: checkedRequest, seeds: heads },
  ranges: { decode: checkedRanges, seeds: ['dbytes=0-1,5-,-3', 'xbytes=99-'].map(seed => Buffer.from(seed)) },
  date: {
    decode: checkedDate,
    seeds: ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'].map(seed => Buffer.from(seed)),
  },
  conditions: {
    decode(bytes: Buffer): void {
      const value = bytes.toString('latin1')
      const current = { etag: '"a"', lastModified: 784111777 }
      for (const name of ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range']) {
        const fields = new Map([[name, value]])
        evaluateConditions(fields, current)
        rangeApplies(fields, current, Date.UTC(2026, 10, 21))
      }
    },
    seeds: ['"a", W/"b",, "c"', '*', 'Sun, 06 Nov 1994 08:49:37 GMT'].map(seed => Buffer.from(seed)),
  },
  credentials: {
    decode(bytes: Buffer): void {
      const credentials = readBasicCredentials(bytes.toString('latin1'))
      if (credentials === undefined) throw malformed()
      assert.ok(!credentials.user.includes(':'))
    },
    seeds: [Buffer.from('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='), Buffer.from('basic  dGVzdDoxMjPCow==')],
  },
}
