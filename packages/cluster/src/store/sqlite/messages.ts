/** What a client of the store's thread and the thread say to each other: one message for all that happened in a turn of the event loop. */
import type { MessagePort } from 'node:worker_threads'
import type { StoreMethods } from '../core.ts'
import { StoreError } from '../errors.ts'
import type { StoreErrorCode } from '../errors.ts'
import type { KeyRange, Operation, Txn, WatchBatch } from '../store.ts'

/** A method that is answered, as opposed to those of watches. */
export type CallName = Exclude<keyof StoreMethods, 'expire'>

/** Client to thread: calls, by a number of the client's choice, and what concerns watches, whose numbers it chooses as well. */
export type Request =
  | { readonly type: 'call'; readonly id: number; readonly name: CallName; readonly argument: unknown }
  | { readonly type: 'watch'; readonly id: number; readonly range: KeyRange; readonly fromRevision: number | undefined }
  | { readonly type: 'took'; readonly id: number; readonly batches: number }
  | { readonly type: 'unwatch'; readonly id: number }

/** A StoreError that can be posted. */
export interface PostedError {
  readonly code: StoreErrorCode
  readonly message: string
  readonly compactRevision: number | undefined
}

/** Thread to client. */
export type Reply =
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: PostedError }
  | { readonly type: 'batch'; readonly id: number; readonly batch: WatchBatch }
  | { readonly type: 'failed'; readonly id: number; readonly error: PostedError }
  | { readonly type: 'closed' }

/** All replies of a turn, with the store's revision. */
export interface Replies {
  readonly revision: number
  readonly replies: readonly Reply[]
}

/** Main thread to the store's thread. */
export type Control = { readonly type: 'connect'; readonly port: MessagePort } | { readonly type: 'close' }

/** The store's thread to the main thread: once, when it is open or cannot be. */
export type Opened = { readonly type: 'open' } | { readonly type: 'failed'; readonly error: PostedError }

/** An error as it is posted. */
export const posted = ({ code, message, compactRevision }: StoreError): PostedError => ({ code, message, compactRevision })

/** A posted error as it is thrown. */
export const thrown = ({ code, message, compactRevision }: PostedError): StoreError =>
  new StoreError(code, message, compactRevision === undefined ? {} : { compactRevision })

type Holder = { value: Uint8Array }

/**
 * Values on their way to the thread: gathered into one buffer, which is moved, not copied. (Posted one by one, each would take along the whole
 * buffer it is a part of.)
 */
export class ValuePacker {
  #holders: Holder[] = []

  /** The transaction with places for its values, which stay where they are until `pack`. */
  add(txn: Txn): Txn {
    return { compare: txn.compare?.map(part => this.#own(part)), success: this.#operations(txn.success), failure: this.#operations(txn.failure) }
  }

  /** Copies all values; returns the buffer to be moved. */
  pack(): ArrayBuffer | undefined {
    if (this.#holders.length === 0) return undefined
    const arena = new Uint8Array(this.#holders.reduce((sum, { value }) => sum + value.byteLength, 0))
    let at = 0
    for (const holder of this.#holders) {
      arena.set(holder.value, at)
      holder.value = arena.subarray(at, (at += holder.value.byteLength))
    }
    this.#holders = []
    return arena.buffer
  }

  #operations(list: readonly Operation[] | undefined): readonly Operation[] | undefined {
    return list?.map(operation => this.#own(operation))
  }

  #own<Part extends object>(part: Part): Part {
    if (!('value' in part)) return part
    const own = { ...part }
    this.#holders.push(own as unknown as Holder) // a copy of ours, which nobody else changes
    return own
  }
}
