/** CREATE requests that come again (MS-SMB2 3.3.5.9.10, 3.2.5.1.6: SMB2_FLAGS_REPLAY_OPERATION). */
import { CreateDisposition, OplockLevel } from '@holdfast/smb/messages'
import type { Created } from '../answers-of-create.ts'
import { until } from '../case.ts'
import type { Case, Scene, ShareKind } from '../case.ts'
import type { Client, CreateWish } from '../client.ts'
import { dh2c, dh2q, leaseStates, newGuid, rqls } from '../contexts.ts'

const { batch } = OplockLevel
const bothShares: readonly ShareKind[] = ['plain', 'available']

/** Handles with a CreateGuid. */
const kinds = [
  { name: 'a durable open', shares: bothShares, persistent: false, oplock: batch },
  { name: 'a persistent open', shares: ['available'] as const, persistent: true, oplock: OplockLevel.none },
] as const

type Kind = (typeof kinds)[number]

/** A CREATE and the same once more. */
const asked = ({ persistent, oplock }: Kind): CreateWish => ({ oplock, contexts: [dh2q({ createGuid: newGuid(), persistent })] })

const sameOpen = (one: Created, two: Created): string => (two.status !== 'SUCCESS' ? two.status : one.isSame(two) ? 'the same open' : 'another open')

const ofKinds = (of: (kind: Kind) => Pick<Case, 'title' | 'expect' | 'ask' | 'samba' | 'oursOnly'>): Case[] =>
  kinds.map(kind => ({ section: '3.3.5.9.10', shares: kind.shares, ...of(kind) }))

/** Something uses the open, and then its CREATE comes again. */
const uses: readonly (readonly [string, (client: Client, created: Created) => Promise<string>])[] = [
  ['WRITE', async (client, { fileId }) => client.write(fileId, 'used')],
  ['READ', async (client, { fileId }) => client.read(fileId)],
  ['LOCK', async (client, { fileId }) => client.lock(fileId)],
  ['SET_INFO', async (client, { fileId }) => client.setEndOfFile(fileId, 1n)],
  ['FLUSH', async (client, { fileId }) => client.flush(fileId)],
]

/** Another client has the file with a batch oplock, so that a CREATE waits for it. */
async function heldByAnother(scene: Scene): Promise<{ readonly holder: Client; readonly release: () => Promise<string> }> {
  const holder = await scene.client()
  const { fileId } = await holder.create(scene.path, { oplock: batch })
  return {
    holder,
    async release() {
      await holder.first.nextBreak()
      return holder.close(fileId)
    },
  }
}

export const createReplayCases: readonly Case[] = [
  {
    section: '3.3.5.9',
    title: 'a CREATE without a CreateGuid that comes again opens the file again',
    shares: bothShares,
    expect: 'created, then opened, another open',
    async ask(scene) {
      const client = await scene.client()
      const one = await client.create(scene.path)
      const two = await client.create(scene.path, { replay: true })
      return `${one.action}, then ${two.action}, ${sameOpen(one, two)}`
    },
  },
  {
    section: '3.3.5.9',
    title: 'a CREATE without a CreateGuid that makes a file and comes again finds it there',
    expect: 'created, then OBJECT_NAME_COLLISION',
    async ask(scene) {
      const client = await scene.client()
      const one = await client.create(scene.path, { disposition: CreateDisposition.create })
      const two = await client.create(scene.path, { disposition: CreateDisposition.create, replay: true })
      return `${one.action}, then ${two.action}`
    },
  },
  ...ofKinds(kind => ({
    title: `${kind.name}: its CreateGuid again, not marked as a replay, is DUPLICATE_OBJECTID`,
    expect: 'created, then DUPLICATE_OBJECTID',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      const one = await client.create(scene.path, wish)
      return `${one.action}, then ${(await client.create(scene.path, wish)).action}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: its CreateGuid for another file is DUPLICATE_OBJECTID as well`,
    expect: 'created, then DUPLICATE_OBJECTID',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      const one = await client.create(scene.path, wish)
      return `${one.action}, then ${(await client.create(`${scene.path}-other`, wish)).action}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: its CreateGuid is another one when it comes from another client`,
    expect: 'created, then created',
    async ask(scene) {
      const wish = asked(kind)
      const one = await (await scene.client()).create(scene.path, wish)
      return `${one.action}, then ${(await (await scene.client()).create(`${scene.path}-other`, wish)).action}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a replay gets the original answer`,
    expect: 'the same open, created, 60000 ms',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      const one = await client.create(scene.path, wish)
      const two = await client.create(scene.path, { ...wish, replay: true })
      return `${sameOpen(one, two)}, ${two.action}, ${one.durability === two.durability ? '60000 ms' : two.durability}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a replay gets the original answer on another channel`,
    expect: 'the same open, created',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const wish = asked(kind)
      const one = await client.create(scene.path, wish)
      const two = await client.create(scene.path, { ...wish, via, replay: true, sequence: 1 })
      return `${sameOpen(one, two)}, ${two.action}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a replay gets the original answer as often as it comes`,
    expect: 'the same open, the same open, the same open',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      const one = await client.create(scene.path, wish)
      const again: string[] = []
      for (let i = 0; i < 3; i++) again.push(sameOpen(one, await client.create(scene.path, { ...wish, replay: true })))
      return again.join(', ')
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a replay that asks for a disposition that would fail gets the original answer`,
    expect: 'the same open, created',
    async ask(scene) {
      const client = await scene.client()
      const wish = { ...asked(kind), disposition: CreateDisposition.create }
      const one = await client.create(scene.path, wish)
      const two = await client.create(scene.path, { ...wish, replay: true })
      return `${sameOpen(one, two)}, ${two.action}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: after it has been closed its CreateGuid is free again`,
    expect: 'SUCCESS, then opened',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      const { fileId } = await client.create(scene.path, wish)
      return `${await client.close(fileId)}, then ${(await client.create(scene.path, wish)).action}`
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a replay whose first CREATE never came is carried out`,
    expect: 'created',
    ask: async scene => (await (await scene.client()).create(scene.path, { ...asked(kind), replay: true })).action,
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a replay from another session of its client, while the first is there, is to be tried again`,
    expect: 'FILE_NOT_AVAILABLE',
    samba: 'it answers a replay in whatever session it comes',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      await client.create(scene.path, wish)
      return (await (await scene.client({ as: client })).create(scene.path, { ...wish, replay: true })).status
    },
  })),
  ...ofKinds(kind => ({
    title: `${kind.name}: a CREATE whose answer was lost with its connection is answered on the next`,
    expect: 'created, with the open that the first has made: true',
    samba: 'what it knows of CREATE requests ends with the process that serves the client',
    async ask(scene) {
      const client = await scene.client()
      const wish = asked(kind)
      const one = await client.create(scene.path, wish)
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const two = await again.create(scene.path, { ...wish, replay: true })
      return `${two.action}, with the open that the first has made: ${two.status === 'SUCCESS' && one.isSame(two, 'persistent')}`
    },
  })),
  ...uses.map(([what, use]): Case => ({
    section: what === 'READ' ? '3.3.5.12' : what === 'WRITE' ? '3.3.5.13' : what === 'LOCK' ? '3.3.5.14' : what === 'FLUSH' ? '3.3.5.11' : '3.3.5.21',
    title: `after a ${what} a CREATE that comes again is one of its own (Open.IsReplayEligible)`,
    expect: 'opened, another open',
    async ask(scene) {
      const client = await scene.client()
      // With a lease the second open of the same client breaks nothing.
      const wish = { contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), dh2q({ createGuid: newGuid() })] }
      const one = await client.create(scene.path, wish)
      await use(client, one)
      const two = await client.create(scene.path, { ...wish, replay: true })
      return `${two.action}, ${sameOpen(one, two)}`
    },
  })),
  {
    section: '3.3.5.9.10',
    title: 'a replay hears of the timeout that was granted (Open.DurableOpenTimeout), whatever it asks for',
    shares: ['plain', 'available'],
    expect: 'durable 30000 ms, then durable 30000 ms',
    async ask(scene) {
      const client = await scene.client()
      const createGuid = newGuid()
      const one = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid, timeoutMs: 30_000 })] })
      const two = await client.create(scene.path, { oplock: batch, replay: true, contexts: [dh2q({ createGuid, timeoutMs: 50_000 })] })
      return `${one.durability}, then ${two.durability}`
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'a replay with another lease key is refused',
    shares: bothShares,
    expect: 'ACCESS_DENIED',
    async ask(scene) {
      const client = await scene.client()
      const durable = dh2q({ createGuid: newGuid() })
      await client.create(scene.path, { contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), durable] })
      return (await client.create(scene.path, { replay: true, contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), durable] })).status
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'a replay with a lease where the open has a batch oplock is refused',
    expect: 'ACCESS_DENIED',
    async ask(scene) {
      const client = await scene.client()
      const durable = dh2q({ createGuid: newGuid() })
      await client.create(scene.path, { oplock: batch, contexts: [durable] })
      return (await client.create(scene.path, { replay: true, contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), durable] })).status
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'a replay tells the lease as it is, with its key and epoch',
    shares: bothShares,
    expect: 'RWH, RWH, epoch the same',
    async ask(scene) {
      const client = await scene.client()
      const wish = { contexts: [rqls({ key: newGuid(), state: leaseStates.rwh }), dh2q({ createGuid: newGuid() })] }
      const one = await client.create(scene.path, wish)
      const two = await client.create(scene.path, { ...wish, replay: true })
      return `${one.lease}, ${two.lease}, epoch ${two.epoch === one.epoch ? 'the same' : `${one.epoch}, ${two.epoch}`}`
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'a replay of a CREATE that still waits for others is FILE_NOT_AVAILABLE, and then the original answer',
    expect: 'FILE_NOT_AVAILABLE, opened, the same open',
    async ask(scene) {
      const { release } = await heldByAnother(scene)
      const client = await scene.client()
      const via = await client.bind()
      const wish = { oplock: batch, contexts: [dh2q({ createGuid: newGuid() })] }
      const first = client.startCreate(scene.path, wish)
      if (!(await first.pending)) return 'the first CREATE did not wait'
      const meanwhile = await client.create(scene.path, { ...wish, via, replay: true })
      await release()
      await first.answer
      const after = await client.create(scene.path, { ...wish, via, replay: true })
      const direct = await client.create(scene.path, { ...wish, replay: true })
      return `${meanwhile.status}, ${after.action}, ${sameOpen(after, direct)}`
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'a CREATE that waits for others goes on when its channel is cut, and its replay on the other is answered',
    expect: 'FILE_NOT_AVAILABLE, then opened, durable 60000 ms',
    async ask(scene) {
      const { release } = await heldByAnother(scene)
      const client = await scene.client()
      const via = await client.bind()
      const wish = { oplock: batch, contexts: [dh2q({ createGuid: newGuid() })] }
      const first = client.startCreate(scene.path, { ...wish, via })
      if (!(await first.pending)) return 'the first CREATE did not wait'
      via.cut()
      const meanwhile = await client.create(scene.path, { ...wish, replay: true, sequence: 1 })
      await release()
      const after = await until(
        async () => client.create(scene.path, { ...wish, replay: true, sequence: 1 }),
        ({ status }) => status !== 'FILE_NOT_AVAILABLE',
      )
      return `${meanwhile.status}, then ${after.action}, ${after.durability}`
    },
  },
  {
    section: '3.3.5.9.12',
    title: 'an open that was found again is not eligible for a replay of its CREATE any more than one that was used',
    shares: bothShares,
    expect: 'SUCCESS, "used"',
    async ask(scene) {
      const client = await scene.client()
      const createGuid = newGuid()
      const { fileId } = await client.create(scene.path, { oplock: batch, contexts: [dh2q({ createGuid })] })
      await client.write(fileId, 'used')
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock: batch, contexts: [dh2c(fileId, { createGuid })] })
      return `${found.status}, ${await again.read(found.fileId)}`
    },
  },
]
