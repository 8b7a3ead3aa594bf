/** ChannelSequence: what still comes of a channel that failed changes nothing any more (MS-SMB2 3.3.5.2.10). */
import { LockFlags, OplockLevel } from '@holdfast/smb/messages'
import type { FileId } from '@holdfast/smb/messages'
import type { Case, Scene } from '../case.ts'
import type { Client, How } from '../client.ts'
import { dh2c, dh2q, newGuid } from '../contexts.ts'

/** Requests on an open. */
const requests: Readonly<Record<string, (client: Client, fileId: FileId, how: How) => Promise<string>>> = {
  WRITE: async (client, fileId, how) => client.write(fileId, 'x', how),
  SET_INFO: async (client, fileId, how) => client.setEndOfFile(fileId, 1n, how),
  IOCTL: async (client, fileId, how) => client.setSparse(fileId, how),
  READ: async (client, fileId, how) => client.read(fileId, how),
  FLUSH: async (client, fileId, how) => client.flush(fileId, how),
  LOCK: async (client, fileId, how) => client.lock(fileId, { ...how, flags: LockFlags.sharedLock | LockFlags.failImmediately }),
}
const modifying = ['WRITE', 'SET_INFO', 'IOCTL']
const harmless = ['READ', 'FLUSH', 'LOCK']

/** What an open answers to a request with each of some sequences, one after the other. */
const answersTo =
  (name: string, sequences: readonly number[], { replay = false, dialect = 0x0311 } = {}) =>
  async (scene: Scene): Promise<string> => {
    const client = await scene.client({ dialect })
    const { fileId } = await client.create(scene.path)
    await client.write(fileId, 'x')
    const statuses: string[] = []
    for (const sequence of sequences) statuses.push(await requests[name](client, fileId, { sequence, replay }))
    return statuses.map(status => (status === 'FILE_NOT_AVAILABLE' ? 'older' : status.startsWith('"') ? 'SUCCESS' : status)).join(', ')
  }

/** [what, sequences in turn, answers]: the open begins with 0. */
const runs: readonly (readonly [string, readonly number[], string, string?])[] = [
  ['the same number again is carried out', [0, 0, 0], 'SUCCESS, SUCCESS, SUCCESS'],
  ['a newer number is carried out, and then the older one is not', [1, 0, 1], 'SUCCESS, older, SUCCESS'],
  ['0x7FFF ahead is newer', [0x7fff, 0], 'SUCCESS, older'],
  ['0x8000 ahead is older', [0x8000, 0], 'older, SUCCESS'],
  ['0xFFFF ahead is older', [0xffff, 0], 'older, SUCCESS'],
  ['the number wraps around from 0xFFFF to 0', [0x7fff, 0xfffe, 0xffff, 0, 0xffff], 'SUCCESS, SUCCESS, SUCCESS, SUCCESS, older'],
  ['0x7FFF ahead is newer across the wrap-around', [0x7fff, 0xfffe, 0x7ffd], 'SUCCESS, SUCCESS, SUCCESS'],
]

/** Behind what the cases read and write. */
const farAway = 1_000_000n

/** A LOCK of the open waits, sent with sequence 0. */
async function withOutstanding(
  scene: Scene,
  use: (client: Client, fileId: FileId, finish: () => Promise<string>) => Promise<string>,
): Promise<string> {
  const client = await scene.client()
  const { fileId } = await client.create(scene.path)
  await client.write(fileId, 'content')
  const other = await scene.client()
  const { fileId: theirs } = await other.create(scene.path)
  await other.lock(theirs, { offset: farAway })
  const waiting = client.startLock(fileId, { offset: farAway, flags: LockFlags.exclusiveLock })
  if (!(await waiting.pending)) return 'the LOCK did not wait'
  return use(client, fileId, async () => {
    await other.unlock(theirs, { offset: farAway })
    return waiting.status
  })
}

export const channelSequenceCases: readonly Case[] = [
  ...modifying.flatMap(name =>
    runs.map(([title, sequences, expect]): Case => ({ section: '3.3.5.2.10', title: `${name}: ${title}`, expect, ask: answersTo(name, sequences) })),
  ),
  ...modifying.map((name): Case => ({
    section: '3.3.5.2.10',
    title: `${name}: 0x8000 ahead across the wrap-around is older`,
    expect: 'SUCCESS, SUCCESS, older',
    samba: 'it takes a difference of exactly 0x8000 for newer where the number in the request is the smaller one',
    ask: answersTo(name, [0x7fff, 0x8000, 0]),
  })),
  ...harmless.map((name): Case => ({
    section: '3.3.5.2.10',
    title: `${name} is carried out whatever its number`,
    expect: 'SUCCESS, SUCCESS, SUCCESS, SUCCESS',
    ask: answersTo(name, [1, 0, 0xffff, 0x8000]),
  })),
  {
    section: '3.3.5.2.10',
    title: 'what is older and only reads does not set the open back',
    expect: 'SUCCESS, older',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path)
      const first = await client.write(fileId, 'x', { sequence: 5 })
      await client.read(fileId, { sequence: 4 })
      const second = await client.write(fileId, 'x', { sequence: 4 })
      return `${first}, ${second === 'FILE_NOT_AVAILABLE' ? 'older' : second}`
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'what only reads counts the open up',
    expect: 'older',
    async ask(scene) {
      const client = await scene.client()
      const { fileId } = await client.create(scene.path)
      await client.write(fileId, 'x')
      await client.read(fileId, { sequence: 3 })
      const status = await client.write(fileId, 'x', { sequence: 2 })
      return status === 'FILE_NOT_AVAILABLE' ? 'older' : status
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'each open has a number of its own',
    expect: 'SUCCESS, SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      const one = await client.create(scene.path)
      const two = await client.create(scene.path)
      return `${await client.write(one.fileId, 'x', { sequence: 9 })}, ${await client.write(two.fileId, 'x', { sequence: 0 })}`
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'an older number on one channel is refused when a newer one came on another',
    expect: 'SUCCESS, FILE_NOT_AVAILABLE',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path)
      return `${await client.write(fileId, 'new', { via, sequence: 1 })}, ${await client.write(fileId, 'old', { sequence: 0 })}`
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'before 3.0 there is no ChannelSequence',
    expect: 'SUCCESS, SUCCESS, SUCCESS',
    ask: answersTo('WRITE', [1, 0, 0xffff], { dialect: 0x0210 }),
  },
  ...modifying.flatMap((name): Case[] => [
    {
      section: '3.3.5.2.10',
      title: `a replay of ${name} is carried out while nothing older is under way`,
      expect: 'SUCCESS, SUCCESS, older',
      ask: answersTo(name, [0, 1, 0], { replay: true }),
    },
    {
      section: '3.3.5.2.10',
      title: `a replay of ${name} is FILE_NOT_AVAILABLE while something older is under way, and carried out after that`,
      expect: 'FILE_NOT_AVAILABLE, FILE_NOT_AVAILABLE, SUCCESS, SUCCESS',
      samba: 'it carries out the request that counts the number up, replay or not',
      ask: async scene =>
        withOutstanding(scene, async (client, fileId, finish) => {
          const request = requests[name]
          const first = await request(client, fileId, { sequence: 1, replay: true })
          const again = await request(client, fileId, { sequence: 1, replay: true })
          return `${first}, ${again}, ${await finish()}, ${await request(client, fileId, { sequence: 1, replay: true })}`
        }),
    },
    {
      section: '3.3.5.2.10',
      title: `${name} that is no replay does not wait for what is older`,
      expect: 'SUCCESS, SUCCESS',
      ask: async scene =>
        withOutstanding(scene, async (client, fileId, finish) => `${await requests[name](client, fileId, { sequence: 1 })}, ${await finish()}`),
    },
  ]),
  {
    section: '3.3.5.2.10',
    title: 'a replay of READ is carried out while something older is under way',
    expect: '"content", SUCCESS',
    ask: async scene =>
      withOutstanding(scene, async (client, fileId, finish) => `${await client.read(fileId, { sequence: 1, replay: true })}, ${await finish()}`),
  },
  {
    section: '3.3.5.2.10',
    title: 'a replay with the number of what is under way is carried out',
    expect: 'SUCCESS, SUCCESS',
    ask: async scene =>
      withOutstanding(scene, async (client, fileId, finish) => `${await client.write(fileId, 'x', { replay: true })}, ${await finish()}`),
  },
  {
    section: '3.3.5.2.10',
    title: 'an open that came back is counted from 0 again, as the new session of its client begins',
    samba: 'it keeps the number of the open, of which the new session knows nothing; the specification does not say',
    shares: ['plain', 'available'],
    expect: 'SUCCESS, then SUCCESS, SUCCESS, FILE_NOT_AVAILABLE',
    async ask(scene) {
      const createGuid = newGuid()
      const client = await scene.client()
      const { fileId } = await client.create(scene.path, { oplock: OplockLevel.batch, contexts: [dh2q({ createGuid })] })
      const before = await client.write(fileId, 'x', { sequence: 9 })
      await scene.lose(client)
      const again = await scene.client({ as: client })
      const found = await again.create(scene.path, { oplock: OplockLevel.batch, contexts: [dh2c(fileId, { createGuid })] })
      const after: string[] = []
      for (const sequence of [0, 1, 0]) after.push(await again.write(found.fileId, 'x', { sequence }))
      return `${before}, then ${after.join(', ')}`
    },
  },
  {
    section: '3.3.5.2.10',
    title: 'a WRITE that came twice has written once or twice the same',
    expect: 'SUCCESS, SUCCESS, "abc"',
    async ask(scene) {
      const client = await scene.client()
      const via = await client.bind()
      const { fileId } = await client.create(scene.path, { oplock: OplockLevel.batch })
      const first = await client.write(fileId, 'abc')
      const second = await client.write(fileId, 'abc', { via, sequence: 1, replay: true })
      return `${first}, ${second}, ${await client.read(fileId)}`
    },
  },
]
