import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { CreditWindow } from './credits.ts'
import { bodies, TestClient } from './test-support/client.ts'
import { connect } from './test-support/fakes.ts'
import { testServer } from './test-support/server.ts'

test('a window takes each id once, in any order, and nothing outside (3.3.5.2.3)', () => {
  const window = new CreditWindow({ creditsMax: 64 })
  assert.ok(window.take(0, 1))
  assert.ok(!window.take(0, 1))
  assert.ok(!window.take(1, 1))
  assert.equal(window.grant(1, 100), 64)
  assert.ok(window.take(3, 2))
  assert.ok(!window.take(4, 1))
  assert.ok(!window.take(2, 2), 'its second id was used')
  const other = new CreditWindow({ creditsMax: 64 })
  other.take(0, 1)
  other.grant(1, 64)
  for (const id of [5, 4, 2, 3]) assert.ok(other.take(id, 1))
  assert.equal(other.low, 1)
  assert.ok(other.take(1, 1))
  assert.equal(other.low, 6)
})

test('a window wraps around its ring', () => {
  const window = new CreditWindow({ creditsMax: 32 })
  window.take(0, 1)
  window.grant(1, 32)
  let next = 1
  for (let i = 0; i < 1000; i++) {
    // Pairs in the wrong order.
    assert.ok(window.take(next + 1, 1))
    assert.ok(window.take(next, 1))
    next += 2
    assert.equal(window.low, next)
    assert.equal(window.grant(1, 1), 1)
    assert.equal(window.grant(1, 1), 1)
  }
})

test('a skipped id holds the window back, and gives it back whole (smb2.credits.skipped_mid)', () => {
  const window = new CreditWindow()
  window.take(0, 1)
  assert.equal(window.grant(1, 8192), 8192)
  let credits = 8192
  for (let id = 2; id < 2 + 8191; id++) {
    assert.ok(window.take(id, 1))
    credits += window.grant(1, 8192 - credits + 2) - 1
  }
  assert.equal(credits, 1)
  assert.ok(window.take(1, 1))
  assert.equal(window.grant(1, 8193), 8192)
})

test('SESSION_SETUP grants what is asked for, NEGOTIATE one (smb2.credits.session_setup_credits_granted)', async () => {
  const client = new TestClient(connect(testServer()))
  await client.negotiate()
  const { responses } = await client.logon({ credits: 65535 })
  assert.deepEqual(
    responses.map(({ header }) => header.credits),
    [1, 8192],
  )
})

test('one credit at a time, and all at once when asked (smb2.credits.single_req_credits_granted)', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready()
  const one = await client.request(Command.create, bodies.create(), { session, treeId })
  assert.equal(one.header.credits, 1)
  const all = await client.request(Command.create, bodies.create(), { session, treeId, credits: 65535 })
  assert.equal(all.header.credits, 8192)
})

test('a MessageId outside the window closes the connection (3.3.5.2.3)', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready()
  client.deliver(Command.create, bodies.create(), { session, treeId, messageId: 100_000 })
  assert.notEqual(client.connection.closedBecause, undefined)
})

test('a payload of more than 64 KiB costs a credit for each begun 64 KiB (3.3.5.2.5)', async () => {
  const client = new TestClient(connect(testServer()))
  const { session, treeId } = await client.ready({ credits: 100 })
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  const fileId = created.body.subarray(64, 80)
  const read = (lengthBytes: number, charge: number) => client.request(Command.read, bodies.read(fileId, lengthBytes), { session, treeId, charge })
  assert.equal((await read(65536, 1)).status, NtStatus.SUCCESS)
  assert.equal((await read(65537, 1)).status, NtStatus.INVALID_PARAMETER)
  const large = await read(200_000, 4)
  assert.equal(large.status, NtStatus.SUCCESS)
  assert.equal(large.header.credits, 4)
})
