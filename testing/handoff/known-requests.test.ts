import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { temporaryFolder } from '../peers/folder.ts'
import type { TemporaryFolder } from '../peers/folder.ts'
import { agentPort, endpoint } from './agents.ts'
import type { Conversation } from './conversation.ts'
import { skip } from './prerequisites.ts'
import { get, post } from './requests.ts'
import { startScene } from './scene.ts'
import type { Scene } from './scene.ts'
import { oneLink, routed } from './topologies.ts'

const owners = { a: '/a/small.txt', b: '/b/small.txt' } as const
/** On one link. */
const agents = { a: endpoint('10.77.0.11', agentPort), b: endpoint('10.77.0.12', agentPort) } as const
type Owner = keyof typeof owners

/** Requests of the owners by their letters, one after the other. */
const steps = (letters: string): Conversation['steps'] =>
  Array.from(letters, (letter, i) => ({ send: get(owners[letter as Owner]), responses: i + 1 }))

const known = async (scene: Scene): Promise<number> => (await scene.status('director')).metrics['knownRequests'] ?? 0

/** Converses; each answer has to be its owner's. */
async function answered(scene: Scene, letters: string, conversation: Conversation['steps'] = steps(letters)): Promise<void> {
  const { heard, ended } = await scene.converse({ steps: conversation, timeoutMs: 30_000 })
  assert.equal(heard.map(({ headers }) => headers['x-server']).join(''), letters, ended)
  const right = heard.filter(({ sha256 }, i) => sha256 === scene.content.sha256[owners[letters[i] as Owner]])
  assert.equal(right.length, letters.length)
}

for (const [name, options] of [
  ['on one link', { topology: oneLink, family: 'ipv4' }],
  ['of IPv6, with routers between', { topology: routed, family: 'ipv6' }],
] as const) {
  describe(`requests that the director's program knows, ${name}`, { skip }, () => {
    let scene: Scene
    before(async () => {
      scene = await startScene({ ...options, files: ['small.txt'] })
    })
    after(async () => scene?.[Symbol.asyncDispose]())

    test('for the same owner: all but the first few go on in the kernel', async () => {
      const [before, raised] = [await known(scene), (await scene.status('director')).metrics['raisedPackets'] ?? 0]
      await answered(scene, 'a'.repeat(100))
      await answered(scene, 'b'.repeat(100))
      assert.ok((await known(scene)) - before >= 190, `${(await known(scene)) - before} of 200`)
      const { metrics } = await scene.status('director')
      assert.ok((metrics['raisedPackets'] ?? 0) - raised <= 10)
      assert.equal(metrics['moves'], 0)
    })

    test("for one owner and the other, in rows of any length: each answer is the owner's", async () => {
      const [before, { metrics: earlier }] = [await known(scene), await scene.status('director')]
      const letters = 'aaaabbbbaaabbbabaaaaabbbbbbaaab'
      await Promise.all(Array.from({ length: 8 }, (_, i) => answered(scene, letters.slice(i) + letters.slice(0, i))))
      assert.ok((await known(scene)) - before > 8 * 5)
      const { metrics } = await scene.status('director')
      assert.deepEqual([metrics['reset'], metrics['restored'], metrics['proxied']], [earlier['reset'], earlier['restored'], earlier['proxied']])
    })

    test('among others: with content, in pieces, two at once, with another header', async () => {
      const before = await known(scene)
      const a = get(owners.a)
      const parts: readonly Conversation['steps'][number][] = [
        { send: a, responses: 1 },
        { send: a, responses: 2 },
        { send: a, responses: 3 },
        { send: a.slice(0, 30), waitMs: 30 },
        { send: a.slice(30), responses: 4 },
        { send: a, responses: 5 },
        { send: get(owners.a, 'X-Other: 1'), responses: 6 },
        { send: a, responses: 7 },
        { send: a + get(owners.b), responses: 9 },
        { send: get(owners.b), responses: 10 },
        { send: get(owners.b), responses: 11 },
        { send: get(owners.b), responses: 12 },
      ]
      await answered(scene, 'aaaaaaaabbbb', parts)
      assert.ok((await known(scene)) > before)
      const upload = { send: post('/upload', 100_000), zeros: 100_000 }
      const { heard, ended } = await scene.converse({
        steps: [
          ...steps('aaa'),
          { ...upload, responses: 4 },
          { send: a, responses: 5 },
          { send: a, responses: 6 },
          { send: get(owners.b), responses: 7 },
        ],
      })
      assert.equal(heard.map(({ headers }) => headers['x-server']).join(''), 'aaaaaab', ended)
    })

    test('several at once, whose answers share packets: the next one for another owner ends the connection, and the client repeats it (RFC 9112 9.3.2)', async () => {
      const a = get(owners.a)
      const { heard, ended } = await scene.converse({
        steps: [...steps('aaa'), { send: a + a + a, responses: 6 }, { send: a, responses: 7 }, { send: get(owners.b), responses: 8 }],
        timeoutMs: 10_000,
      })
      assert.deepEqual([heard.map(({ headers }) => headers['x-server']).join(''), ended], ['aaaaaaa', 'fin'])
      assert.ok(heard.every(({ sha256 }) => sha256 === scene.content.sha256[owners.a]))
    })

    test('with a FIN behind the last: the server ends the connection', async () => {
      const { heard, ended } = await scene.converse({ steps: [...steps('aaaa'), { send: get(owners.a) }, { end: 'fin' }], untilEnd: true })
      assert.deepEqual([heard.length, ended], [5, 'fin'])
    })

    test('while the director is dead, they are answered; the next one moves the connection when there is one again', async () => {
      await answered(scene, 'aaab')
      const [begin, gap] = [steps('aaa'), 1500]
      const conversation = answered(scene, 'aaaaaabbba', [
        ...begin,
        { waitMs: gap },
        ...steps('aaaaaa').slice(3),
        { waitMs: 2 * gap },
        ...steps('aaaaaabbba').slice(6),
      ])
      await new Promise(resolve => setTimeout(resolve, gap / 2))
      const { pid } = await scene.status('director')
      await scene.part('director').kill()
      await new Promise(resolve => setTimeout(resolve, 1.5 * gap))
      await scene.start('director')
      await scene.healthy()
      assert.notEqual((await scene.status('director')).pid, pid)
      await conversation
    })

    test('nothing is left of connections that have ended', async () => scene.empty())
  })
}

describe('routes and requests that are known', { skip }, () => {
  /** The file is read each second. */
  const readMs = 2500
  let scene: Scene
  let folder: TemporaryFolder
  const write = (text: string): void => writeFileSync(folder.at('routes'), text)
  before(async () => {
    folder = temporaryFolder('routes')
    write(`/ ${agents.a}\n/b/ ${agents.b}\n`)
    scene = await startScene({ files: ['small.txt'], owners: [], director: [`--routes=${folder.at('routes')}`] })
  })
  after(async () => {
    await scene?.[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Requests of one target on one connection, and in the middle other routes; which servers answer. */
  async function whileRoutesChange(routes: string): Promise<string> {
    const row = (from: number): Conversation['steps'] => steps('a'.repeat(from + 10)).slice(from)
    const conversation = scene.converse({ steps: [...row(0), { waitMs: readMs }, ...row(10)], timeoutMs: 20_000 })
    await new Promise(resolve => setTimeout(resolve, readMs / 5))
    write(routes)
    const { heard } = await conversation
    return heard.map(({ headers }) => headers['x-server']).join('')
  }

  test('a connection moves with the first request after the table has been read, and back', async () => {
    const before = await known(scene)
    assert.equal(await whileRoutesChange(`/ ${agents.b}\n`), 'aaaaaaaaaabbbbbbbbbb')
    assert.equal(await whileRoutesChange(`/ ${agents.b}\n/a/small ${agents.a}\n`), 'bbbbbbbbbbaaaaaaaaaa')
    assert.equal(await whileRoutesChange(`/ ${agents.a}\nexample.org/a/ ${agents.b}\n`), 'aaaaaaaaaabbbbbbbbbb')
    assert.ok((await known(scene)) - before >= 25)
  })

  test('of a prefix that is shared, and a host that has routes of its own, the program knows nothing', async () => {
    write(`/ ${agents.a}\nexample.org/a/ ${agents.b}\n`)
    await new Promise(resolve => setTimeout(resolve, readMs))
    const before = await known(scene)
    await whileRoutesChange(`/ ${agents.a} ${agents.b}\n`)
    assert.equal(await known(scene), before)
    await whileRoutesChange(`/ ${agents.a} ${agents.b}\n`)
    assert.equal(await known(scene), before)
  })

  test('nothing is left of connections that have ended', async () => scene.empty())
})
