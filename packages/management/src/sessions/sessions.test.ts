import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cores, RecordingSink } from '../core/test-support/cores.ts'
import { origin, TestNode, volumeNamed } from '../core/test-support/managed.ts'
import { settle } from '../core/test-support/virtual-time.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

test('a token is told once; the store has a hash of its secret, and another secret is nobody’s', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed })
  const token = await cores.login()
  const [version, id, secret] = token.split('.')
  assert.equal(version, 'hf1')
  const { entries } = await cores.store.range({ prefix: '' })
  assert.ok(!entries.some(({ value }) => Buffer.from(value).includes(secret ?? '')))
  const session = await cores.session(token)
  assert.deepEqual([session.id, session.user, session.role, session.view.csrf], [id, 'alice', 'admin', undefined])
  for (const wrong of [`hf1.${id}.${'A'.repeat(43)}`, `hf1.${'0'.repeat(24)}.${secret}`]) assert.equal(await cores.core().session(wrong), undefined)
  for (const malformed of ['', token.slice(4), `${token}A`, `hf1.${id}`]) assert.equal(cores.core().ownerOf(malformed), undefined)
})

test('a session in a cookie is told what X-CSRF-Token has to be', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed })
  const session = await cores.session(await cores.login({ user: 'alice', password: 'secret', address: '::1', cookie: true }))
  assert.ok(session.cookie)
  assert.equal(session.view.csrf, session.csrf)
})

test('whoever can open the control socket is `local`, an administrator, without a password', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed, workers: 2 })
  const session = await cores.session(await cores.login({ local: true, address: 'local' }))
  assert.deepEqual([session.user, session.role], ['local', 'admin'])
})

test('a session ends after an hour without use, and twelve hours after its login; a crash changes little of it', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed })
  const token = await cores.login()
  for (let hours = 0; hours < 11.5; hours += 0.5) {
    await cores.time.advance(0.5 * hourMs)
    assert.ok(await cores.find(token))
  }
  cores.dropAll()
  await cores.startAll()
  assert.ok(await cores.find(token))
  await cores.time.advance(0.5 * hourMs)
  assert.equal(await cores.find(token), undefined)
  const idle = await cores.login()
  await cores.time.advance(hourMs)
  assert.equal(await cores.find(idle), undefined)
  await settle()
  const left = (await cores.store.range({ prefix: 'api/' })).entries.map(({ key }) => key.split('/')[1])
  assert.deepEqual([...new Set(left)], ['audit', 'fence'])
})

test('an open stream is a use, until the session is twelve hours old', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed })
  const session = await cores.session(await cores.login())
  const sink = new RecordingSink()
  session.subscribe({}, sink)
  await cores.time.advance(11.9 * hourMs)
  assert.equal(sink.ended, undefined)
  await cores.time.advance(0.2 * hourMs)
  assert.equal(sink.ended, 'expired')
})

test('who is gone, or may use storage only from now on, is out with the next request, and streams within seconds', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed })
  const tokens = await Promise.all(Array.from({ length: 2 }, () => cores.login()))
  const sink = new RecordingSink()
  const streaming = await cores.session(tokens[1] ?? '')
  streaming.subscribe({}, sink)
  node.accounts.set('alice', { name: 'alice', role: 'viewer' })
  assert.equal((await cores.session(tokens[0] ?? '')).role, 'viewer')
  node.accounts.set('alice', { name: 'alice', role: 'user' })
  assert.equal(await cores.find(tokens[0] ?? ''), undefined)
  await cores.time.advance(3000)
  assert.equal(sink.ended, 'revoked')
})

test('when an operation has removed a user, their streams end on all workers', async () => {
  const node = new TestNode()
  const cores = await Cores.open({ managed: node.managed, workers: 2 })
  const sinks = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const sink = new RecordingSink()
      const session = await cores.session(await cores.login({ user: 'victor', password: 'secret', address: '192.0.2.2' }))
      session.subscribe({}, sink)
      return sink
    }),
  )
  node.result = () => {
    node.accounts.delete('victor')
    return null
  }
  const session = await cores.session(await cores.login())
  await session.start('user.delete', volumeNamed('victor'), origin)
  await settle()
  assert.deepEqual(sinks.map(({ ended }) => ended), Array.from({ length: 6 }, () => 'revoked')) // prettier-ignore
})

test('logging out ends the stream and the session', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed })
  const token = await cores.login()
  const session = await cores.session(token)
  const sink = new RecordingSink()
  session.subscribe({}, sink)
  await session.logout(origin)
  assert.equal(sink.ended, 'logout')
  assert.equal(await cores.find(token), undefined)
  assert.throws(() => session.subscribe({}, sink), { code: 'NOT_LOGGED_IN' })
})

test('a user has so many sessions at most, and the node', async () => {
  const cores = await Cores.open({ managed: new TestNode().managed, limits: { sessionsPerUser: 2, sessions: 3 } })
  const tokens = [await cores.login(), await cores.login()]
  await assert.rejects(cores.login(), { code: 'TOO_MANY_SESSIONS' })
  await cores.login({ user: 'victor', password: 'secret', address: '192.0.2.2' })
  await assert.rejects(cores.login({ user: 'victor', password: 'secret', address: '192.0.2.2' }), { code: 'TOO_MANY_SESSIONS' })
  const session = await cores.session(tokens[0] ?? '')
  await session.logout(origin)
  await cores.login()
})
