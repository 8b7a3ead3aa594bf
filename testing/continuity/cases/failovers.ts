/** The server's process ends without a word, and the next one goes on with the state it left (MS-SMB2 3.3.5.9.12, 3.3.1.5, 3.3.5.5.3). */
import { CreateOptions, headerSize, LeaseBreakNotification, LockFlags, OplockLevel } from '@holdfast/smb/messages'
import { leaseLetters } from '../answers-of-create.ts'
import { until } from '../case.ts'
import type { Case, Scene } from '../case.ts'
import type { Created } from '../answers-of-create.ts'
import type { Client, CreateWish } from '../client.ts'
import { dh2c, dh2q, dhnc, leaseStates, newGuid, noSuchFile, rqls } from '../contexts.ts'

const { batch } = OplockLevel
const shares = ['available'] as const

interface Survivor {
  readonly client: Client
  readonly created: Created
  readonly createGuid: string
  /** What finds it again. */
  readonly back: CreateWish
}

/** A persistent open with something in it, before anything has happened. */
async function persistent(scene: Scene, { contexts = [], ...wish }: CreateWish = {}, timeoutMs = 0): Promise<Survivor> {
  const createGuid = newGuid()
  const client = await scene.client()
  const created = await client.create(scene.path, { ...wish, contexts: [...contexts, dh2q({ createGuid, persistent: true, timeoutMs })] })
  await client.write(created.fileId, 'kept')
  return { client, created, createGuid, back: { ...wish, contexts: [...contexts, dh2c(created.fileId, { createGuid, persistent: true })] } }
}

const found = async (client: Client, answer: Created): Promise<string> =>
  answer.status === 'SUCCESS' ? `${answer.action}, ${await client.read(answer.fileId)}` : answer.status

export const failoverCases: readonly Case[] = [
  {
    section: '3.3.5.9.12',
    title: 'a persistent open is found again, with what was written',
    shares,
    expect: 'opened, "kept", the same FileId.Persistent',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      await scene.failOver()
      const again = await scene.client({ as: client })
      const answer = await again.create(scene.path, back)
      const same = answer.status === 'SUCCESS' && answer.isSame(created, 'persistent')
      return `${await found(again, answer)}, ${same ? 'the same' : 'another'} FileId.Persistent`
    },
  },
  {
    section: '3.3.5.5.3',
    title: 'a client that names its former session, which nobody knows, gets a new one, and its open',
    shares,
    expect: 'opened, "kept"',
    async ask(scene) {
      const { client, back } = await persistent(scene)
      await scene.failOver()
      const again = await scene.client({ as: client, previous: client })
      return found(again, await again.create(scene.path, back))
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open survives one failover after the other, whether its client came between them or not',
    shares,
    expect: 'opened, "kept"; opened, "kept"',
    async ask(scene) {
      const { client, created, createGuid, back } = await persistent(scene)
      await scene.failOver()
      await scene.failOver()
      const second = await scene.client({ as: client })
      const once = await found(second, await second.create(scene.path, back))
      await scene.failOver()
      const third = await scene.client({ as: client })
      const twice = await third.create(scene.path, { contexts: [dh2c(created.fileId, { createGuid, persistent: true })] })
      return `${once}; ${await found(third, twice)}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open that waited for its client before waits on',
    shares,
    expect: 'opened, "kept"',
    async ask(scene) {
      const { client, back } = await persistent(scene)
      await scene.lose(client)
      await scene.failOver()
      const again = await scene.client({ as: client })
      return found(again, await again.create(scene.path, back))
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'an open that is only durable is not found',
    shares,
    expect: 'OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid })] })
      await scene.failOver()
      const again = await scene.client({ as: client })
      return (await again.create(scene.path, { oplock: batch, contexts: [dh2c(fileId, { createGuid })] })).status
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open that was closed before is not found',
    shares,
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      const closed = await client.close(created.fileId)
      await scene.failOver()
      return `${closed}, then ${(await (await scene.client({ as: client })).create(scene.path, back)).status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'who may not have it is told so as before: another user, another CreateGuid, another FileId',
    shares,
    expect: 'ACCESS_DENIED, OBJECT_NAME_NOT_FOUND, OBJECT_NAME_NOT_FOUND, then SUCCESS',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      await scene.failOver()
      const again = await scene.client({ as: client })
      const statuses = [
        (await (await scene.client({ account: scene.second })).create(scene.path, back)).status,
        (await again.create(scene.path, { contexts: [dh2c(created.fileId, { persistent: true })] })).status,
        (await again.create(scene.path, { contexts: [dh2c(noSuchFile, { persistent: true })] })).status,
      ]
      return `${statuses.join(', ')}, then ${(await again.create(scene.path, back)).status}`
    },
  },
  {
    section: '3.3.5.9',
    title: 'the name of a persistent open is not available to others until its client is back',
    shares,
    expect: 'FILE_NOT_AVAILABLE, opened, SUCCESS',
    async ask(scene) {
      const { client, back } = await persistent(scene)
      await scene.failOver()
      const other = await scene.client()
      const { status } = await other.create(scene.path)
      const { action } = await (await scene.client({ as: client })).create(scene.path, back)
      return `${status}, ${action}, ${(await other.create(scene.path)).status}`
    },
  },
  {
    section: '3.3.5.9',
    title: 'the share mode of a persistent open holds on',
    shares,
    expect: 'opened, then SHARING_VIOLATION',
    async ask(scene) {
      const { client, back } = await persistent(scene, { shareAccess: 0 })
      await scene.failOver()
      const { action } = await (await scene.client({ as: client })).create(scene.path, back)
      return `${action}, then ${(await (await scene.client()).create(scene.path)).status}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'the locks of a persistent open hold on, and its lock sequence is known',
    shares,
    expect: 'SUCCESS; again SUCCESS; LOCK_NOT_GRANTED to another; unlocked SUCCESS; SUCCESS to another',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      const lock = { offset: 100n, length: 10n, lockSequence: { index: 7, number: 3 } }
      const first = await client.lock(created.fileId, lock)
      await scene.failOver()
      const again = await scene.client({ as: client })
      const { fileId } = await again.create(scene.path, back)
      const second = await again.lock(fileId, lock)
      const other = await scene.client()
      const { fileId: theirs } = await other.create(scene.path)
      const refused = await other.lock(theirs, { offset: 105n })
      const unlocked = await again.unlock(fileId, { offset: 100n, length: 10n, lockSequence: { index: 7, number: 4 } })
      const granted = await other.lock(theirs, { offset: 105n })
      return `${first}; again ${second}; ${refused} to another; unlocked ${unlocked}; ${granted} to another`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'the lease of a persistent open comes back with its epoch and its parent key, and is broken for others',
    shares,
    expect: 'RWH, epoch and parent key the same; RWH to RH; SUCCESS to another',
    async ask(scene) {
      const [key, parent] = [newGuid(), newGuid()]
      const { client, created, back } = await persistent(scene, { contexts: [rqls({ key, parent, state: leaseStates.rwh, epoch: 3 })] })
      await scene.failOver()
      const again = await scene.client({ as: client })
      const answer = await again.create(scene.path, back)
      const same = answer.epoch === created.epoch && answer.parentKey === parent
      const other = (await scene.client()).startCreate(scene.path)
      const { currentLeaseState, newLeaseState } = LeaseBreakNotification.decode(await again.first.nextBreak(), headerSize)
      await again.acknowledgeLease(key, leaseStates.rh)
      const breaking = `${leaseLetters(currentLeaseState)} to ${leaseLetters(newLeaseState)}`
      return `${answer.lease}, epoch and parent key ${same ? 'the same' : 'others'}; ${breaking}; ${await other.status} to another`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'the oplock of a persistent open comes back',
    shares,
    expect: 'batch',
    async ask(scene) {
      const { client, back } = await persistent(scene, { oplock: batch })
      await scene.failOver()
      return (await (await scene.client({ as: client })).create(scene.path, back)).oplock
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open that deletes its file when it is closed does so when it is closed afterwards',
    shares,
    expect: 'opened, there: true, SUCCESS, there: false',
    async ask(scene) {
      const { client, back } = await persistent(scene, { options: CreateOptions.deleteOnClose })
      await scene.failOver()
      const again = await scene.client({ as: client })
      const answer = await again.create(scene.path, back)
      const before = scene.exists(scene.path)
      const closed = await again.close(answer.fileId)
      return `${answer.action}, there: ${before}, ${closed}, there: ${scene.exists(scene.path)}`
    },
  },
  {
    section: '3.3.5.21.1',
    title: 'a file that is to be deleted, as a persistent open has said, is deleted when that is closed afterwards',
    shares,
    expect: 'SUCCESS, opened, SUCCESS, there: false',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      const said = await client.deleteOnClose(created.fileId)
      await scene.failOver()
      const again = await scene.client({ as: client })
      const answer = await again.create(scene.path, back)
      const closed = await again.close(answer.fileId)
      return `${said}, ${answer.action}, ${closed}, there: ${scene.exists(scene.path)}`
    },
  },
  {
    section: '3.3.6.2',
    title: 'a persistent open that nobody comes back to in time is closed, and its file deleted where that was asked',
    shares,
    expect: 'persistent 1000 ms, gone: true',
    async ask(scene) {
      const { created } = await persistent(scene, { options: CreateOptions.deleteOnClose }, 1000)
      await scene.failOver()
      const isGone = await until(
        async () => !scene.exists(scene.path),
        gone => gone,
      )
      return `${created.durability}, gone: ${isGone}`
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'a CREATE whose answer was lost with the process comes again as a replay, and gets the open that is there',
    shares,
    expect: 'SUCCESS, the same open',
    async ask(scene) {
      const wish = { contexts: [dh2q({ createGuid: newGuid(), persistent: true })] }
      const client = await scene.client()
      const one = await client.create(scene.path, wish)
      await scene.failOver()
      const two = await (await scene.client({ as: client })).create(scene.path, { ...wish, replay: true })
      return `${two.status}, ${two.status === 'SUCCESS' && two.isSame(one, 'persistent') ? 'the same open' : 'another open'}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'two clients come back to the file that they share, each to its own open',
    shares,
    expect: 'opened, opened, and the locks are theirs: LOCK_NOT_GRANTED, LOCK_NOT_GRANTED',
    async ask(scene) {
      const one = await persistent(scene)
      const two = await persistent(scene)
      await one.client.lock(one.created.fileId, { offset: 100n })
      await two.client.lock(two.created.fileId, { offset: 200n })
      await scene.failOver()
      const [first, second] = [await scene.client({ as: one.client }), await scene.client({ as: two.client })]
      const [a, b] = [await first.create(scene.path, one.back), await second.create(scene.path, two.back)]
      const locks = [await first.lock(a.fileId, { offset: 200n }), await second.lock(b.fileId, { offset: 100n })]
      return `${a.action}, ${b.action}, and the locks are theirs: ${locks.join(', ')}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open of a file that was renamed meanwhile is found again',
    shares,
    expect: 'SUCCESS, opened, "kept"',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      const renamed = await client.rename(created.fileId, `${scene.path}-renamed`)
      await scene.failOver()
      const again = await scene.client({ as: client })
      return `${renamed}, ${await found(again, await again.create(`${scene.path}-renamed`, back))}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open of a named stream is found again',
    shares,
    expect: 'opened, "in the stream"',
    async ask(scene) {
      const createGuid = newGuid()
      const path = `${scene.path}:stream`
      const client = await scene.client()
      const { fileId } = await client.create(path, { contexts: [dh2q({ createGuid, persistent: true })] })
      await client.write(fileId, 'in the stream')
      await scene.failOver()
      const again = await scene.client({ as: client })
      return found(again, await again.create(path, { contexts: [dh2c(fileId, { createGuid, persistent: true })] }))
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a persistent open may do what it was granted, and nothing else',
    shares,
    expect: 'opened, "kept", ACCESS_DENIED',
    async ask(scene) {
      const writer = await scene.client()
      const { fileId: theirs } = await writer.create(scene.path)
      await writer.write(theirs, 'kept')
      await writer.close(theirs)
      const createGuid = newGuid()
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { access: 0x12_0089, contexts: [dh2q({ createGuid, persistent: true })] })
      await scene.failOver()
      const again = await scene.client({ as: client })
      // Asks for more than it had.
      const answer = await again.create(scene.path, { contexts: [dh2c(fileId, { createGuid, persistent: true })] })
      return `${await found(again, answer)}, ${await again.write(answer.fileId, 'x')}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a lease that was broken before is what it was broken to',
    shares,
    expect: 'RWH, then RH',
    async ask(scene) {
      const key = newGuid()
      const { client, created, back } = await persistent(scene, { contexts: [rqls({ key, state: leaseStates.rwh })] })
      const other = (await scene.client()).startCreate(scene.path, { access: 0x12_0089 })
      await client.first.nextBreak()
      await client.acknowledgeLease(key, leaseStates.rh)
      await other.answer
      await scene.failOver()
      return `${created.lease}, then ${(await (await scene.client({ as: client })).create(scene.path, back)).lease}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'two persistent opens with one lease come back to it',
    shares,
    expect: 'RWH, RWH, epochs the same',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh })
      const one = await persistent(scene, { contexts: [lease] })
      const createGuid = newGuid()
      const two = await one.client.create(scene.path, { contexts: [lease, dh2q({ createGuid, persistent: true })] })
      await scene.failOver()
      const again = await scene.client({ as: one.client })
      const a = await again.create(scene.path, one.back)
      const b = await again.create(scene.path, { contexts: [lease, dh2c(two.fileId, { createGuid, persistent: true })] })
      return `${a.lease}, ${b.lease}, epochs ${a.epoch === two.epoch && b.epoch === two.epoch ? 'the same' : `${a.epoch}, ${b.epoch}, not ${two.epoch}`}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'a range that was unlocked before is not locked',
    shares,
    expect: 'SUCCESS, SUCCESS, then another gets SUCCESS',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      const statuses = [await client.lock(created.fileId, { offset: 50n }), await client.unlock(created.fileId, { offset: 50n })]
      await scene.failOver()
      await (await scene.client({ as: client })).create(scene.path, back)
      const other = await scene.client()
      const { fileId } = await other.create(scene.path)
      return `${statuses.join(', ')}, then another gets ${await other.lock(fileId, { offset: 50n })}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'shared locks are shared, and exclude who wants one for itself',
    shares,
    expect: 'shared SUCCESS, exclusive LOCK_NOT_GRANTED',
    async ask(scene) {
      const sharedLock = LockFlags.sharedLock | LockFlags.failImmediately
      const { client, created, back } = await persistent(scene)
      await client.lock(created.fileId, { offset: 50n, flags: sharedLock })
      await scene.failOver()
      await (await scene.client({ as: client })).create(scene.path, back)
      const other = await scene.client()
      const { fileId } = await other.create(scene.path)
      const shared = await other.lock(fileId, { offset: 50n, flags: sharedLock })
      await other.unlock(fileId, { offset: 50n })
      return `shared ${shared}, exclusive ${await other.lock(fileId, { offset: 50n })}`
    },
  },
  ...[0x0300, 0x0302].map((dialect): Case => ({
    section: '3.3.5.9.12',
    title: `a client of dialect 0x${dialect.toString(16).padStart(4, '0')} finds its persistent open again`,
    shares,
    expect: 'persistent 60000 ms, then opened, "kept"',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client({ dialect })
      const { fileId, durability } = await client.create(scene.path, { contexts: [dh2q({ createGuid, persistent: true })] })
      await client.write(fileId, 'kept')
      await scene.failOver()
      const again = await scene.client({ as: client, dialect })
      const answer = await again.create(scene.path, { contexts: [dh2c(fileId, { createGuid, persistent: true })] })
      return `${durability}, then ${await found(again, answer)}`
    },
  })),
  {
    section: '3.3.5.15.9',
    title: 'a resilient open that is not persistent is not found',
    shares,
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path)
      const status = await client.requestResiliency(fileId, 60_000)
      await scene.failOver()
      return `${status}, then ${(await (await scene.client({ as: client })).create(scene.path, { contexts: [dhnc(fileId)] })).status}`
    },
  },
  {
    section: '3.3.5.15.6',
    title: 'a copy that was not answered is asked for again with the key of before',
    shares,
    expect: 'SUCCESS, "keptkept"',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      const key = await client.resumeKey(created.fileId)
      await scene.failOver()
      const again = await scene.client({ as: client })
      const { fileId } = await again.create(scene.path, back)
      const status = await again.startCopy(fileId, key, { length: 4, targetOffset: 4n }).status
      return `${status}, ${await again.read(fileId)}`
    },
  },
  {
    section: '3.3.5.15.6',
    title: 'a copy that overtakes the reconnect of its source waits for it',
    shares,
    expect: 'SUCCESS, "from"',
    async ask(scene) {
      const { client, back } = await persistent(scene)
      const [source, createGuid] = [`${scene.path}-source`, newGuid()]
      const { fileId: from } = await client.create(source, { contexts: [dh2q({ createGuid, persistent: true })] })
      await client.write(from, 'from')
      const key = await client.resumeKey(from)
      await scene.failOver()
      const again = await scene.client({ as: client })
      const { fileId } = await again.create(scene.path, back)
      const copy = again.startCopy(fileId, key, { length: 4 })
      // The server handles it before what follows on the same connection.
      await again.create(source, { contexts: [dh2c(from, { createGuid, persistent: true })] })
      return `${await copy.status}, ${await again.read(fileId)}`
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'the ChannelSequence of a persistent open is counted from 0 again by the next process',
    shares,
    expect: 'SUCCESS, SUCCESS, FILE_NOT_AVAILABLE',
    async ask(scene) {
      const { client, created, back } = await persistent(scene)
      await client.write(created.fileId, 'x', { sequence: 9 })
      await scene.failOver()
      const again = await scene.client({ as: client })
      const { fileId } = await again.create(scene.path, back)
      const statuses = []
      for (const sequence of [0, 1, 0]) statuses.push(await again.write(fileId, 'x', { sequence }))
      return statuses.join(', ')
    },
  },
  {
    section: '3.3.7.1',
    title: 'what had no persistent handle is gone with its process: share mode and locks are free',
    shares,
    expect: 'SUCCESS, SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { shareAccess: 0 })
      await client.lock(fileId)
      await scene.failOver()
      const other = await scene.client()
      const answer = await other.create(scene.path)
      return `${answer.status}, ${await other.lock(answer.fileId)}`
    },
  },
]
