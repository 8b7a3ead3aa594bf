/** What the parts of the data thread share. */
import type { Loop } from '../loop/index.ts'
import type { DirectorLink, Owner } from '../protocol/index.ts'
import type { Agent, Agents } from './agents.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection, Connections } from './connection.ts'
import type { Counters } from './counters.ts'
import type { Entries } from './entries.ts'
import type { KnownHeads } from './known-heads.ts'
import type { Openings } from './openings.ts'
import type { Action, Event } from './life-cycle.ts'
import { lifeCycle } from './life-cycle.ts'
import type { DirectorMode } from './options.ts'
import type { Choose } from './requests.ts'
import type { RawPackets } from './raw-packets.ts'

/** The address that clients connect to. */
export interface Vip {
  /** 16 bytes. */
  readonly address: Buffer
  readonly host: string
  readonly port: number
  readonly isIpv4: boolean
}

/** What the main thread does with a connection that is not handed over: it is carried to one of the servers, or answered. */
export interface ProxyRequest {
  readonly fd: number
  /** `10.0.0.11:80`, in order of preference. */
  readonly servers: readonly string[]
  /** Where there is an answer already. */
  readonly answer?: { readonly status: number; readonly detail: string }
}

/** Does what an action says. Which connection it is, it is told; all else it finds there. */
export type Actions = Readonly<Record<Action, (core: Core, connection: Connection) => void>>

/** Takes the packet `bytes[from, end)`. */
export type TakesPacket = (bytes: Buffer, from: number, end: number) => void

/** The data thread's parts, for each other. */
export interface Core {
  readonly loop: Loop
  readonly vip: Vip
  readonly mode: DirectorMode
  readonly connections: Connections
  readonly entries: Entries
  readonly openings: Openings
  readonly agents: Agents
  /** What the program knows of requests. */
  readonly known: KnownHeads
  readonly raw: RawPackets
  readonly counters: Counters
  readonly actions: Actions
  readonly idleMs: number
  readonly headMs: number
  /** Has the program answer SYNs, or leave them to our own stack. */
  answerSyns(isOn: boolean): void
  /** Who is to have a request, of those that are healthy. */
  readonly choose: Choose
  proxy(request: ProxyRequest): void
  notice(text: string): void
  /** Looks at the connection later: whether it has ended, or is idle. */
  checkLater(connection: Connection): void
  /** Asks in a while whether what was sent has been answered. */
  awaitAnswer(connection: Connection): void
  /** The packet that has come up and is being looked at. */
  readonly packet: ClientPacket
  /** A connection that an agent has, and we do not know: of a director before us. */
  learn(link: DirectorLink, owner: Owner): void
  /** Tells the agent that has a connection of an earlier process that we have it now: CLOSED comes to us then. */
  introduce(connection: Connection): void
  /** A packet of a connection that we do not know. */
  unknown(packet: ClientPacket): void
  /** A packet of a client `bytes[from, end)` that has come up to us. */
  readonly raised: TakesPacket
  /** The same into our own stack. */
  readonly inject: TakesPacket
}

/** From now on `agent` has the connection, or is asked to take it; undefined: nobody. */
export function assign(connection: Connection, agent: Agent | undefined): void {
  if (connection.agent !== undefined) connection.agent.connections--
  connection.agent = agent
  if (agent !== undefined) agent.connections++
}

/** Something has happened to a connection: what the table says is done. Returns whether it says anything. */
export function fire(core: Core, connection: Connection, event: Event): boolean {
  const row = lifeCycle[connection.state][event]
  if (row === undefined) return false
  // First the state: what is done may make something else happen.
  connection.state = row[1]
  core.actions[row[0]](core, connection)
  return true
}
