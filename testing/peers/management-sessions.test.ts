/** Every result of every session exactly once, whatever dies (S1). */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../run/root.ts'
import { temporaryFolder } from './folder.ts'
import { ask, EventReader, login } from './management-client.ts'
import type { Answer, Question } from './management-client.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

const sessionsCount = 1000
const requestsEach = 10
/** Requests under way at once. */
const width = 24

/** A node that may be killed; clients find the next one. */
class Node implements AsyncDisposable {
  readonly #state = temporaryFolder('management')
  server: Promise<Server>

  constructor() {
    this.server = this.#start()
  }

  /** Dies, and is started again. */
  async die(): Promise<void> {
    const before = await this.server
    await before.kill()
    this.server = this.#start()
    await this.server
  }

  /** Asks until somebody answers; what is asked with a key happens once. */
  async ask(question: Question): Promise<Answer> {
    for (;;) {
      try {
        return await ask((await this.server).http, question)
      } catch {
        await sleep(20)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.server).stop()
    await this.#state[Symbol.asyncDispose]()
  }

  #start(): Promise<Server> {
    return startServer({ shares: {}, accounts: [], workers: 2, state: this.#state.path, entry: join(root, 'testing/peers/management-node.ts') })
  }
}

/** A session whose stream is opened again after the last event that it has, until all results are there. */
class Session {
  readonly #node: Node
  readonly #token: string
  /** Outcomes by operation: how often each was told, and as what. */
  readonly outcomes = new Map<string, string[]>()
  readonly complaints: string[] = []
  #after: string | undefined
  #cuts = 0

  constructor(node: Node, token: string) {
    this.#node = node
    this.#token = token
  }

  get cuts(): number {
    return this.#cuts
  }

  /** Resolves when so many outcomes have come. */
  async listen(count: number, onOutcome: () => void): Promise<void> {
    while (this.outcomes.size < count) {
      const { http } = await this.#node.server
      await using reader = new EventReader(http, {
        token: this.#token,
        after: this.#after,
        onEvent: ({ event, id = '', data }) => {
          if (event !== 'operation') return void this.complaints.push(`${event} ${JSON.stringify(data)}`)
          if (this.#after !== undefined && sequenceOf(id) <= sequenceOf(this.#after)) this.complaints.push(`${id} after ${this.#after}`)
          this.#after = id
          const { operation, state } = data as { readonly operation: string; readonly state: string }
          if (!['succeeded', 'failed', 'cancelled'].includes(state)) return
          this.outcomes.set(operation, [...(this.outcomes.get(operation) ?? []), state])
          onOutcome()
        },
      })
      await reader.until(() => this.outcomes.size >= count).catch(() => undefined)
      if (this.outcomes.size >= count) return
      this.#cuts++
      await sleep(20)
    }
  }

  async request(name: string): Promise<string> {
    const { status, value, text } = await this.#node.ask({
      method: 'POST',
      path: '/v1/volumes',
      token: this.#token,
      headers: { 'Idempotency-Key': name },
      body: { name, size: '1GiB', options: [`ms=${(name.length * 7) % 50}`] },
    })
    assert.equal(status, 202, text)
    return String(value['operation'])
  }
}

const sequenceOf = (id: string): number => Number(id.slice(id.lastIndexOf('-') + 1))

async function inTurns<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const [at, item] of queue) results[at] = await action(item)
    }),
  )
  return results
}

/** Resolves to how often streams were cut. */
async function run(node: Node, { deaths }: { readonly deaths: number }): Promise<number> {
  const tokens = await inTurns(Array.from({ length: sessionsCount }), async () => login((await node.server).http, 'alice', 'Correct-Horse-1'))
  const sessions = tokens.map(token => new Session(node, token))
  let outcomes = 0
  const dying: Promise<void>[] = []
  const listening = sessions.map(session =>
    session.listen(requestsEach, () => {
      outcomes++
      if (dying.length < deaths && outcomes >= ((dying.length + 1) * sessionsCount * requestsEach) / (deaths + 1)) dying.push(node.die())
    }),
  )
  const requests = Array.from({ length: requestsEach }, (_, n) => sessions.map((session, s) => ({ session, name: `disk-${s}-${n}` }))).flat()
  const operations = await inTurns(requests, async ({ session, name }) => ({ session, operation: await session.request(name) }))
  await Promise.all([...listening, ...dying])
  for (const session of sessions) {
    assert.deepEqual(session.complaints, [])
    const own = operations.filter(one => one.session === session).map(({ operation }) => operation)
    assert.deepEqual([...session.outcomes.keys()].sort(), own.sort())
    for (const told of session.outcomes.values()) assert.deepEqual(told, ['succeeded'])
  }
  assert.equal(dying.length, deaths)
  return sessions.reduce((sum, { cuts }) => sum + cuts, 0)
}

describe(`${sessionsCount} sessions with ${requestsEach} requests each`, { timeout: 900_000 }, () => {
  test('hear of every result exactly once', async () => {
    await using node = new Node()
    assert.equal(await run(node, { deaths: 0 }), 0)
  })

  test('hear of every result exactly once, although the node is killed with -9 in the middle', async () => {
    await using node = new Node()
    assert.ok((await run(node, { deaths: 2 })) >= sessionsCount)
  })
})
