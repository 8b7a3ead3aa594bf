/** When an open becomes durable or persistent, and for how long it waits (MS-SMB2 3.3.5.9.6, 3.3.5.9.10). */
import { Capability, CreateOptions, OplockLevel } from '@holdfast/smb/messages'
import type { CreateContext } from '@holdfast/smb/messages'
import type { Case, Scene } from '../case.ts'
import type { CreateWish } from '../client.ts'
import { dh2c, dh2q, dhnc, dhnq, leaseStates, newGuid, noSuchFile, rqls } from '../contexts.ts'

const { batch, exclusive, ii, none } = OplockLevel
const lease = (state: number, version: 1 | 2 = 2): CreateContext => rqls({ key: newGuid(), state, version })
const durabilityOf =
  (wish: () => CreateWish, client: { readonly dialect?: number; readonly capabilities?: number } = {}) =>
  async (scene: Scene): Promise<string> =>
    (await (await scene.client(client)).create(scene.path, wish())).durability

const bothShares = ['plain', 'available'] as const

/** [title, CREATE, answer]. */
const firstVersion: readonly (readonly [string, () => CreateWish, string])[] = [
  ['with a batch oplock it is granted', () => ({ oplock: batch, contexts: [dhnq()] }), 'durable'],
  ['with an exclusive oplock it is ignored', () => ({ oplock: exclusive, contexts: [dhnq()] }), 'not durable'],
  ['with a level II oplock it is ignored', () => ({ oplock: ii, contexts: [dhnq()] }), 'not durable'],
  ['without an oplock it is ignored', () => ({ oplock: none, contexts: [dhnq()] }), 'not durable'],
  ['with a lease RH it is granted', () => ({ contexts: [lease(leaseStates.rh), dhnq()] }), 'durable'],
  ['with a lease RWH it is granted', () => ({ contexts: [lease(leaseStates.rwh), dhnq()] }), 'durable'],
  ['with a lease RW it is ignored', () => ({ contexts: [lease(leaseStates.rw), dhnq()] }), 'not durable'],
  ['with a lease of version 1 it is granted as with one of version 2', () => ({ contexts: [lease(leaseStates.rwh, 1), dhnq()] }), 'durable'],
]

const secondVersion: readonly (readonly [string, () => CreateWish, string])[] = [
  ['with a batch oplock it is granted', () => ({ oplock: batch, contexts: [dh2q()] }), 'durable 60000 ms'],
  ['with an exclusive oplock it is ignored', () => ({ oplock: exclusive, contexts: [dh2q()] }), 'not durable'],
  ['without an oplock it is ignored', () => ({ oplock: none, contexts: [dh2q()] }), 'not durable'],
  ['with a lease RH it is granted', () => ({ contexts: [lease(leaseStates.rh), dh2q()] }), 'durable 60000 ms'],
  ['with a lease R it is ignored', () => ({ contexts: [lease(leaseStates.r), dh2q()] }), 'not durable'],
]

/** Timeouts: [asked, granted]. */
const timeouts: readonly (readonly [number, number])[] = [
  [0, 60_000],
  [1, 1],
  [30_000, 30_000],
  [299_999, 299_999],
  [300_000, 300_000],
  [300_001, 300_000],
  [0xffff_ffff, 300_000],
]

/** Contexts of which a request may have one only: [title, contexts]. */
const clashes: readonly (readonly [section: string, string, () => readonly CreateContext[]])[] = [
  ['3.3.5.9.6', 'DHnQ and DH2Q', () => [dhnq(), dh2q()]],
  ['3.3.5.9.6', 'DHnQ and DH2C', () => [dhnq(), dh2c(noSuchFile)]],
  ['3.3.5.9.7', 'DHnC and DH2Q', () => [dhnc(noSuchFile), dh2q()]],
  ['3.3.5.9.7', 'DHnC and DH2C', () => [dhnc(noSuchFile), dh2c(noSuchFile)]],
  ['3.3.5.9.10', 'DH2Q and DH2C', () => [dh2q(), dh2c(noSuchFile)]],
  ['3.3.5.9.10', 'DH2Q and DHnQ, the other way round,', () => [dh2q(), dhnq()]],
]

export const grantCases: readonly Case[] = [
  ...firstVersion.map(([title, wish, expect]): Case => ({
    section: '3.3.5.9.6',
    title: `a durable handle: ${title}`,
    expect,
    ask: durabilityOf(wish),
  })),
  ...secondVersion.map(([title, wish, expect]): Case => ({
    section: '3.3.5.9.10',
    title: `a durable handle of version 2: ${title}`,
    shares: bothShares,
    expect,
    ask: durabilityOf(wish),
  })),
  {
    section: '3.3.5.9.6',
    title: 'a folder is not made durable',
    expect: 'not durable',
    ask: durabilityOf(() => ({ options: CreateOptions.directoryFile, contexts: [lease(leaseStates.rh), dhnq()] })),
  },
  {
    section: '3.3.5.9.10',
    title: 'a folder is not made durable by version 2',
    shares: bothShares,
    expect: 'not durable',
    ask: durabilityOf(() => ({ options: CreateOptions.directoryFile, contexts: [lease(leaseStates.rh), dh2q()] })),
  },
  {
    section: '3.3.5.9.6',
    title: 'where another open keeps the batch oplock from being granted the handle is not durable',
    expect: 'II, not durable',
    async ask(scene) {
      const holder = await scene.client()
      await holder.create(scene.path, { oplock: ii })
      const { oplock, durability } = await (await scene.client()).create(scene.path, { oplock: batch, contexts: [dhnq()] })
      return `${oplock}, ${durability}`
    },
  },
  {
    section: '3.3.5.9.10',
    title: 'where another open keeps the lease from having H the handle is not durable',
    expect: 'R, not durable',
    async ask(scene) {
      const holder = await scene.client()
      // It has no lease that could break: its caching is nobody's, and so H is not to be had.
      await holder.create(scene.path, { oplock: ii })
      const { lease: got, durability } = await (await scene.client()).create(scene.path, { contexts: [lease(leaseStates.rh), dh2q()] })
      return `${got}, ${durability}`
    },
  },
  ...timeouts.map(([asked, granted]): Case => ({
    section: '3.3.5.9.10',
    title: `a timeout of ${asked} ms is granted as ${granted} ms`,
    expect: `durable ${granted} ms`,
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dh2q({ timeoutMs: asked })] })),
  })),
  ...clashes.map(([section, what, contexts]): Case => ({
    section,
    title: `${what} in one request are INVALID_PARAMETER`,
    expect: 'INVALID_PARAMETER',
    ask: durabilityOf(() => ({ oplock: batch, contexts: contexts() })),
  })),
  {
    section: '3.3.5.9.7',
    title: 'DHnQ beside DHnC is ignored',
    expect: 'OBJECT_NAME_NOT_FOUND',
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dhnq(), dhnc(noSuchFile)] })),
  },
  {
    section: '3.3.5.9.10',
    title: 'DH2Q is nothing that 2.1 knows',
    expect: 'not durable',
    samba: 'it does not look at the dialect',
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dh2q()] }), { dialect: 0x0210 }),
  },
  {
    section: '3.3.5.9.10',
    title: 'persistent, on a share that is not continuously available, is durable with a batch oplock',
    expect: 'durable 60000 ms',
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dh2q({ persistent: true })] })),
  },
  {
    section: '3.3.5.9.10',
    title: 'persistent, on a share that is not continuously available, is ignored without an oplock',
    expect: 'not durable',
    ask: durabilityOf(() => ({ contexts: [dh2q({ persistent: true })] })),
  },
  ...(
    [
      ['without an oplock', () => ({}), 'persistent 60000 ms'],
      ['with a level II oplock', () => ({ oplock: ii }), 'persistent 60000 ms'],
      ['with a batch oplock', () => ({ oplock: batch }), 'persistent 60000 ms'],
    ] as const
  ).map(([title, wish, expect]): Case => ({
    section: '3.3.5.9.10',
    title: `a persistent handle is granted ${title}`,
    shares: ['available'],
    expect,
    ask: durabilityOf(() => ({ ...wish(), contexts: [dh2q({ persistent: true })] })),
  })),
  {
    section: '3.3.5.9.10',
    title: 'the timeout of a persistent handle is capped as well',
    shares: ['available'],
    expect: 'persistent 300000 ms',
    ask: durabilityOf(() => ({ contexts: [dh2q({ persistent: true, timeoutMs: 3_600_000 })] })),
  },
  {
    section: '3.3.5.4',
    title: 'a client that does not announce persistent handles gets none: with a batch oplock it is durable',
    shares: ['available'],
    expect: 'durable 60000 ms',
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dh2q({ persistent: true })] }), {
      capabilities: Capability.leasing | Capability.largeMtu | Capability.multiChannel,
    }),
  },
  {
    section: '3.3.5.9.10',
    title: 'a folder is not made persistent',
    shares: ['available'],
    expect: 'not durable',
    ask: durabilityOf(() => ({ options: CreateOptions.directoryFile, contexts: [dh2q({ persistent: true })] })),
  },
  ...[0x0300, 0x0302].map((dialect): Case => ({
    section: '3.3.5.9.10',
    title: `version 2 is granted in dialect 0x${dialect.toString(16).padStart(4, '0')}`,
    shares: bothShares,
    expect: 'durable 60000 ms',
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dh2q()] }), { dialect }),
  })),
  ...[0x0202, 0x0210].map((dialect): Case => ({
    section: '3.3.5.9.6',
    title: `a durable handle is granted in dialect 0x${dialect.toString(16).padStart(4, '0')}`,
    expect: 'durable',
    ask: durabilityOf(() => ({ oplock: batch, contexts: [dhnq()] }), { dialect }),
  })),
  {
    section: '3.3.5.7',
    title: 'a share tells whether it is continuously available (SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY)',
    shares: ['available'],
    expect: '0x10',
    ask: async scene => `0x${((await scene.client()).shareCapabilities & 0x10).toString(16)}`,
  },
  {
    section: '3.3.5.9.10',
    title: 'the answer has the context of the version that was asked for',
    expect: 'DHnQ; DH2Q',
    async ask(scene) {
      const client = await scene.client()
      const one = await client.create(`${scene.path}-1`, { oplock: batch, contexts: [dhnq()] })
      const two = await client.create(`${scene.path}-2`, { oplock: batch, contexts: [dh2q()] })
      return `${one.contextNames}; ${two.contextNames}`
    },
  },
]
