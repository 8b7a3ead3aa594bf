/** An application that moved to another machine takes over what it had open on the first (MS-SMB2 3.3.5.9.13). */
import { OplockLevel } from '@holdfast/smb/messages'
import type { CreateContext } from '@holdfast/smb/messages'
import type { Case, Scene, ShareKind } from '../case.ts'
import type { CreateWish } from '../client.ts'
import { appInstanceId, appInstanceVersion, dh2c, dh2q, dhnc, newGuid } from '../contexts.ts'

const section = '3.3.5.9.13'
const bothShares: readonly ShareKind[] = ['plain', 'available']
const smbdHasNone = 'it knows no instances of applications, and has a sharing violation'

type Version = readonly [high: bigint, low: bigint]

const instance = (id: string, version: Version | undefined): CreateContext[] => [
  appInstanceId(id),
  ...(version === undefined ? [] : [appInstanceVersion(...version)]),
]

interface Instances {
  /** Of the open that is there. */
  readonly former?: readonly CreateContext[]
  /** Of the CREATE that comes. */
  readonly next: readonly CreateContext[]
  readonly sameClient?: boolean
  readonly dialect?: number
}

/** An open that shares nothing, another CREATE of the file, and what became of the first open. */
async function takeOver(scene: Scene, { former = [], next, sameClient = false, dialect = 0x0311 }: Instances): Promise<string> {
  const first = await scene.client({ dialect })
  const { fileId } = await first.create(scene.path, { shareAccess: 0, contexts: former })
  const second = await scene.client({ dialect, ...(sameClient ? { as: first } : {}) })
  const { status } = await second.create(scene.path, { shareAccess: 0, contexts: next })
  return `${status}, the former open: ${await first.write(fileId, 'x')}`
}

const takenOver = 'SUCCESS, the former open: FILE_CLOSED'
const refused = 'FILE_FORCED_CLOSED, the former open: SUCCESS'
const inTheWay = 'SHARING_VIOLATION, the former open: SUCCESS'

/** [former version, next one, answer]. */
const versions: readonly (readonly [string, Version | undefined, Version | undefined, string])[] = [
  ['an equal version is refused', [1n, 1n], [1n, 1n], refused],
  ['a lower AppInstanceVersionLow is refused', [1n, 2n], [1n, 1n], refused],
  ['a lower AppInstanceVersionHigh is refused, however high AppInstanceVersionLow is', [2n, 0n], [1n, 0xffff_ffff_ffff_ffffn], refused],
  ['no version is refused where the former open has one', [1n, 1n], undefined, refused],
  ['a higher AppInstanceVersionLow takes over', [1n, 1n], [1n, 2n], takenOver],
  ['a higher AppInstanceVersionHigh takes over, however low AppInstanceVersionLow is', [1n, 0xffff_ffff_ffff_ffffn], [2n, 0n], takenOver],
  ['a version takes over where the former open has none', undefined, [0n, 0n], takenOver],
  ['no version takes over where the former open has none either', undefined, undefined, takenOver],
]

export const appInstanceCases: readonly Case[] = [
  ...versions.map(([title, former, next, expect]): Case => ({
    section,
    title,
    shares: bothShares,
    expect,
    samba: smbdHasNone,
    async ask(scene) {
      const id = newGuid()
      return takeOver(scene, { former: [...instance(id, former), dh2q()], next: [...instance(id, next), dh2q()] })
    },
  })),
  {
    section,
    title: 'without a durable handle an instance takes over as well',
    shares: bothShares,
    expect: takenOver,
    samba: smbdHasNone,
    async ask(scene) {
      const id = newGuid()
      return takeOver(scene, { former: [appInstanceId(id)], next: [appInstanceId(id)] })
    },
  },
  {
    section,
    title: 'with a persistent open an instance takes over',
    shares: ['available'],
    expect: takenOver,
    async ask(scene) {
      const id = newGuid()
      const contexts = () => [appInstanceId(id), dh2q({ persistent: true })]
      return takeOver(scene, { former: contexts(), next: contexts() })
    },
  },
  {
    section,
    title: 'the same client takes nothing over from itself',
    shares: bothShares,
    expect: inTheWay,
    async ask(scene) {
      const id = newGuid()
      return takeOver(scene, { former: [appInstanceId(id), dh2q()], next: [appInstanceId(id), dh2q()], sameClient: true })
    },
  },
  {
    section,
    title: 'another instance takes nothing over',
    shares: bothShares,
    expect: inTheWay,
    ask: async scene => takeOver(scene, { former: [appInstanceId(newGuid()), dh2q()], next: [appInstanceId(newGuid()), dh2q()] }),
  },
  {
    section,
    title: 'who tells no instance takes nothing over',
    expect: inTheWay,
    ask: async scene => takeOver(scene, { former: [appInstanceId(newGuid()), dh2q()], next: [dh2q()] }),
  },
  {
    section,
    title: 'an open that has no instance is not taken over',
    expect: inTheWay,
    ask: async scene => takeOver(scene, { former: [dh2q()], next: [appInstanceId(newGuid()), dh2q()] }),
  },
  {
    section,
    title: 'in 3.0.2 there are instances, without versions',
    expect: takenOver,
    samba: smbdHasNone,
    async ask(scene) {
      const id = newGuid()
      return takeOver(scene, { former: instance(id, [5n, 5n]), next: instance(id, [1n, 1n]), dialect: 0x0302 })
    },
  },
  {
    section,
    title: 'in 2.1 there are none',
    expect: inTheWay,
    async ask(scene) {
      const id = newGuid()
      return takeOver(scene, { former: [appInstanceId(id)], next: [appInstanceId(id)], dialect: 0x0210 })
    },
  },
  {
    section,
    title: 'an instance has to do with its file alone',
    expect: 'SUCCESS, the former open: SUCCESS',
    async ask(scene) {
      const id = newGuid()
      const first = await scene.client()
      const { fileId } = await first.create(scene.path, { shareAccess: 0, contexts: [appInstanceId(id)] })
      const second = await scene.client()
      const { status } = await second.create(`${scene.path}-other`, { shareAccess: 0, contexts: [appInstanceId(id)] })
      return `${status}, the former open: ${await first.write(fileId, 'x')}`
    },
  },
  {
    section,
    title: 'an open whose client is away is taken over, and not found any more',
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    async ask(scene) {
      const [id, createGuid] = [newGuid(), newGuid()]
      const wish: CreateWish = { oplock: OplockLevel.batch, shareAccess: 0, contexts: [appInstanceId(id), dh2q({ createGuid })] }
      const first = await scene.client()
      const { fileId } = await first.create(scene.path, wish)
      await scene.lose(first)
      const { status } = await (await scene.client()).create(scene.path, { ...wish, contexts: [appInstanceId(id), dh2q()] })
      const again = await scene.client({ as: first })
      const found = await again.create(scene.path, { oplock: OplockLevel.batch, contexts: [dh2c(fileId, { createGuid })] })
      return `${status}, then ${found.status}`
    },
  },
  {
    section,
    title: 'an open that was taken over cannot be had by a reconnect either',
    expect: 'SUCCESS, then OBJECT_NAME_NOT_FOUND',
    samba: smbdHasNone,
    async ask(scene) {
      const id = newGuid()
      const contexts = () => [appInstanceId(id), dh2q()]
      const first = await scene.client()
      const { fileId } = await first.create(scene.path, { shareAccess: 0, contexts: contexts() })
      const { status } = await (await scene.client()).create(scene.path, { shareAccess: 0, contexts: contexts() })
      await scene.lose(first)
      const again = await scene.client({ as: first })
      return `${status}, then ${(await again.create(scene.path, { contexts: [dhnc(fileId)] })).status}`
    },
  },
  {
    section,
    title: 'beside DH2C the instance is passed over',
    shares: bothShares,
    expect: 'opened',
    samba: 'it finds nothing for a DH2C beside which stands anything but a lease',
    async ask(scene) {
      const createGuid = newGuid()
      const first = await scene.client()
      const { fileId } = await first.create(scene.path, { oplock: OplockLevel.batch, contexts: [appInstanceId(newGuid()), dh2q({ createGuid })] })
      await scene.lose(first)
      const again = await scene.client({ as: first })
      return (await again.create(scene.path, { oplock: OplockLevel.batch, contexts: [appInstanceId(newGuid()), dh2c(fileId, { createGuid })] }))
        .action
    },
  },
]
