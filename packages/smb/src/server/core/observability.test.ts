import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { Logger } from './config.ts'
import { bodies, TestClient } from './test-support/client.ts'
import { connect, FakeNode } from './test-support/fakes.ts'
import { testCommands, testServer } from './test-support/server.ts'

/** As `Counters` of the test's node names it. */
const key = (name: string, labels: object = {}): string => name + JSON.stringify(labels)

test('requests are counted by command and status, and each is observed once', async () => {
  const node = new FakeNode()
  const client = new TestClient(connect(testServer({ node })))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  const fileId = created.body.subarray(64, 80)
  await client.request(Command.read, bodies.read(fileId), { session, treeId })
  await client.request(Command.read, bodies.read(fileId, 1), { session, treeId })
  await client.request(Command.close, bodies.close(fileId), { session, treeId })
  await client.request(Command.close, bodies.close(fileId), { session, treeId })
  const requests = (command: string, status: string): number | undefined => node.values.get(key('holdfast_smb_requests_total', { command, status }))
  assert.equal(requests('negotiate', 'STATUS_SUCCESS'), 1)
  assert.equal(requests('sessionSetup', 'STATUS_MORE_PROCESSING_REQUIRED'), 1)
  assert.equal(requests('sessionSetup', 'STATUS_SUCCESS'), 1)
  assert.equal(requests('read', 'STATUS_SUCCESS'), 1)
  assert.equal(requests('read', 'STATUS_END_OF_FILE'), 1)
  assert.equal(requests('close', 'other'), 1, 'FILE_CLOSED is not among the statuses that are named')
  const observed = (command: string): number | undefined => node.values.get(key('holdfast_smb_request_duration_seconds_count', { command }))
  assert.deepEqual([observed('read'), observed('close'), observed('create')], [2, 2, 1])
})

test('a status that a server can make up does not make up a series', async () => {
  const node = new FakeNode()
  let status = 0xc000_1000
  const fileCommands = { ...testCommands, read: (request: Parameters<typeof testCommands.read>[0]) => request.fail(status++) }
  const client = new TestClient(connect(testServer({ node, dependencies: { fileCommands } })))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  for (let i = 0; i < 50; i++) await client.request(Command.read, bodies.read(created.body.subarray(64, 80)), { session, treeId })
  const series = [...node.values.keys()].filter(name => name.startsWith('holdfast_smb_requests_total') && name.includes('"read"'))
  assert.deepEqual(series, [key('holdfast_smb_requests_total', { command: 'read', status: 'other' })])
  assert.equal(node.values.get(series[0]), 50)
})

test('handles are counted while sessions have them, also those that go with their connection', async () => {
  const node = new FakeNode()
  const client = new TestClient(connect(testServer({ node })))
  const { session, treeId } = await client.ready()
  const open = (): number | undefined => node.values.get(key('holdfast_smb_open_handles'))
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  await client.request(Command.create, bodies.create(), { session, treeId })
  assert.equal(open(), 2)
  await client.request(Command.close, bodies.close(created.body.subarray(64, 80)), { session, treeId })
  assert.equal(open(), 1)
  client.connection.close('cut')
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(open(), 0)
})

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

function collector(isDebug: boolean): { readonly lines: Line[]; readonly log: Logger } {
  const lines: Line[] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields: { ...fields } })
  return {
    lines,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), isLevelEnabled: level => isDebug || level !== 'debug' },
  }
}

test('with the level debug each request has a line with its id, its end, its user and its share', async () => {
  const { lines, log } = collector(true)
  const fileCommands = {
    ...testCommands,
    read(request: Parameters<typeof testCommands.read>[0]) {
      request.transferredBytes = 100
      return testCommands.read(request)
    },
  }
  const node = new FakeNode()
  const client = new TestClient(connect(testServer({ node, dependencies: { log, fileCommands } })))
  const { session, treeId } = await client.ready()
  const created = await client.request(Command.create, bodies.create(), { session, treeId })
  await client.request(Command.read, bodies.read(created.body.subarray(64, 80)), { session, treeId })
  const { durationMs, ...fields } = lines.at(-1)!.fields
  assert.equal(typeof durationMs, 'number')
  assert.deepEqual(fields, {
    request: `smb/${client.connection.id}/${client.messageId - 1}`,
    connection: client.connection.id,
    command: 'read',
    status: 'STATUS_SUCCESS',
    bytes: 100,
    session: fields['session'],
    user: 'alice',
    share: 'docs',
  })
  assert.equal(node.values.get(key('holdfast_smb_read_bytes_total', { share: 'docs' })), 100)
  const ids = lines.filter(({ message }) => message === 'request done').map(line => line.fields['request'])
  assert.equal(new Set(ids).size, ids.length)
  assert.equal(ids.length, 6, 'negotiate, two legs of a logon, tree connect, create, read')
})

test('what goes wrong inside is logged with the id of its request; below debug nothing else is', async () => {
  const { lines, log } = collector(false)
  const client = new TestClient(connect(testServer({ dependencies: { log } })))
  const { session, treeId } = await client.ready()
  const failed = await client.request(Command.create, bodies.create(4), { session, treeId })
  assert.equal(failed.status, NtStatus.INTERNAL_ERROR)
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['request'], fields['command']]),
    [['error', `smb/${client.connection.id}/${client.messageId - 1}`, 'create']],
  )
})
