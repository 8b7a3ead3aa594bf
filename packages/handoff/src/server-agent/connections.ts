import type { DirectorPeer } from '../protocol/index.ts'
import { Chains, hashOf } from './chains.ts'
import type { FlowKeys } from './flow-keys.ts'
import { InjectedRequests } from './injected-requests.ts'
import type { LifeCycleState } from './life-cycle.ts'

/** A second connection: between the server and the agent, which speaks in the client's name. The client believes it to be the one that it has with the VIP. */
export class Connection {
  state: LifeCycleState = 'gone'
  /** The director that has spoken of it last; undefined when none has since the agent was started. */
  peer: DirectorPeer | undefined
  number: number
  generation: number
  /** Where its keys are kept (`FlowKeys`); −1: nowhere. */
  slot = -1
  /** What is added to the server's sequence numbers and timestamps. */
  addSequence = 0
  addTsVal = 0
  /** The server's next number, as the client has it, before its answer to the request that was handed over; and of that, where it is (`SentRequests`) and how often it was sent again. */
  serverSequenceNext = 0
  requestBytes = 0
  requestAt = -1
  requestTsVal = 0
  requestTsEcr = 0
  requestRepeats = 0
  /** Of what was injected for the client, the request included: where it ends, its TCP flags, and when that was, in ms. The program does not see it. */
  injectedEnd = 0
  injectedFlags = 0
  injectedMs = 0
  /** The client's requests that were injected: the program does not see those. */
  readonly injected = new InjectedRequests()
  /** The window that the client had when the agent last spoke for it, as in a header. */
  window = 0
  /** What was agreed at the beginning of the client's connection: see `DirectorEntry`. */
  mss = 0
  options = 0
  clientScale = 0
  directorScale = 0
  receiveWindow = 0

  /** `number` is the director's. */
  constructor(number: number, generation: number, peer: DirectorPeer | undefined) {
    this.number = number
    this.generation = generation
    this.peer = peer
  }

  /** It is another one from now on. */
  begin(number: number, generation: number, peer: DirectorPeer | undefined): this {
    this.number = number
    this.generation = generation
    this.peer = peer
    this.state = 'gone'
    this.slot = this.requestAt = -1
    this.addSequence = this.addTsVal = this.serverSequenceNext = 0
    this.requestBytes = this.requestTsVal = this.requestTsEcr = this.requestRepeats = 0
    this.injectedEnd = this.injectedFlags = this.injectedMs = this.window = 0
    this.mss = this.options = this.clientScale = this.directorScale = this.receiveWindow = 0
    this.injected.forget()
    return this
  }
}

/** Connections that are kept to be others. */
const spareMax = 16_384

/** All connections, by the director's number and by the client's key. */
export class Connections implements Iterable<Connection> {
  readonly #at: (Connection | undefined)[] = []
  readonly #byNumber: Chains
  readonly #byClient: Chains
  readonly #keys: FlowKeys
  readonly #spare: Connection[] = []
  #size = 0

  constructor(keys: FlowKeys) {
    this.#keys = keys
    this.#byNumber = new Chains(keys.capacity)
    this.#byClient = new Chains(keys.capacity)
  }

  get size(): number {
    return this.#size
  }

  /** By the director's number. */
  get(number: number): Connection | undefined {
    const chains = this.#byNumber
    for (let slot = chains.first(hashOf(number)); slot >= 0; slot = chains.next(slot)) {
      const connection = this.#at[slot]
      if (connection?.number === number) return connection
    }
    return undefined
  }

  /** Of the client whose key is loaded. */
  atClient(): Connection | undefined {
    const keys = this.#keys
    const chains = this.#byClient
    for (let slot = chains.first(keys.clientHash()); slot >= 0; slot = chains.next(slot)) if (keys.isClientOf(slot)) return this.#at[slot]
    return undefined
  }

  /** A new one; `number` is the director's. */
  make(number: number, generation: number, peer: DirectorPeer | undefined): Connection {
    return this.#spare.pop()?.begin(number, generation, peer) ?? new Connection(number, generation, peer)
  }

  /** Nobody knows of it any more: it may be another one. */
  recycle(connection: Connection): void {
    if (this.#spare.length < spareMax) this.#spare.push(connection)
  }

  /** Adds one with the keys that are loaded; `keys.room` has said that there is room. */
  add(connection: Connection): void {
    const slot = this.#keys.keep()
    connection.slot = slot
    this.#at[slot] = connection
    this.#byNumber.add(hashOf(connection.number), slot)
    this.#byClient.add(this.#keys.clientHash(), slot)
    this.#size++
  }

  /** Its keys are loaded then. */
  remove(connection: Connection): void {
    const { slot } = connection
    this.#keys.load(slot)
    this.#byNumber.remove(hashOf(connection.number), slot)
    this.#byClient.remove(this.#keys.clientHash(), slot)
    this.#at[slot] = undefined
    this.#keys.release(slot)
    connection.slot = -1
    this.#size--
  }

  *[Symbol.iterator](): Generator<Connection> {
    for (const connection of this.#at) if (connection !== undefined) yield connection
  }
}
