import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command, HeaderFlags } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { allOnes, bodies, related, TestClient } from './test-support/client.ts'
import type { ClientSession } from './test-support/client.ts'
import { connect, FakeNode } from './test-support/fakes.ts'
import { testServer } from './test-support/server.ts'

interface Ready {
  client: TestClient
  session: ClientSession
  treeId: number
  node: FakeNode
}

async function ready(): Promise<Ready> {
  const node = new FakeNode()
  const client = new TestClient(connect(testServer({ node })))
  return { client, node, ...(await client.ready({ credits: 200 })) }
}

type Part = readonly [command: number, body: Buffer, options?: { isRelated?: boolean; sessionId?: bigint; treeId?: number }]

function deliver({ client, session, treeId }: Ready, parts: readonly Part[]) {
  return client.connection.deliver(
    client.compound(
      parts.map(([command, body, options = {}]) => ({
        session,
        message: client.build(command, body, {
          sessionId: options.sessionId ?? session.id,
          treeId: options.treeId ?? treeId,
          flags: options.isRelated === true ? related : 0,
        }),
      })),
    ),
  )
}

async function statuses(ready: Ready, parts: readonly Part[]): Promise<number[]> {
  deliver(ready, parts)
  const responses = await ready.client.frame(ready.session)
  for (const { bytes, status, header } of responses) {
    if (status === NtStatus.USER_SESSION_DELETED || status === NtStatus.INVALID_PARAMETER) continue
    assert.ok(ready.session.signer.verify(bytes, 'server'), `the response to ${header.command} is signed`)
    assert.equal(header.sessionId, ready.session.id)
  }
  return responses.map(({ status }) => status)
}

const everywhere = { isRelated: true, sessionId: 0xffffffffffffffffn, treeId: 0xffffffff }
const isRelated = { isRelated: true }

test('related requests take session, tree and file from the one before (3.3.5.2.7.2)', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create()],
      [Command.close, bodies.close(allOnes), everywhere],
      [Command.close, bodies.close(allOnes), everywhere],
    ]),
    [NtStatus.SUCCESS, NtStatus.SUCCESS, NtStatus.FILE_CLOSED],
  )
})

test('a failed CREATE is the status of all that is related to it; another failure is not (3.3.5.2.7.2)', async () => {
  const server = await ready()
  const failed = NtStatus.OBJECT_NAME_NOT_FOUND
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create(3)],
      [Command.ioctl, bodies.ioctl(allOnes), isRelated],
      [Command.close, bodies.close(allOnes), isRelated],
      [Command.setInfo, bodies.setInfo(allOnes), isRelated],
    ]),
    [failed, failed, failed, failed],
  )
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create()],
      [Command.setInfo, bodies.setInfo(allOnes), isRelated],
      [Command.read, bodies.read(allOnes), isRelated],
      [Command.close, bodies.close(allOnes), isRelated],
    ]),
    [NtStatus.SUCCESS, NtStatus.ACCESS_DENIED, NtStatus.SUCCESS, NtStatus.SUCCESS],
  )
})

test('requests that are not related do not share a file (3.3.5.2.7.1)', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create()],
      [Command.close, bodies.close(allOnes)],
      [Command.close, bodies.close(allOnes), isRelated],
    ]),
    [NtStatus.SUCCESS, NtStatus.FILE_CLOSED, NtStatus.FILE_CLOSED],
  )
})

test('a first request that is related is INVALID_PARAMETER, and so is what is related to it', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create(), isRelated],
      [Command.close, bodies.close(allOnes), isRelated],
      [Command.close, bodies.close(allOnes)],
    ]),
    [NtStatus.INVALID_PARAMETER, NtStatus.INVALID_PARAMETER, NtStatus.FILE_CLOSED],
  )
})

test('a session that is not there is USER_SESSION_DELETED, what is related to that INVALID_PARAMETER', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create()],
      [Command.close, bodies.close(allOnes), everywhere],
      [Command.close, bodies.close(allOnes), { ...everywhere, isRelated: false }],
      [Command.close, bodies.close(allOnes), everywhere],
    ]),
    [NtStatus.SUCCESS, NtStatus.SUCCESS, NtStatus.USER_SESSION_DELETED, NtStatus.INVALID_PARAMETER],
  )
})

test('an unknown command is INVALID_PARAMETER', async () => {
  const server = await ready()
  const created = await server.client.request(Command.create, bodies.create(), server)
  assert.deepEqual(
    await statuses(server, [
      [Command.read, bodies.read(created.body.subarray(64, 80), 1)],
      [0xff, Buffer.from([4, 0, 0, 0]), isRelated],
    ]),
    [NtStatus.END_OF_FILE, NtStatus.INVALID_PARAMETER],
  )
})

test('responses of a compound are padded to 8 bytes, the last one too; a single one is not', async () => {
  const server = await ready()
  const { client, session, treeId } = server
  const created = await client.request(Command.create, bodies.create(), server)
  const fileId = created.body.subarray(64, 80)
  deliver(server, [
    [Command.read, bodies.read(fileId, 3)],
    [Command.read, bodies.read(fileId, 3)],
  ])
  assert.deepEqual(
    (await client.frame()).map(({ body }) => body.length),
    [24, 24],
  )
  assert.equal((await client.request(Command.read, bodies.read(fileId, 3), { session, treeId })).body.length, 19)
})

test('a waiting request at the end of a compound: what came before is sent first, then PENDING, then the rest by CANCEL (3.3.4.2, 3.3.5.16)', async () => {
  const server = await ready()
  const { client, session, node } = server
  const message = deliver(server, [
    [Command.create, bodies.create()],
    [Command.close, bodies.close(allOnes), isRelated],
    [Command.create, bodies.create(), isRelated],
    [Command.changeNotify, bodies.notify(allOnes), isRelated],
  ])
  const before = await client.frame()
  assert.deepEqual(
    before.map(({ status }) => status),
    [NtStatus.SUCCESS, NtStatus.SUCCESS, NtStatus.SUCCESS],
  )
  const interim = await client.one()
  assert.equal(interim.status, NtStatus.PENDING)
  assert.ok((interim.header.flags & HeaderFlags.asyncCommand) !== 0)
  assert.ok((interim.header.flags & HeaderFlags.signed) === 0)
  assert.equal(interim.body.length, 9)
  assert.equal(message.releases, 1, 'a parked request does not hold shared memory')
  assert.equal(node.asyncHeld, 0, 'nor the event loop')
  client.deliver(Command.cancel, bodies.empty(), { session, asyncId: interim.asyncId, flags: HeaderFlags.asyncCommand, messageId: 0 })
  const cancelled = await client.one()
  assert.equal(cancelled.status, NtStatus.CANCELLED)
  assert.equal(cancelled.asyncId, interim.asyncId)
  assert.equal(cancelled.header.credits, 0)
  assert.equal(cancelled.header.messageId, interim.header.messageId)
  assert.ok(session.signer.verify(cancelled.bytes, 'server'))
  assert.equal(client.unread, 0)
  assert.equal(client.connection.checkpoints.size, 2)
})

test('a waiting request in the middle of a compound is INTERNAL_ERROR, the others go on', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create()],
      [Command.changeNotify, bodies.notify(allOnes), isRelated],
      [Command.read, bodies.read(allOnes), isRelated],
    ]),
    [NtStatus.SUCCESS, NtStatus.INTERNAL_ERROR, NtStatus.SUCCESS],
  )
})

test('a SET_INFO in the middle of a compound waits for an oplock break without an interim response', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create()],
      [Command.setInfo, bodies.setInfo(allOnes), isRelated],
      [Command.close, bodies.close(allOnes), isRelated],
    ]),
    [NtStatus.SUCCESS, NtStatus.ACCESS_DENIED, NtStatus.SUCCESS],
  )
})

test('handlers that take a turn of the event loop keep the order and the one frame', async () => {
  const server = await ready()
  assert.deepEqual(
    await statuses(server, [
      [Command.create, bodies.create(5)],
      [Command.read, bodies.read(allOnes), isRelated],
      [Command.create, bodies.create(5), isRelated],
      [Command.close, bodies.close(allOnes), isRelated],
    ]),
    [NtStatus.SUCCESS, NtStatus.SUCCESS, NtStatus.SUCCESS, NtStatus.SUCCESS],
  )
  assert.equal(server.node.asyncHeld, 0)
})

test('an encrypted compound is answered in one encrypted frame', async () => {
  const server = await ready()
  const { client, session, treeId } = server
  const plain = client.compound([
    { message: client.build(Command.create, bodies.create(), { sessionId: session.id, treeId }) },
    { message: client.build(Command.read, bodies.read(allOnes, 60_000), { sessionId: session.id, treeId, flags: related }) },
    { message: client.build(Command.close, bodies.close(allOnes), { sessionId: session.id, treeId, flags: related }) },
  ])
  client.connection.deliver(session.encrypt(plain))
  const responses = await client.frame(session)
  assert.deepEqual(
    responses.map(({ status, wasEncrypted }) => [status, wasEncrypted]),
    [
      [NtStatus.SUCCESS, true],
      [NtStatus.SUCCESS, true],
      [NtStatus.SUCCESS, true],
    ],
  )
  assert.equal(responses[1].body.subarray(16, 60_016).toString(), 'r'.repeat(60_000))
  assert.equal(client.connection.allocated, 0)
})

test('a request that takes longer than a moment gets an interim response by itself, and can be cancelled by MessageId', async () => {
  const server = await ready()
  const { client, session, treeId } = server
  const created = await client.request(Command.create, bodies.create(), server)
  client.deliver(Command.flush, bodies.close(created.body.subarray(64, 80)), { session, treeId })
  const interim = await client.one()
  assert.equal(interim.status, NtStatus.PENDING)
  const done = await client.one()
  assert.equal(done.status, NtStatus.SUCCESS)
  assert.equal(done.asyncId, interim.asyncId)
  assert.ok(session.signer.verify(done.bytes, 'server'))
})

test('a CLOSE that is sent at once waits for what is being done with the open, but not for what waits itself', async () => {
  const server = await ready()
  const { client, session, treeId } = server
  const created = await client.request(Command.create, bodies.create(), server)
  const fileId = created.body.subarray(64, 80)
  client.deliver(Command.changeNotify, bodies.notify(fileId), { session, treeId })
  assert.equal((await client.one()).status, NtStatus.PENDING)
  client.deliver(Command.flush, bodies.close(fileId), { session, treeId })
  client.deliver(Command.close, bodies.close(fileId), { session, treeId })
  const commands: number[] = []
  while (commands.length < 2) {
    const { status, header } = await client.one()
    if (status !== NtStatus.PENDING) commands.push(header.command)
  }
  assert.deepEqual(commands, [Command.flush, Command.close])
})

test('a CLOSE does not wait for a request that turns out to wait for others', async () => {
  const server = await ready()
  const { client, session, treeId } = server
  const created = await client.request(Command.create, bodies.create(), server)
  const fileId = created.body.subarray(64, 80)
  const lock = Buffer.alloc(48)
  lock.writeUInt16LE(48, 0)
  lock.writeUInt16LE(1, 2)
  lock.set(fileId, 8)
  client.deliver(Command.lock, lock, { session, treeId })
  client.deliver(Command.close, bodies.close(fileId), { session, treeId })
  const first = await client.one()
  assert.deepEqual([first.header.command, first.status], [Command.lock, NtStatus.PENDING])
  const second = await client.one()
  assert.deepEqual([second.header.command, second.status], [Command.close, NtStatus.SUCCESS])
})

test('what waits when its tree, session or connection goes is answered or dropped, never forgotten', async () => {
  const server = await ready()
  const { client, session, treeId, node } = server
  const created = await client.request(Command.create, bodies.create(), server)
  const fileId = created.body.subarray(64, 80)
  client.deliver(Command.changeNotify, bodies.notify(fileId), { session, treeId })
  assert.equal((await client.one()).status, NtStatus.PENDING)
  client.deliver(Command.treeDisconnect, bodies.empty(), { session, treeId })
  const answers = [await client.one(), await client.one()]
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([NtStatus.SUCCESS, NtStatus.NOTIFY_CLEANUP]))
  const tree = await client.treeConnect(session)
  const again = await client.request(Command.create, bodies.create(), { session, treeId: tree.header.treeId })
  client.deliver(Command.changeNotify, bodies.notify(again.body.subarray(64, 80)), { session, treeId: tree.header.treeId })
  await client.one()
  client.connection.handler!.onClose('closed')
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(client.unread, 0)
  assert.equal(node.asyncHeld, 0)
  assert.ok(client.connection.messages.every(({ releases }) => releases === 1))
})

test('an unexpected exception is INTERNAL_ERROR and costs nobody anything else', async () => {
  const server = await ready()
  assert.equal((await server.client.request(Command.create, bodies.create(4), server)).status, NtStatus.INTERNAL_ERROR)
  assert.equal((await server.client.request(Command.create, bodies.create(), server)).status, NtStatus.SUCCESS)
})
