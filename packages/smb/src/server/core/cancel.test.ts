import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { CommandHandler } from './handler-api.ts'
import { bodies, TestClient } from './test-support/client.ts'
import { connect } from './test-support/fakes.ts'
import { testCommands, testServer } from './test-support/server.ts'

/** Gives up at once, or when another worker has been asked. */
const afterwards: Readonly<Record<string, () => Promise<void>>> = { 'at once': async () => {}, 'after a while': () => sleep(5) }

for (const [when, wait] of Object.entries(afterwards)) {
  test(`what is cancelled is answered before what comes after the CANCEL, several of them as well; it gives up ${when} (3.3.5.16)`, async () => {
    const changeNotify: CommandHandler = async request => {
      request.goAsync()
      await new Promise(resolve => request.onCancel(resolve))
      await wait()
      return request.fail(NtStatus.CANCELLED)
    }
    const client = new TestClient(connect(testServer({ dependencies: { fileCommands: { ...testCommands, changeNotify } } })))
    const { session, treeId } = await client.ready()
    const created = await client.request(Command.create, bodies.create(), { session, treeId })
    const fileId = created.body.subarray(64, 80)
    const pending = []
    for (let i = 0; i < 2; i++) {
      client.deliver(Command.changeNotify, bodies.notify(fileId), { session, treeId })
      pending.push(await client.one())
    }
    const cancels = pending.map(({ asyncId }) => client.build(Command.cancel, bodies.empty(), { session, asyncId, flags: 2, sign: false }))
    client.connection.deliver(client.compound(cancels.map(message => ({ message, session }))))
    client.deliver(Command.echo, bodies.echo())
    client.deliver(Command.read, bodies.read(fileId), { session, treeId })
    const answers = []
    for (let i = 0; i < 4; i++) answers.push(await client.one())
    assert.deepEqual(
      answers.map(({ header, status }) => [header.command, status]),
      [
        [Command.changeNotify, NtStatus.CANCELLED],
        [Command.changeNotify, NtStatus.CANCELLED],
        [Command.echo, NtStatus.SUCCESS],
        [Command.read, NtStatus.SUCCESS],
      ],
    )
  })
}

test('a request that goes on after its CANCEL does not make others wait for its end (3.3.5.16)', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready({ credits: 16 })
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  const { messageId } = client
  // FLUSH takes its time here, and hears of no CANCEL.
  client.deliver(Command.flush, flushBody(created.body.subarray(64, 80)), { session, treeId })
  client.deliver(Command.cancel, bodies.empty(), { session, messageId })
  client.deliver(Command.echo, bodies.echo())
  const first = await client.one()
  assert.deepEqual([first.header.command, first.status], [Command.echo, NtStatus.SUCCESS])
  let flushed = await client.one()
  if (flushed.status === NtStatus.PENDING) flushed = await client.one()
  assert.deepEqual([flushed.header.command, flushed.status], [Command.flush, NtStatus.SUCCESS])
})

function flushBody(fileId: Buffer): Buffer {
  const body = Buffer.alloc(24)
  body.writeUInt16LE(24, 0)
  fileId.copy(body, 8)
  return body
}
