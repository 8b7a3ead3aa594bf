/** The end of connections that owners have: entries go when their clients have, or when nothing comes any more. */
import { DeadlineQueue } from '../loop/index.ts'
import type { Loop } from '../loop/index.ts'
import { TcpFlag } from '../transform/index.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { assign, fire } from './core.ts'
import { discardGathered } from './gathered.ts'

/** A connection is looked at after 2 s, then half as often each time: few delays, as each has a queue of its own. CLOSED of the agent usually comes before. */
const firstCheckMs = 2000
const soonCheckMs = 1000
const lastCheckMs = 8000
/**
 * After a RST or FIN of the client, when nothing has come for so long, it is at its end. The FIN of the server we do not see; whoever receives from it still acknowledges, and a connection
 * that is forgotten too early is learned again from the agent that has it.
 */
const quietMs = { rst: 1000, fin: 3000 } as const

/** Looks at connections from time to time. */
export class Expiry {
  readonly #core: Core
  readonly #queue: DeadlineQueue<Connection>

  constructor(core: Core, loop: Loop) {
    this.#core = core
    this.#queue = new DeadlineQueue(
      connection => this.#due(connection),
      connection => connection.state === 'gone' || connection.state === 'proxied',
    )
    loop.addQueue(this.#queue)
  }

  add(connection: Connection): void {
    if (connection.checkMs > 0) return
    this.#wait(connection, connection.resumed === 'no' ? firstCheckMs : soonCheckMs)
  }

  /** Of an earlier process: its agent is asked for it, and has not said a second later that it has it. */
  #isUnknown(connection: Connection): boolean {
    if (connection.resumed === 'unsaid') this.#core.introduce(connection)
    else if (connection.resumed === 'said') return connection.agent?.link.health === 'healthy'
    return false
  }

  #wait(connection: Connection, delayMs: number): void {
    connection.checkMs = delayMs
    this.#queue.add(connection, delayMs, this.#core.loop.now())
  }

  #due(connection: Connection): void {
    const { entries, idleMs, headMs, counters, loop } = this.#core
    // A head that does not end holds memory of ours.
    const tooLate = headTooLate[connection.state]
    if (tooLate !== undefined && loop.now() - (connection.gathered?.beganMs ?? 0) > headMs) {
      fire(this.#core, connection, tooLate)
      return
    }
    const seen = entries.seen(connection)
    const isLost = seen === undefined || this.#isUnknown(connection)
    const end = isLost ? 'closed' : seen.isReplaced ? 'replaced' : endOf(seen, idleMs)
    if (end === undefined) return this.#wait(connection, nextCheckMs(connection, seen?.flagsSeen ?? 0))
    connection.checkMs = 0
    if (fire(this.#core, connection, end)) {
      if (end === 'idle') counters.idle++
      return
    }
    this.#wait(connection, firstCheckMs)
  }
}

/** What has happened to a connection whose head does not end. */
const headTooLate: { readonly [S in Connection['state']]?: 'overflow' | 'idle' } = { gathering: 'overflow', opened: 'idle' }

/** What is about to end, or has to be confirmed, is looked at soon again. */
function nextCheckMs({ checkMs, resumed }: Connection, flagsSeen: number): number {
  const isSoon = resumed !== 'no' || (flagsSeen & (TcpFlag.fin | TcpFlag.rst)) !== 0
  return isSoon ? soonCheckMs : Math.min(lastCheckMs, checkMs * 2)
}

/** Whether a connection has ended, by what the program has seen of it. */
export function endOf({ idleMs: sinceLastMs, flagsSeen }: { idleMs: number; flagsSeen: number }, idleMs: number): 'closed' | 'idle' | undefined {
  if ((flagsSeen & TcpFlag.rst) !== 0 && sinceLastMs >= quietMs.rst) return 'closed'
  if ((flagsSeen & TcpFlag.fin) !== 0 && sinceLastMs >= quietMs.fin) return 'closed'
  if (sinceLastMs >= idleMs) return 'idle'
  return undefined
}

/** The entry is removed: whatever comes of the client is a matter of our own stack. */
export function forget(core: Core, connection: Connection): void {
  core.counters.closed++
  core.entries.remove(connection)
  core.connections.remove(connection)
  assign(connection, undefined)
  discardGathered(connection)
  connection.kept = connection.keptAck = undefined
}
