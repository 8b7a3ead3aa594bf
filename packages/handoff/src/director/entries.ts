/** The director's map: what the program does with a connection's packets. */
import { DirectorAction, DirectorEntry, offsetsOf, replacedFlag, resetFlag } from '../bpf/index.ts'
import type { FlowMap, RequestLead } from '../bpf/index.ts'
import type { Loop } from '../loop/index.ts'
import type { Agent } from './agents.ts'
import type { Connection } from './connection.ts'
import type { FlowKeys } from './flow.ts'

const at = offsetsOf(DirectorEntry)
const twoTo32 = 0x1_0000_0000

/** What a stack tells at first (RFC 7323 2.2: without a scale it can be no more). */
const receiveWindowDefault = 65_535

/** What an entry says that the program counts. One object is used again and again. */
export interface Seen {
  /** Since the last packet; negative when there was none. */
  idleMs: number
  flagsSeen: number
  lastAck: number
  lastSequenceEnd: number
  /** The client has begun another connection from the same port: see `Entries.isReplaced`. */
  isReplaced: boolean
}

/** Entries of connections. One value is written again and again. */
export class Entries {
  readonly #loop: Loop
  readonly #map: FlowMap
  readonly #keys: FlowKeys
  readonly #lead: RequestLead | undefined
  readonly #value = Buffer.alloc(DirectorEntry.fixedSize)
  readonly #seen: Seen = { idleMs: 0, flagsSeen: 0, lastAck: 0, lastSequenceEnd: 0, isReplaced: false }
  count = 0

  /** Without `lead` the program never sends requests on by itself. */
  constructor(loop: Loop, map: FlowMap, keys: FlowKeys, lead?: RequestLead) {
    this.#loop = loop
    this.#map = map
    this.#keys = keys
    this.#lead = lead
  }

  /**
   * What is done with the connection's packets from now on: `hold`: they come up to us. `forward`: they go to the owner. `split`: those without a new request do. Returns 0 or -errno
   * (-E2BIG: no room). What the program has seen of an entry that there is stays seen, also that the client has begun another connection from its port: then nothing is done with this one's packets.
   */
  give(connection: Connection, agent: Agent, action: 'hold' | 'forward' | 'split'): number {
    this.takeLead(connection)
    this.#fill(connection, agent, DirectorAction[action])
    const key = this.#keys.of(connection.flow)
    if (connection.hasEntry) return this.#map.change(key, this.#value)
    const result = this.#map.update(key, this.#value)
    if (result !== 0) return result
    this.count++
    connection.hasEntry = true
    return 0
  }

  /** From its next request on, the program sends those on that it knows. Of an entry that is `split`. */
  giveLead(connection: Connection): void {
    const { flow, nextRequest, requestAck } = connection
    connection.programLeads = this.#lead?.give(this.#keys.of(flow), nextRequest, requestAck) === true
    if (connection.programLeads) connection.forwardUntil = nextRequest
  }

  /** We decide about requests again. What the program has sent on is sent on: the connection is where the program has got to. */
  takeLead(connection: Connection): void {
    if (!connection.programLeads) return
    connection.programLeads = false
    const lead = this.#lead?.take(this.#keys.of(connection.flow))
    if (lead === undefined) return
    connection.nextRequest = connection.forwardUntil = lead.sequence
    connection.knowsNextRequest = true
    connection.requestAck = lead.acknowledgement
  }

  /** Packets go to our own stack from now on. */
  remove(connection: Connection): void {
    if (!connection.hasEntry) return
    connection.hasEntry = false
    this.count--
    this.#map.remove(this.#keys.of(connection.flow))
  }

  /** What the program has seen of the client; undefined when there is no entry. Good until the next. */
  seen(connection: Connection): Seen | undefined {
    const value = this.#value
    if (!this.#map.lookup(this.#keys.of(connection.flow), value)) return undefined
    const seen = this.#seen
    const lastMs = (value.readUInt32LE(at.lastNs) + value.readUInt32LE(at.lastNs + 4) * twoTo32) / 1e6
    seen.idleMs = lastMs === 0 ? -1 : this.#loop.now() - lastMs
    seen.flagsSeen = value.readUInt32LE(at.flagsSeen) | connection.flagsSeen
    seen.lastAck = value.readUInt32LE(at.lastAck)
    seen.lastSequenceEnd = value.readUInt32LE(at.lastSequenceEnd)
    seen.isReplaced = (seen.flagsSeen & replacedFlag) !== 0
    return seen
  }

  /** Whether the client has begun another connection from the same port: this one's packets are not looked at since then. */
  isReplaced(connection: Connection): boolean {
    return (this.#flagsSeen(connection) & replacedFlag) !== 0
  }

  /**
   * Whether the client has reset the connection, or has begun another one from its port. A RST that came before the owner's agent knew the connection has found nobody there.
   */
  isAbandoned(connection: Connection): boolean {
    return (this.#flagsSeen(connection) & (replacedFlag | resetFlag)) !== 0
  }

  #flagsSeen({ hasEntry, flow }: Connection): number {
    return hasEntry && this.#map.lookup(this.#keys.of(flow), this.#value) ? this.#value.readUInt32LE(at.flagsSeen) : 0
  }

  #fill(connection: Connection, agent: Agent, action: DirectorAction): void {
    const value = this.#value
    agent.entry.copy(value)
    value.writeUInt32LE(action, at.action)
    value.writeUInt32LE(connection.forwardUntil, at.forwardUntil)
    const lastNs = this.#loop.now() * 1e6
    value.writeUInt32LE(lastNs % twoTo32, at.lastNs)
    value.writeUInt32LE(lastNs / twoTo32, at.lastNs + 4)
    value.writeUInt32LE(connection.flagsSeen, at.flagsSeen)
    value.writeUInt32LE(connection.serverSequenceNext, at.lastAck)
    value.writeUInt32LE(connection.clientSequenceNext, at.lastSequenceEnd)
    value.writeUInt32LE(connection.generation, at.generation)
    value.writeUInt32LE(connection.number % twoTo32, at.connection)
    value.writeUInt32LE(connection.number / twoTo32, at.connection + 4)
    value.writeUInt16LE(connection.mss, at.mss)
    value[at.options] = connection.options
    value[at.clientScale] = connection.clientScale
    value[at.directorScale] = connection.directorScale
    value.writeUInt32LE(connection.receiveWindow === 0 ? receiveWindowDefault : connection.receiveWindow, at.receiveWindow)
  }
}
