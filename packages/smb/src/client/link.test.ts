import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inPlace } from '@holdfast/wire'
import {
  access,
  Command,
  CreateAction,
  CreateDisposition,
  CreateRequest,
  CreateResponse,
  FileAttribute,
  HeaderFlags,
  headerSize,
  NtStatus,
  OplockLevel,
  ShareType,
} from '../messages/index.ts'
import type { Connection } from './connection.ts'
import { noteGrant } from './durable.ts'
import { payloadOffset } from './encode.ts'
import { SmbError } from './errors.ts'
import type { Interruption } from './interruption.ts'
import { Link, pauseAfter } from './link.ts'
import type { LinkOptions } from './link.ts'
import type { Negotiated } from './negotiate.ts'
import { RemoteOpen } from './remote-open.ts'
import { noScope, operations } from './requests.ts'
import { scripted } from './scripted-server.ts'
import type { Script, Scripted, Seen } from './scripted-server.ts'
import type { Session } from './session.ts'
import type { Tree } from './tree.ts'

const echo = { operation: operations.echo, value: {}, scope: noScope }
const code = (expected: string) => (error: unknown) => error instanceof SmbError && error.code === expected
const writeAnswer = Buffer.alloc(17)
writeAnswer.writeUInt16LE(17)
writeAnswer.writeUInt32LE(4, 4)
const createAnswer = CreateResponse.toBytes({
  oplockLevel: OplockLevel.none,
  createAction: CreateAction.opened,
  creationTime: 1n,
  lastAccessTime: 1n,
  lastWriteTime: 1n,
  changeTime: 1n,
  allocationSize: 0,
  endOfFile: 0,
  fileAttributes: FileAttribute.normal,
  fileId: { persistent: 7n, volatile: 9n },
})

/** A link whose connections are scripted servers, one after the other. */
async function linked(scripts: readonly Script[], options: Partial<LinkOptions> = {}) {
  const servers: Scripted[] = [await scripted(scripts[0])]
  const events: Interruption[] = []
  const negotiated = { revision: 0x0311, maxReadBytes: 1, maxWriteBytes: 1, maxTransactBytes: 1, cipher: undefined } as Negotiated
  const session = { connection: servers[0].connection, negotiated, renew: async () => undefined } as Partial<Session> as Session
  const link = new Link(session, {
    reconnectMs: 2000,
    onInterruption: event => void events.push(event),
    async dial({ channelSequence }) {
      const script = scripts[servers.length]
      if (script === undefined) throw new SmbError('CONNECTION_FAILED', 'nobody listens')
      servers.push(await scripted(script, { channelSequence }))
      return { connection: servers.at(-1)!.connection, negotiated }
    },
    ...options,
  })
  const tree = { session, info: { shareType: ShareType.pipe }, lost: undefined, ...noScope } as Partial<Tree> as Tree
  return {
    link,
    tree,
    servers,
    events,
    exchange: ((record, how) => session.connection.exchange(record, how)) as Connection['exchange'],
    async [Symbol.asyncDispose]() {
      link.close()
      for (const server of servers) await server[Symbol.asyncDispose]()
    },
  }
}

const dies: Script = (_, _reply, socket) => socket.destroy()
const answers: Script = (_, reply) => reply({ credits: 4 })

describe('a link', { timeout: 20_000 }, () => {
  test('tries at once, then after 50 ms, and doubles up to a second', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 1000].map(pauseAfter), [0, 50, 100, 200, 400, 800, 1000, 1000, 1000])
  })

  test('carries out on another connection what was under way on one that died', async () => {
    await using client = await linked([dies, dies, answers])
    await Promise.all([client.exchange(echo), client.exchange(echo)])
    // A microtask after the answers are here.
    await sleep(1)
    assert.equal(client.link.state, 'connected')
    assert.deepEqual(
      client.events.map(({ kind }) => kind),
      ['lost', 'restored', 'lost', 'restored'],
    )
  })

  test('a WRITE is replayed with the flag, the next channel sequence, and its payload; what was not sent has no flag (MS-SMB2 3.2.4.1.10)', async () => {
    const answersWrites: Script = (_, reply) => reply({ credits: 4, body: writeAnswer })
    await using client = await linked([dies, answersWrites])
    const open = new RemoteOpen({} as Tree, { name: 'file', desiredAccess: 2 })
    open.persistent = 7n
    const write = () => {
      const { pool } = client.servers[0].connection
      const message = pool.take(payloadOffset + 4)
      message.bytes.write('data', payloadOffset)
      const value = { offset: 0n, fileId: open, data: inPlace(4) }
      return client.exchange({ operation: operations.write, value, scope: noScope, payloadBytes: 4, message })
    }
    // One credit: the second one waits.
    const both = [write(), write()]
    open.volatile = 9n
    await Promise.all(both)
    const [first, again, second] = client.servers.flatMap(({ seen }) => seen)
    assert.deepEqual(
      [first, again, second].map(({ header }) => [header.command, header.flags & HeaderFlags.replayOperation, header.status]),
      [
        [Command.write, 0, 0],
        [Command.write, HeaderFlags.replayOperation, 1],
        [Command.write, 0, 1],
      ],
    )
    assert.ok(again.body.includes('data'))
    assert.deepEqual([first.body.readBigUInt64LE(24), again.body.readBigUInt64LE(24)], [0n, 9n])
  })

  test('a server that is not done with what came before gets a replay once more (FILE_NOT_AVAILABLE)', async () => {
    let asked = 0
    const busy: Script = (_, reply) => reply(++asked < 3 ? { status: NtStatus.FILE_NOT_AVAILABLE } : { body: writeAnswer })
    await using client = await linked([dies, busy])
    const message = client.servers[0].connection.pool.take(payloadOffset + 4)
    const value = { offset: 0n, fileId: new RemoteOpen({} as Tree, { name: 'file', desiredAccess: 2 }), data: inPlace(4) }
    const reply = await client.exchange({ operation: operations.write, value, scope: noScope, payloadBytes: 4, message })
    assert.deepEqual([reply.value?.count, asked], [4, 3])
  })

  test('an open that the server does not give back: the connection is left, and on another it is had by name, or lost', async () => {
    const dispositionOf = ({ body }: Seen): number =>
      CreateRequest.decode(Buffer.concat([Buffer.alloc(headerSize), body]), headerSize).createDisposition
    const refuses: Script = (_, reply) => reply({ credits: 4, status: NtStatus.OBJECT_NAME_NOT_FOUND })
    const creates: Script = ({ header }, reply) => reply(header.command === Command.create ? { credits: 4, body: createAnswer } : { credits: 4 })
    await using client = await linked([dies, refuses, creates])
    const opened = (name: string, desiredAccess: number): RemoteOpen => {
      const open = new RemoteOpen(client.tree, { name, desiredAccess })
      noteGrant(open, CreateResponse.decode(createAnswer, 0))
      open.durability = 'durable'
      client.link.opens.add(open)
      return open
    }
    const reader = opened('reader', access.readData)
    const writer = opened('writer', access.writeData)
    await client.exchange(echo)
    const asked = client.servers.map(({ seen }) => seen.filter(({ header }) => header.command === Command.create))
    assert.deepEqual(
      asked.map(creations => creations.map(dispositionOf)),
      [[], [CreateDisposition.open, CreateDisposition.open], [CreateDisposition.open]],
    )
    assert.deepEqual([reader.state, writer.state, writer.error?.code], ['open', 'lost', 'HANDLE_LOST'])
    assert.match(writer.error!.message, /STATUS_OBJECT_NAME_NOT_FOUND/)
    assert.deepEqual([client.servers[1].connection.state, client.servers[2].connection.state], ['closed', 'ready'])
    assert.deepEqual(
      client.events.map(({ kind, attempt }) => [kind, attempt]),
      [
        ['lost', 0],
        ['restored', 2],
      ],
    )
  })

  test('what is refused for good is not tried again', async () => {
    let dials = 0
    const dial = async (): Promise<never> => {
      dials++
      throw new SmbError('LOGON_FAILURE', 'the password was changed')
    }
    await using client = await linked([dies], { dial })
    await assert.rejects(client.exchange(echo), code('CONNECTION_LOST'))
    await assert.rejects(client.exchange(echo), /the password was changed/)
    assert.deepEqual([client.link.state, dials, client.events.map(({ kind }) => kind)], ['given-up', 1, ['lost', 'given-up']])
  })

  test('nonsense from the server is not a loss: it ends the link, and nothing is tried', async () => {
    await using client = await linked([(_, _reply, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), answers])
    await assert.rejects(client.exchange(echo), code('MALFORMED'))
    assert.deepEqual([client.link.state, client.servers.length], ['given-up', 1])
  })

  test('patience ends after reconnectMs; a signal ends a single wait', async () => {
    await using client = await linked([dies], { reconnectMs: 300 })
    const waiting = client.exchange(echo)
    await sleep(20)
    await assert.rejects(client.exchange(echo, { signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' })
    await assert.rejects(waiting, code('CONNECTION_LOST'))
    const [, { kind, attempt, pauseMs }] = client.events
    assert.deepEqual([kind, attempt >= 3, pauseMs >= 300], ['given-up', true, true])
  })

  test('close ends the wait of all', async () => {
    await using client = await linked([dies])
    const waiting = client.exchange(echo)
    while (client.link.state === 'connected') await sleep(1)
    client.link.close()
    await assert.rejects(waiting, code('CLOSED'))
  })
})
