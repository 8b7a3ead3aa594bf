/** Connections that are told of in lists, of one session and one turn of the loop. */
import type { AgentSession } from './agent-sessions.ts'
import { headerBytes } from './codec.ts'
import { ConnectionName, MessageType } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** Messages that are lists. */
export type ListType = typeof MessageType.accept | typeof MessageType.closed | typeof MessageType.released

/** As many as fit into a frame: 40 and 116 * 12 bytes, with UDP and IPv6 headers 1,480. */
export const listNamesMax = 116

interface List {
  readonly type: ListType
  readonly bytes: Buffer
  /** Where the list ends. */
  end: number
}

const listOf = (type: ListType): List => ({ type, bytes: Buffer.alloc(headerBytes + listNamesMax * ConnectionName.fixedSize), end: headerBytes })
const name = { connection: 0, generation: 0 }

/** The lists of one session. */
export class NameLists {
  readonly #session: AgentSession
  readonly #accept = listOf(MessageType.accept)
  readonly #closed = listOf(MessageType.closed)
  readonly #released = listOf(MessageType.released)
  readonly #all = [this.#accept, this.#closed, this.#released]
  #isEmpty = true

  constructor(session: AgentSession) {
    this.#session = session
  }

  get isEmpty(): boolean {
    return this.#isEmpty
  }

  isFull(type: ListType): boolean {
    const list = this.#of(type)
    return list.end === list.bytes.length
  }

  add(type: ListType, connection: number, generation: number): void {
    const list = this.#of(type)
    name.connection = connection
    name.generation = generation
    list.end = ConnectionName.encode(name, list.bytes, list.end)
    this.#isEmpty = false
  }

  /** Queues the lists, from where they are: they must not change before the flush. */
  send(outbox: Outbox): void {
    for (const { type, bytes, end } of this.#all) if (end > headerBytes) outbox.sendWritten(type, this.#session, bytes, end, this.#session.to)
  }

  clear(): void {
    for (const list of this.#all) list.end = headerBytes
    this.#isEmpty = true
  }

  #of(type: ListType): List {
    return type === MessageType.accept ? this.#accept : type === MessageType.closed ? this.#closed : this.#released
  }
}
