/** The one event stream of a session: cut, replaced, not read, and with a worker that dies (S1, S11). */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { root } from '../run/root.ts'
import { ask, EventReader, login } from './management-client.ts'
import type { ServerEvent } from './management-client.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

const sequenceOf = ({ id = '' }: ServerEvent): number => Number(id.slice(id.lastIndexOf('-') + 1))
const stateOf = ({ data }: ServerEvent): unknown => data['state']
const operationOf = ({ data }: ServerEvent): string => String(data['operation'])
const numbered = (events: readonly ServerEvent[]): number[] => events.map((_, at) => at + 1)
const isOutcome = (event: ServerEvent): boolean => ['succeeded', 'failed', 'cancelled'].includes(String(stateOf(event)))

describe('the event stream of a session', { timeout: 120_000 }, () => {
  let server: Server
  before(async () => {
    server = await startServer({ shares: {}, accounts: [], workers: 2, entry: join(root, 'testing/peers/management-node.ts') })
  })
  after(async () => server?.[Symbol.asyncDispose]())

  const session = (): Promise<string> => login(server.http, 'alice', 'Correct-Horse-1')
  const create = async (token: string, name: string, ms = 0): Promise<string> => {
    const { status, text, value } = await ask(server.http, { method: 'POST', path: '/v1/volumes', token, body: { name, options: [`ms=${ms}`] } })
    assert.equal(status, 202, text)
    return String(value['operation'])
  }

  test('has no length, and is told of what ended before it was opened', async () => {
    const token = await session()
    const operation = await create(token, 'early')
    await using reader = new EventReader(server.http, { token })
    await reader.until(({ events }) => events.some(isOutcome))
    assert.match(reader.head, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(reader.head, /\r\nContent-Type: text\/event-stream\r\n/)
    assert.doesNotMatch(reader.head, /content-length|transfer-encoding/i)
    for (const { data } of reader.events) assert.equal(data['operation'], operation)
  })

  test('cut again and again while progress runs, goes on after Last-Event-ID: nothing is lost, nothing comes twice', async () => {
    const token = await session()
    const operations = await Promise.all(['a', 'b', 'c'].map(name => create(token, name, 4000)))
    const seen: ServerEvent[] = []
    let cuts = 0
    while (seen.filter(isOutcome).length < operations.length) {
      await using reader = new EventReader(server.http, { token, after: seen.at(-1)?.id, onEvent: event => seen.push(event) })
      const from = seen.length
      // In the middle of whatever comes.
      await reader.until(() => seen.length >= from + 2 || seen.filter(isOutcome).length === operations.length)
      cuts++
    }
    assert.ok(cuts > 5, String(cuts))
    assert.deepEqual(seen.map(sequenceOf), numbered(seen))
    assert.deepEqual(seen.filter(isOutcome).map(operationOf).sort(), operations.sort())
    for (const operation of operations) {
      const percents = seen.filter(({ data }) => data['operation'] === operation).map(({ data }) => Number(data['percent']))
      assert.deepEqual(
        percents,
        percents.toSorted((a, b) => a - b),
      )
      assert.ok(percents.some(percent => percent > 0 && percent < 100))
    }
  })

  test('of another epoch begins with a resync, then the state of each operation', async () => {
    const token = await session()
    const operation = await create(token, 'one')
    await using first = new EventReader(server.http, { token })
    await first.until(({ events }) => events.some(isOutcome))
    await using reader = new EventReader(server.http, { token, after: '00000000-7' })
    await reader.until(({ events }) => events.length >= 2)
    const [resync, state] = reader.events
    assert.deepEqual([resync?.event, resync?.data['reason']], ['resync', 'unknown-epoch'])
    assert.deepEqual([state?.event, state?.data['operation'], state?.data['state']], ['operation', operation, 'succeeded'])
  })

  test('ends when the session has a newer one, and says so; and when the session ends', async () => {
    const token = await session()
    await using first = new EventReader(server.http, { token })
    await first.until(({ head }) => head !== '')
    await using second = new EventReader(server.http, { token })
    await second.until(({ head }) => head !== '')
    await first.end()
    assert.deepEqual(
      first.events.map(({ event, data }) => [event, data['reason']]),
      [['end', 'replaced']],
    )
    assert.equal((await ask(server.http, { method: 'POST', path: '/v1/logout', token })).status, 204)
    await second.end()
    assert.deepEqual(
      second.events.map(({ event, data }) => [event, data['reason']]),
      [['end', 'logout']],
    )
  })

  test('is of the session whose token it is, and of no other', async () => {
    const [mine, other] = [await session(), await session()]
    await using reader = new EventReader(server.http, { token: mine })
    await create(other, 'theirs')
    const operation = await create(mine, 'mine')
    await reader.until(({ events }) => events.some(isOutcome))
    assert.deepEqual(new Set(reader.events.map(({ data }) => data['operation'])), new Set([operation]))
  })

  test('whose client reads late holds up nobody, and has everything then', async () => {
    const token = await session()
    await using reader = new EventReader(server.http, { token })
    await reader.until(({ head }) => head !== '')
    reader.pause()
    const operations: string[] = []
    for (let n = 0; n < 60; n++) {
      const body = { name: `s${n}`, path: `/${'y'.repeat(4000)}` }
      const { value } = await ask(server.http, { method: 'POST', path: '/v1/shares', token, body })
      operations.push(String(value['operation']))
    }
    reader.resume()
    await reader.until(({ events }) => events.filter(isOutcome).length === operations.length)
    assert.deepEqual(reader.events.map(sequenceOf), numbered(reader.events))
  })

  test('whose worker dies goes on with the next worker on the same connection, with each event once (S11)', async () => {
    const tokens = await Promise.all(Array.from({ length: 8 }, session))
    const readers = tokens.map(token => new EventReader(server.http, { token }))
    try {
      await Promise.all(readers.map(reader => reader.until(({ head }) => head !== '')))
      const operations = await Promise.all(tokens.map((token, at) => create(token, `long${at}`, 3000)))
      await Promise.all(readers.map(reader => reader.until(({ events }) => events.length > 2)))
      await server.ask('kill worker')
      await Promise.all(readers.map(reader => reader.until(({ events }) => events.some(isOutcome))))
      for (const [at, { events }] of readers.entries()) {
        assert.deepEqual(events.map(sequenceOf), numbered(events))
        assert.equal(events.filter(isOutcome).length, 1)
        assert.deepEqual([stateOf(events.at(-1) ?? assert.fail()), events.at(-1)?.data['operation']], ['succeeded', operations[at]])
      }
      assert.ok(readers.some(({ events }) => events.at(-1)?.data['recovery'] === 'resumed'))
    } finally {
      for (const reader of readers) reader.close()
    }
  })
})

describe('what answers a request for an operation', { timeout: 60_000 }, () => {
  let server: Server
  let token = ''
  before(async () => {
    server = await startServer({ shares: {}, accounts: [], workers: 2, entry: join(root, 'testing/peers/management-node.ts') })
    token = await login(server.http, 'alice', 'Correct-Horse-1')
  })
  after(async () => server?.[Symbol.asyncDispose]())
  const create = (body: object, headers: Readonly<Record<string, string>> = {}) =>
    ask(server.http, { method: 'POST', path: '/v1/volumes', token, body, headers })

  test('a receipt at once, on a connection that is closed (S1)', async () => {
    const { status, value, headers } = await create({ name: 'disk1', options: ['ms=60000'] })
    assert.deepEqual([status, value['received'], headers['connection']], [202, true, 'close'])
    assert.equal(headers['location'], `/v1/operations/${String(value['operation'])}`)
    const shown = await ask(server.http, { path: headers['location'] ?? '', token })
    assert.match(String(shown.value['state']), /queued|running/)
    const cancelled = await ask(server.http, { method: 'DELETE', path: headers['location'] ?? '', token })
    assert.equal(cancelled.status, 200)
  })

  test('the outcome for who prefers to wait for it (RFC 7240 4.3)', async () => {
    const made = await create({ name: 'disk2', options: ['ms=100'] }, { Prefer: 'respond-async, wait=20' })
    assert.deepEqual([made.status, made.value['name'], made.headers['location']], [201, 'disk2', '/v1/volumes/disk2'])
    assert.equal(made.headers['preference-applied'], 'wait=20')
    const failed = await create({ name: 'full' }, { Prefer: 'wait=20' })
    assert.deepEqual([failed.status, failed.value['code'], typeof failed.value['operation']], [507, 'NO_SPACE', 'string'])
    const gone = await ask(server.http, { method: 'DELETE', path: '/v1/volumes/disk2', token, headers: { Prefer: 'wait=20' } })
    assert.deepEqual([gone.status, gone.text], [204, ''])
    const late = await create({ name: 'disk3', options: ['ms=60000'] }, { Prefer: 'wait=1' })
    assert.equal(late.status, 202)
  })

  test('the same operation for the same key; another request with it is refused', async () => {
    const first = await create({ name: 'disk4' }, { 'Idempotency-Key': 'k1' })
    const again = await create({ name: 'disk4' }, { 'Idempotency-Key': 'k1' })
    assert.deepEqual([again.status, again.value['operation']], [202, first.value['operation']])
    const other = await create({ name: 'disk5' }, { 'Idempotency-Key': 'k1' })
    assert.deepEqual([other.status, other.value['code']], [422, 'IDEMPOTENCY_KEY_REUSED'])
  })

  test('what is wrong at once where that can be told', async () => {
    const { status, value } = await create({ name: 'Disk 1', size: -1, colour: 'red' })
    const fields = (value['errors'] as readonly { readonly field: string }[]).map(({ field }) => field)
    assert.deepEqual([status, value['code'], fields.sort()], [422, 'INVALID', ['colour', 'name', 'size']])
    assert.equal((await create({ name: 'taken' })).status, 409)
    assert.equal((await create({ name: 'disk6' }, { 'Content-Type': 'text/plain' })).status, 415)
  })
})
