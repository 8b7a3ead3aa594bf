import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { routes } from '../api/routes.ts'
import type { HttpRequest } from '@holdfast/http'
import { askedOf } from './asked.ts'
import { checkCsrf, checkOrigin, credentialsOf } from './credentials.ts'
import { matchRoute } from './match.ts'
import { appliedHeader, preferenceOf } from './prefer.ts'

const headers = (fields: Readonly<Record<string, string>>): ReadonlyMap<string, string> => new Map(Object.entries(fields))
const codeIs = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code

describe('routes', () => {
  test('each line of the table is found by its method and path', () => {
    for (const [id, { method, path }] of Object.entries(routes)) {
      const found = matchRoute(
        method,
        path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `my%20${name}`),
      )
      assert.equal(found?.id, id)
      for (const [name, value] of Object.entries(found.parameters)) assert.equal(value, `my ${name}`)
    }
  })

  test('HEAD is GET without content, but of the stream; other methods are 405 with Allow (RFC 9110 9.3.2, 15.5.6)', () => {
    assert.equal(matchRoute('HEAD', '/v1/volumes')?.id, 'volume.list')
    for (const [method, path, allow] of [
      ['HEAD', '/v1/events', 'GET'],
      ['PUT', '/v1/volumes', 'GET, HEAD, POST'],
      ['POST', '/v1/volumes/a', 'GET, HEAD, PATCH, DELETE'],
      ['constructor', '/v1/logout', 'POST'],
    ] as const) {
      assert.throws(() => matchRoute(method, path), { code: 'METHOD_NOT_ALLOWED', allow })
    }
  })

  test('nothing is at other paths, and a path that is no percent-encoding is malformed (RFC 3986 2.1)', () => {
    for (const path of ['/', '/v1', '/v1/', '/v1/volumes/', '/v1/volumes//map', '/v1/__proto__', '/v2/volumes'])
      assert.equal(matchRoute('GET', path), undefined)
    assert.throws(() => matchRoute('GET', '/v1/volumes/%zz'), codeIs('MALFORMED'))
    assert.throws(() => matchRoute('GET', '/v1/volumes/%ff'), codeIs('MALFORMED'))
  })
})

describe('what is asked for', () => {
  const ask = (method: string, path: string, { query = '', type = 'application/json', content = '' }) => {
    const match = matchRoute(method, path)
    assert.ok(match)
    const request: HttpRequest = { method, path, query, headers: headers(type === '' ? {} : { 'content-type': type }), content: Buffer.from(content) }
    return askedOf(match, request)
  }

  test('comes out of path, query and body', () => {
    assert.deepEqual(ask('POST', '/v1/volumes', { content: '{"name":"disk1","size":"1GiB"}' }).body, { name: 'disk1', size: '1GiB' })
    assert.deepEqual(ask('GET', '/v1/opens', { query: 'limit=5&share=a%20b' }).query, { limit: 5, share: 'a b' })
    assert.deepEqual(ask('GET', '/v1/volumes/disk1', {}).parameters, { name: 'disk1' })
  })

  test('names each field that is not as it should be', () => {
    for (const [method, path, given, fields] of [
      ['POST', '/v1/volumes', { content: '{}' }, ['name']],
      ['POST', '/v1/volumes', { content: '{"name":"Disk1","sizes":1,"options":[1]}' }, ['name', 'options.0', 'sizes']],
      ['POST', '/v1/volumes', { content: '[]' }, ['']],
      ['POST', '/v1/volumes', { content: '{"name":"disk1","__proto__":{"a":1}}' }, ['__proto__']],
      ['GET', '/v1/volumes', { query: 'limit=0&page=2' }, ['limit', 'page']],
      ['GET', '/v1/volumes', { query: 'limit=1&limit=2' }, ['limit']],
      ['GET', '/v1/node', { query: 'x=1' }, ['x']],
    ] as const) {
      assert.throws(
        () => ask(method, path, given),
        (error: unknown) => {
          assert.ok(codeIs('INVALID')(error))
          const { errors } = error as { readonly errors: readonly { readonly field: string; readonly message: string }[] }
          assert.deepEqual(errors.map(({ field }) => field).sort(), [...fields].sort())
          for (const { message } of errors) assert.notEqual(message, '')
          return true
        },
      )
    }
  })

  test('is JSON, and nothing where nothing is asked', () => {
    assert.throws(() => ask('POST', '/v1/volumes', { type: 'text/plain', content: '{}' }), codeIs('UNSUPPORTED_MEDIA_TYPE'))
    assert.throws(() => ask('POST', '/v1/volumes', { type: '', content: '{}' }), codeIs('UNSUPPORTED_MEDIA_TYPE'))
    assert.throws(() => ask('POST', '/v1/volumes', { type: 'application/jsonp', content: '{}' }), codeIs('UNSUPPORTED_MEDIA_TYPE'))
    assert.deepEqual(ask('POST', '/v1/volumes', { type: 'Application/JSON; charset=utf-8', content: '{"name":"a"}' }).body, { name: 'a' })
    assert.throws(() => ask('POST', '/v1/volumes', { content: '{' }), codeIs('MALFORMED'))
    assert.throws(() => ask('POST', '/v1/logout', { content: '{}' }), codeIs('MALFORMED'))
    assert.throws(() => ask('DELETE', '/v1/volumes/a', { content: 'x' }), codeIs('MALFORMED'))
  })

  test('any content is taken or refused with a code', () => {
    const methods = Object.values(routes).filter(route => 'body' in route)
    fc.assert(
      fc.property(fc.constantFrom(...methods), fc.oneof(fc.json(), fc.string()), (route, content) => {
        try {
          ask(route.method, route.path.replaceAll(/[{}]/g, ''), { content })
        } catch (error) {
          assert.ok(
            ['INVALID', 'MALFORMED'].some(code => codeIs(code)(error)),
            String(error),
          )
        }
      }),
    )
  })
})

describe('credentials', () => {
  test('are a bearer token (RFC 6750 2.1), or the cookie (RFC 6265)', () => {
    assert.deepEqual(credentialsOf(headers({ authorization: 'Bearer hf1.a.b', cookie: 'holdfast_session=c' })), { token: 'hf1.a.b', byCookie: false })
    assert.deepEqual(credentialsOf(headers({ authorization: 'bearer  x' })), { token: 'x', byCookie: false })
    assert.deepEqual(credentialsOf(headers({ cookie: 'a=b; holdfast_session=hf1.a.b; c=d' })), { token: 'hf1.a.b', byCookie: true })
    assert.deepEqual(credentialsOf(headers({ cookie: 'holdfast_session=1; holdfast_session=2' })), { token: '1', byCookie: true })
    for (const fields of [{}, { authorization: 'Basic YTpi' }, { authorization: 'Bearer a b' }, { cookie: 'session=x' }] as const)
      assert.equal(credentialsOf(headers(fields)), undefined)
  })

  test('of a cookie go with the token that a page of this node can read, from no other origin', () => {
    const own = { host: 'node:8080', origin: 'http://node:8080', 'x-csrf-token': 'secret' }
    checkCsrf(headers(own), 'secret')
    checkCsrf(headers({ host: 'node:8080', 'x-csrf-token': 'secret' }), 'secret')
    for (const changed of [
      { 'x-csrf-token': 'secreT' },
      { 'x-csrf-token': '' },
      { origin: 'http://node:8081' },
      { origin: 'null' },
      { origin: 'http://evil' },
    ]) {
      assert.throws(() => checkCsrf(headers({ ...own, ...changed }), 'secret'), codeIs('CSRF'))
    }
    checkOrigin(headers({ host: 'Node:8080', origin: 'https://node:8080' }))
  })
})

test('Prefer: respond-async, wait=N (RFC 7240 4.1, 4.3); what is not understood is ignored', () => {
  assert.deepEqual(preferenceOf('respond-async, wait=10'), { respondAsync: true, waitSeconds: 10 })
  assert.deepEqual(preferenceOf('foo; bar, Wait="7"; x=y, wait=9'), { respondAsync: false, waitSeconds: 7 })
  assert.deepEqual(preferenceOf('wait=3600'), { respondAsync: false, waitSeconds: 50 })
  for (const header of [undefined, '', 'wait=-1', 'wait=x', 'wait']) assert.equal(preferenceOf(header).waitSeconds, 0)
  assert.deepEqual(appliedHeader(preferenceOf('respond-async, wait=10')), { 'Preference-Applied': 'respond-async, wait=10' })
  assert.deepEqual(appliedHeader(preferenceOf('handling=lenient')), {})
})
