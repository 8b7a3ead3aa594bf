import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testConnection } from '../test-support/connection.ts'
import { EventStream } from './event-stream.ts'

/** A stream whose time is set by hand. */
function setup() {
  const connection = testConnection()
  const clock = { nowMs: 0 }
  const calls: string[] = []
  const stream = new EventStream(connection, { wantsOverview: true, nowMs: () => clock.nowMs, onCongested: () => calls.push('congested') })
  const subscribe = () => ({ resume: () => void calls.push('resume'), close: () => void calls.push('close') })
  stream.begin(Buffer.from('head\n'), { message: undefined, subscribe })
  connection.sent.length = 0
  const event = (seq: number, data = '{}') => stream.event({ event: 'operation', id: `e-${seq}`, data })
  return { connection, clock, stream, event, calls }
}
const settle = () => new Promise<void>(resolve => queueMicrotask(resolve))

describe('an event stream', () => {
  test('writes together what comes at once', async () => {
    const { connection, event } = setup()
    assert.equal(event(1), true)
    assert.equal(event(2), true)
    await settle()
    assert.deepEqual(connection.sent, ['event: operation\nid: e-1\ndata: {}\n\nevent: operation\nid: e-2\ndata: {}\n\n'])
  })

  test('wants no more while its client does not read, and goes on after it has', async () => {
    const { connection, clock, stream, event, calls } = setup()
    connection.unsentBytes = 300_000
    assert.equal(event(1), false)
    await settle()
    assert.match(connection.text, /id: e-1/)
    stream.aside('overview', '{}')
    await settle()
    assert.doesNotMatch(connection.text, /overview/)
    stream.tick()
    assert.deepEqual(calls, ['congested'])
    connection.unsentBytes = 100_000
    clock.nowMs = 29_000
    stream.tick()
    assert.deepEqual(calls, ['congested', 'resume'])
    assert.equal(event(2), true)
  })

  test('wants no more when much came at once', () => {
    const { event, calls } = setup()
    let taken = 1
    while (event(taken, 'x'.repeat(1000))) taken++
    assert.ok(taken > 200 && taken < 300, String(taken))
    assert.deepEqual(calls, ['congested'])
  })

  test('gives up a client that has read nothing for half a minute; one that reads slowly is waited for', () => {
    const { connection, clock, stream, event, calls } = setup()
    connection.unsentBytes = 900_000
    event(1)
    for (let step = 0; step < 10; step++) {
      clock.nowMs += 29_000
      connection.unsentBytes -= 1000
      stream.tick()
    }
    assert.deepEqual(connection.said, [])
    clock.nowMs += 31_000
    stream.tick()
    assert.deepEqual(connection.said, ['close: the client does not read'])
    assert.deepEqual(calls, ['congested', 'close'])
  })

  test('says something every 15 seconds', async () => {
    const { connection, clock, stream, event } = setup()
    clock.nowMs = 10_000
    event(1)
    await settle()
    clock.nowMs = 24_000
    stream.tick()
    await settle()
    assert.equal(connection.sent.length, 1)
    clock.nowMs = 25_000
    stream.tick()
    await settle()
    assert.equal(connection.sent[1], ':\n\n')
  })

  test('says why it ends, and nothing after that', async () => {
    const { connection, stream, event, calls } = setup()
    event(1)
    stream.end('replaced')
    event(2)
    stream.aside('overview', '{}')
    await settle()
    assert.equal(connection.text, 'event: operation\nid: e-1\ndata: {}\n\nevent: end\ndata: {"reason":"replaced"}\n\n')
    assert.deepEqual([connection.said, calls], [['close: replaced'], ['close']])
  })

  test('ends where there is no memory for it', async () => {
    const { connection, event } = setup()
    connection.memoryBytes = 10
    event(1)
    await settle()
    assert.deepEqual(connection.said, ['close: no memory for the stream'])
  })
})
