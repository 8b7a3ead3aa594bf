/** What the director knows of a client's connection. */
import type { Agent } from './agents.ts'
import type { Flow } from './flow.ts'
import type { Gathered } from './gathered.ts'
import type { State } from './life-cycle.ts'

/** A client's connection. One shape for all states, so that the code that reads it stays fast. */
export class Connection {
  readonly flow: Flow
  state: State = 'reading'
  /** While it is ours: reading, holding. */
  fd = -1
  /** The director's own number; 0 before the first hand-off. */
  number = 0
  /** Grows with each hand-off. */
  generation = 0
  /** Who has it, or is asked to take it. */
  agent: Agent | undefined = undefined
  /** While it is released: who is to have it next; undefined: nobody can, so that it will be proxied. */
  nextAgent: Agent | undefined = undefined

  /** What was agreed when it began: see `DirectorEntry`. */
  mss = 0
  options = 0
  clientScale = 0
  directorScale = 0
  receiveWindow = 0
  /** The client's sequence number after its SYN. */
  begin = 0
  /** What a TSval is ahead of our clock, modulo 2^32; TSvals never go back, whoever sends them. */
  tsAhead = 0
  knowsClock = false

  /** The client's sequence number at which its next request begins, when that is known. */
  nextRequest = 0
  knowsNextRequest = false
  /** What the client had acknowledged when its last request was sent on: as long as that is all, the request has not been answered. */
  requestAck = 0
  /** It has asked for another protocol: what comes next tells whether it got it. */
  upgradeAsked = false

  /** Of the hand-off under way: see `Handoff`. */
  clientSequenceNext = 0
  serverSequenceNext = 0
  tsDirector = 0
  tsClient = 0
  sendWindow = 0
  handoffFlags = 0
  /** Bytes of the client's that it has, as the client has sent them. */
  requestBytes = 0
  /** What is handed over instead of them: a head that was edited, and what follows it. */
  edited: Buffer | undefined = undefined
  /** All that follows is for the same owner. */
  isLast = false
  /** Something is expected to follow that the owner should get without us: the rest of a content, or whatever comes. */
  hasMore = false
  /** How often HANDOFF or RELEASE has been repeated, and since when it waits for an answer. */
  tries = 0
  askedMs = 0
  /** It is not asked: it was BUSY, or has not answered the client yet. */
  isBusy = false
  busySinceMs = 0
  /** When the client acknowledged something new last, or BUSY came. */
  movedMs = 0
  /** Whether a deadline for the answer is in the queue. */
  awaitsDeadline = false

  /** What has come of the next request, until it is sent on. */
  gathered: Gathered | undefined = undefined
  /** Packets that wait for the answer, as they came. */
  kept: Buffer[] | undefined = undefined
  keptBytes = 0
  /** The last of those that only acknowledge. */
  keptAck: Buffer | undefined = undefined
  keptAckBytes = 0

  /** The program sends requests on that it knows: where it is by now, and so `nextRequest` and `requestAck`, is only known when the lead has been taken from it (`Entries.takeLead`). */
  programLeads = false
  /** Payload up to this sequence number goes to the owner in the kernel, as the map's entry says. */
  forwardUntil = 0
  /** Flags that were seen here rather than by the program. */
  flagsSeen = 0
  /** Whether the map has an entry of it. */
  hasEntry = false
  /** Of an earlier process: its agent has to be told that we have it now, or has been and may say that there is no such connection by saying nothing. */
  resumed: 'no' | 'unsaid' | 'said' = 'no'
  /** How long the look at it waits that is in the queue; 0: none is. */
  checkMs = 0

  /** Of the table of flows. */
  nextOfHash: Connection | undefined = undefined

  constructor(flow: Flow) {
    this.flow = flow
  }

  /** The TSval to go on from at a time, after `tsEcr`, which the client has got last. */
  timestampAt(nowMs: number, tsEcr: number): number {
    const least = (tsEcr + 1) >>> 0
    if (!this.knowsClock) return least
    const running = (Math.floor(nowMs) + this.tsAhead) >>> 0
    return ((running - least) | 0) > 0 ? running : least
  }

  /** A TSval that was, or will be, sent at a time. */
  setClock(nowMs: number, tsVal: number): void {
    this.tsAhead = (tsVal - Math.floor(nowMs)) >>> 0
    this.knowsClock = true
  }
}

/**
 * Connections by their flows. Keys of a `Map` that are small integers cost a third of those that are not, so the address and port of IPv4 are hashed to one; connections with the same hash are
 * chained.
 */
class FlowTable {
  readonly #table = new Map<number | string, Connection>()
  size = 0

  get(flow: Flow): Connection | undefined {
    let connection = this.#table.get(keyOf(flow))
    while (connection !== undefined && connection.flow !== flow) connection = connection.nextOfHash
    return connection
  }

  /** In place of one that has the flow. */
  set(connection: Connection): void {
    this.delete(connection.flow)
    const key = keyOf(connection.flow)
    connection.nextOfHash = this.#table.get(key)
    this.#table.set(key, connection)
    this.size++
  }

  delete(flow: Flow): void {
    const key = keyOf(flow)
    let before: Connection | undefined
    let connection = this.#table.get(key)
    while (connection !== undefined && connection.flow !== flow) {
      before = connection
      connection = connection.nextOfHash
    }
    if (connection === undefined) return
    this.size--
    if (before !== undefined) before.nextOfHash = connection.nextOfHash
    else if (connection.nextOfHash === undefined) this.#table.delete(key)
    else this.#table.set(key, connection.nextOfHash)
    connection.nextOfHash = undefined
  }

  /** All that are there now; they may be deleted meanwhile. */
  values(): Connection[] {
    const all: Connection[] = []
    for (const first of this.#table.values()) {
      for (let connection: Connection | undefined = first; connection !== undefined; connection = connection.nextOfHash) all.push(connection)
    }
    return all
  }
}

/** A small integer, or the text of IPv6. Bitwise operators take a number modulo 2^32: the port and the lower half of the address; the upper half is added. */
const keyOf = (flow: Flow): number | string => (typeof flow === 'number' ? (flow ^ Math.imul(flow / 0x1_0000_0000, 0x9e37_79b1)) & 0x3fff_ffff : flow)

/** All connections: by the client's address, and, from the first hand-off on, by number. */
export class Connections {
  readonly byFlow = new FlowTable()
  /** By what the number is beyond the first one: small integers again. */
  readonly #byNumber = new Map<number, Connection>()
  readonly #firstNumber: number
  #nextNumber: number

  /** Numbers begin at `firstNumber`: none is to be that of a connection that an earlier process has handed over. */
  constructor(firstNumber: number) {
    this.#firstNumber = this.#nextNumber = firstNumber
  }

  /** The connection that an agent names, unless it means another generation. */
  named(number: number, generation: number): Connection | undefined {
    const connection = this.#byNumber.get(number - this.#firstNumber)
    return connection?.generation === generation ? connection : undefined
  }

  get size(): number {
    return this.byFlow.size
  }

  add(connection: Connection): void {
    this.byFlow.set(connection)
  }

  /** Gives it the next number. */
  number(connection: Connection): void {
    connection.number = this.#nextNumber++
    this.#byNumber.set(connection.number - this.#firstNumber, connection)
  }

  /** One that has its number from an earlier process, or an agent. */
  addNumbered(connection: Connection): void {
    this.add(connection)
    const key = connection.number - this.#firstNumber
    this.#byNumber.set(key, connection)
    // Both processes may have drawn the same first number.
    if (key >= 0 && key < 0x1_0000_0000) this.#nextNumber = Math.max(this.#nextNumber, connection.number + 1)
  }

  remove(connection: Connection): void {
    if (this.byFlow.get(connection.flow) === connection) this.byFlow.delete(connection.flow)
    const key = connection.number - this.#firstNumber
    if (this.#byNumber.get(key) === connection) this.#byNumber.delete(key)
  }
}

/** The first number of a process, by a random one: 2^32 of them follow each other, and no other director has them. It stays below 2^53. */
export function firstNumberOf(random: number): number {
  return (Math.floor(random / 0x1_0000_0000) % 0x20_0000) * 0x1_0000_0000 + 1
}
