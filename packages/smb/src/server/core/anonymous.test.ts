import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from '../../messages/constants.ts'
import { headerSize } from '../../messages/header.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { SessionSetupResponse } from '../../messages/session-setup.ts'
import { TreeConnectRequest } from '../../messages/tree-connect.ts'
import { LoginThrottle } from '../../security/throttle.ts'
import type { SmbServer } from './server.ts'
import { bodies, TestClient } from './test-support/client.ts'
import type { ClientSession } from './test-support/client.ts'
import { connect } from './test-support/fakes.ts'
import { testServer } from './test-support/server.ts'

const ipc = '\\\\s\\IPC$'
const nobody = { user: '', password: '' }
const openServer = (): SmbServer => testServer({ config: { anonymous: true } })

async function anonymousClient(server = openServer()): Promise<{ client: TestClient; session: ClientSession }> {
  const client = new TestClient(connect(server))
  await client.negotiate()
  const { status, session, responses } = await client.logon(nobody)
  assert.equal(status, NtStatus.SUCCESS)
  assert.equal(SessionSetupResponse.decode(responses.at(-1)!.bytes, headerSize).sessionFlags, 2)
  return { client, session }
}

const unsignedTreeConnect = (client: TestClient, sessionId: bigint, path: string) =>
  client.request(Command.treeConnect, TreeConnectRequest.toBytes({ path }), { sessionId })

test('an anonymous session is one with SESSION_FLAG_IS_NULL, whose requests may come unsigned in 3.1.1 (3.3.5.5.3, 3.3.5.7)', async () => {
  const { client, session } = await anonymousClient()
  assert.equal((await unsignedTreeConnect(client, session.id, ipc)).status, NtStatus.SUCCESS)
  assert.equal(client.connection.closedBecause, undefined)
})

test('who signs in an anonymous session is verified and answered signed (3.3.5.2.4)', async () => {
  const { client, session } = await anonymousClient()
  const tree = await client.treeConnect(session, ipc)
  assert.equal(tree.status, NtStatus.SUCCESS)
  assert.ok(session.signer.verify(tree.bytes, 'server'))
  const message = client.build(Command.treeConnect, TreeConnectRequest.toBytes({ path: ipc }), { session })
  message[70] ^= 1
  client.connection.deliver(message)
  assert.equal((await client.one()).status, NtStatus.ACCESS_DENIED)
})

test('an anonymous session reaches no disk share, and is not told which there are', async () => {
  const { client, session } = await anonymousClient()
  for (const share of ['docs', 'sealed', 'bobs', 'nothing']) {
    assert.equal((await client.treeConnect(session, `\\\\s\\${share}`)).status, NtStatus.ACCESS_DENIED, share)
  }
})

test('a session that was re-authenticated as nobody connects to no further disk share, and keeps the ones that it has', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready()
  assert.equal((await client.logon({ ...nobody, session })).status, NtStatus.SUCCESS)
  assert.equal((await client.treeConnect(session)).status, NtStatus.ACCESS_DENIED)
  assert.equal((await client.request(Command.create, bodies.create(), { session, treeId })).status, NtStatus.SUCCESS)
})

test('encryption by an anonymous session costs a connection that nobody else has logged in on (3.3.5.2.1.1)', async () => {
  const { client, session } = await anonymousClient()
  client.deliver(Command.echo, bodies.echo(), { session, encrypt: true })
  assert.notEqual(client.connection.closedBecause, undefined)
})

test("beside a user's session an anonymous one may encrypt, on a successor of its worker as well (3.3.5.2.1.1)", async () => {
  const server = openServer()
  const client = new TestClient(connect(server))
  await client.negotiate()
  const user = await client.logon()
  const { session } = await client.logon(nobody)
  const tree = await client.treeConnect(session, ipc, { encrypt: true })
  assert.equal(tree.status, NtStatus.SUCCESS)
  assert.ok(tree.wasEncrypted)

  const next = Object.assign(new TestClient(connect(openServer(), client.connection.checkpoints)), {
    messageId: client.messageId,
    dialect: client.dialect,
  })
  assert.equal((await next.treeConnect(session, ipc, { encrypt: true })).status, NtStatus.SUCCESS)
  assert.equal((await unsignedTreeConnect(next, session.id, ipc)).status, NtStatus.SUCCESS)
  assert.equal((await next.treeConnect(user.session, '\\\\s\\docs')).status, NtStatus.SUCCESS)
})

test("an anonymous session can't become a user's: anybody may know its keys", async () => {
  const server = openServer()
  const { client, session } = await anonymousClient(server)
  assert.equal((await client.logon({ session })).status, NtStatus.ACCESS_DENIED)
  assert.equal(server.sessions.size, 0)
})

test('an anonymous login ends no previous session, not even an anonymous one (3.3.5.5.3)', async () => {
  const server = openServer()
  const { session } = await anonymousClient(server)
  const client = new TestClient(connect(server))
  await client.negotiate()
  assert.equal((await client.logon({ ...nobody, previousSessionId: session.id })).status, NtStatus.SUCCESS)
  assert.equal(server.sessions.size, 2)
})

test('no connection is bound to an anonymous session (3.3.5.5.2)', async () => {
  const server = openServer()
  const { session } = await anonymousClient(server)
  const second = new TestClient(connect(server))
  await second.negotiate()
  for (const user of ['', 'alice']) {
    const { status } = await second.logon({ user, password: user === '' ? '' : 'secret', session, binding: true })
    assert.equal(status, NtStatus.ACCESS_DENIED, user)
  }
})

test('where encryption is required, nobody in particular is refused', async () => {
  const client = new TestClient(connect(testServer({ config: { anonymous: true, encryption: 'required' } })))
  await client.negotiate()
  assert.equal((await client.logon(nobody)).status, NtStatus.ACCESS_DENIED)
})

test('an anonymous login does not make an address good that guesses passwords', async () => {
  const throttle = new LoginThrottle({ freeFailures: 1, firstDelayMs: 7 })
  const server = testServer({
    config: { anonymous: true },
    dependencies: { throttle, timers: { set: action => queueMicrotask(action), clear() {} } },
  })
  const client = new TestClient(connect(server))
  await client.negotiate()
  for (const password of ['one', 'two']) await client.logon({ password })
  const attempt = { remoteAddress: client.connection.remoteAddress, user: '' }
  assert.equal(throttle.delayMs(attempt), 7)
  assert.equal((await client.logon(nobody)).status, NtStatus.SUCCESS)
  assert.equal(throttle.delayMs(attempt), 7)
})

test('the connection of nobody in particular stays a stranger, until somebody logs in on it', async () => {
  const { client } = await anonymousClient()
  assert.equal(client.connection.isKnown, false)
  await client.logon()
  assert.equal(client.connection.isKnown, true)
})
