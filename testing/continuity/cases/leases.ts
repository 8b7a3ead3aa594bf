/** Leases through the loss of a connection: versions, epochs, folders and parent keys (MS-SMB2 3.3.5.9.7, 3.3.5.9.11, 3.3.5.9.12, 3.3.4.7). */
import { CreateOptions, headerSize, LeaseBreakNotification } from '@holdfast/smb/messages'
import { leaseLetters } from '../answers-of-create.ts'
import type { Case, ShareKind } from '../case.ts'
import { dh2c, dh2q, dhnc, dhnq, leaseStates, newGuid, rqls } from '../contexts.ts'

const bothShares: readonly ShareKind[] = ['plain', 'available']
const noFolderLeases = 'has no leases on folders'

/** What a lease break says: the key is the one that is meant, and the states. */
function toldBy(message: Buffer, key: string): string {
  const { leaseKey, currentLeaseState, newLeaseState } = LeaseBreakNotification.decode(message, headerSize)
  return `${leaseKey === key ? '' : 'another lease: '}${leaseLetters(currentLeaseState)} to ${leaseLetters(newLeaseState)}`
}

export const leaseCases: readonly Case[] = [
  {
    section: '3.3.5.9.7',
    title: 'a lease of version 1 comes back as one of version 1',
    expect: 'RWH, RqLs',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh, version: 1 })
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [lease, dhnq()] })
      await scene.lose(client)
      const found = await (await scene.client({ as: client })).create(scene.path, { contexts: [lease, dhnc(fileId)] })
      return `${found.lease}, ${found.contextNames}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'the epoch of a lease is what it was',
    shares: bothShares,
    expect: 'RWH, RWH, epoch the same',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh, epoch: 7 })
      const createGuid = newGuid()
      const client = await scene.client()
      const one = await client.create(scene.path, { contexts: [lease, dh2q({ createGuid })] })
      await scene.lose(client)
      const two = await (await scene.client({ as: client })).create(scene.path, { contexts: [lease, dh2c(one.fileId, { createGuid })] })
      return `${one.lease}, ${two.lease}, epoch ${one.epoch === two.epoch ? 'the same' : `${one.epoch}, then ${two.epoch}`}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'whatever state the client asks for, the lease comes back as it was',
    shares: bothShares,
    expect: 'RH',
    async ask(scene) {
      const [key, createGuid] = [newGuid(), newGuid()]
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [rqls({ key, state: leaseStates.rh }), dh2q({ createGuid })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      return (await again.create(scene.path, { contexts: [rqls({ key, state: leaseStates.rwh }), dh2c(fileId, { createGuid })] })).lease
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'two opens with one lease come back one after the other',
    shares: bothShares,
    expect: 'RWH, RWH',
    samba: 'it gives no open back that shares its file with another one',
    async ask(scene) {
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh })
      const guids = [newGuid(), newGuid()]
      const client = await scene.client()
      const opens = []
      for (const createGuid of guids) opens.push(await client.create(scene.path, { contexts: [lease, dh2q({ createGuid })] }))
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const found: string[] = []
      for (const [i, { fileId }] of opens.entries()) {
        found.push((await again.create(scene.path, { contexts: [lease, dh2c(fileId, { createGuid: guids[i] ?? '' })] })).lease)
      }
      return found.join(', ')
    },
  },
  {
    section: '3.3.4.7',
    title: 'a lease that came back is broken on the new connection',
    shares: bothShares,
    expect: 'RWH to RH, SUCCESS, then the other has SUCCESS',
    async ask(scene) {
      const [key, createGuid] = [newGuid(), newGuid()]
      const lease = rqls({ key, state: leaseStates.rwh })
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [lease, dh2q({ createGuid })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      await again.create(scene.path, { contexts: [lease, dh2c(fileId, { createGuid })] })
      const other = (await scene.client()).startCreate(scene.path)
      const broken = toldBy(await again.first.nextBreak(), key)
      const acknowledged = await again.acknowledgeLease(key, leaseStates.rh)
      return `${broken}, ${acknowledged}, then the other has ${await other.status}`
    },
  },
  {
    section: '3.3.4.7',
    title: 'a durable open with a lease RWH whose client is away gives way to whoever opens the file',
    shares: bothShares,
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const createGuid = newGuid()
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh })
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [lease, dh2q({ createGuid })] })
      await scene.lose(client)
      const { status } = await (await scene.client()).create(scene.path)
      const again = await scene.client({ as: client })
      return `${status}, then ${(await again.create(scene.path, { contexts: [lease, dh2c(fileId, { createGuid })] })).status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'a break that nobody could be told of is told to the client of a persistent open when it is back',
    shares: ['available'],
    expect: 'RWH to RH, SUCCESS, then the other has SUCCESS',
    async ask(scene) {
      const [key, createGuid] = [newGuid(), newGuid()]
      const lease = rqls({ key, state: leaseStates.rwh })
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [lease, dh2q({ createGuid, persistent: true })] })
      await scene.lose(client)
      // To a client of 3.x the file would not be available.
      const other = (await scene.client({ dialect: 0x0210 })).startCreate(scene.path)
      if (!(await other.pending)) return `the other has not waited: ${await other.status}`
      const again = await scene.client({ as: client })
      await again.create(scene.path, { contexts: [lease, dh2c(fileId, { createGuid, persistent: true })] })
      const broken = toldBy(await again.first.nextBreak(), key)
      const acknowledged = await again.acknowledgeLease(key, leaseStates.rh)
      return `${broken}, ${acknowledged}, then the other has ${await other.status}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'the parent key of a lease comes back with it',
    shares: bothShares,
    expect: 'the key of the folder',
    oursOnly: noFolderLeases,
    async ask(scene) {
      const [folderKey, createGuid] = [newGuid(), newGuid()]
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh, parent: folderKey })
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { contexts: [lease, dh2q({ createGuid })] })
      await scene.lose(client)
      const found = await (await scene.client({ as: client })).create(scene.path, { contexts: [lease, dh2c(fileId, { createGuid })] })
      return found.parentKey === folderKey ? 'the key of the folder' : `${found.status}, ${found.parentKey}`
    },
  },
  {
    section: '3.3.5.9.11',
    title: 'the lease on a folder ends with its connection, and can be had again',
    shares: bothShares,
    expect: 'RH, RH',
    oursOnly: noFolderLeases,
    async ask(scene) {
      const wish = { options: CreateOptions.directoryFile, contexts: [rqls({ key: newGuid(), state: leaseStates.rh })] }
      const client = await scene.client()
      const one = await client.create(scene.path, wish)
      await scene.lose(client)
      return `${one.lease}, ${(await (await scene.client({ as: client })).create(scene.path, wish)).lease}`
    },
  },
  {
    section: '3.3.4.7',
    title: "an open that came back does not break the lease on its folder by what it does, another one's does",
    shares: bothShares,
    expect: 'SUCCESS and no break; by another: RH to -',
    oursOnly: noFolderLeases,
    async ask(scene) {
      const [folderKey, createGuid] = [newGuid(), newGuid()]
      const folder = { options: CreateOptions.directoryFile, contexts: [rqls({ key: folderKey, state: leaseStates.rh })] }
      const lease = rqls({ key: newGuid(), state: leaseStates.rwh, parent: folderKey })
      const path = `${scene.path}\\file`
      const client = await scene.client()
      await client.create(scene.path, folder)
      const { fileId } = await client.create(path, { contexts: [lease, dh2q({ createGuid })] })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      await again.create(scene.path, folder)
      const found = await again.create(path, { contexts: [lease, dh2c(fileId, { createGuid })] })
      const changed = await again.setEndOfFile(found.fileId, 10n)
      const breaks = again.first.unreadBreaks
      const other = (await scene.client()).startCreate(`${scene.path}\\other`)
      const broken = toldBy(await again.first.nextBreak(), folderKey)
      await again.acknowledgeLease(folderKey, 0)
      await other.answer
      return `${changed} and ${breaks === 0 ? 'no' : breaks} break; by another: ${broken}`
    },
  },
]
