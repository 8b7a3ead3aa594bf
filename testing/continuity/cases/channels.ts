/** Sessions with several channels, and the loss of one (MS-SMB2 3.3.5.5.2, 3.3.7.1, 3.3.4.6). */
import { headerSize, LockFlags, OplockBreakNotification, OplockLevel } from '@holdfast/smb/messages'
import { until } from '../case.ts'
import type { Case } from '../case.ts'
import { dh2c, dh2q, dhnc, dhnq, newGuid } from '../contexts.ts'

const { batch } = OplockLevel

export const channelCases: readonly Case[] = [
  {
    section: '3.3.5.5.2',
    title: 'what was opened on one channel is used on the other',
    expect: 'SUCCESS, "both"',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path)
      return `${await client.write(fileId, 'both', { via })}, ${await client.read(fileId)}`
    },
  },
  {
    section: '3.3.5.5.2',
    title: 'before 3.0 nothing is bound',
    expect: 'REQUEST_NOT_ACCEPTED',
    ask: async scene => (await scene.client({ dialect: 0x0210 })).tryBind({}),
  },
  {
    section: '3.3.5.5.2',
    title: 'a connection with another dialect is not bound',
    expect: 'INVALID_PARAMETER',
    ask: async scene => (await scene.client()).tryBind({ dialect: 0x0302 }),
  },
  {
    section: '3.3.5.5.3',
    title: 'another user does not get into the session',
    expect: 'ACCESS_DENIED, then SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      return `${await client.tryBind({ account: scene.second })}, then ${await client.tryBind({})}`
    },
  },
  {
    section: '3.3.5.5.2',
    title: 'a session that has ended takes no channel',
    expect: 'SUCCESS, then USER_SESSION_DELETED',
    async ask(scene) {
      const client = await scene.client()
      return `${await client.logOff()}, then ${await client.tryBind({})}`
    },
  },
  {
    section: '3.3.7.1',
    title: 'when the channel that opened it is cut an open goes on through the other, with its locks',
    expect: 'SUCCESS, "kept", LOCK_NOT_GRANTED',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path)
      const locked = await client.lock(fileId, { offset: 5000n })
      client.first.cut()
      await client.write(fileId, 'kept', { via, sequence: 1 })
      const other = await scene.client()
      const { fileId: theirs } = await other.create(scene.path)
      return `${locked}, ${await client.read(fileId, { via, sequence: 1 })}, ${await other.lock(theirs, { offset: 5000n })}`
    },
  },
  {
    section: '3.3.5.9.7',
    title: 'a durable open is not found by another session while its session has a channel left',
    expect: 'OBJECT_NAME_NOT_FOUND, and is there: SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [dhnq()] })
      client.first.cut()
      const again = await scene.client({ as: client })
      const { status } = await again.create(scene.path, { oplock: batch, contexts: [dhnc(fileId)] })
      return `${status}, and is there: ${await client.write(fileId, 'x', { via })}`
    },
  },
  {
    section: '3.3.7.1',
    title: 'a durable open is found again when the last channel is gone',
    shares: ['plain', 'available'],
    expect: 'opened, "kept"',
    async ask(scene) {
      const client = await scene.client()
      await client.bind()
      const createGuid = newGuid()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid })] })
      await client.write(fileId, 'kept')
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock: batch, contexts: [dh2c(fileId, { createGuid })] })
      return `${found.action}, ${await again.read(found.fileId)}`
    },
  },
  {
    section: '3.3.4.6',
    title: 'an oplock break comes on the channel that is left',
    expect: 'to level II, SUCCESS, then the other has SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path, { oplock: batch })
      client.first.cut()
      // The server has heard of it when it answers on the other.
      await client.read(fileId, { via })
      const other = (await scene.client()).startCreate(scene.path)
      const { oplockLevel } = OplockBreakNotification.decode(await via.nextBreak(), headerSize)
      const acknowledged = await client.acknowledgeOplock(fileId, OplockLevel.ii, { via })
      return `to level ${oplockLevel === OplockLevel.ii ? 'II' : oplockLevel}, ${acknowledged}, then the other has ${await other.status}`
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'a channel is cut while sixteen WRITE requests are under way: the client sends all of them again on the other',
    shares: ['plain', 'available'],
    expect: '16 of 16 SUCCESS, "0123456789abcdef"',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path, { contexts: [dh2q()] })
      const digits = Array.from('0123456789abcdef')
      for (const [i, digit] of digits.entries()) client.startWrite(fileId, digit, { offset: BigInt(i), via })
      via.cut()
      const again = digits.map(async (digit, i) =>
        until(
          async () => client.write(fileId, digit, { offset: BigInt(i), sequence: 1, replay: true }),
          status => status !== 'FILE_NOT_AVAILABLE',
        ),
      )
      const statuses = await Promise.all(again)
      return `${statuses.filter(status => status === 'SUCCESS').length} of 16 SUCCESS, ${await client.read(fileId, { sequence: 1 })}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'a channel is cut with the answer to a LOCK: sent again on the other it succeeds, with a lock or without',
    shares: ['plain', 'available'],
    expect: 'SUCCESS, and another gets LOCK_NOT_GRANTED',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path)
      const lockSequence = { index: 1, number: 1 }
      const lost = client.startLock(fileId, { via, lockSequence })
      via.cut()
      await lost.answer
      const status = await client.lock(fileId, { lockSequence, sequence: 1, replay: true })
      const other = await scene.client()
      const { fileId: theirs } = await other.create(scene.path)
      return `${status}, and another gets ${await other.lock(theirs)}`
    },
  },
  {
    section: '3.3.7.1',
    title: 'a LOCK that waits on a channel that is cut does not take the lock away from who sends it again',
    expect: 'it waits, SUCCESS, SUCCESS',
    oursOnly: 'in smbd the first LOCK still gets the lock, and the second waits for that without end',
    async ask(scene) {
      const holder = await scene.client()
      const { fileId: theirs } = await holder.create(scene.path)
      await holder.lock(theirs)
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path)
      const first = client.startLock(fileId, { via, flags: LockFlags.exclusiveLock, lockSequence: { index: 2, number: 2 } })
      const waits = await first.pending
      via.cut()
      const again = client.startLock(fileId, { flags: LockFlags.exclusiveLock, lockSequence: { index: 2, number: 2 }, sequence: 1, replay: true })
      await again.pending
      const released = await holder.unlock(theirs)
      return `${waits ? 'it waits' : 'it does not wait'}, ${released}, ${await again.status}`
    },
  },
]
