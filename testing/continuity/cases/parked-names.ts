/** What a name answers that belongs to a persistent open whose client is away (MS-SMB2 3.3.5.9). */
import { CreateDisposition, CreateOptions, OplockLevel } from '@holdfast/smb/messages'
import { until } from '../case.ts'
import type { Case, Scene } from '../case.ts'
import type { Client, CreateWish } from '../client.ts'
import type { Created } from '../answers-of-create.ts'
import { dh2c, dh2q, newGuid } from '../contexts.ts'

const section = '3.3.5.9'

/** A persistent open whose client is away. */
async function park(
  scene: Scene,
  { timeoutMs = 0 } = {},
): Promise<{ readonly client: Client; readonly created: Created; readonly back: CreateWish }> {
  const createGuid = newGuid()
  const client = await scene.client()
  const created = await client.create(scene.path, { contexts: [dh2q({ createGuid, persistent: true, timeoutMs })] })
  await scene.lose(client)
  return { client, created, back: { contexts: [dh2c(created.fileId, { createGuid, persistent: true })] } }
}

/** Ways to ask for the file. */
const wishes: readonly (readonly [string, CreateWish])[] = [
  ['to write it', {}],
  ['to read it', { access: 0x12_0089 }],
  ['to look at its attributes', { access: 0x80 }],
  ['to delete it', { access: 0x1_0000, options: CreateOptions.deleteOnClose }],
  ['to replace it', { disposition: CreateDisposition.overwriteIf }],
  ['with a persistent handle of its own', { contexts: [dh2q({ persistent: true })] }],
]

export const parkedNameCases: readonly Case[] = [
  ...wishes.map(([title, wish]): Case => ({
    section,
    title: `a file whose persistent open waits for its client is not available to another one ${title}`,
    shares: ['available'],
    expect: 'FILE_NOT_AVAILABLE, then SUCCESS',
    async ask(scene) {
      const { client, back } = await park(scene)
      const { status } = await (await scene.client()).create(scene.path, wish)
      return `${status}, then ${(await (await scene.client({ as: client })).create(scene.path, back)).status}`
    },
  })),
  {
    section,
    title: 'a file whose persistent open has its client back is available again',
    shares: ['available'],
    expect: 'FILE_NOT_AVAILABLE, then SUCCESS',
    async ask(scene) {
      const { client, back } = await park(scene)
      const other = await scene.client()
      const { status } = await other.create(scene.path)
      await (await scene.client({ as: client })).create(scene.path, back)
      return `${status}, then ${(await other.create(scene.path)).status}`
    },
  },
  {
    section,
    title: 'a file whose persistent open was given up when its time was over is available again',
    shares: ['available'],
    expect: 'SUCCESS',
    async ask(scene) {
      await park(scene, { timeoutMs: 200 })
      const other = await scene.client()
      const answer = await until(
        async () => other.create(scene.path),
        ({ status }) => status !== 'FILE_NOT_AVAILABLE',
      )
      return answer.status
    },
  },
  {
    section,
    title: 'a client of 2.1 knows nothing of that: share modes decide',
    shares: ['available'],
    expect: 'SUCCESS',
    async ask(scene) {
      await park(scene)
      return (await (await scene.client({ dialect: 0x0210 })).create(scene.path)).status
    },
  },
  {
    section,
    title: 'a file that a connected client has a persistent open of is available',
    shares: ['available'],
    expect: 'SUCCESS',
    async ask(scene) {
      await (await scene.client()).create(scene.path, { contexts: [dh2q({ persistent: true })] })
      return (await (await scene.client()).create(scene.path)).status
    },
  },
  {
    section,
    title: 'a file whose durable open waits for its client is available',
    shares: ['plain', 'available'],
    expect: 'SUCCESS',
    async ask(scene) {
      const client = await scene.client()
      await client.create(scene.path, { oplock: OplockLevel.batch, contexts: [dh2q()] })
      await scene.lose(client)
      return (await (await scene.client()).create(scene.path)).status
    },
  },
  {
    section,
    title: 'another name in the same folder is available',
    shares: ['available'],
    expect: 'SUCCESS',
    async ask(scene) {
      await park(scene)
      return (await (await scene.client()).create(`${scene.path}-other`)).status
    },
  },
]
