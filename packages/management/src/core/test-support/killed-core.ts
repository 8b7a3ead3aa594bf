/**
 * `node killed-core.ts FILE OPERATIONS`: two workers' cores on a store in a file, and their clients, until everything is done or it is killed. On standard
 * input, in JSON: what the clients know from the lives before, one each. To standard output, a line each, what they come to know, and what actions are asked to do.
 */

import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { sqliteStore, systemTimers } from '@holdfast/cluster'
import { Cores } from './cores.ts'
import { origin, TestNode, volumeCreate } from './managed.ts'

/** What a client knows. */
export interface ClientState {
  token?: string
  /** The id of the last event that was read. */
  cursor?: string
}

/** A line of the output. */
export type Line =
  | { readonly is: 'token'; readonly client: number; readonly token: string }
  | { readonly is: 'received'; readonly client: number; readonly name: string; readonly operation: string }
  | { readonly is: 'event'; readonly client: number; readonly id: string; readonly data: string }
  | { readonly is: 'run'; readonly name: string; readonly again: boolean }

const [path, operations] = process.argv.slice(2)
const clients = JSON.parse(await text(process.stdin)) as ClientState[]
const say = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const node = new TestNode()
node.onRun = ({ name, context, done }) => {
  say({ is: 'run', name, again: context.again })
  void sleep(20).then(() => done({ name }))
}
const store = await sqliteStore({ path: path ?? '', synchronous: 'NORMAL' })
const clock = { wallClock: Date.now, timers: systemTimers }
const cores = await Cores.open({ managed: node.managed, workers: 2, store, clock, random: randomBytes })

/** Logs in once, opens its stream where it was, sends all its requests (again), by their keys. */
async function live(client: number, { token, cursor }: ClientState): Promise<void> {
  const known = token ?? (await cores.login())
  if (token === undefined) say({ is: 'token', client, token: known })
  const session = await cores.session(known)
  const event = ({ id, data }: { readonly id: string; readonly data: string }): boolean => {
    say({ is: 'event', client, id, data })
    return true
  }
  session.subscribe({ after: cursor }, { event, end: reason => console.error(`the stream of ${client} ends: ${reason}`) })
  for (let n = 0; n < Number(operations); n++) {
    const name = `v${client}-${n}`
    const operation = await session.start('volume.create', volumeCreate(name), { ...origin, idempotencyKey: name })
    say({ is: 'received', client, name, operation: operation.id })
  }
}

await Promise.all(clients.map((state, client) => live(client, state)))
// Until it is killed.
setInterval(() => {}, 1000)
