/** Who may do what, by the API's own description; and what it answers to whatever it is asked. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { root } from '../run/root.ts'
import { ask, login } from './management-client.ts'
import type { Answer } from './management-client.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
}
interface Operation {
  readonly operationId?: string
  readonly 'x-access': 'public' | 'session' | 'viewer' | 'admin'
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } }
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}
interface Line {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

const apiSessionMs = 4000
const codeOf = ({ code }: Answer['value']): string => (typeof code === 'string' ? code : '')

describe('the management API, by its own description', { timeout: 240_000 }, () => {
  let server: Server
  let document: Document
  let lines: readonly Line[]
  const tokens = { admin: '', viewer: '', ended: '', expired: '' }

  before(async () => {
    const entry = join(root, 'testing/peers/management-node.ts')
    {
      // A session that runs out by itself, in the same state, so that the node knows nothing else of it.
      await using brief = await startServer({
        shares: {},
        accounts: [],
        workers: 2,
        entry,
        extra: ['--limits', JSON.stringify({ sessionMs: apiSessionMs })],
      })
      const token = await login(brief.http, 'alice', 'Correct-Horse-1')
      assert.equal((await ask(brief.http, { path: '/v1/session', token })).status, 200)
      await sleep(apiSessionMs)
      const { status, value } = await ask(brief.http, { path: '/v1/session', token })
      assert.deepEqual([status, value['code']], [401, 'NOT_LOGGED_IN'])
      tokens.expired = token
    }
    const limits = JSON.stringify({ requestsPerSession: 100_000, requestsPerAddress: 100_000 })
    server = await startServer({ shares: {}, accounts: [], workers: 2, entry, extra: ['--limits', limits] })
    tokens.admin = await login(server.http, 'alice', 'Correct-Horse-1')
    tokens.viewer = await login(server.http, 'vera', 'Watches-Only-2')
    tokens.ended = await login(server.http, 'alice', 'Correct-Horse-1')
    assert.equal((await ask(server.http, { method: 'POST', path: '/v1/logout', token: tokens.ended })).status, 204)
    document = (await ask(server.http, { path: '/openapi.json', token: tokens.admin })).value as unknown as Document
    lines = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path: path.replaceAll(/[{}]/g, ''), operation })),
    )
    assert.ok(lines.length > 35, String(lines.length))
  })
  after(async () => server?.[Symbol.asyncDispose]())

  /** Not the stream, which does not end; and not what ends the session. */
  const ordinary = (): readonly Line[] => lines.filter(({ path }) => path !== '/v1/events' && path !== '/v1/logout')
  const statusOf = async ({ method, path, operation }: Line, token?: string): Promise<string> => {
    const body = operation.requestBody === undefined ? {} : { body: {} }
    const { status, value } = await ask(server.http, { method, path, ...body, ...(token !== undefined && { token }) })
    return codeOf(value) === '' ? String(status) : `${status} ${codeOf(value)}`
  }

  test('everything needs a login, but what interface and description say', async () => {
    const open = lines.filter(({ operation }) => operation['x-access'] === 'public').map(({ path }) => path)
    assert.deepEqual(open.sort(), ['/healthz', '/readyz', '/v1/login'])
    const shut = lines.filter(({ path }) => !open.includes(path))
    for (const token of [undefined, tokens.ended, tokens.expired, 'hf1.x', `${tokens.admin.slice(0, -1)}-`]) {
      for (const line of shut) assert.equal(await statusOf(line, token), '401 NOT_LOGGED_IN', `${line.method} ${line.path} with ${token}`)
    }
    assert.equal(await statusOf(lines.find(({ path }) => path === '/healthz') ?? assert.fail()), '200')
  })

  test('a viewer may look, and change nothing', async () => {
    for (const line of ordinary()) {
      const status = await statusOf(line, tokens.viewer)
      if (line.operation['x-access'] === 'admin') assert.equal(status, '403 FORBIDDEN', `${line.method} ${line.path}`)
      else assert.doesNotMatch(status, /^(401 NOT|403|5)/, `${line.method} ${line.path}`)
    }
    const { value } = await ask(server.http, { path: '/v1/audit?limit=1000', token: tokens.admin })
    const refused = (value['items'] as readonly { readonly action: string; readonly outcome: string; readonly user: string }[]).filter(
      ({ outcome, user }) => outcome === 'refused' && user === 'vera',
    )
    const changes = ordinary().filter(({ method, operation }) => method !== 'GET' && operation['x-access'] === 'admin')
    assert.deepEqual(refused.map(({ action }) => action).sort(), changes.map(({ operation }) => operation.operationId ?? '').sort())
  })

  test('who may use storage only does not get in; nor does a wrong password', async () => {
    for (const [user, password, status] of [
      ['carl', 'Stores-Only-3', 403],
      ['alice', 'wrong', 401],
      ['nobody', 'Correct-Horse-1', 401],
    ] as const) {
      assert.equal((await ask(server.http, { method: 'POST', path: '/v1/login', body: { user, password } })).status, status)
    }
  })

  test('a cookie is of use to the pages of this node alone', async () => {
    const { status, headers, value } = await ask(server.http, {
      method: 'POST',
      path: '/v1/login',
      body: { user: 'alice', password: 'Correct-Horse-1', cookie: true },
    })
    assert.deepEqual([status, value['token']], [200, undefined])
    const set = headers['set-cookie']?.[0] ?? ''
    assert.match(set, /^holdfast_session=[^;]+; HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/)
    const cookie = set.split(';')[0] ?? ''
    const csrf = String(value['csrf'])
    const create = (more: Readonly<Record<string, string>>): Promise<Answer> =>
      ask(server.http, { method: 'POST', path: '/v1/volumes', body: { name: 'a' }, headers: { Cookie: cookie, ...more } })
    assert.equal((await ask(server.http, { path: '/v1/session', headers: { Cookie: cookie } })).value['csrf'], csrf)
    assert.equal((await create({ 'X-CSRF-Token': csrf })).status, 202)
    const own = `http://${server.http.host}:${server.http.port}`
    assert.equal((await create({ 'X-CSRF-Token': csrf, Origin: own })).status, 202)
    for (const wrong of [
      {},
      { 'X-CSRF-Token': 'x' },
      { 'X-CSRF-Token': csrf, Origin: 'http://elsewhere' },
      { 'X-CSRF-Token': csrf, Origin: 'null' },
    ]) {
      const { status, value } = await create(wrong)
      assert.deepEqual([status, value['code']], [403, 'CSRF'])
    }
    const foreign = {
      method: 'POST',
      path: '/v1/login',
      body: { user: 'alice', password: 'Correct-Horse-1', cookie: true },
      headers: { Origin: 'http://elsewhere' },
    }
    assert.equal((await ask(server.http, foreign)).status, 403)
    const out = await ask(server.http, { method: 'POST', path: '/v1/logout', headers: { Cookie: cookie, 'X-CSRF-Token': csrf } })
    assert.match(out.headers['set-cookie']?.[0] ?? '', /^holdfast_session=; .*Max-Age=0$/)
    assert.equal((await ask(server.http, { path: '/v1/session', headers: { Cookie: cookie } })).status, 401)
  })

  test('too many requests are refused, and told when to come again (RFC 6585 4)', async () => {
    const limits = JSON.stringify({ requestsPerSession: 2 })
    await using slow = await startServer({
      shares: {},
      accounts: [],
      workers: 2,
      entry: join(root, 'testing/peers/management-node.ts'),
      extra: ['--limits', limits],
    })
    const token = await login(slow.http, 'alice', 'Correct-Horse-1')
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(slow.http, { path: '/v1/session', token })))
    const refused = answers.filter(({ status }) => status === 429)
    assert.ok(refused.length > 0 && refused.length < 40, String(refused.length))
    for (const { value, headers } of refused) assert.deepEqual([value['code'], headers['retry-after']], ['TOO_MANY_REQUESTS', '1'])
  })

  test('whatever it is asked is answered; nothing is a failure of the node', async () => {
    const bodyOf = (schema: Schema): fc.Arbitrary<unknown> => {
      if (schema.$ref !== undefined) return bodyOf(document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
      if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(bodyOf))
      if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
      if (schema.type === 'array') return fc.array(bodyOf(schema.items ?? {}), { maxLength: 4 })
      if (schema.type === 'string') return fc.oneof(fc.string(), fc.constantFrom('disk1', '10GiB', 'taken', 'full', 'ms=1', '../x', '\0', '\ud800'))
      if (schema.type === 'object' && schema.properties !== undefined) {
        const properties = Object.entries(schema.properties).map(
          ([name, property]) => [name, fc.oneof({ weight: 5, arbitrary: bodyOf(property) }, fc.jsonValue())] as const,
        )
        return fc.record(Object.fromEntries(properties), { requiredKeys: [] })
      }
      return fc.oneof(fc.integer(), fc.boolean(), fc.jsonValue())
    }
    const text = fc.oneof(
      fc.constantFrom('disk1', 'a', '..', '%2e%2e', '%00', '%ff', 'a%2Fb', '0660cddb9675e8343ed496d1', '*'),
      fc.string().map(value => encodeURIComponent(value.toWellFormed())),
    )
    const requests = fc.constantFrom(...lines.filter(({ path }) => path !== '/v1/events' && path !== '/v1/logout')).chain(line => {
      const { operation } = line
      const names = (operation.parameters ?? []).filter(parameter => parameter.in === 'path').map(({ name }) => name)
      const queries = (operation.parameters ?? []).filter(parameter => parameter.in === 'query').map(({ name }) => name)
      const schema = operation.requestBody?.content['application/json'].schema
      return fc.record({
        line: fc.constant(line),
        method: fc.oneof({ weight: 9, arbitrary: fc.constant(line.method) }, fc.constantFrom('HEAD', 'PUT', 'OPTIONS', 'GET', 'DELETE')),
        names: fc.tuple(...names.map(() => text)),
        query: fc.array(fc.tuple(fc.oneof(fc.constantFrom('limit', 'cursor', ...queries), text), text), { maxLength: 3 }),
        body: schema === undefined ? fc.constant(undefined) : fc.oneof({ weight: 6, arbitrary: bodyOf(schema) }, fc.jsonValue()),
        headers: fc.record(
          { Prefer: fc.constantFrom('wait=1', 'respond-async', 'wait=1;x', ''), 'Idempotency-Key': fc.constantFrom('a', 'b', 'x'.repeat(300)) },
          { requiredKeys: [] },
        ),
      })
    })
    await fc.assert(
      fc.asyncProperty(requests, async ({ line, method, names, query, body, headers }) => {
        let at = 0
        const parameters = (line.operation.parameters ?? []).filter(parameter => parameter.in === 'path').map(({ name }) => name)
        const path = line.path.split('/').map(part => (parameters.includes(part) ? (names[at++] ?? '') : part))
        const search = query.map(([name, value]) => `${name}=${value}`).join('&')
        const asked = {
          method,
          path: `${path.join('/')}${search === '' ? '' : `?${search}`}`,
          headers,
          token: tokens.admin,
          ...(body !== undefined && { body }),
        }
        const { status, value } = await ask(server.http, asked)
        assert.ok(status < 500 || status === 507, `${status} ${JSON.stringify(value)}`)
        if (status >= 400 && method !== 'HEAD') assert.match(codeOf(value), /^[A-Z_]+$/)
      }),
      { numRuns: 1500 },
    )
    assert.ok(server.isRunning)
    assert.doesNotMatch(server.log, /^error/m)
  })
})
