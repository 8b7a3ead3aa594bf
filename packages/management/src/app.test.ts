import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { createManagementApp, type ManagementOptions } from './app.ts'
import { httpFraming, httpFramingWithContent, readRequest, requestHeadBytesMax } from './http.ts'
import { formatMetrics } from './prometheus.ts'

const samples = [
  { name: 'holdfast_connections', help: 'Open', type: 'gauge', labels: {}, value: 3 },
  { name: 'holdfast_requests_total', help: 'Requests\nby "command"', type: 'counter', labels: { command: 'READ' }, value: 7 },
  { name: 'holdfast_up', help: 'Up', type: 'gauge', labels: {}, value: Infinity },
  { name: 'holdfast_requests_total', help: 'Requests', type: 'counter', labels: { command: 'a"b\\c\nd' }, value: 0.5 },
] as const
const clock = () => new Date('2026-11-21T03:00:00Z')
const options: ManagementOptions = { metrics: () => samples, ready: () => true, clock }

async function ask(text: string, changed: Partial<ManagementOptions> = {}) {
  const response = await createManagementApp({ ...options, ...changed }).handle(Buffer.from(text, 'latin1'))
  assert.ok(response)
  const [head = '', body = ''] = response.toString('utf8').split('\r\n\r\n')
  const status = Number(head.split(' ')[1])
  const headers = new Map(
    head
      .split('\r\n')
      .slice(1)
      .map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  return { status, headers, body }
}
const get = (path: string, changed?: Partial<ManagementOptions>) => ask(`GET ${path} HTTP/1.1\r\nHost: node\r\n\r\n`, changed)

describe('routes', () => {
  test('GET /healthz is 200 {"status":"ok"}, and the connection ends with it', async () => {
    const { status, headers, body } = await get('/healthz')
    assert.equal(status, 200)
    assert.deepEqual(JSON.parse(body), { status: 'ok' })
    assert.equal(headers.get('connection'), 'close')
    assert.equal(headers.get('content-type'), 'application/json')
    assert.equal(headers.get('content-length'), String(body.length))
    assert.equal(headers.get('date'), 'Sat, 21 Nov 2026 03:00:00 GMT')
  })

  test('HEAD has the length of the body, not the body (RFC 9110 9.3.2)', async () => {
    const { status, headers, body } = await ask('HEAD /healthz?x=1 HTTP/1.1\r\nHost: node\r\n\r\n')
    assert.deepEqual([status, headers.get('content-length'), body], [200, '16', ''])
  })

  test('GET /readyz is 503 as problem+json while the node takes no work', async () => {
    assert.equal((await get('/readyz')).status, 200)
    const { status, headers, body } = await get('/readyz', { ready: () => Promise.resolve(false) })
    assert.equal(status, 503)
    assert.equal(headers.get('content-type'), 'application/problem+json')
    assert.equal((JSON.parse(body) as { status: number }).status, 503)
  })

  test('GET /metrics groups samples by name and escapes (Prometheus text format 0.0.4)', async () => {
    const { headers, body } = await get('/metrics', { metrics: () => Promise.resolve(samples) })
    assert.equal(headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(
      body,
      [
        '# HELP holdfast_connections Open',
        '# TYPE holdfast_connections gauge',
        'holdfast_connections 3',
        '# HELP holdfast_requests_total Requests\\nby "command"',
        '# TYPE holdfast_requests_total counter',
        'holdfast_requests_total{command="READ"} 7',
        'holdfast_requests_total{command="a\\"b\\\\c\\nd"} 0.5',
        '# HELP holdfast_up Up',
        '# TYPE holdfast_up gauge',
        'holdfast_up +Inf',
        '',
      ].join('\n'),
    )
    assert.equal(formatMetrics([]), '')
  })

  test('an unknown path is 404, another method 405 with Allow (RFC 9110 15.5.6), a failure 500', async () => {
    assert.equal((await get('/nope')).status, 404)
    assert.equal((await get('/__proto__')).status, 404)
    const refused = await ask('POST /metrics HTTP/1.1\r\nHost: node\r\n\r\n')
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'])
    assert.equal((await get('/metrics', { metrics: () => Promise.reject(new Error('lost')) })).status, 500)
    assert.equal((await get('/readyz', { ready: () => assert.fail() })).status, 500)
  })
})

describe('requests', () => {
  for (const [name, text, status] of [
    ['a malformed request line', 'GET\r\n\r\n', 400],
    ['HTTP/2 in text', 'PRI * HTTP/2.0\r\n\r\n', 505],
    ['no Host (RFC 9112 3.2)', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a folded header (RFC 9112 5.2)', 'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n', 400],
    ['space before a colon (RFC 9112 5.1)', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['content', 'GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', 413],
    ['a transfer coding', 'GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 501],
    ['a long target', `GET /${'a'.repeat(4000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['a long head', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(9000)}`, 431],
    ['many header fields', `GET / HTTP/1.1\r\nHost: a\r\n${'x: y\r\n'.repeat(200)}\r\n`, 431],
    ['HTTP/1.0 without Host', 'GET /healthz HTTP/1.0\r\n\r\n', 200],
    ['the absolute form (RFC 9112 3.2.2)', 'GET http://node:8080/healthz HTTP/1.1\r\nHost: node\r\n\r\n', 200],
  ] as const) {
    test(`${name}: ${status}`, async () => assert.equal((await ask(text)).status, status))
  }

  test('an unfinished head waits; framing cuts heads, and an endless one where 431 is due', () => {
    const app = createManagementApp(options)
    const whole = Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET')
    const head = whole.length - 3
    for (let end = 1; end < head; end++) {
      assert.equal(app.handle(whole.subarray(0, end)), undefined)
      assert.equal(httpFraming.frameBytes(whole, 0, end), 0)
    }
    assert.equal(httpFraming.frameBytes(whole, 0, whole.length), head)
    assert.equal(httpFraming.frameBytes(Buffer.alloc(20_000, 'a'), 0, 20_000), requestHeadBytesMax)
  })

  test('any bytes are answered, waited for, nothing else', async () => {
    const app = createManagementApp(options)
    const piece = fc.oneof(fc.constantFrom('GET ', '/metrics', ' HTTP/1.1', '\r\n', ': ', 'Host', '\r\n\r\n', '\0', '?'), fc.string())
    await fc.assert(
      fc.asyncProperty(fc.array(piece), async pieces => {
        const response = await app.handle(Buffer.from(pieces.join(''), 'latin1'))
        assert.ok(response === undefined || response.toString('latin1').startsWith('HTTP/1.1 '))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('content', () => {
  const framing = httpFramingWithContent(100)
  const request = (length: number | string, content = '') => Buffer.from(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${content}`)

  test('is cut and read together with its head, whatever follows (RFC 9112 6.2)', () => {
    const whole = request(5, 'helloGET')
    const length = whole.length - 3
    assert.equal(framing.frameBytes(whole, 0, whole.length), length)
    const read = readRequest(whole.subarray(0, length), { contentBytesMax: 100 })
    assert.ok(read !== undefined && 'content' in read)
    assert.equal(read.content.toString(), 'hello')
    assert.equal(readRequest(whole.subarray(0, length - 1), { contentBytesMax: 100 }), undefined)
  })

  test('too long, or of a length that is none: cut without it, 413 and 400', () => {
    for (const [length, status] of [
      [101, 413],
      ['9'.repeat(15), 413],
      ['-1', 400],
      ['0x10', 400],
      ['5, 5', 400],
    ] as const) {
      const bytes = request(length)
      assert.equal(framing.frameBytes(bytes, 0, bytes.length), bytes.length)
      const read = readRequest(bytes, { contentBytesMax: 100 })
      assert.equal(read !== undefined && 'status' in read && read.status, status)
    }
  })
})
