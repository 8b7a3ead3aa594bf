import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { routes } from '@holdfast/management/api'
import { ApiError, connect, type ApiClient, type ApiEvent } from './index.ts'
import { EventStream } from './events.ts'
import { connect as connectInNode } from './node.ts'
import { table } from './table.ts'
import { type FakeNode, type FakeNodeOptions, startFakeNode } from './test-support/index.ts'

const user = { user: 'alice', password: 'correct horse' }

async function session(options: FakeNodeOptions = {}): Promise<AsyncDisposable & { readonly node: FakeNode; readonly api: ApiClient }> {
  const node = await startFakeNode(options)
  const api = await connect({ url: node.url, ...user })
  return {
    node,
    api,
    async [Symbol.asyncDispose]() {
      await api.close()
      await node[Symbol.asyncDispose]()
    },
  }
}

const apiError = (code: string, status: number) => (error: unknown) => {
  assert.ok(error instanceof ApiError, String(error))
  assert.deepEqual([error.code, error.status], [code, status], error.message)
  return true
}

test('the table is that of the API', () => {
  const expected = Object.entries(routes).map(([id, route]) => {
    const takes = 'body' in route ? 'body' : 'query' in route ? 'query' : 'nothing'
    return [id, { method: route.method, path: route.path, kind: route.kind, takes }]
  })
  assert.deepEqual(table, Object.fromEntries(expected))
})

describe('logging in', () => {
  test('with a password, and again with the token', async () => {
    await using node = await startFakeNode()
    await using api = await connect({ url: node.url, ...user })
    assert.deepEqual([api.session.user, api.session.role, api.token], ['alice', 'admin', 'hf1.s1.secret'])
    await using again = await connect({ url: node.url, token: api.token ?? '' })
    assert.equal(again.session.session, api.session.session)
    assert.deepEqual(node.requests, ['POST /v1/login', 'GET /v1/session'])
  })

  test('a wrong password, a token of no session, and nobody there are errors with codes', async () => {
    const node = await startFakeNode()
    const { url } = node
    await assert.rejects(connect({ url, user: 'alice', password: 'x' }), apiError('WRONG_CREDENTIALS', 401))
    await assert.rejects(connect({ url, token: 'hf1.s9.secret' }), apiError('NOT_LOGGED_IN', 401))
    await node[Symbol.asyncDispose]()
    await assert.rejects(connect({ url, ...user }), apiError('UNREACHABLE', 0))
  })

  test('in a cookie: the token is not seen, and what changes something shows the CSRF value', async () => {
    const sent: [string, Record<string, string>, unknown][] = []
    const session = { session: 's1', user: 'alice', role: 'admin', expires: '2100-01-01T00:00:00.000Z', csrf: 'c1' }
    const fetch = async (url: string, { method, headers, body }: RequestInit): Promise<Response> => {
      sent.push([`${method} ${new URL(url).pathname}`, headers as Record<string, string>, body])
      return Response.json(url.endsWith('/login') ? session : { received: true, operation: 'o1' })
    }
    await using api = await connect({ url: 'http://node', ...user, cookie: true, fetch })
    await api.node()
    await api.shares.delete('My "docs"/1', { wait: false, key: 'k1' })
    assert.equal(api.token, undefined)
    assert.deepEqual(sent, [
      ['POST /v1/login', { 'Content-Type': 'application/json' }, JSON.stringify({ ...user, cookie: true })],
      ['GET /v1/node', {}, undefined],
      ['DELETE /v1/shares/My%20%22docs%22%2F1', { 'Idempotency-Key': 'k1', 'X-CSRF-Token': 'c1' }, undefined],
    ])
  })

  test('over a Unix socket nobody needs a password', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-client-'))
    try {
      const socketPath = join(folder, 'control.sock')
      await using _node = await startFakeNode({ socketPath, result: ({ request }) => request })
      await using api = await connectInNode({ socketPath })
      assert.equal(api.session.user, 'local')
      assert.deepEqual(await api.volumes.create({ name: 'disk1', size: 1 }), { name: 'disk1', size: 1 })
      await assert.rejects(api.volumes.show('nope'), apiError('UNKNOWN_VOLUME', 404))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('calls', () => {
  test('an operation resolves to its result, with its progress heard on one stream', async () => {
    await using given = await session()
    const { api, node } = given
    const progress: number[] = []
    const made = api.volumes.create({ name: 'disk1', size: '1GiB' }, { onProgress: ({ percent }) => progress.push(percent) })
    await node.until(({ operations, streams }) => operations.size === 1 && streams === 1)
    node.tell('o1', { state: 'running', percent: 40 })
    node.tell('o1', { state: 'succeeded', percent: 100, result: { name: 'disk1' } })
    assert.deepEqual(await made, { name: 'disk1' })
    assert.deepEqual(progress, [0, 40, 100])
    const others = Promise.all([api.volumes.delete('disk1'), api.snapshots.create('disk1', { name: 's' })])
    await node.until(({ operations }) => operations.size === 3)
    for (const id of ['o2', 'o3']) node.tell(id, { state: 'succeeded', result: id })
    assert.deepEqual(await others, ['o2', 'o3'])
    assert.deepEqual(
      node.requests.filter(line => line.includes('events')),
      ['GET /v1/events'],
    )
    assert.deepEqual(
      [...node.operations.values()].map(({ target }) => target),
      ['/v1/volumes/disk1', '/v1/volumes/disk1', '/v1/volumes/disk1/snapshots/s'],
    )
  })

  test('one that fails, and one that is cancelled, reject', async () => {
    await using given = await session()
    const { api, node } = given
    const failing = api.call('volume.create', { name: 'a' })
    const cancelled = api.call('volume.create', { name: 'b' })
    await node.until(({ operations, streams }) => operations.size === 2 && streams === 1)
    node.tell('o1', { state: 'failed', problem: { type: 'about:blank', title: 'x', status: 507, detail: 'full', code: 'NO_SPACE' } })
    node.tell('o2', { state: 'cancelled' })
    await assert.rejects(failing, apiError('NO_SPACE', 507))
    await assert.rejects(cancelled, apiError('CANCELLED', 0))
  })

  test('without waiting it is the receipt; the operation can be waited for later, by other sessions as well', async () => {
    await using given = await session()
    const { api, node } = given
    const receipt = await api.volumes.create({ name: 'disk1' }, { wait: false })
    assert.deepEqual(receipt, { received: true, operation: 'o1' })
    assert.equal(node.streams, 0)
    await using other = await connect({ url: node.url, ...user })
    const both = Promise.all([api.wait('o1'), other.wait('o1')])
    await node.until(({ requests }) => requests.filter(line => line === 'GET /v1/operations/o1').length >= 2)
    node.tell('o1', { state: 'succeeded', result: 7 })
    assert.deepEqual(await both, [7, 7])
    assert.equal(await api.wait('o1'), 7)
  })

  test('a POST whose answer is lost is sent again and done once', async () => {
    await using given = await session({ result: ({ target }) => target })
    given.node.losesAnswers = 2
    assert.equal(await given.api.volumes.create({ name: 'disk1' }), '/v1/volumes/disk1')
    assert.equal(given.node.requests.filter(line => line.startsWith('POST /v1/volumes')).length, 3)
    assert.equal(given.node.operations.size, 1)
  })

  test('a node that cannot now is asked again, one that will not is not', async () => {
    await using given = await session({ answers: { '/v1/node': { name: 'n' } } })
    const { api, node } = given
    node.refusals.push({ status: 503, code: 'STARTING' }, { status: 429, code: 'TOO_MANY_REQUESTS', headers: { 'Retry-After': '0' } })
    assert.deepEqual(await api.node(), { name: 'n' })
    node.refusals.push({ status: 422, code: 'INVALID' })
    await assert.rejects(api.node(), error => {
      assert.deepEqual((error as ApiError).errors, [{ field: 'name', message: 'is so' }])
      return apiError('INVALID', 422)(error)
    })
    assert.equal(node.requests.filter(line => line === 'GET /v1/node').length, 4)
  })

  test('lists are read page by page', async () => {
    await using given = await session({ answers: { '/v1/volumes': [1, 2, 3, 4, 5] } })
    const items: unknown[] = []
    for await (const item of given.api.all('volume.list', { limit: 2 })) items.push(item)
    assert.deepEqual(items, [1, 2, 3, 4, 5])
  })

  test('a signal ends the waiting, not the operation', async () => {
    await using given = await session()
    const stop = new AbortController()
    const made = given.api.volumes.create({ name: 'disk1' }, { signal: stop.signal, onReceipt: () => stop.abort(new Error('enough')) })
    await assert.rejects(made, /enough/)
    assert.equal(given.node.operations.get('o1')?.state, 'queued')
  })
})

describe('the event stream', () => {
  const read = async (events: AsyncIterable<ApiEvent>, count: number): Promise<string[]> => {
    const seen: string[] = []
    for await (const { event, id, data } of events) {
      seen.push(`${event} ${id} ${'percent' in data ? data.percent : ''}`.trim())
      if (seen.length === count) break
    }
    return seen
  }

  test('is opened again where it was cut: nothing is lost, nothing comes twice', async () => {
    await using given = await session()
    const { api, node } = given
    await api.volumes.create({ name: 'a' }, { wait: false })
    const reading = read(api.events(), 21)
    for (let percent = 1; percent <= 20; percent++) {
      await node.until(({ streams }) => streams === 1)
      node.tell('o1', { percent })
      if (percent % 5 === 0) node.cut()
    }
    assert.deepEqual(
      await reading,
      Array.from({ length: 21 }, (_, percent) => `operation e1-${percent + 1} ${percent}`),
    )
  })

  test('goes on after what an earlier process has read; another reader gets all', async () => {
    await using given = await session()
    const { api, node } = given
    await api.volumes.create({ name: 'a' }, { wait: false })
    for (const percent of [1, 2, 3]) node.tell('o1', { percent })
    const late = api.events({ after: 'e1-3' })
    assert.equal((await late.next()).value?.id, 'e1-4')
    assert.deepEqual(await read(api.events(), 4), ['operation e1-1 0', 'operation e1-2 1', 'operation e1-3 2', 'operation e1-4 3'])
    await node.until(({ streams }) => streams === 1)
    node.tell('o1', { percent: 4 })
    assert.equal((await late.next()).value?.id, 'e1-5')
    await late.return()
  })

  test('what the node has forgotten is a resync, and the state of each operation; whoever waits is told', async () => {
    await using given = await session()
    const { api, node } = given
    const heard = Promise.withResolvers<unknown>()
    const made = api.volumes.create({ name: 'a' }, { onProgress: heard.resolve })
    await heard.promise
    node.epoch = 'e2'
    const events = read(api.events({ after: 'e1-1' }), 2)
    node.cut()
    node.tell('o1', { state: 'succeeded', percent: 100, result: 1 })
    assert.equal(await made, 1)
    assert.deepEqual(await events, ['resync e2-2', 'operation e2-3 100'])
  })

  test('tells how much is going on to who asks for that', async () => {
    await using given = await session()
    assert.deepEqual(await read(given.api.events({ overview: true }), 1), ['overview undefined'])
  })

  test('a connection that is silent is taken for dead', async () => {
    const states: string[] = []
    let opened = 0
    const event = 'event: operation\nid: e1-1\ndata: {"id":"e1-1"}\n\n'
    const body = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ start: stream => stream.enqueue(new TextEncoder().encode(++opened === 1 ? ': hello\n\n' : event)) })
    const stream = new EventStream({
      silenceMs: 20,
      onConnection: (state, error) => states.push(error instanceof ApiError ? error.code : state),
      async open(_asked, signal) {
        const bytes = body()
        // As fetch does.
        return new Response(bytes.pipeThrough(new TransformStream(), { signal }))
      },
    })
    const heard = Promise.withResolvers<ApiEvent>()
    const onEvent = (told: ApiEvent): undefined => {
      heard.resolve(told)
    }
    stream.listen({ cursor: undefined, overview: false, onEvent, onEnd: heard.reject })
    assert.equal((await heard.promise).id, 'e1-1')
    assert.deepEqual(states.slice(0, 3), ['open', 'STREAM_SILENT', 'open'])
    stream.close(new Error('done'))
  })

  test('of two clients with one session each gets all, although it has one stream', async () => {
    await using given = await session()
    const { api, node } = given
    await using other = await connect({ url: node.url, token: api.token ?? '' })
    await api.volumes.create({ name: 'a' }, { wait: false })
    const [mine, theirs] = [read(api.events(), 3), read(other.events(), 3)]
    node.tell('o1', { percent: 1 })
    await node.until(({ requests }) => requests.filter(line => line === 'GET /v1/events').length >= 3)
    node.tell('o1', { percent: 2 })
    const expected = ['operation e1-1 0', 'operation e1-2 1', 'operation e1-3 2']
    assert.deepEqual([await mine, await theirs], [expected, expected])
  })

  test('ends when the session does, with its signal, and when the client is closed', async () => {
    await using given = await session()
    const { api, node } = given
    node.refusals.push({ status: 401, code: 'NOT_LOGGED_IN' })
    await assert.rejects(api.events().next(), apiError('NOT_LOGGED_IN', 401))
    const stop = new AbortController()
    const events = api.events({ signal: stop.signal }).next()
    await node.until(({ streams }) => streams === 1)
    stop.abort()
    assert.equal((await events).done, true)
    const waiting = api.volumes.create({ name: 'a' })
    await node.until(({ operations }) => operations.size === 1)
    await api.close()
    await assert.rejects(waiting, apiError('CLOSED', 0))
  })
})
