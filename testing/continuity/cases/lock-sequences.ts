/** LockSequenceNumber and LockSequenceIndex: a LOCK whose answer was lost is not carried out twice (MS-SMB2 3.3.5.14, 2.2.26). */
import { OplockLevel } from '@holdfast/smb/messages'
import type { Case, Scene } from '../case.ts'
import type { LockSequence } from '../client.ts'
import { dh2c, dh2q, dhnq, newGuid } from '../contexts.ts'

/** Exclusive locks of the same byte: the second one of an open is granted only where it is the answer to the first that comes again. */
const lockTwice =
  (sequences: readonly LockSequence[], { dialect = 0x0311, durable = false } = {}) =>
  async (scene: Scene): Promise<string> => {
    const client = await scene.client({ dialect })
    const wish = durable ? { oplock: OplockLevel.batch, contexts: [dhnq()] } : {}
    const { fileId } = await client.create(scene.path, wish)
    const statuses: string[] = []
    for (const lockSequence of sequences) statuses.push(await client.lock(fileId, { lockSequence }))
    return statuses.join(', ')
  }

const twice = (index: number, number: number): readonly LockSequence[] => [
  { index, number },
  { index, number },
]

const remembered = 'SUCCESS, SUCCESS'
const carriedOut = 'SUCCESS, LOCK_NOT_GRANTED'

/** [title, sequences, answers]. */
const numbers: readonly (readonly [string, readonly LockSequence[], string])[] = [
  ['the first index and the first number: the answer comes again', twice(1, 0), remembered],
  ['the last number', twice(1, 15), remembered],
  ['the last index', twice(64, 7), remembered],
  ['index 0 is none: both are carried out', twice(0, 5), carriedOut],
  ['index 65 is beyond the array: both are carried out', twice(65, 5), carriedOut],
  ['the greatest index there can be: both are carried out', twice(0x0fff_ffff, 5), carriedOut],
  [
    'another number is another request',
    [
      { index: 3, number: 1 },
      { index: 3, number: 2 },
    ],
    carriedOut,
  ],
  [
    'another index is another request',
    [
      { index: 3, number: 1 },
      { index: 4, number: 1 },
    ],
    carriedOut,
  ],
  [
    'a request that failed is not remembered, and what was remembered before it is not any more',
    [
      { index: 3, number: 1 },
      { index: 3, number: 2 },
      { index: 3, number: 2 },
      { index: 3, number: 1 },
    ],
    'SUCCESS, LOCK_NOT_GRANTED, LOCK_NOT_GRANTED, LOCK_NOT_GRANTED',
  ],
]

export const lockSequenceCases: readonly Case[] = [
  ...numbers.map(([title, sequences, expect]): Case => ({
    section: '3.3.5.14',
    title: `lock sequence: ${title}`,
    expect,
    ask: lockTwice(sequences),
  })),
  {
    section: '3.3.5.14',
    title: 'lock sequence: in 2.1 an open that is not durable has none',
    expect: carriedOut,
    ask: lockTwice(twice(1, 1), { dialect: 0x0210 }),
  },
  {
    section: '3.3.5.14',
    title: 'lock sequence: in 2.1 a durable open has them',
    expect: remembered,
    ask: lockTwice(twice(1, 1), { dialect: 0x0210, durable: true }),
  },
  {
    section: '3.3.5.14',
    title: 'lock sequence: in 2.0.2 the field is reserved',
    expect: carriedOut,
    ask: lockTwice(twice(1, 1), { dialect: 0x0202, durable: true }),
  },
  ...[0x0300, 0x0302].map((dialect): Case => ({
    section: '3.3.5.14',
    title: `lock sequence: dialect 0x${dialect.toString(16).padStart(4, '0')} has them as 3.1.1`,
    expect: remembered,
    ask: lockTwice(twice(1, 1), { dialect }),
  })),
  {
    section: '3.3.5.14',
    title: 'lock sequence: an UNLOCK that comes again succeeds, and unlocks nothing',
    expect: 'SUCCESS, SUCCESS, SUCCESS, SUCCESS, then another gets LOCK_NOT_GRANTED',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path)
      const statuses = [
        await client.lock(fileId),
        await client.unlock(fileId, { lockSequence: { index: 2, number: 3 } }),
        await client.lock(fileId),
        await client.unlock(fileId, { lockSequence: { index: 2, number: 3 } }),
      ]
      const other = await scene.client()
      const { fileId: theirs } = await other.create(scene.path)
      return `${statuses.join(', ')}, then another gets ${await other.lock(theirs)}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'lock sequence: what comes again on another channel is answered as well',
    expect: remembered,
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path)
      const lockSequence = { index: 9, number: 9 }
      return `${await client.lock(fileId, { lockSequence })}, ${await client.startLock(fileId, { lockSequence, via }).status}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'lock sequence: each open has its own',
    expect: carriedOut,
    async ask(scene) {
      const client = await scene.client()
      const one = await client.create(scene.path)
      const two = await client.create(scene.path)
      const lockSequence = { index: 1, number: 1 }
      return `${await client.lock(one.fileId, { lockSequence })}, ${await client.lock(two.fileId, { lockSequence })}`
    },
  },
  {
    section: '3.3.5.14',
    title: 'lock sequence: all 64 indices are kept side by side',
    expect: '64 locked, 64 answered again',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path)
      const lockAll = async (): Promise<number> => {
        let count = 0
        for (let index = 1; index <= 64; index++) {
          const status = await client.lock(fileId, { offset: BigInt(index), lockSequence: { index, number: index % 16 } })
          if (status === 'SUCCESS') count++
        }
        return count
      }
      return `${await lockAll()} locked, ${await lockAll()} answered again`
    },
  },
  ...([false, true] as const).map((persistent): Case => ({
    section: '3.3.5.14',
    title: `lock sequence: ${persistent ? 'a persistent' : 'a durable'} open has it still when its client has come back`,
    shares: persistent ? ['available'] : ['plain', 'available'],
    expect: 'SUCCESS, SUCCESS, LOCK_NOT_GRANTED',
    async ask(scene) {
      const client = await scene.client()
      const createGuid = newGuid()
      const oplock = OplockLevel.batch
      const { fileId } = await client.create(scene.path, { oplock, contexts: [dh2q({ createGuid, persistent })] })
      const lockSequence = { index: 5, number: 11 }
      const first = await client.lock(fileId, { lockSequence })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock, contexts: [dh2c(fileId, { createGuid, persistent })] })
      const second = await again.lock(found.fileId, { lockSequence })
      return `${first}, ${second}, ${await again.lock(found.fileId, { lockSequence: { index: 5, number: 12 } })}`
    },
  })),
]
