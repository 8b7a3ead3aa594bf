import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Capability, Command, HeaderFlags, LockFlags, SecurityMode } from '../../messages/constants.ts'
import { headerOffset, headerSize } from '../../messages/header.ts'
import { NegotiateRequest } from '../../messages/negotiate.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { TreeConnectResponse } from '../../messages/tree-connect.ts'
import { sessionEvents, sessionStates, sessionTransitions } from './session-states.ts'
import { allOnes, bodies, TestClient } from './test-support/client.ts'
import { connect, FakeMesh, FakeNode } from './test-support/fakes.ts'
import { testServer } from './test-support/server.ts'

for (const dialect of [0x0202, 0x0210, 0x0300, 0x0302, 0x0311]) {
  test(`a client of dialect 0x${dialect.toString(16)} logs on, connects to a share and is answered signed (3.3.5.4, 3.3.5.5, 3.3.5.7)`, async () => {
    const client = new TestClient(connect(testServer()))
    const { session, treeId } = await client.ready({ dialects: [dialect] })
    const created = await client.request(Command.create, bodies.create(), { session, treeId })
    assert.equal(created.status, NtStatus.SUCCESS)
    assert.ok(session.signer.verify(created.bytes, 'server'))
    const fileId = created.body.subarray(64, 80)
    const read = await client.request(Command.read, bodies.read(fileId), { session, treeId })
    assert.equal(read.body.subarray(16).toString(), 'r'.repeat(100))
    const closed = await client.request(Command.close, bodies.close(fileId), { session, treeId })
    assert.equal(closed.status, NtStatus.SUCCESS)
    const again = await client.request(Command.close, bodies.close(fileId), { session, treeId })
    assert.equal(again.status, NtStatus.FILE_CLOSED)
    assert.ok(client.connection.messages.every(({ releases }) => releases === 1))
    assert.equal(client.connection.allocated, 0)
  })
}

for (const [name, ciphers] of Object.entries({ 'AES-128-CCM': [1], 'AES-128-GCM': [2], 'AES-256-CCM': [3], 'AES-256-GCM': [4] })) {
  test(`an encrypted request is answered encrypted with ${name} (3.3.4.1.4)`, async () => {
    const { contexts311 } = await import('./test-support/client.ts')
    const client = new TestClient(connect(testServer()))
    await client.negotiate({ contexts: contexts311({ ciphers }) })
    assert.equal(client.cipher, name)
    const { session } = await client.logon()
    const tree = await client.treeConnect(session, '\\\\s\\sealed', { encrypt: true })
    assert.ok(tree.wasEncrypted)
    const { treeId } = tree.header
    const created = await client.request(Command.create, bodies.create(), { session, treeId, encrypt: true })
    assert.equal(created.status, NtStatus.SUCCESS)
    assert.ok(created.wasEncrypted)
    const plain = await client.request(Command.create, bodies.create(), { session, treeId })
    assert.equal(plain.status, NtStatus.ACCESS_DENIED)
  })
}

test('an unsigned request where signing is required gets ACCESS_DENIED, a wrong signature as well (3.3.5.2.4)', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready()
  const unsigned = await client.request(Command.create, bodies.create(), { sessionId: session.id, treeId })
  assert.equal(unsigned.status, NtStatus.ACCESS_DENIED)
  const message = client.build(Command.create, bodies.create(), { session, treeId })
  message[70] ^= 1
  client.connection.deliver(message)
  assert.equal((await client.one()).status, NtStatus.ACCESS_DENIED)
})

test('the first NEGOTIATE counts: a second one closes the connection (3.3.5.4)', async () => {
  const client = new TestClient(connect(testServer()))
  await client.ready()
  client.deliver(Command.negotiate, Buffer.alloc(36).fill(36, 0, 1), {})
  assert.notEqual(client.connection.closedBecause, undefined)
})

test('NEGOTIATE without dialects is INVALID_PARAMETER, with unknown ones NOT_SUPPORTED (3.3.5.4)', async () => {
  assert.equal((await new TestClient(connect(testServer())).negotiate({ dialects: [] })).status, NtStatus.INVALID_PARAMETER)
  assert.equal((await new TestClient(connect(testServer())).negotiate({ dialects: [0x0999] })).status, NtStatus.NOT_SUPPORTED)
})

test('3.1.1 without pre-authentication integrity, or with a context twice, is INVALID_PARAMETER (3.3.5.4)', async () => {
  const { contexts311 } = await import('./test-support/client.ts')
  const [preauth, encryption] = contexts311()
  assert.equal((await new TestClient(connect(testServer())).negotiate({ contexts: [encryption] })).status, NtStatus.INVALID_PARAMETER)
  assert.equal((await new TestClient(connect(testServer())).negotiate({ contexts: [preauth, preauth] })).status, NtStatus.INVALID_PARAMETER)
})

test('an SMB1 NEGOTIATE that offers "SMB 2.???" leads to an SMB2 one (3.3.5.3.1)', async () => {
  const client = new TestClient(connect(testServer()))
  const names = Buffer.from('\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0', 'latin1')
  const smb1 = Buffer.concat([Buffer.from('ff534d4272', 'hex'), Buffer.alloc(27), Buffer.from([0, names.length, 0]), names])
  client.connection.deliver(smb1)
  const answer = await client.one()
  assert.equal(answer.body.readUInt16LE(4), 0x02ff)
  assert.equal(answer.header.credits, 1)
  client.messageId = 1
  await client.ready()
  assert.equal(client.dialect, 0x0311)
})

test('SMB1 alone, and garbage, cost the connection', () => {
  for (const bytes of [
    Buffer.from('ff534d4272', 'hex'),
    Buffer.alloc(200, 1),
    Buffer.from([0xfe]),
    Buffer.concat([Buffer.from('fe534d4241', 'hex'), Buffer.alloc(80)]),
    Buffer.concat([Buffer.from('fd534d42', 'hex'), Buffer.alloc(80)]),
    Buffer.concat([Buffer.from('fc534d42', 'hex'), Buffer.alloc(80)]),
  ]) {
    const connection = connect(testServer())
    const message = connection.deliver(bytes)
    assert.notEqual(connection.closedBecause, undefined)
    assert.equal(message.releases, 1)
  }
})

test('a wrong password and an unknown user are LOGON_FAILURE, anonymous is ACCESS_DENIED', async () => {
  for (const [user, password, expected] of [
    ['alice', 'wrong', NtStatus.LOGON_FAILURE],
    ['mallory', 'secret', NtStatus.LOGON_FAILURE],
    ['', '', NtStatus.ACCESS_DENIED],
  ] as const) {
    const server = testServer()
    const client = new TestClient(connect(server))
    await client.negotiate()
    const { status } = await client.logon({ user, password })
    assert.equal(status, expected, user)
    assert.equal(server.sessions.size, 0)
  }
})

test('TREE_CONNECT: names without regard to case and host, unknown ones BAD_NETWORK_NAME, users who may not ACCESS_DENIED (3.3.5.7)', async () => {
  const client = new TestClient(connect(testServer()))
  const { session } = await client.ready({ path: '\\\\10.0.0.1\\DOCS' })
  assert.equal((await client.treeConnect(session, '\\\\s\\nothing')).status, NtStatus.BAD_NETWORK_NAME)
  assert.equal((await client.treeConnect(session, 'docs')).status, NtStatus.BAD_NETWORK_NAME)
  assert.equal((await client.treeConnect(session, '\\\\s\\bobs')).status, NtStatus.ACCESS_DENIED)
  const ipc = await client.treeConnect(session, '\\\\s\\IPC$')
  assert.equal(TreeConnectResponse.decode(ipc.bytes, headerSize).shareType, 2)
  const fixed = await client.treeConnect(session, '\\\\s\\fixed')
  assert.equal(TreeConnectResponse.decode(fixed.bytes, headerSize).maximalAccess, 0x001200a9)
})

test('an unsigned TREE_CONNECT in 3.1.1 closes the connection (3.3.5.7)', async () => {
  const client = new TestClient(connect(testServer({ config: { signing: 'enabled' } })))
  await client.negotiate()
  const { session } = await client.logon()
  client.deliver(Command.treeConnect, Buffer.alloc(9).fill(9, 0, 1), { sessionId: session.id })
  assert.notEqual(client.connection.closedBecause, undefined)
})

test('after TREE_DISCONNECT the tree is NETWORK_NAME_DELETED, after LOGOFF the session USER_SESSION_DELETED (3.3.5.6, 3.3.5.8)', async () => {
  const server = testServer()
  const client = new TestClient(connect(server))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  const open = [...server.sessions.values()][0].opens.at(created.body, 64)!
  assert.equal((await client.request(Command.treeDisconnect, bodies.empty(), { session, treeId })).status, NtStatus.SUCCESS)
  assert.equal((open as unknown as { gone: string }).gone, 'tree-disconnect')
  assert.equal((await client.request(Command.treeDisconnect, bodies.empty(), { session, treeId })).status, NtStatus.NETWORK_NAME_DELETED)
  const off = await client.request(Command.logoff, bodies.empty(), { session })
  assert.equal(off.status, NtStatus.SUCCESS)
  assert.ok(session.signer.verify(off.bytes, 'server'))
  const again = await client.request(Command.logoff, bodies.empty(), { session })
  assert.equal(again.status, NtStatus.USER_SESSION_DELETED)
  // Clients that sign insist on the flag, and know the status by an echoed signature.
  assert.ok((again.header.flags & HeaderFlags.signed) !== 0)
  assert.equal((await client.request(Command.echo, bodies.echo())).status, NtStatus.SUCCESS)
  assert.equal(server.retired.length, 0)
})

test('a re-authentication keeps keys and opens; a failed one ends the session (3.3.5.5.3)', async () => {
  const server = testServer()
  const client = new TestClient(connect(server))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  const fileId = created.body.subarray(64, 80)
  assert.equal((await client.logon({ session })).status, NtStatus.SUCCESS)
  assert.equal((await client.request(Command.read, bodies.read(fileId), { session, treeId })).status, NtStatus.SUCCESS)
  assert.equal((await client.logon({ session, user: '', password: '' })).status, NtStatus.SUCCESS)
  assert.equal([...server.sessions.values()][0].user.sid, 'S-1-5-7')
  assert.equal((await client.request(Command.read, bodies.read(fileId), { session, treeId })).status, NtStatus.SUCCESS)
  const failed = await client.logon({ session, password: 'wrong' })
  assert.equal(failed.status, NtStatus.LOGON_FAILURE)
  assert.equal((await client.request(Command.read, bodies.read(fileId), { session, treeId })).status, NtStatus.USER_SESSION_DELETED)
})

test('PreviousSessionId closes the old session of the same user, on whatever worker (3.3.5.5.3)', async () => {
  const mesh = new FakeMesh()
  const servers = [0, 1].map(index => testServer({ node: new FakeNode({ mesh, index, workers: 2 }) }))
  const old = new TestClient(connect(servers[0]))
  const { session } = await old.ready()
  const bob = new TestClient(connect(servers[1]))
  bob.clientGuid = 'aaaaaaaa-2222-3333-4444-555555555555'
  await bob.negotiate()
  await bob.logon({ user: 'bob', password: 'hunter2', previousSessionId: session.id })
  assert.equal(servers[0].sessions.size, 1)
  const other = new TestClient(connect(servers[1]))
  other.clientGuid = 'bbbbbbbb-2222-3333-4444-555555555555'
  await other.negotiate()
  assert.equal((await other.logon({ previousSessionId: session.id })).status, NtStatus.SUCCESS)
  assert.equal(servers[0].sessions.size, 0)
  assert.equal((await old.treeConnect(session)).status, NtStatus.USER_SESSION_DELETED)
})

test('a second connection binds to a session and has a signing key of its own (3.3.5.5.2)', async () => {
  const server = testServer()
  const first = new TestClient(connect(server))
  const { session, treeId } = await first.ready()
  const second = new TestClient(connect(server))
  await second.negotiate()
  const early = await second.request(Command.create, bodies.create(), { session, treeId })
  assert.equal(early.status, NtStatus.USER_SESSION_DELETED)
  const unsigned = await second.logon({ session, binding: true, sign: false })
  assert.equal(unsigned.status, NtStatus.INVALID_PARAMETER)
  const wrong = await second.logon({ session, binding: true, password: 'wrong' })
  assert.equal(wrong.status, NtStatus.LOGON_FAILURE)
  const another = await second.logon({ session, binding: true, user: 'bob', password: 'hunter2' })
  assert.equal(another.status, NtStatus.ACCESS_DENIED)
  const bound = await second.logon({ session, binding: true })
  assert.equal(bound.status, NtStatus.SUCCESS)
  const created = await second.request(Command.create, bodies.create(), { session: bound.session, treeId })
  assert.equal(created.status, NtStatus.SUCCESS)
  assert.ok(bound.session.signer.verify(created.bytes, 'server'))
  const read = await first.request(Command.read, bodies.read(created.body.subarray(64, 80)), { session, treeId })
  assert.equal(read.status, NtStatus.SUCCESS)
  // The session's key is not the channel's.
  assert.equal((await second.logon({ session, binding: true })).status, NtStatus.ACCESS_DENIED)
  // The session outlives one of its channels.
  first.connection.handler!.onClose('closed')
  assert.equal((await second.request(Command.create, bodies.create(), { session: bound.session, treeId })).status, NtStatus.SUCCESS)
  second.connection.handler!.onClose('closed')
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(server.sessions.size, 0)
  assert.equal(server.retired.length, 0)
})

test('binding across dialects and signing algorithms is refused as Windows does (3.3.5.5.2)', async () => {
  const { contexts311 } = await import('./test-support/client.ts')
  const server = testServer()
  const gmac = new TestClient(connect(server))
  const { session } = await gmac.ready()
  const cmac = new TestClient(connect(server))
  await cmac.negotiate({ contexts: contexts311({ signing: [1] }) })
  assert.equal((await cmac.logon({ session, binding: true })).status, NtStatus.REQUEST_OUT_OF_SEQUENCE)
  const cmacSession = (await cmac.logon()).session
  const gmac2 = new TestClient(connect(server))
  await gmac2.negotiate()
  assert.equal((await gmac2.logon({ session: cmacSession, binding: true })).status, NtStatus.NOT_SUPPORTED)
  const old = new TestClient(connect(server))
  await old.negotiate({ dialects: [0x0210] })
  assert.equal((await old.logon({ session: cmacSession, binding: true })).status, NtStatus.REQUEST_NOT_ACCEPTED)
})

test('leases on folders are offered to who asks for them, from 3.0 on (3.3.5.4)', async () => {
  const server = testServer()
  for (const [dialect, asked, offered] of [
    [0x0210, Capability.directoryLeasing, 0],
    [0x0300, 0, 0],
    [0x0300, Capability.directoryLeasing, Capability.directoryLeasing],
    [0x0311, Capability.directoryLeasing, Capability.directoryLeasing],
  ] as const) {
    const { capabilities } = await new TestClient(connect(server)).negotiate({ dialects: [dialect], capabilities: asked })
    assert.equal(capabilities & Capability.directoryLeasing, offered)
  }
})

const negotiateBody: NegotiateRequest = {
  securityMode: 1,
  capabilities: 0,
  clientGuid: '11111111-2222-3333-4444-555555555555',
  dialects: [0x0302],
  contexts: [],
}

test('the connections of one client come together on one worker (3.3.5.4)', async () => {
  const mesh = new FakeMesh()
  const servers = [0, 1].map(index => testServer({ node: new FakeNode({ mesh, index, workers: 2 }) }))
  const first = new TestClient(connect(servers[0]))
  await first.ready()
  const second = new TestClient(connect(servers[1]))
  second.deliver(Command.negotiate, NegotiateRequest.toBytes(negotiateBody))
  await new Promise(resolve => setTimeout(resolve, 5))
  assert.equal(second.connection.moved?.worker, 0)
  const moved = second.connection.messages.at(-1)!
  assert.equal(moved.releases, 0)
  const arrived = connect(servers[0], second.connection.checkpoints)
  arrived.handler!.onMessage(moved)
  await new Promise(resolve => setTimeout(resolve, 5))
  assert.equal(arrived.sent.length, 1)
  assert.equal(moved.releases, 1)
})

test('sessions and trees survive a worker, opens do not (FILE_CLOSED); encryption goes on with fresh nonces', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  const fileId = created.body.subarray(64, 80)
  client.deliver(Command.changeNotify, bodies.notify(fileId), { session, treeId })
  const pending = await client.one()
  assert.equal(pending.status, NtStatus.PENDING)

  const heir = connect(testServer(), client.connection.checkpoints)
  const next = new TestClient(heir)
  Object.assign(next, { messageId: client.messageId, dialect: client.dialect })
  const lost = await next.one()
  assert.equal(lost.status, NtStatus.NOTIFY_CLEANUP)
  assert.equal(lost.asyncId, pending.asyncId)
  assert.ok(session.signer.verify(lost.bytes, 'server'))
  assert.equal((await next.request(Command.read, bodies.read(fileId), { session, treeId })).status, NtStatus.FILE_CLOSED)
  assert.equal((await next.request(Command.create, bodies.create(), { session, treeId })).status, NtStatus.SUCCESS)
  assert.equal((await next.request(Command.create, bodies.create(), { session, treeId, encrypt: true })).status, NtStatus.SUCCESS)
  // The worker that died had decrypted the request where it stands.
  const frame = Buffer.from(client.deliver(Command.create, bodies.create(), { session, treeId, encrypt: true }).bytes)
  next.messageId = client.messageId
  next.connection.deliver(frame, true)
  assert.equal((await next.one(session)).status, NtStatus.SUCCESS)
  next.connection.deliver(session.encrypt(next.build(Command.create, bodies.create(), { sessionId: session.id, treeId })), true)
  assert.equal((await next.one(session)).status, NtStatus.SUCCESS)
})

test('FSCTL_VALIDATE_NEGOTIATE_INFO confirms what was negotiated; anything else closes the connection (3.3.5.15.12)', async () => {
  const make = async () => {
    const client = new TestClient(connect(testServer()))
    const ready = await client.ready({ dialects: [0x0210, 0x0302] })
    const body = Buffer.concat([bodies.ioctl(allOnes, 0x00140204).subarray(0, 56), Buffer.alloc(28)])
    body.writeUInt32LE(headerSize + 56, 24)
    body.writeUInt32LE(28, 28)
    body.writeUInt32LE(24, 44)
    body.writeUInt32LE(Capability.multiChannel | Capability.encryption | Capability.largeMtu, 56)
    Buffer.from('11111111222233334444555555555555', 'hex').copy(body, 60)
    body.writeUInt32LE(0x11111111, 60)
    body.writeUInt16LE(0x2222, 64)
    body.writeUInt16LE(0x3333, 66)
    body.writeUInt16LE(SecurityMode.signingEnabled, 76)
    body.writeUInt16LE(2, 78)
    body.writeUInt16LE(0x0210, 80)
    body.writeUInt16LE(0x0302, 82)
    return { client, body, ...ready }
  }
  const good = await make()
  const answer = await good.client.request(Command.ioctl, good.body, { session: good.session, treeId: good.treeId })
  assert.equal(answer.status, NtStatus.SUCCESS)
  assert.equal(answer.body.readUInt16LE(48 + 22), 0x0302)
  const bad = await make()
  bad.body.writeUInt16LE(0x0311, 82)
  bad.client.deliver(Command.ioctl, bad.body, { session: bad.session, treeId: bad.treeId })
  assert.notEqual(bad.client.connection.closedBecause, undefined)
})

test('encryption required: clear requests get ACCESS_DENIED, clients without it are refused (3.3.5.2.9)', async () => {
  const server = testServer({ config: { encryption: 'required' } })
  const client = new TestClient(connect(server))
  await client.negotiate()
  const { session } = await client.logon()
  const plain = await client.treeConnect(session)
  assert.equal(plain.status, NtStatus.ACCESS_DENIED)
  assert.ok(plain.wasEncrypted)
  assert.equal((await client.treeConnect(session, undefined, { encrypt: true })).status, NtStatus.SUCCESS)
  const old = new TestClient(connect(server))
  await old.negotiate({ dialects: [0x0210] })
  assert.equal((await old.logon()).status, NtStatus.ACCESS_DENIED)
})

test('an oplock break goes out unsigned with MessageId -1, on another channel when one is gone (3.3.4.6)', async () => {
  const server = testServer()
  const first = new TestClient(connect(server))
  const { session } = await first.ready()
  const second = new TestClient(connect(server))
  await second.negotiate()
  const bound = await second.logon({ session, binding: true })
  await second.request(Command.echo, bodies.echo(), { session: bound.session })
  const [one] = server.sessions.values()
  assert.ok(one.sendBreak(Buffer.alloc(24, 1), () => true))
  const notification = await second.one()
  assert.equal(notification.bytes.readBigUInt64LE(headerOffset.messageId), 0xffffffffffffffffn)
  assert.equal(notification.header.sessionId, 0n)
  second.connection.handler!.onClose('closed')
  assert.ok(one.sendBreak(Buffer.alloc(24, 2), () => true))
  assert.equal((await first.one()).body[0], 2)
  first.connection.handler!.onClose('closed')
  assert.ok(!one.sendBreak(Buffer.alloc(24, 2), () => true))
})

test('an expired session is NETWORK_SESSION_EXPIRED but for CLOSE, unlocking, LOGOFF and ECHO, until it is authenticated again (3.3.5.2.9)', async () => {
  let now = 1_000
  const identify = ({ user }: { user: string }) => ({
    name: user,
    domain: 'TEST',
    sid: 'S-1-5-21-9',
    groupSids: [],
    isAdministrator: false,
    expiresAtMs: now + 100,
  })
  const client = new TestClient(connect(testServer({ dependencies: { identify, clock: () => now } })))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  now += 200
  assert.equal((await client.request(Command.create, bodies.create(), { session, treeId })).status, NtStatus.NETWORK_SESSION_EXPIRED)
  assert.equal((await client.request(Command.echo, bodies.echo(), { session })).status, NtStatus.SUCCESS)
  const fileId = created.body.subarray(64, 80)
  const lock = async (flags: number): Promise<number> => (await client.request(Command.lock, bodies.lock(fileId, flags), { session, treeId })).status
  assert.equal(await lock(LockFlags.exclusiveLock), NtStatus.NETWORK_SESSION_EXPIRED)
  // The handler's own answer.
  assert.equal(await lock(LockFlags.unlock), NtStatus.LOCK_NOT_GRANTED)
  assert.equal((await client.request(Command.close, bodies.close(fileId), { session, treeId })).status, NtStatus.SUCCESS)
  assert.equal((await client.logon({ session })).status, NtStatus.SUCCESS)
  assert.equal((await client.request(Command.create, bodies.create(), { session, treeId })).status, NtStatus.SUCCESS)
})

test('the states of a session (3.3.1.8), whole', () => {
  const lines = sessionStates.flatMap(state =>
    sessionEvents.map(event => `${state} + ${event} -> ${sessionTransitions[state][event] ?? 'impossible'}`),
  )
  assert.deepEqual(lines, [
    'in-progress + begin-authentication -> in-progress',
    'in-progress + authenticated -> valid',
    'in-progress + authentication-failed -> closed',
    'in-progress + ticket-expired -> impossible',
    'in-progress + close -> closed',
    'valid + begin-authentication -> reauthenticating',
    'valid + authenticated -> valid',
    'valid + authentication-failed -> closed',
    'valid + ticket-expired -> expired',
    'valid + close -> closed',
    'reauthenticating + begin-authentication -> reauthenticating',
    'reauthenticating + authenticated -> valid',
    'reauthenticating + authentication-failed -> closed',
    'reauthenticating + ticket-expired -> expired',
    'reauthenticating + close -> closed',
    'expired + begin-authentication -> reauthenticating',
    'expired + authenticated -> valid',
    'expired + authentication-failed -> closed',
    'expired + ticket-expired -> expired',
    'expired + close -> closed',
    'closed + begin-authentication -> closed',
    'closed + authenticated -> closed',
    'closed + authentication-failed -> closed',
    'closed + ticket-expired -> closed',
    'closed + close -> closed',
  ])
})
