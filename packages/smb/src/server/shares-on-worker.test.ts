import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '@holdfast/storage'
import { CreateContextName, CreateContexts } from '../messages/create-contexts.ts'
import { Command, OplockLevel } from '../messages/constants.ts'
import { CreateRequest, CreateResponse } from '../messages/create.ts'
import { headerSize } from '../messages/header.ts'
import { NtStatus } from '../messages/nt-status.ts'
import { TreeConnectResponse } from '../messages/tree-connect.ts'
import { ntHash, ntlmMechanism } from '../security/ntlm/index.ts'
import { createSmbServer } from './assembly.ts'
import type { SmbService } from './assembly.ts'
import { bodies, TestClient } from './core/test-support/client.ts'
import type { ClientSession } from './core/test-support/client.ts'
import { connect, FakeNode } from './core/test-support/fakes.ts'
import type { OpenChanges, OpenRecord } from './opens/index.ts'

const aliceSid = 'S-1-5-21-1-2-3-1000'
const fileAll = 0x001f01ff

function server(): SmbService {
  return createSmbServer(new FakeNode(), {
    serverName: 'FILES',
    machineSid: 'S-1-5-21-1-2-3',
    config: { serverGuid: '0a0b0c0d-0102-0304-0506-070809101112' },
    shares: [{ name: 'docs', fileSystem: memory() }],
    accounts: { accountBySid: sid => (sid === aliceSid ? { name: 'alice' } : undefined), accountByName: () => undefined },
    dependencies: {
      mechanisms: () => [ntlmMechanism({ netbiosName: 'FILES', lookup: () => ({ ntHash: ntHash('secret') }) })],
      identify: ({ user }) => ({ name: user, domain: 'FILES', sid: aliceSid, groupSids: [], isAdministrator: false }),
    },
  })
}

/** A client with a session and a tree connect. */
class Peer {
  readonly client: TestClient
  readonly session: ClientSession
  readonly treeId: number

  constructor(client: TestClient, session: ClientSession, treeId: number) {
    this.client = client
    this.session = session
    this.treeId = treeId
  }

  static async connect(smb: SmbService, share = 'docs'): Promise<Peer> {
    const client = new TestClient(connect(smb))
    const { session, treeId } = await client.ready({ path: `\\\\files\\${share}` })
    return new Peer(client, session, treeId)
  }

  get number(): number {
    return Number(this.session.id)
  }

  /** Opens or creates a file; with a batch oplock and DHnQ where it shall be durable. */
  async create(name: string, { isDurable = false } = {}): Promise<{ status: number; fileId: Buffer; id: bigint }> {
    const request = CreateRequest.toBytes({
      desiredAccess: fileAll,
      shareAccess: 7,
      createDisposition: 3,
      name,
      ...(isDurable && {
        requestedOplockLevel: OplockLevel.batch,
        createContexts: CreateContexts.toBytes([{ name: CreateContextName.durableHandleRequest, data: Buffer.alloc(16) }]),
      }),
    })
    const { status, bytes } = await this.request(Command.create, request)
    if (status !== NtStatus.SUCCESS) return { status, fileId: Buffer.alloc(16), id: 0n }
    const { fileId } = CreateResponse.decode(bytes, headerSize)
    return { status, fileId: Buffer.from(bytes.subarray(headerSize + 64, headerSize + 80)), id: fileId.persistent }
  }

  request(command: number, body: Buffer): ReturnType<TestClient['request']> {
    return this.client.request(command, body, { session: this.session, treeId: this.treeId, credits: 4 })
  }
}

const isClosed = (peer: Peer): boolean => peer.client.connection.closedBecause !== undefined

test('a share that is added is there for the next tree connect, and in the list', async () => {
  const smb = server()
  const { client, session } = await Peer.connect(smb)
  assert.equal((await client.treeConnect(session, '\\\\files\\more')).status, NtStatus.BAD_NETWORK_NAME)
  smb.shares.add({ name: 'more', fileSystem: memory(), comment: 'new' })
  assert.equal((await client.treeConnect(session, '\\\\files\\MORE')).status, NtStatus.SUCCESS)
  assert.deepEqual(smb.administration.uses(), [
    { share: 'docs', connections: 1, opens: 0 },
    { share: 'more', connections: 1, opens: 0 },
  ])
})

test('a share that is changed is so for the next tree connect; its opens go on', async () => {
  const smb = server()
  const peer = await Peer.connect(smb)
  const { fileId } = await peer.create('a.txt')
  smb.shares.change('docs', { encrypt: true, comment: 'sealed' })
  assert.equal((await peer.request(Command.close, bodies.close(fileId))).status, NtStatus.SUCCESS)
  const again = await peer.client.treeConnect(peer.session, '\\\\files\\docs')
  assert.equal(TreeConnectResponse.decode(again.bytes, headerSize).shareFlags & 0x8000, 0x8000)
})

test('with a share its tree connects end, and all that is open on them: NETWORK_NAME_DELETED (MS-SMB2 3.3.5.2.11)', async () => {
  const smb = server()
  const peer = await Peer.connect(smb)
  const { fileId } = await peer.create('a.txt')
  await peer.create('folder')
  // A change of options has made the core's share another one.
  smb.shares.change('docs', { comment: 'other' })
  assert.deepEqual([...smb.administration.openIds()].length, 2)
  await smb.shares.withdraw('docs')
  assert.equal((await peer.request(Command.close, bodies.close(fileId))).status, NtStatus.NETWORK_NAME_DELETED)
  assert.equal((await peer.create('b.txt')).status, NtStatus.NETWORK_NAME_DELETED)
  assert.equal((await peer.client.treeConnect(peer.session)).status, NtStatus.BAD_NETWORK_NAME)
  assert.deepEqual([...smb.administration.openIds()], [])
  await smb.shares.endWaiting('docs')
  smb.shares.remove('docs')
  smb.shares.add({ name: 'Docs', fileSystem: memory() })
  assert.equal((await peer.client.treeConnect(peer.session)).status, NtStatus.SUCCESS)
})

test('what waits for its client ends with the share, in the store as well', async () => {
  const smb = server()
  const stored = new Map<bigint, OpenRecord>()
  const openStore = {
    load: async () => [...stored.values()],
    write: async ({ put, remove }: OpenChanges) => {
      for (const record of put) stored.set(record.openId, record)
      for (const openId of remove) stored.delete(openId)
    },
  }
  smb.shares.add({ name: 'kept', fileSystem: memory(), continuouslyAvailable: true, openStore })
  const peer = await Peer.connect(smb, 'kept')
  const { id } = await peer.create('a.txt', { isDurable: true })
  await smb.administration.disconnect(peer.number)
  assert.deepEqual(
    [...smb.administration.openIds()].map(each => smb.administration.open(each)).map(open => open && [open.id, open.isWaiting, open.user]),
    [[id, true, 'alice']],
  )
  await smb.shares.withdraw('kept')
  await smb.shares.endWaiting('kept')
  assert.deepEqual([[...smb.administration.openIds()], stored.size], [[], 0])
  smb.shares.remove('kept')
})

test('a session is ended as by LOGOFF: opens are closed, durable ones wait, and the connection goes with its last session (MS-SMB2 3.3.5.6)', async () => {
  const smb = server()
  const peer = await Peer.connect(smb)
  const second = await peer.client.logon()
  await peer.create('plain.txt')
  const durable = await peer.create('durable.txt', { isDurable: true })
  const view = smb.administration.session(peer.number)
  assert.deepEqual(
    { ...view, sinceMs: 0, lastActiveMs: 0 },
    {
      number: peer.number,
      user: 'alice',
      clientAddress: '192.0.2.1',
      clientPort: 50_000,
      sinceMs: 0,
      lastActiveMs: 0,
      dialect: 0x0311,
      isSigned: true,
      isEncrypted: false,
      channels: 1,
      opens: 2,
      shares: ['docs'],
      bytesRead: 0,
      bytesWritten: 0,
    },
  )
  assert.equal(await smb.administration.disconnect(peer.number), true)
  assert.equal(await smb.administration.disconnect(peer.number), false)
  assert.equal((await peer.request(Command.echo, bodies.echo())).status, NtStatus.USER_SESSION_DELETED)
  assert.deepEqual([...smb.administration.openIds()], [durable.id])
  assert.equal(isClosed(peer), false)
  await smb.administration.disconnect(Number(second.session.id))
  assert.equal(isClosed(peer), true)
  await smb.administration.forceClose(durable.id)
})

test('of a user who is gone nothing is left, neither sessions nor what waits for him', async () => {
  const smb = server()
  const [gone, here] = [await Peer.connect(smb), await Peer.connect(smb)]
  await gone.create('durable.txt', { isDurable: true })
  await smb.administration.disconnect(gone.number)
  await here.create('plain.txt')
  await smb.administration.disconnectUser({ name: 'alice', sid: aliceSid })
  assert.deepEqual([[...smb.administration.openIds()], [...smb.administration.sessionNumbers()]], [[], []])
  assert.equal(isClosed(here), true)
})

test('an open is closed whatever its client does, served or waiting: FILE_CLOSED (MS-SMB2 3.3.4.17)', async () => {
  const smb = server()
  const peer = await Peer.connect(smb)
  const { fileId, id } = await peer.create('a.txt')
  const waiting = await Peer.connect(smb)
  const parked = await waiting.create('b.txt', { isDurable: true })
  await smb.administration.disconnect(waiting.number)
  assert.deepEqual(new Set(smb.administration.openIds({ user: 'ALICE' })), new Set([id, parked.id]))
  assert.deepEqual([...smb.administration.openIds({ session: peer.number })], [id])
  assert.deepEqual([...smb.administration.openIds({ session: waiting.number })], [parked.id])
  assert.deepEqual([...smb.administration.openIds({ share: 'other' })], [])
  assert.equal(await smb.administration.forceClose(id), true)
  assert.equal(await smb.administration.forceClose(parked.id), true)
  assert.equal(await smb.administration.forceClose(parked.id), false)
  assert.deepEqual([...smb.administration.openIds()], [])
  assert.equal((await peer.request(Command.close, bodies.close(fileId))).status, NtStatus.FILE_CLOSED)
  // Nobody is in the way any more, and the session goes on.
  assert.equal((await peer.create('a.txt')).status, NtStatus.SUCCESS)
})
