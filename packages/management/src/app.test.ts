import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createManagementApp, type ManagementOptions } from './app.ts'
import type { HttpRequest } from '@holdfast/http'
import { formatMetrics } from './prometheus.ts'

const samples = [
  { name: 'holdfast_connections', help: 'Open', type: 'gauge', labels: {}, value: 3 },
  { name: 'holdfast_requests_total', help: 'Requests\nby "command"', type: 'counter', labels: { command: 'READ' }, value: 7 },
  { name: 'holdfast_up', help: 'Up', type: 'gauge', labels: {}, value: Infinity },
  { name: 'holdfast_requests_total', help: 'Requests', type: 'counter', labels: { command: 'a"b\\c\nd' }, value: 0.5 },
] as const

async function ask(line: string, changed: Partial<ManagementOptions> = {}) {
  const [method = '', path = ''] = line.split(' ')
  const request: HttpRequest = { method, path, query: '', headers: new Map(), content: Buffer.alloc(0) }
  const app = createManagementApp({ metrics: () => samples, troubles: () => [], metricsAccess: 'open', ...changed })
  const { status, contentType, body, headers = {} } = await app.answer(request, { address: '192.0.2.1', isLocal: false, again: false })
  return { status, contentType, body: String(body), headers }
}

describe('what is served beside the table of routes', () => {
  test('GET /healthz is 200 {"status":"ok"}', async () => {
    const { status, contentType, body } = await ask('GET /healthz')
    assert.deepEqual([status, contentType, JSON.parse(body)], [200, 'application/json', { status: 'ok' }])
  })

  test('GET /readyz is 503 as problem+json while the node takes no work', async () => {
    assert.equal((await ask('GET /readyz')).status, 200)
    const { status, contentType, body, headers } = await ask('GET /readyz', {
      troubles: () => Promise.resolve([{ name: 'store', detail: 'it does not answer' }]),
    })
    assert.deepEqual([status, contentType, headers['Retry-After']], [503, 'application/problem+json', '1'])
    const { code, detail } = JSON.parse(body) as { readonly code: string; readonly detail: string }
    assert.deepEqual([code, detail], ['UNAVAILABLE', 'store: it does not answer'])
  })

  test('GET /metrics groups samples by name and escapes (Prometheus text format 0.0.4)', async () => {
    const { contentType, body } = await ask('GET /metrics', { metrics: () => Promise.resolve(samples) })
    assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
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

  test('metrics and the document want a login where nothing else is said (RFC 9110 11.6.1)', async () => {
    for (const path of ['/metrics', '/openapi.json']) {
      const { status, headers } = await ask(`GET ${path}`, { metricsAccess: undefined })
      assert.deepEqual([status, headers['WWW-Authenticate']], [401, 'Bearer realm="holdfast"'], path)
    }
  })

  test('an unknown path is 404, another method 405 with Allow (RFC 9110 15.5.6), a failure 500 that tells nothing', async () => {
    for (const path of ['/nope', '/', '/__proto__', '/v1', '/healthz/']) assert.equal((await ask(`GET ${path}`)).status, 404, path)
    const refused = await ask('POST /metrics')
    assert.deepEqual([refused.status, refused.headers['Allow']], [405, 'GET, HEAD'])
    const heard: unknown[] = []
    const lost = new Error('lost the secret')
    const failed = await ask('GET /metrics', { metrics: () => Promise.reject(lost), onError: error => heard.push(error) })
    assert.deepEqual([failed.status, heard], [500, [lost]])
    assert.doesNotMatch(failed.body, /secret/)
    assert.equal((await ask('GET /readyz', { troubles: () => assert.fail() })).status, 500)
  })

  test('a node that is not managed says so', async () => {
    assert.equal((await ask('GET /v1/volumes')).status, 401)
    assert.equal((await ask('PUT /v1/volumes')).status, 405)
  })
})
