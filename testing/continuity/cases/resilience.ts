/** Resilient opens (MS-SMB2 3.3.5.15.9, 2.2.31.3). */
import { setTimeout as sleep } from 'node:timers/promises'
import { LockFlags } from '@holdfast/smb/messages'
import type { Case, Scene } from '../case.ts'
import type { Client, CreateWish } from '../client.ts'
import type { Created } from '../answers-of-create.ts'
import { dhnc } from '../contexts.ts'

const section = '3.3.5.15.9'
const smbdHasNone = 'it has no resilient opens, and says so'
/** What they are for: opens without an oplock, whose server promises to wait. */
const timeoutMs = 60_000

/** Asks for resiliency; returns the status. */
const ask =
  (asked: number, { inputBytes = 8, dialect = 0x0311 } = {}) =>
  async (scene: Scene): Promise<string> => {
    const client = await scene.client({ dialect })
    const { fileId } = await client.create(scene.path)
    return client.requestResiliency(fileId, asked, inputBytes)
  }

interface Lost {
  readonly client: Client
  readonly created: Created
}

/** A resilient open with something in it, whose client has lost its connection. */
async function loseOne(
  scene: Scene,
  { dialect = 0x0311, wish = {}, asked = timeoutMs }: { dialect?: number; wish?: CreateWish; asked?: number } = {},
) {
  const client = await scene.client({ dialect })
  const created = await client.create(scene.path, wish)
  await client.write(created.fileId, 'kept')
  const status = await client.requestResiliency(created.fileId, asked)
  if (status !== 'SUCCESS') throw new Error(`resiliency: ${status}`)
  await scene.lose(client)
  return { client, created } satisfies Lost
}

const comeBack = async (scene: Scene, { client, created }: Lost, dialect = 0x0311): Promise<string> => {
  const again = await scene.client({ as: client, dialect })
  const found = await again.create(scene.path, { contexts: [dhnc(created.fileId)] })
  return found.status === 'SUCCESS' ? `${found.action}, ${await again.read(found.fileId)}` : found.status
}

/** smbd refuses the request that all of these begin with. */
const oursOnly = smbdHasNone

export const resilienceCases: readonly Case[] = [
  ...[0, 4, 7].map((inputBytes): Case => ({
    section,
    title: `a request of ${inputBytes} bytes is INVALID_PARAMETER`,
    expect: 'INVALID_PARAMETER',
    samba: smbdHasNone,
    ask: ask(timeoutMs, { inputBytes }),
  })),
  ...[8, 16].map((inputBytes): Case => ({
    section,
    title: `a request of ${inputBytes} bytes is granted`,
    expect: 'SUCCESS',
    samba: smbdHasNone,
    ask: ask(timeoutMs, { inputBytes }),
  })),
  ...(
    [
      [0, 'SUCCESS'],
      [1, 'SUCCESS'],
      [300_000, 'SUCCESS'],
      [301_000, 'INVALID_PARAMETER'],
      [0xffff_ffff, 'INVALID_PARAMETER'],
    ] as const
  ).map(([asked, expect]): Case => ({ section, title: `a timeout of ${asked} ms is ${expect}`, expect, samba: smbdHasNone, ask: ask(asked) })),
  {
    section,
    title: 'in 2.0.2 there is no such request',
    expect: 'INVALID_DEVICE_REQUEST',
    ask: ask(timeoutMs, { dialect: 0x0202 }),
  },
  { section, title: 'in 2.1 it is granted', expect: 'SUCCESS', samba: smbdHasNone, ask: ask(timeoutMs, { dialect: 0x0210 }) },
  ...[0x0210, 0x0311].map((dialect): Case => ({
    section: '3.3.7.1',
    title: `a resilient open is kept without an oplock, and found again (dialect 0x${dialect.toString(16).padStart(4, '0')})`,
    shares: ['plain', 'available'],
    expect: 'opened, "kept"',
    oursOnly,
    ask: async scene => comeBack(scene, await loseOne(scene, { dialect }), dialect),
  })),
  {
    section: '3.3.5.9.7',
    title: 'a resilient open is refused to another user',
    expect: 'ACCESS_DENIED, then opened, "kept"',
    oursOnly,
    async ask(scene) {
      const lost = await loseOne(scene)
      const other = await scene.client({ account: scene.second })
      const { status } = await other.create(scene.path, { contexts: [dhnc(lost.created.fileId)] })
      return `${status}, then ${await comeBack(scene, lost)}`
    },
  },
  {
    section: '3.3.6.3',
    title: 'a resilient open that nobody comes back to in time is closed',
    expect: 'OBJECT_NAME_NOT_FOUND',
    oursOnly,
    async ask(scene) {
      const lost = await loseOne(scene, { asked: 200 })
      await sleep(1500)
      return comeBack(scene, lost)
    },
  },
  {
    section: '3.3.7.1',
    title: 'a resilient open whose client is away keeps its share mode',
    expect: 'SHARING_VIOLATION, then opened, "kept"',
    oursOnly,
    async ask(scene) {
      const lost = await loseOne(scene, { wish: { shareAccess: 0 } })
      const { status } = await (await scene.client()).create(scene.path)
      return `${status}, then ${await comeBack(scene, lost)}`
    },
  },
  {
    section: '3.3.7.1',
    title: 'a resilient open whose client is away keeps its locks',
    expect: 'SUCCESS, LOCK_NOT_GRANTED, then opened, "kept"',
    oursOnly,
    async ask(scene) {
      const client = await scene.client()
      const created = await client.create(scene.path)
      await client.write(created.fileId, 'kept')
      await client.requestResiliency(created.fileId, timeoutMs)
      const locked = await client.lock(created.fileId, { offset: 100n })
      await scene.lose(client)
      const other = await scene.client()
      const { fileId } = await other.create(scene.path)
      const theirs = await other.lock(fileId, { offset: 100n })
      await other.close(fileId)
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { contexts: [dhnc(created.fileId)] })
      // Its client reads where the lock is its own.
      return `${locked}, ${theirs}, then ${found.action}, ${await again.read(found.fileId)}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'lock sequence: in 2.1 a resilient open has them, and still when its client has come back',
    expect: 'SUCCESS, SUCCESS, SUCCESS',
    oursOnly,
    async ask(scene) {
      const client = await scene.client({ dialect: 0x0210 })
      const { fileId } = await client.create(scene.path)
      await client.requestResiliency(fileId, timeoutMs)
      const wish = { lockSequence: { index: 1, number: 4 }, flags: LockFlags.exclusiveLock | LockFlags.failImmediately }
      const statuses = [await client.lock(fileId, wish), await client.lock(fileId, wish)]
      await scene.lose(client)
      const again = await scene.client({ as: client, dialect: 0x0210 })
      const found = await again.create(scene.path, { contexts: [dhnc(fileId)] })
      return [...statuses, await again.lock(found.fileId, wish)].join(', ')
    },
  },
]
