/** Who finds an open again after the connection was lost, and who does not (MS-SMB2 3.3.5.9.7, 3.3.5.9.12, 3.3.6.2, 3.3.7.1). */
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateOptions, OplockLevel } from '@holdfast/smb/messages'
import type { CreateContext, FileId } from '@holdfast/smb/messages'
import { until } from '../case.ts'
import type { Case, ClientWish, Scene, ShareKind } from '../case.ts'
import type { Created } from '../answers-of-create.ts'
import type { Client, CreateWish } from '../client.ts'
import { dh2c, dh2q, dhnc, dhnq, leaseStates, newGuid, noSuchFile, rqls } from '../contexts.ts'

const { batch } = OplockLevel

/** What a handle is asked for with, and what its client comes back with. */
interface Kind {
  readonly section: string
  readonly name: string
  readonly shares: readonly ShareKind[]
  /** Contexts of the CREATE. */
  readonly request: CreateContext
  readonly reconnect: (fileId: FileId) => CreateContext
}

function kinds(): readonly Kind[] {
  const createGuid = newGuid()
  return [
    { section: '3.3.5.9.7', name: 'a durable open', shares: ['plain'], request: dhnq(), reconnect: dhnc },
    {
      section: '3.3.5.9.12',
      name: 'a durable open of version 2',
      shares: ['plain', 'available'],
      request: dh2q({ createGuid }),
      reconnect: fileId => dh2c(fileId, { createGuid }),
    },
    {
      section: '3.3.5.9.12',
      name: 'a persistent open',
      shares: ['available'],
      request: dh2q({ createGuid, persistent: true }),
      reconnect: fileId => dh2c(fileId, { createGuid, persistent: true }),
    },
  ]
}

interface Lost {
  readonly client: Client
  readonly created: Created
}

/** A client that has an open with something in it, and loses its connection. */
async function loseOne(scene: Scene, wish: CreateWish, client?: ClientWish): Promise<Lost> {
  const first = await scene.client(client)
  const created = await first.create(scene.path, wish)
  await first.write(created.fileId, 'kept')
  await scene.lose(first)
  return { client: first, created }
}

/** Cases of every kind of handle: each title begins with what the handle is. */
const ofKinds = (of: (kind: Kind) => Omit<Case, 'section' | 'shares'> & Partial<Pick<Case, 'section'>>): Case[] =>
  kinds().map(kind => ({ section: kind.section, shares: kind.shares, ...of(kind) }))

/** A reconnect that is refused, and then the right one, which shows that the open was there. */
const refusedThenFound =
  (kind: Kind, wrong: (lost: Lost, scene: Scene) => Promise<Created>) =>
  async (scene: Scene): Promise<string> => {
    const lost = await loseOne(scene, { oplock: batch, contexts: [kind.request] })
    const refused = await wrong(lost, scene)
    const again = await scene.client({ as: lost.client })
    const { status } = await again.create(scene.path, { oplock: batch, contexts: [kind.reconnect(lost.created.fileId)] })
    return `${refused.status}, then ${status}`
  }

export const reconnectCases: readonly Case[] = [
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} is found again after the connection was cut, as it was`,
    expect: 'opened, batch, no contexts, same open, another FileId.Volatile or the same, "kept"',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [request] })
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock: batch, contexts: [reconnect(created.fileId)] })
      const same =
        found.status === 'SUCCESS' && found.isSame(created, 'persistent') ? 'same open, another FileId.Volatile or the same' : 'another open'
      return `${found.action}, ${found.oplock}, ${found.contextNames}, ${same}, ${await again.read(found.fileId)}`
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} is found again by a client that says nothing of its former session`,
    expect: 'SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [request] })
      client.cut()
      const again = await scene.client({ as: client })
      // The server may hear of the cut later than of the new connection.
      return (
        await until(
          async () => again.create(scene.path, { oplock: batch, contexts: [reconnect(fileId)] }),
          ({ status }) => status === 'SUCCESS',
        )
      ).status
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} with a lease comes back with the lease`,
    expect: 'RWH, then RWH',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh })
      const { client, created } = await loseOne(scene, { contexts: [lease, request] })
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { contexts: [lease, reconnect(created.fileId)] })
      return `${created.lease}, then ${found.lease}`
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} survives LOGOFF as well`,
    section: '3.3.5.6',
    expect: 'SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [request] })
      await client.logOff()
      const again = await scene.client({ as: client })
      return (
        await until(
          async () => again.create(scene.path, { oplock: batch, contexts: [reconnect(fileId)] }),
          ({ status }) => status === 'SUCCESS',
        )
      ).status
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} ends with TREE_DISCONNECT`,
    section: '3.3.5.8',
    expect: 'OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [request] })
      await client.disconnectTree()
      await scene.lose(client)
      const again = await scene.client({ as: client })
      return (await again.create(scene.path, { oplock: batch, contexts: [reconnect(fileId)] })).status
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} that was closed is not found`,
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [request] })
      const closed = await client.close(fileId)
      await scene.lose(client)
      const again = await scene.client({ as: client })
      return `${closed}, then ${(await again.create(scene.path, { oplock: batch, contexts: [reconnect(fileId)] })).status}`
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} whose client is still there is not found`,
    expect: 'OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [request] })
      const again = await scene.client({ as: client })
      return (await again.create(scene.path, { oplock: batch, contexts: [reconnect(fileId)] })).status
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} is found once, and again after the next loss`,
    expect: 'SUCCESS, OBJECT_NAME_NOT_FOUND, SUCCESS',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [request] })
      const contexts = [reconnect(created.fileId)]
      const second = await scene.client({ as: client })
      const statuses = [(await second.create(scene.path, { oplock: batch, contexts })).status]
      const third = await scene.client({ as: client })
      statuses.push((await third.create(scene.path, { oplock: batch, contexts })).status)
      await scene.lose(second)
      statuses.push((await third.create(scene.path, { oplock: batch, contexts })).status)
      return statuses.join(', ')
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name} is refused to another user`,
    expect: 'ACCESS_DENIED, then SUCCESS',
    samba: 'it tells another user nothing of what there is',
    ask: refusedThenFound(kind, async ({ client, created }, scene) => {
      const other = await scene.client({ account: scene.second, clientGuid: client.clientGuid })
      return other.create(scene.path, { oplock: batch, contexts: [kind.reconnect(created.fileId)] })
    }),
  })),
  ...ofKinds(kind => ({
    title: `${kind.name} without a lease is not found with one`,
    expect: 'OBJECT_NAME_NOT_FOUND, then SUCCESS',
    ask: refusedThenFound(kind, async ({ client, created }, scene) => {
      const again = await scene.client({ as: client })
      return again.create(scene.path, { contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), kind.reconnect(created.fileId)] })
    }),
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} with a lease is not found by another client, nor with another key, nor without`,
    expect: 'OBJECT_NAME_NOT_FOUND, OBJECT_NAME_NOT_FOUND, OBJECT_NAME_NOT_FOUND, then SUCCESS',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh })
      const { client, created } = await loseOne(scene, { contexts: [lease, request] })
      const [other, again] = [await scene.client({ account: client.account }), await scene.client({ as: client })]
      const back = reconnect(created.fileId)
      const statuses = [
        (await other.create(scene.path, { contexts: [lease, back] })).status,
        (await again.create(scene.path, { contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), back] })).status,
        (await again.create(scene.path, { oplock: batch, contexts: [back] })).status,
      ]
      return `${statuses.join(', ')}, then ${(await again.create(scene.path, { contexts: [lease, back] })).status}`
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} with a lease is INVALID_PARAMETER by another name`,
    expect: 'INVALID_PARAMETER, then SUCCESS',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh })
      const { client, created } = await loseOne(scene, { contexts: [lease, request] })
      const again = await scene.client({ as: client })
      const contexts = [lease, reconnect(created.fileId)]
      const wrong = await again.create(`${scene.path}-other`, { contexts })
      return `${wrong.status}, then ${(await again.create(scene.path, { contexts })).status}`
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} without a lease may come back to another ClientGuid of its user, by whatever name`,
    expect: 'SUCCESS, "kept"',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [request] })
      const other = await scene.client({ account: client.account })
      const found = await other.create('', { oplock: batch, contexts: [reconnect(created.fileId)] })
      return `${found.status}, ${found.status === 'SUCCESS' ? await other.read(found.fileId) : ''}`
    },
  })),
  ...ofKinds(({ name, request, reconnect }) => ({
    title: `${name} keeps its byte-range locks while its client is away`,
    section: '3.3.7.1',
    expect: 'SUCCESS, then LOCK_NOT_GRANTED',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [request] })
      const locked = await client.lock(fileId)
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock: batch, contexts: [reconnect(fileId)] })
      // A second open of the same client does not get what the first has; its oplock is given up meanwhile.
      const opening = again.startCreate(scene.path)
      const broken = await again.first.nextBreak()
      await again.acknowledgeOplock(found.fileId, broken.length > 0 ? OplockLevel.ii : 0)
      const second = await opening.answer
      const secondId = { persistent: second!.readBigUInt64LE(128), volatile: second!.readBigUInt64LE(136) }
      return `${locked}, then ${await again.lock(secondId)}`
    },
  })),
  {
    section: '3.3.5.9.7',
    title: 'a FileId that nobody has is not found',
    expect: 'OBJECT_NAME_NOT_FOUND',
    ask: async scene => (await (await scene.client()).create(scene.path, { oplock: batch, contexts: [dhnc(noSuchFile)] })).status,
  },
  {
    section: '3.3.5.9.12',
    title: 'a FileId that nobody has is not found by version 2',
    shares: ['plain', 'available'],
    expect: 'OBJECT_NAME_NOT_FOUND',
    ask: async scene => (await (await scene.client()).create(scene.path, { oplock: batch, contexts: [dh2c(noSuchFile)] })).status,
  },
  {
    section: '3.3.5.9.12',
    title: 'another CreateGuid is not found',
    shares: ['plain', 'available'],
    expect: 'OBJECT_NAME_NOT_FOUND, then SUCCESS',
    async ask(scene) {
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [dh2q({ createGuid })] })
      const again = await scene.client({ as: client })
      const wrong = await again.create(scene.path, { oplock: batch, contexts: [dh2c(created.fileId)] })
      return `${wrong.status}, then ${(await again.create(scene.path, { oplock: batch, contexts: [dh2c(created.fileId, { createGuid })] })).status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open is not found by who does not say that it is one',
    shares: ['available'],
    expect: 'OBJECT_NAME_NOT_FOUND, then SUCCESS',
    async ask(scene) {
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { contexts: [dh2q({ createGuid, persistent: true })] })
      const again = await scene.client({ as: client })
      const wrong = await again.create(scene.path, { contexts: [dh2c(created.fileId, { createGuid })] })
      return `${wrong.status}, then ${(await again.create(scene.path, { contexts: [dh2c(created.fileId, { createGuid, persistent: true })] })).status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open whose FileId its client never learned is found by its CreateGuid',
    shares: ['available'],
    expect: 'opened, the same open',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client()
      const one = await client.create(scene.path, { contexts: [dh2q({ createGuid, persistent: true })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const two = await again.create(scene.path, { contexts: [dh2c(noSuchFile, { createGuid, persistent: true })] })
      return `${two.action}, ${two.status === 'SUCCESS' && one.isSame(two, 'persistent') ? 'the same open' : 'another open'}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'who says persistent of an open that is only durable gets INVALID_PARAMETER',
    shares: ['plain', 'available'],
    expect: 'INVALID_PARAMETER',
    samba: 'it does not look at the flag',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      return (await again.create(scene.path, { oplock: batch, contexts: [dh2c(fileId, { createGuid, persistent: true })] })).status
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open whose FileId is wrong is not found with another CreateGuid either',
    shares: ['available'],
    expect: 'OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const { client } = await loseOne(scene, { contexts: [dh2q({ persistent: true })] })
      return (await (await scene.client({ as: client })).create(scene.path, { contexts: [dh2c(noSuchFile, { persistent: true })] })).status
    },
  },
  {
    section: '3.3.5.9.7',
    title: 'DHnC finds a durable open of version 2 as well: it has no CreateGuid to compare',
    shares: ['plain', 'available'],
    expect: 'opened, "kept"',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [dh2q()] })
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock: batch, contexts: [dhnc(created.fileId)] })
      return `${found.action}, ${found.status === 'SUCCESS' ? await again.read(found.fileId) : ''}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a zero CreateGuid of DH2C does not match that of an open',
    expect: 'OBJECT_NAME_NOT_FOUND, then SUCCESS',
    async ask(scene) {
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [dh2q({ createGuid })] })
      const again = await scene.client({ as: client })
      const zero = { createGuid: '00000000-0000-0000-0000-000000000000' }
      const wrong = await again.create(scene.path, { oplock: batch, contexts: [dh2c(created.fileId, zero)] })
      return `${wrong.status}, then ${(await again.create(scene.path, { oplock: batch, contexts: [dh2c(created.fileId, { createGuid })] })).status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open needs neither oplock nor lease to be found again',
    shares: ['available'],
    expect: 'opened, "kept"',
    async ask(scene) {
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { contexts: [dh2q({ createGuid, persistent: true })] })
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { contexts: [dh2c(created.fileId, { createGuid, persistent: true })] })
      return `${found.action}, ${await again.read(found.fileId)}`
    },
  },
  {
    section: '3.3.5.9.7',
    title: 'who comes back need not say again what it wants: access, sharing and disposition do not count',
    expect: 'opened, "kept"',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [dhnq()] })
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { access: 0x80, shareAccess: 0, disposition: 2, contexts: [dhnc(created.fileId)] })
      return `${found.action}, ${found.status === 'SUCCESS' ? await again.read(found.fileId) : ''}`
    },
  },
  {
    section: '3.3.7.1',
    title: 'an open without durability ends with its connection',
    expect: 'OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch })
      return (await (await scene.client({ as: client })).create(scene.path, { oplock: batch, contexts: [dhnc(created.fileId)] })).status
    },
  },
  {
    section: '3.3.7.1',
    title: 'a durable open whose oplock was broken to level II ends with its connection',
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const client = await scene.client()
      const created = await client.create(scene.path, { oplock: batch, contexts: [dhnq()] })
      const opening = (await scene.client()).startCreate(scene.path)
      await client.first.nextBreak()
      const acknowledged = await client.acknowledgeOplock(created.fileId, OplockLevel.ii)
      await opening.answer
      await scene.lose(client)
      const again = await scene.client({ as: client })
      return `${acknowledged}, then ${(await again.create(scene.path, { oplock: batch, contexts: [dhnc(created.fileId)] })).status}`
    },
  },
  {
    section: '3.3.4.6',
    title: 'a durable open whose client is away gives way to whoever opens the file',
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [dhnq()] })
      const other = await (await scene.client()).create(scene.path)
      const again = await scene.client({ as: client })
      return `${other.status}, then ${(await again.create(scene.path, { oplock: batch, contexts: [dhnc(created.fileId)] })).status}`
    },
  },
  {
    section: '3.3.4.7',
    title: 'a durable open with a lease RH whose client is away does not mind who reads',
    expect: 'SUCCESS, then RH',
    samba: 'it closes what waits for its client as soon as anybody opens the file',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rh })
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { contexts: [lease, dh2q({ createGuid })] })
      const other = await (await scene.client()).create(scene.path, { access: 0x12_0089 })
      const again = await scene.client({ as: client })
      return `${other.status}, then ${(await again.create(scene.path, { contexts: [lease, dh2c(created.fileId, { createGuid })] })).lease}`
    },
  },
  {
    section: '3.3.6.2',
    title: 'a durable open that nobody comes back to in time is closed',
    expect: 'durable 200 ms, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { oplock: batch, contexts: [dh2q({ createGuid, timeoutMs: 200 })] })
      await sleep(1500)
      const again = await scene.client({ as: client })
      return `${created.durability}, then ${(await again.create(scene.path, { oplock: batch, contexts: [dh2c(created.fileId, { createGuid })] })).status}`
    },
  },
  {
    section: '3.3.6.2',
    title: 'a persistent open that nobody comes back to in time is closed',
    shares: ['available'],
    expect: 'persistent 200 ms, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const createGuid = newGuid()
      const { client, created } = await loseOne(scene, { contexts: [dh2q({ createGuid, timeoutMs: 200, persistent: true })] })
      await sleep(1500)
      const again = await scene.client({ as: client })
      return `${created.durability}, then ${(await again.create(scene.path, { contexts: [dh2c(created.fileId, { createGuid, persistent: true })] })).status}`
    },
  },
  {
    section: '3.3.7.1',
    title: 'a durable open that deletes its file when it is closed does so when its time is over',
    expect: 'SUCCESS, file gone: true',
    async ask(scene) {
      const wish = { oplock: batch, options: CreateOptions.deleteOnClose, contexts: [dh2q({ timeoutMs: 200 })] }
      const { created } = await loseOne(scene, wish)
      const isGone = await until(
        async () => !scene.exists(scene.path),
        gone => gone,
      )
      return `${created.status}, file gone: ${isGone}`
    },
  },
]
