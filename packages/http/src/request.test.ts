import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { FramingVariant, requestFraming, type RequestLimits } from './framing.ts'
import { type HttpRequest, readRequest as readRequestWithin } from './request.ts'

const limits: RequestLimits = { headBytesMax: 8192, targetBytesMax: 2048, fieldsMax: 100, contentBytesMax: 64 * 1024 }
const { contentBytesMax, headBytesMax } = limits
const httpFraming = requestFraming(limits)
const readRequest = (bytes: Buffer) => readRequestWithin(bytes, limits)

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const cut = (text: string, variant = 0): number => httpFraming.frameBytes(bytesOf(text), 0, text.length, variant)
const head = (...fields: readonly string[]): string => ['POST /x HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n')

function read(text: string): HttpRequest {
  const request = readRequest(bytesOf(text))
  assert.ok('content' in request, JSON.stringify(request))
  return request
}
const statusOf = (text: string): number | undefined => {
  const request = readRequest(bytesOf(text))
  return 'status' in request ? request.status : undefined
}

describe('what is no request is refused', () => {
  for (const [name, text, status] of [
    ['a malformed request line', 'GET\r\n\r\n', 400],
    ['HTTP/2 in text', 'PRI * HTTP/2.0\r\n\r\n', 505],
    ['no Host (RFC 9112 3.2)', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Hosts (RFC 9112 3.2)', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['a folded header (RFC 9112 5.2)', 'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n', 400],
    ['space before a colon (RFC 9112 5.1)', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['a bare LF in a field (RFC 9110 5.5)', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n', 400],
    ['a transfer coding other than chunked', head('Transfer-Encoding: gzip, chunked'), 501],
    ['chunked with a length (RFC 9112 6.1)', head('Transfer-Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n', 400],
    ['chunked in HTTP/1.0 (RFC 9112 6.1)', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['a malformed chunk size', `${head('Transfer-Encoding: chunked')}0x5\r\nhello\r\n0\r\n\r\n`, 400],
    ['a chunk longer than its size', `${head('Transfer-Encoding: chunked')}4\r\nhello\r\n0\r\n\r\n`, 400],
    ['chunks of more than the limit', `${head('Transfer-Encoding: chunked')}${(contentBytesMax + 1).toString(16)}\r\n`, 413],
    ['content of more than the limit', head(`Content-Length: ${contentBytesMax + 1}`), 413],
    ['a negative length', head('Content-Length: -1'), 400],
    ['two lengths', head('Content-Length: 5', 'Content-Length: 5') + 'hello', 400],
    ['another expectation (RFC 9110 10.1.1)', head('Expect: something'), 417],
    ['a long target', `GET /${'a'.repeat(4000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['a long head', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(9000)}`, 431],
    ['many header fields', `GET / HTTP/1.1\r\nHost: a\r\n${'x: y\r\n'.repeat(200)}\r\n`, 431],
  ] as const) {
    test(`${name}: ${status}`, () => {
      assert.equal(statusOf(text), status)
      // However it is cut, the application gets to say so.
      assert.notEqual(cut(text), 0)
    })
  }
})

describe('requests', () => {
  test('HTTP/1.0 needs no Host; the absolute form has its path (RFC 9112 3.2.2); an empty line before is skipped (2.2)', () => {
    assert.equal(read('GET /healthz HTTP/1.0\r\n\r\n').path, '/healthz')
    assert.equal(read('GET http://node:8080/healthz?a=b HTTP/1.1\r\nHost: node\r\n\r\n').query, 'a=b')
    assert.equal(read('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').method, 'GET')
  })

  test('are cut with their content, whatever follows (RFC 9112 6.2)', () => {
    const whole = `${head('Content-Length: 5')}hello`
    assert.equal(cut(`${whole}GET`), whole.length)
    assert.equal(read(whole).content.toString(), 'hello')
    for (let end = 0; end < whole.length - 'hello'.length; end++) assert.equal(cut(whole.slice(0, end)), 0)
    assert.deepEqual(readRequest(bytesOf(whole.slice(0, -1))), { unfinished: true, continue: false })
  })

  test('are cut at the end of their chunks, with extensions and trailers (RFC 9112 7.1)', () => {
    const whole = `${head('Transfer-Encoding: Chunked')}5;a="b"\r\nhello\r\n1 \r\n!\r\n0\r\nX: y\r\n\r\n`
    assert.equal(cut(`${whole}GET`), whole.length)
    assert.equal(read(whole).content.toString(), 'hello!')
    for (let end = 0; end < whole.length; end++) assert.equal(cut(whole.slice(0, end)), 0, whole.slice(0, end))
  })

  test('whatever its chunks are, content comes out as it went in', () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { maxLength: 40 })
    fc.assert(
      fc.property(chunks, fc.nat(), (chunks, at) => {
        const coded = chunks.map(chunk => Buffer.concat([bytesOf(`${chunk.length.toString(16)}\r\n`), chunk, bytesOf('\r\n')]))
        const whole = Buffer.concat([bytesOf(head('Transfer-Encoding: chunked')), ...coded, bytesOf('0\r\n\r\n')])
        assert.equal(httpFraming.frameBytes(whole, 0, whole.length), whole.length)
        assert.equal(httpFraming.frameBytes(whole, 0, at % whole.length), 0)
        const request = readRequest(whole)
        assert.ok('content' in request)
        assert.deepEqual(request.content, Buffer.concat(chunks))
      }),
    )
  })

  test('whose client waits for 100 (Continue) are cut alone; what follows comes as it comes (RFC 9110 10.1.1)', () => {
    const alone = head('Content-Length: 5', 'Expect: 100-Continue')
    assert.equal(cut(alone), alone.length)
    assert.deepEqual(readRequest(bytesOf(alone)), { unfinished: true, continue: true })
    assert.equal(cut('hel', FramingVariant.content), 3)
    assert.equal(read(`${alone}hello`).content.toString(), 'hello')
    // Content that came along has not waited.
    assert.equal(cut(`${alone}hello`), alone.length + 5)
    assert.deepEqual(readRequest(bytesOf(`${alone}hel`)), { unfinished: true, continue: false })
  })

  test('an endless head is cut where 431 is due; what is no request at once', () => {
    const endless = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}`)
    assert.equal(httpFraming.frameBytes(endless, 0, headBytesMax), 0)
    assert.equal(httpFraming.frameBytes(endless, 0, headBytesMax + 1), headBytesMax + 1)
    const hello = Buffer.from('160301020001', 'hex')
    assert.equal(httpFraming.frameBytes(hello, 0, hello.length), hello.length)
    assert.equal(cut('a'.repeat(33)), 33)
  })

  test('any bytes are read, waited for or refused', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'GET ',
        '/metrics',
        ' HTTP/1.1',
        '\r\n',
        ': ',
        'Host',
        '\r\n\r\n',
        '\0',
        '?',
        'Transfer-Encoding: chunked\r\n',
        '5\r\n',
        '0\r\n\r\n',
      ),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(piece), pieces => {
        const bytes = bytesOf(pieces.join(''))
        const cutBytes = bytes.length === 0 ? 0 : httpFraming.frameBytes(bytes, 0, bytes.length)
        assert.ok(cutBytes >= 0)
        const request = readRequest(bytes)
        assert.ok('status' in request || 'unfinished' in request || request.path.startsWith('/'))
      }),
      { numRuns: 2000 },
    )
  })
})
