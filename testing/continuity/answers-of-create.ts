/** The answer to a CREATE, in the words that the cases compare. */
import {
  createContext,
  CreateContextName,
  CreateContexts,
  CreateResponse,
  decodeLease,
  DurableHandleFlags,
  DurableHandleResponseV2,
  headerOffset,
  headerSize,
  LeaseState,
} from '@holdfast/smb/messages'
import type { CreateContext, FileId } from '@holdfast/smb/messages'
import { statusName } from './channel.ts'

const actions = ['superseded', 'opened', 'created', 'overwritten']
const oplocks: Readonly<Record<number, string>> = { 0: 'none', 1: 'II', 8: 'exclusive', 9: 'batch', 255: 'lease' }
const letters = [
  [LeaseState.readCaching, 'R'],
  [LeaseState.writeCaching, 'W'],
  [LeaseState.handleCaching, 'H'],
] as const

/** Lease states by their letters: `RWH`; `-` for none. */
export const leaseLetters = (state: number): string =>
  letters
    .filter(([bit]) => (state & bit) !== 0)
    .map(([, letter]) => letter)
    .join('') || '-'

/** What a CREATE was answered. */
export class Created {
  /** Name of the NT_STATUS. */
  readonly status: string
  readonly #response: CreateResponse | undefined
  readonly #contexts: readonly CreateContext[]

  private constructor(status: string, response: CreateResponse | undefined) {
    this.status = status
    this.#response = response
    this.#contexts = response === undefined ? [] : CreateContexts.decode(response.createContexts)
  }

  static of(answer: Buffer | undefined): Created {
    if (answer === undefined) return new Created('LOST', undefined)
    const status = statusName(answer.readUInt32LE(headerOffset.status))
    return new Created(status, status === 'SUCCESS' ? CreateResponse.decode(answer, headerSize) : undefined)
  }

  /** Throws when it failed. */
  get fileId(): FileId {
    if (this.#response === undefined) throw new Error(`CREATE: ${this.status}`)
    return this.#response.fileId
  }

  /** `created`, `opened`, …, or the status. */
  get action(): string {
    return this.#response === undefined ? this.status : (actions[this.#response.createAction] ?? 'an unknown action')
  }

  get oplock(): string {
    return this.#response === undefined ? this.status : (oplocks[this.#response.oplockLevel] ?? 'an unknown oplock')
  }

  /** The lease's letters, `no lease`, or the status. */
  get lease(): string {
    if (this.#response === undefined) return this.status
    const lease = this.#lease
    return lease === undefined ? 'no lease' : leaseLetters(lease.leaseState)
  }

  /** Epoch of a lease of version 2. */
  get epoch(): number {
    const lease = this.#lease
    return lease?.version === 2 ? lease.epoch : 0
  }

  /** ParentLeaseKey of a lease that has one. */
  get parentKey(): string | undefined {
    const lease = this.#lease
    return lease?.version === 2 && (lease.leaseFlags & 4) !== 0 ? lease.parentLeaseKey : undefined
  }

  /** `durable` (version 1), `durable 60000 ms`, `persistent 60000 ms`, `not durable`, or the status. */
  get durability(): string {
    if (this.#response === undefined) return this.status
    const second = createContext(this.#contexts, CreateContextName.durableHandleRequestV2)
    if (second !== undefined) {
      const { timeoutMs, flags } = DurableHandleResponseV2.decode(second)
      return `${(flags & DurableHandleFlags.persistent) === 0 ? 'durable' : 'persistent'} ${timeoutMs} ms`
    }
    return createContext(this.#contexts, CreateContextName.durableHandleRequest) === undefined ? 'not durable' : 'durable'
  }

  /** Names of the contexts of the answer. */
  get contextNames(): string {
    return this.#contexts.map(({ name }) => name).join(' ') || 'no contexts'
  }

  /** Whether it is the same open as that of another answer: the whole FileId, or what of it survives a reconnect. */
  isSame(other: Created, what: 'whole' | 'persistent' = 'whole'): boolean {
    const { persistent, volatile } = this.fileId
    return persistent === other.fileId.persistent && (what === 'persistent' || volatile === other.fileId.volatile)
  }

  get #lease() {
    const data = createContext(this.#contexts, CreateContextName.requestLease)
    return data === undefined ? undefined : decodeLease(data)
  }
}
