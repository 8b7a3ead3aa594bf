import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { type RequestHead, requestHeadLimits, scanRequestHead } from './head.ts'
import { checkedHead } from './http.decoders.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const lines = (...text: readonly string[]): string => [...text, '', ''].join('\r\n')
const scan = (text: string) => scanRequestHead(bytesOf(text), 0, text.length)

function read(...text: readonly string[]): RequestHead {
  const head = scan(lines(...text))
  assert.ok(head !== 'more' && 'headBytes' in head, JSON.stringify(head))
  return head
}
const statusOf = (...text: readonly string[]): number | undefined => {
  const head = scan(lines(...text))
  return head !== 'more' && 'status' in head ? head.status : undefined
}
const get = 'GET / HTTP/1.1'

test('all of a head', () => {
  const text = lines('', 'POST /a?b HTTP/1.1', 'HOST: \tExample.ORG:8080 ', 'Content-Length: 12', 'Expect: 100-Continue', 'X:')
  assert.deepEqual(scan(`${text}hello, world`), {
    headBytes: text.length,
    lineBytes: '\r\nPOST /a?b HTTP/1.1\r\n'.length,
    method: 'POST',
    target: '/a?b',
    host: 'example.org:8080',
    content: 'length',
    contentBytes: 12,
    upgrade: false,
    close: false,
    expectsContinue: true,
    otherFields: 1,
    minor: 1,
  })
  for (let end = 0; end < text.length; end++) assert.equal(scan(text.slice(0, end)), 'more')
})

describe('the host (RFC 9112 3.2)', () => {
  for (const [text, host] of [
    [[get, 'Host: a'], 'a'],
    [[get, 'Host:'], ''],
    [[get, 'Host: [::1]:80'], '[::1]:80'],
    [['GET / HTTP/1.0'], ''],
    [['GET http://B.example/x HTTP/1.1', 'Host: a'], 'b.example'],
    [['GET http://b.example?x HTTP/1.1', 'Host: a'], 'b.example'],
    [['CONNECT b.example:443 HTTP/1.1', 'Host: a'], 'b.example:443'],
    [['OPTIONS * HTTP/1.1', 'Host: a'], 'a'],
  ] as const) {
    test(`${text.join(', ')}: ${host}`, () => assert.equal(read(...text).host, host))
  }
  for (const text of [
    [get],
    [get, 'Host: a', 'Host: a'],
    [get, 'Host: a, b'],
    [get, 'Host: a/b'],
    [get, 'Host: a b'],
    [get, 'Host: u@a'],
    ['GET http://u@a/ HTTP/1.1', 'Host: a'],
    ['GET ftp://a/ HTTP/1.1', 'Host: a'],
    ['GET a HTTP/1.1', 'Host: a'],
    ['GET * HTTP/1.1', 'Host: a'],
    ['CONNECT /a HTTP/1.1', 'Host: a'],
    ['GET /a#b HTTP/1.1', 'Host: a'],
  ] as const) {
    test(`none: ${text.join(', ')}`, () => assert.equal(statusOf(...text), 400))
  }
})

describe('whether the connection stays, and is HTTP (RFC 9112 9.3, RFC 9110 7.8)', () => {
  for (const [text, close, upgrade] of [
    [[get], false, false],
    [[get, 'Connection: close'], true, false],
    [[get, 'Connection: keep-alive , CLOSE'], true, false],
    [[get, 'Connection: keep-alive', 'Connection: close'], true, false],
    [[get, 'Connection: closed'], false, false],
    [['GET / HTTP/1.0'], true, false],
    [['GET / HTTP/1.0', 'Connection: Keep-Alive'], false, false],
    [[get, 'Connection: Upgrade', 'Upgrade: websocket'], false, true],
    [[get, 'Upgrade: websocket'], false, false],
    [[get, 'Connection: upgrade'], false, false],
    [['GET / HTTP/1.0', 'Connection: upgrade, keep-alive', 'Upgrade: websocket'], false, false],
    [['CONNECT a:1 HTTP/1.1'], false, true],
  ] as const) {
    test(text.join(', '), () => {
      const head = read(...text, 'Host: a')
      assert.deepEqual([head.close, head.upgrade], [close, upgrade])
    })
  }
})

describe('what is refused', () => {
  for (const [what, text, status] of [
    ['a NUL in a field (RFC 9110 5.5)', [get, 'Host: a', 'X: a\0b'], 400],
    ['a bare CR in a field (RFC 9112 2.2)', [get, 'Host: a', 'X: a\rb'], 400],
    ['a line that ends with LF alone', [`${get}\nHost: a`], 400],
    ['a name with a space in it', [get, 'Host: a', 'X Y: z'], 400],
    ['a field without a name', [get, 'Host: a', ': z'], 400],
    ['a field without a colon', [get, 'Host: a', 'X'], 400],
    ['two spaces in the request line', ['GET  / HTTP/1.1', 'Host: a'], 400],
    ['a space behind the version', ['GET / HTTP/1.1 ', 'Host: a'], 400],
    ['a space before the method', [' GET / HTTP/1.1', 'Host: a'], 400],
    ['HTTP/0.9', ['GET /', 'Host: a'], 400],
    ['lower case', ['GET / http/1.1', 'Host: a'], 400],
    ['HTTP/2.0', ['GET / HTTP/2.0', 'Host: a'], 505],
    ['a target of more than ASCII', ['GET /ä HTTP/1.1', 'Host: a'], 400],
    ['several codings', [get, 'Host: a', 'Transfer-Encoding: chunked, chunked'], 501],
    ['two Transfer-Encodings', [get, 'Host: a', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 501],
    ['a list of lengths', [get, 'Host: a', 'Content-Length: 1, 1'], 400],
    ['a length with a sign', [get, 'Host: a', 'Content-Length: +1'], 400],
    ['a length in hexadecimal', [get, 'Host: a', 'Content-Length: 0x1'], 400],
    ['a length without digits', [get, 'Host: a', 'Content-Length:'], 400],
    ['a length of too many digits', [get, 'Host: a', 'Content-Length: 1234567890123456'], 400],
    ['a long method', [`${'A'.repeat(33)} / HTTP/1.1`, 'Host: a'], 400],
  ] as const) {
    test(`${what}: ${status}`, () => assert.equal(statusOf(...text), status))
  }

  test('what is too long: 414, 431; the longest that is allowed is read', () => {
    const { headBytesMax, targetBytesMax, fieldsMax } = requestHeadLimits
    const target = (length: number) => `GET /${'a'.repeat(length - 1)} HTTP/1.1`
    assert.equal(read(target(targetBytesMax), 'Host: a').target.length, targetBytesMax)
    assert.equal(statusOf(target(targetBytesMax + 1), 'Host: a'), 414)
    const fields = (count: number) => Array.from({ length: count }, () => 'X: y')
    assert.equal(read(get, 'Host: a', ...fields(fieldsMax - 1)).method, 'GET')
    assert.equal(statusOf(get, 'Host: a', ...fields(fieldsMax)), 431)
    const filled = (bytes: number) => [get, 'Host: a', `X: ${'a'.repeat(bytes - lines(get, 'Host: a', 'X: ').length)}`]
    assert.equal(read(...filled(headBytesMax)).headBytes, headBytesMax)
    assert.equal(statusOf(...filled(headBytesMax + 1)), 431)
  })
})

test('whatever is taken is a head by the grammar, the same wherever it lies, and not taken before its end', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'GET',
      ' ',
      '/',
      'HTTP/1.1',
      '\r\n',
      ':',
      'Host: a',
      'Content-Length: 0',
      'Transfer-Encoding: chunked',
      'Connection: close',
      '\n',
      '\r',
      '\0',
      '\t',
    ),
    fc.string({ maxLength: 4 }),
  )
  const requests = fc.array(piece, { maxLength: 12 }).map(pieces => `GET / HTTP/1.1\r\nHost: a${pieces.join('')}\r\n\r\n`)
  let taken = 0
  fc.assert(
    fc.property(
      fc.oneof(
        requests,
        fc.array(piece).map(pieces => pieces.join('')),
      ),
      text => {
        try {
          checkedHead(bytesOf(text))
          taken++
        } catch (error) {
          if ((error as Error).name !== 'MalformedError') throw error
        }
      },
    ),
    { numRuns: 5000 },
  )
  assert.ok(taken > 50, `${taken} taken`)
})
