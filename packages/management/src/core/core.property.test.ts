/**
 * Clients of a node whose workers die between any two transactions of the store: requests that are sent again by their key, streams that are cut and resumed
 * by their cursor. What has to hold is checked from outside: by what clients were told, and by what actions were asked to do.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseCursor } from '../events/cursor.ts'
import type { ManagedNode } from '../operations/actions.ts'
import { isEnded } from '../operations/states.ts'
import type { OperationState } from '../operations/states.ts'
import type { Asked } from '../api/routes.ts'
import type { CoreLimits, Operation, Subscription } from './core.ts'
import { Cores, RecordingSink } from './test-support/cores.ts'
import { origin, TestNode } from './test-support/managed.ts'
import type { Run } from './test-support/managed.ts'
import { settle } from './test-support/virtual-time.ts'

type Step =
  | { readonly do: 'start'; readonly client: number; readonly volume: string; readonly keyed: boolean }
  | { readonly do: 'cancel'; readonly client: number; readonly which: number }
  | { readonly do: 'finish'; readonly which: number; readonly fails: boolean }
  | { readonly do: 'progress'; readonly which: number; readonly percent: number }
  | { readonly do: 'cut'; readonly client: number }
  | { readonly do: 'connect'; readonly client: number; readonly room: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'die'; readonly worker: number; readonly transaction: number; readonly happens: boolean }
  | { readonly do: 'restart'; readonly workers: number }

const clients = 3
const client = fc.nat(clients - 1)
const which = fc.nat(5)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ do: fc.constant('start' as const), client, volume: fc.constantFrom('a', 'b', 'c'), keyed: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('cancel' as const), client, which }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('finish' as const), which, fails: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('progress' as const), which, percent: fc.integer({ min: 1, max: 99 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), client }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('connect' as const), client, room: fc.constantFrom(1, 3, Infinity) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(100, 300, 3000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('die' as const), worker: fc.nat(2), transaction: fc.nat(5), happens: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), workers: fc.integer({ min: 1, max: 3 }) }) },
)

/** Without an operation: a resync. */
interface Event {
  readonly operation?: string
  readonly state: OperationState
}

/** Somebody with a session: keeps its cursor, and sends again what was not answered. */
class Client {
  readonly token: string
  readonly sinks: RecordingSink[] = []
  readonly answered: Operation[] = []
  /** Requests with a key, by their names. */
  readonly keyed = new Map<string, Asked<'snapshot.create'>>()
  subscription: Subscription | undefined

  constructor(token: string) {
    this.token = token
  }

  get session(): string | undefined {
    return this.token.split('.')[1]
  }

  get sent(): RecordingSink['events'] {
    return this.sinks.flatMap(({ events }) => events)
  }

  get told(): Event[] {
    return this.sent.map(({ data }) => JSON.parse(data) as Event)
  }

  cut(): void {
    this.subscription?.close()
    this.subscription = undefined
  }
}

/** What actions of a volume were asked to do, over all lives of its workers. */
interface Deed {
  readonly name: string
  readonly what: Run['what']
  readonly again: boolean
  outcome?: 'done' | 'failed'
}

class World {
  readonly cores: Cores
  readonly clients: Client[] = []
  readonly deeds: Deed[] = []
  #nodes: TestNode[] = []
  #names = 0

  constructor(limits: Partial<CoreLimits> = {}) {
    this.cores = new Cores({ managed: worker => this.#node(worker), workers: 2, limits: { running: 2, ...limits } })
  }

  async begin(): Promise<void> {
    await this.cores.startAll()
    for (let n = 0; n < clients; n++) this.clients.push(new Client(await this.cores.login()))
  }

  /** Under way, in workers that are alive. */
  get runs(): Run[] {
    return this.#nodes.flatMap((node, worker) => (this.cores.isRunning(worker) ? node.runs : []))
  }

  async do(step: Step): Promise<void> {
    await this.#do(step)
    await settle(6)
    const volumes = this.runs.map(({ asked }) => asked.parameters['name'])
    assert.equal(new Set(volumes).size, volumes.length, `two operations of a volume run at once: ${volumes.join(', ')}`)
  }

  /** All that died is there again, all streams are open, all that was not answered is sent again, all ends. */
  async end(): Promise<void> {
    this.cores.dropAll()
    await this.restart(2)
    for (const client of this.clients) {
      await this.connect(client, Infinity)
      for (const [name, asked] of client.keyed) client.answered.push(await this.#start(client, asked, name))
    }
    await settle()
    while (this.runs.length > 0) {
      for (const { done } of this.runs) done()
      await settle()
    }
  }

  async connect(client: Client, room: number): Promise<void> {
    if (client.subscription !== undefined) {
      for (const sink of client.sinks) sink.room = Infinity
      return client.subscription.resume()
    }
    if (!this.#isServed(client)) return
    const sink = new RecordingSink()
    sink.room = room
    const after = client.sent.at(-1)?.id
    client.sinks.push(sink)
    client.subscription = (await this.cores.session(client.token)).subscribe({ after }, sink)
  }

  async restart(workers: number): Promise<void> {
    this.cores.dropAll()
    this.#cutAll()
    await this.cores.startAll(workers)
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'start':
        return this.#request(this.#client(step.client), step)
      case 'cancel':
        return this.#cancel(this.#client(step.client), step.which)
      case 'finish': {
        const run = this.runs[step.which]
        if (step.fails) run?.fail(Object.assign(new Error('There is no room.'), { code: 'NO_SPACE' }))
        else run?.done()
        return
      }
      case 'progress':
        return this.runs[step.which]?.context.progress({ percent: step.percent, checkpoint: { percent: step.percent } })
      case 'cut':
        return this.#client(step.client).cut()
      case 'connect':
        return this.connect(this.#client(step.client), step.room)
      case 'wait':
        return this.cores.time.advance(step.ms)
      case 'die':
        return this.#die(step)
      case 'restart':
        return this.restart(step.workers)
    }
  }

  /** One that is dead is started again. */
  async #die({ worker, ...death }: { readonly worker: number; readonly transaction: number; readonly happens: boolean }): Promise<void> {
    if (worker >= this.cores.workers) return
    if (!this.cores.isRunning(worker)) return this.cores.start(worker)
    this.cores.dieAt(worker, death, () => this.#cutAll(worker))
  }

  #cutAll(worker?: number): void {
    for (const client of this.clients) if (worker === undefined || this.#owner(client) === worker) client.cut()
  }

  async #request(client: Client, { volume, keyed }: { readonly volume: string; readonly keyed: boolean }): Promise<void> {
    if (!this.#isServed(client)) return
    const name = `s${++this.#names}`
    const asked = { parameters: { name: volume }, query: undefined, body: { name } }
    if (keyed) client.keyed.set(name, asked)
    // Who has a key may as well send it twice at once.
    for (let copies = keyed ? 2 : 1; copies > 0; copies--) {
      void this.#start(client, asked, keyed ? name : undefined).then(operation => client.answered.push(operation))
    }
  }

  async #start(client: Client, asked: Asked<'snapshot.create'>, idempotencyKey: string | undefined): Promise<Operation> {
    return (await this.cores.session(client.token)).start('snapshot.create', asked, { ...origin, idempotencyKey })
  }

  async #cancel(client: Client, which: number): Promise<void> {
    const operation = client.answered[which]
    if (operation === undefined || !this.#isServed(client)) return
    const session = await this.cores.session(client.token)
    // It may have ended before, or its worker dies.
    session.cancel(operation.id, origin).catch(error => assert.equal((error as { readonly code: string }).code, 'OPERATION_ENDED'))
  }

  #client(n: number): Client {
    return this.clients[n]
  }

  #owner(client: Client): number {
    return this.cores.ownerOf(client.token)
  }

  #isServed(client: Client): boolean {
    return this.cores.isRunning(this.#owner(client))
  }

  #node(worker: number): ManagedNode {
    const node = new TestNode()
    node.onRun = run => this.#follow(run)
    this.#nodes[worker] = node
    return node.managed
  }

  #follow(run: Run): void {
    const { asked, what, context } = run
    const deed: Deed = { name: (asked.body as { readonly name: string }).name, what, again: context.again }
    this.deeds.push(deed)
    run.outcome.then(
      () => (deed.outcome = 'done'),
      () => (deed.outcome = 'failed'),
    )
  }
}

const next: Readonly<Record<OperationState, readonly OperationState[]>> = {
  queued: ['running', 'cancelled'],
  running: ['running', 'cancelling', 'succeeded', 'failed'],
  cancelling: ['cancelling', 'cancelled', 'failed'],
  succeeded: [],
  failed: [],
  cancelled: [],
}

/** Each event came once and in its order, over all streams of the session; each operation ended once, as the store has it. */
async function checkStream({ cores }: World, client: Client): Promise<void> {
  const { sent, told } = client
  const numbers = sent.map(({ id }) => parseCursor(id)?.sequence)
  assert.deepEqual(numbers, numbers.map((_, at) => at + 1)) // prettier-ignore
  for (const [id, events] of Map.groupBy(told, ({ operation }) => operation ?? 'resync')) {
    const states = events.map(({ state }) => state)
    assert.equal(states[0], 'queued')
    for (const [at, state] of states.slice(1).entries()) assert.ok(next[states[at] ?? 'queued'].includes(state), states.join(' '))
    const last = states.at(-1)
    assert.ok(last !== undefined && isEnded(last), states.join(' '))
    assert.equal((await cores.core().operations.get(id))?.state, last)
  }
}

/** What was answered is there; what was sent again by its key is there once. */
function checkReceipts(client: Client, operations: readonly Operation[]): void {
  const told = new Set(client.told.map(({ operation }) => operation))
  for (const { id } of client.answered) assert.ok(told.has(id), `${id} was received, and is not told`)
  for (const name of client.keyed.keys()) assert.equal(operations.filter(operation => nameOf(operation) === name).length, 1)
}

/** Nothing was begun twice but by who knew; the last thing done is what the state says. */
function checkDeeds({ deeds }: World, operation: Operation): void {
  const own = deeds.filter(({ name }) => name === nameOf(operation))
  assert.ok(own.filter(({ what, again }) => what === 'run' && !again).length <= 1, 'run twice without `again`')
  assert.ok(own.slice(1).every(({ what, again }) => again || what === 'undo'), 'begun anew') // prettier-ignore
  const last = own.at(-1)
  const did = last && `${last.what} ${last.outcome}`
  const allowed = { succeeded: ['run done'], failed: ['run failed', 'undo failed'], cancelled: [undefined, 'undo done'] }[operation.state as 'failed']
  assert.ok((allowed as readonly unknown[]).includes(did), `${operation.state} after ${did}`)
}

const nameOf = ({ request }: Operation): string => (request as { readonly name: string }).name

test('whatever dies when: every result is told exactly once to who resumes by a cursor, and no operation runs twice without knowing', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
    const world = new World()
    await world.begin()
    for (const step of steps) await world.do(step)
    await world.end()
    const { items } = await world.cores.core().operations.list({ limit: 1000 })
    for (const client of world.clients) {
      await checkStream(world, client)
      checkReceipts(client, items)
    }
    for (const operation of items) checkDeeds(world, operation)
  })
  await fc.assert(property, { numRuns: 150 })
})

test('with a log that is too short for those who stay away, what they know in the end is what is: told by a resync, and never backwards', async () => {
  const order: readonly OperationState[] = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled']
  let resyncs = 0
  const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async steps => {
    const world = new World({ events: 4 })
    await world.begin()
    for (const step of steps) await world.do(step)
    await world.end()
    const { items } = await world.cores.core().operations.list({ limit: 1000 })
    for (const client of world.clients) {
      const known = new Map<string, OperationState>()
      for (const { operation, state } of client.told) {
        if (operation === undefined) resyncs++
        else {
          assert.ok(order.indexOf(known.get(operation) ?? 'queued') <= order.indexOf(state), `${known.get(operation)}, then ${state}`)
          known.set(operation, state)
        }
      }
      const own = items.filter(({ session }) => session === client.session)
      assert.deepEqual(new Map(own.map(({ id, state }) => [id, state])), known)
    }
  })
  await fc.assert(property, { numRuns: 50 })
  assert.ok(resyncs > 0)
})
