import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { WorkerNode, WorkerObject } from '@holdfast/engine'
import type { ManagementApp } from './app.ts'
import type { HttpRequest } from '@holdfast/http'
import { json } from './http/response.ts'
import { begun, placeAfter } from './stream/place.ts'
import { createManagementProtocols, type ManagementProtocolOptions } from './protocol.ts'
import { testConnection, TestMessage } from './test-support/connection.ts'

interface Asked {
  readonly request: HttpRequest
  readonly caller: { readonly again: boolean; readonly isLocal: boolean }
}

/** Worker 0 of two, with an application that says what it was asked. */
function setup(changed: Partial<ManagementApp> = {}, options?: ManagementProtocolOptions) {
  const asked: Asked[] = []
  const objects = new Map<string, WorkerObject>()
  const calls: number[] = []
  const logged: object[] = []
  let failures = 0
  let attention = 0
  const counter = { add: () => undefined, set: () => undefined }
  const node = {
    index: 0,
    counters: { counter: () => counter, gauge: () => counter, histogram: () => ({ observe() {} }) },
    beginAsync: () => void attention++,
    endAsync: () => void attention--,
    log: (level: string, message: string, fields: object) => void logged.push({ level, message, ...fields }),
    register: (id: string, object: WorkerObject) => void objects.set(id, object),
    async call(worker: number, id: string, method: string, argument: unknown) {
      calls.push(worker)
      if (failures-- > 0) throw Object.assign(new Error('died'), { code: 'WORKER_LOST' })
      return structuredClone(await objects.get(id)?.[method]?.(structuredClone(argument) as never, 0))
    },
  } as unknown as WorkerNode
  const app: ManagementApp = {
    ownerOf: ({ path }) => (path === '/there' ? 1 : undefined),
    isStream: ({ path }) => path === '/v1/events',
    limit: () => undefined,
    overview: () => Promise.resolve('{}'),
    openStream: () => Promise.resolve(json(401, {})),
    async answer(request, caller) {
      asked.push({ request, caller })
      return json(200, { path: request.path, content: request.content.toString() })
    },
    ...changed,
  }
  const protocols = createManagementProtocols(node, app, options)
  return { asked, calls, logged, protocols, fail: (times: number) => void (failures = times), attention: () => attention }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

describe('a request of the management API', () => {
  test('is answered once, its message released with the response; what follows has no answer', async () => {
    const { protocols, asked, attention } = setup()
    const connection = testConnection()
    const handler = protocols.http.accept(connection, new Map())
    const messages = [new TestMessage(get('/a')), new TestMessage(get('/b'))]
    for (const message of messages) handler.onMessage(message)
    assert.equal(attention(), 1)
    await turn()
    assert.deepEqual([connection.sent.length, asked.length, attention()], [1, 1, 0])
    assert.match(connection.text, /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Connection: close\r\n/)
    assert.deepEqual(
      messages.map(({ releases }) => releases),
      [1, 1],
    )
  })

  test('of HEAD has the length of the content, not the content (RFC 9110 9.3.2)', async () => {
    const { protocols } = setup()
    const connection = testConnection()
    protocols.http.accept(connection, new Map()).onMessage(new TestMessage('HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n'))
    await turn()
    assert.match(connection.text, /\r\nContent-Length: 27\r\n/)
    assert.match(connection.text, /\r\n\r\n$/)
  })

  for (const tellsRequests of [true, false]) {
    test(`${tellsRequests ? 'has' : 'has no'} line in the log ${tellsRequests ? 'where' : 'unless'} that is asked for: without what follows the path`, async () => {
      const { protocols, logged } = setup({}, { tellsRequests })
      const connection = testConnection()
      protocols.http.accept(connection, new Map()).onMessage(new TestMessage(get('/a?token=secret')))
      await turn()
      const [line] = logged.map(entry => ({ ...entry, durationMs: 0 }))
      const fields = { request: `http/${connection.id}/1`, connection: connection.id, command: 'GET /a', status: 200, durationMs: 0, bytes: 27 }
      assert.deepEqual(line, tellsRequests ? { level: 'debug', message: 'request done', ...fields } : undefined)
    })
  }

  test('that is none is refused', () => {
    for (const [text, status] of [
      ['nonsense\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\n', 400],
      ['GET / HTTP/1.1\r\n\r\n', 400],
    ] as const) {
      const connection = testConnection()
      setup().protocols.http.accept(connection, new Map()).onMessage(new TestMessage(text))
      assert.equal(connection.text.split(' ')[1], String(status))
    }
  })

  test('goes to the worker that has the session; one that died is asked again, and told so', async () => {
    const { protocols, asked, calls, fail } = setup()
    const send = async () => {
      const connection = testConnection()
      protocols.local.accept(connection, new Map()).onMessage(new TestMessage(get('/there')))
      for (let turns = 0; turns < 10 && connection.sent.length === 0; turns++) await turn()
      return connection.text.split(' ')[1]
    }
    assert.equal(await send(), '200')
    fail(2)
    assert.equal(await send(), '200')
    fail(3)
    assert.equal(await send(), '503')
    assert.deepEqual(
      asked.map(({ caller }) => [caller.again, caller.isLocal]),
      [
        [false, true],
        [true, true],
      ],
    )
    assert.equal(calls.length, 1 + 3 + 3)
  })

  test('whose client expects 100 (Continue) is told to go on, and answered when its content is there (RFC 9110 10.1.1)', async () => {
    const { protocols, asked } = setup()
    const connection = testConnection()
    const handler = protocols.http.accept(connection, new Map())
    handler.onMessage(new TestMessage('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'))
    assert.equal(connection.text, 'HTTP/1.1 100 Continue\r\n\r\n')
    assert.deepEqual(connection.said, ['stay', 'reframe 1'])
    handler.onMessage(new TestMessage('hel'))
    await turn()
    assert.equal(connection.sent.length, 1)
    handler.onMessage(new TestMessage('lo'))
    await turn()
    assert.equal(asked[0]?.request.content.toString(), 'hello')
    assert.match(connection.sent[1] ?? '', /^HTTP\/1\.1 200 OK/)
    assert.equal(connection.said.at(-1), 'close: answered')
  })

  test('without memory for the answer ends, and takes nothing along', async () => {
    const connection = testConnection()
    connection.memoryBytes = 10
    const message = new TestMessage(get('/a'))
    setup().protocols.http.accept(connection, new Map()).onMessage(message)
    await turn()
    assert.deepEqual([connection.sent, message.releases], [[], 1])
    assert.match(connection.said.join(), /close: no memory/)
  })

  test('too often from an address is refused before anybody is asked', () => {
    const { protocols, asked } = setup({ limit: () => json(429, {}) })
    const connection = testConnection()
    protocols.http.accept(connection, new Map()).onMessage(new TestMessage(get('/a')))
    assert.equal(connection.text.split(' ')[1], '429')
    assert.equal(asked.length, 0)
  })
})

describe('the event stream', () => {
  test('is opened by the worker that has the session', () => {
    const { protocols } = setup({ ownerOf: () => 1 })
    const connection = testConnection()
    protocols.http.accept(connection, new Map()).onMessage(new TestMessage(get('/v1/events')))
    assert.deepEqual(connection.said, ['move to 1'])
  })

  test('is a distributed session without a length, and ends with its worker', async () => {
    const subscribed: unknown[] = []
    let closed = 0
    const session = {
      subscribe(options: object, sink: { event(event: object): boolean }) {
        subscribed.push(options)
        queueMicrotask(() => sink.event({ event: 'operation', id: 'a-1', data: '{"x":1}' }))
        return { resume: () => undefined, close: () => void closed++ }
      },
    }
    const { protocols } = setup({ openStream: () => Promise.resolve({ session, after: 'a-0', wantsOverview: false } as never) })
    const connection = testConnection()
    const handler = protocols.http.accept(connection, new Map())
    handler.onMessage(new TestMessage(get('/v1/events')))
    await turn()
    const [head = '', body = ''] = connection.text.split('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(head, /\r\nContent-Type: text\/event-stream\r\n/)
    assert.match(head, /\r\nX-Accel-Buffering: no/)
    assert.doesNotMatch(head, /Content-Length|Transfer-Encoding/i)
    assert.equal(body, 'retry: 1000\n\nevent: operation\nid: a-1\ndata: {"x":1}\n\n')
    assert.deepEqual(subscribed, [{ after: 'a-0' }])
    assert.deepEqual(connection.said, ['stay', 'known', 'checkpoint stream'])
    handler.onClose('closed')
    assert.equal(closed, 1)
    const over = { subscribe: () => assert.fail('the session has ended') }
    const ended = setup({ openStream: () => Promise.resolve({ session: over, after: undefined, wantsOverview: false } as never) })
    const given = testConnection()
    const refused = ended.protocols.http.accept(given, new Map())
    refused.onMessage(new TestMessage(get('/v1/events')))
    await turn()
    assert.deepEqual([given.said.at(-1), ended.attention()], ['close: given up', 0])
    refused.onClose('closed')
  })

  test('goes on with the next worker, on the same connection, after what has gone out', async () => {
    const subscribed: unknown[] = []
    const session = {
      subscribe(options: object, sink: { event(event: object): boolean }) {
        subscribed.push(options)
        queueMicrotask(() => sink.event({ event: 'operation', id: '0000000a-8', data: '{}' }))
        return { resume: () => undefined, close: () => undefined }
      },
    }
    const opened = { openStream: () => Promise.resolve({ session, after: '0000000a-1', wantsOverview: false } as never) }
    const stream = { request: { method: 'GET', path: '/v1/events', query: '', headers: new Map(), content: Buffer.alloc(0) }, caller: {} }
    const rehome = async (state: readonly number[], changed: object = opened) => {
      const connection = testConnection()
      Object.assign(connection, { state })
      const handler = setup(changed).protocols.http.accept(connection, new Map([['stream', stream]]))
      await turn()
      handler.onClose('closed')
      return connection
    }
    const after = await rehome(placeAfter('0000000a-7'))
    assert.equal(after.text, 'event: operation\nid: 0000000a-8\ndata: {}\n\n')
    assert.deepEqual([after.said, after.state], [[], placeAfter('0000000a-8')])
    await rehome(begun)
    assert.deepEqual(subscribed, [{ after: '0000000a-7' }, { after: '0000000a-1' }])
    assert.deepEqual((await rehome(begun, { ...opened, ownerOf: () => 1 })).said, ['move to 1'])
    assert.deepEqual((await rehome(placeAfter('x'))).said, ['close: the worker of the stream is gone'])
    const ended = { openStream: () => Promise.resolve({ status: 401, body: '', contentType: '' } as never) }
    assert.deepEqual((await rehome(begun, ended)).said, ['close: the session has ended'])
    // The head has not gone out: the request comes again, and is answered as any.
    assert.deepEqual((await rehome([0, 0, 0, 0])).said, [])
  })
})
