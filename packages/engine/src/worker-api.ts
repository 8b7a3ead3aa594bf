/**
 * What a worker node offers to the protocol that runs on it.
 *
 * A worker node holds worker objects, addressed by id; a message of a distributed session is a method call
 * on one of them. This file is the contract between `engine` and the protocols (smb, iscsi, management).
 */

import type { MessagePort } from 'node:worker_threads'

/** One framed message from a client, in shared memory. Valid until `release`. */
export interface Message {
  /** The frame's payload (without the transport's own header). A view of shared memory, never a copy; may be changed in place (decryption). */
  readonly bytes: Buffer
  /** True when an earlier worker died while it had this message; it may have been executed. */
  readonly orphaned: boolean
  /** Gives the memory back. Call exactly once, when neither the bytes nor any view of them is needed any more. */
  release(): void
}

/** The worker's end of one client connection. */
export interface Connection {
  readonly id: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** Memory for a response of at most `lengthBytes`, in the shared arena: fill it, then `send`. The transport's header is put in front by `send`. */
  allocate(lengthBytes: number): Buffer
  /**
   * Sends the first `lengthBytes` of a buffer got from `allocate`; it belongs to the connection manager from here on.
   * `finishes` is the message this answers for good: it is released together with the send, so that a worker's death
   * never leads to a second answer.
   */
  send(buffer: Buffer, lengthBytes: number, finishes?: Message): void
  /**
   * Sends `lengthBytes` from `fromBytes` on of a buffer got from `allocate`, where the framing has no header; the buffer belongs to the
   * connection manager from here on.
   */
  sendPart(buffer: Buffer, fromBytes: number, lengthBytes: number): void
  /** From the next message on that has not begun to arrive, the framing cuts by this variant; it is kept when the connection moves. */
  reframe(variant: number): void
  /** Gives back a buffer from `allocate` that will not be sent. */
  discard(buffer: Buffer): void
  /** Bytes handed to `send` that the client has not taken yet. Above the limit, `onMessage` is not called until it falls. */
  readonly unsentBytes: number
  /** True when the client's machine has left what was sent unacknowledged for that long, in milliseconds, although it was sent again. */
  isSilent(silentMs: number): boolean
  /** What the next worker needs to carry on for this connection if this one dies (structured-cloneable). Replaces the last one under the same key; undefined removes it. */
  checkpoint(key: string, state: unknown): void
  /** Gives the connection to another worker, with its checkpoints; `redeliver` is handled there first. No further calls here but `onClose('moved')`. */
  moveTo(worker: number, redeliver?: Message): void
  /** The client has shown who it is. One that has not within the limit `strangerMs` is closed. */
  known(): void
  close(reason: string): void
}

/** What a protocol does with one client connection; the engine calls it, one call at a time. */
export interface ConnectionHandler {
  onMessage(message: Message): void
  /** All messages that had come in have been given to `onMessage`: what was gathered for one write can go out. */
  onBatchEnd?(): void
  /** The connection has room again (after `unsentBytes` was above its limit). */
  onDrain?(): void
  onClose(reason: 'closed' | 'moved' | 'shutdown'): void
}

/** A protocol as a worker knows it. */
export interface WorkerProtocol {
  /** A new connection, or one re-homed from another worker (`checkpoints` has what that one left). */
  accept(connection: Connection, checkpoints: ReadonlyMap<string, unknown>): ConnectionHandler
  /** The node shuts down; every connection has been told. */
  close?(): Promise<void>
}

/** A worker node, as seen by what runs on it. */
export interface WorkerNode {
  /** 0 … workers-1. */
  readonly index: number
  readonly workers: number
  /** Grows with every start of a worker of this index. */
  readonly incarnation: number
  /** Registers a worker object that other workers may call. */
  register(objectId: string, object: WorkerObject): void
  unregister(objectId: string): void
  /** Calls a method of a worker object on any worker (also this one). Rejects with code `WORKER_LOST` when that worker dies first. */
  call(worker: number, objectId: string, method: string, argument: unknown): Promise<unknown>
  /** One-way, ordered with `call`. */
  post(worker: number, objectId: string, method: string, argument: unknown): void
  /** After a worker died (and before its successor of the same index is called). */
  onWorkerLost(listener: (worker: number) => void): void
  readonly counters: Counters
  /** Holds the event loop's attention: while something asynchronous is outstanding the worker does not block in Atomics.wait. Call `end` once. */
  beginAsync(): void
  endAsync(): void
  /** This worker's end of a service that the node was started with (`ManagerOptions.services`). */
  service(name: string): MessagePort | undefined
  /** Asks the connection manager for something it alone knows. */
  ask<What extends keyof ManagerAnswers>(what: What): Promise<ManagerAnswers[What]>
  /** Writes to the node's log, which the manager keeps; fields are structured-cloned. */
  log(level: string, message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** What a worker may ask the connection manager for. */
export interface ManagerAnswers {
  /** Everything `/metrics` shows, summed over all workers. */
  readonly metrics: readonly MetricSample[]
  /** Whether the node takes new work: not while it shuts down. */
  readonly node: { readonly ready: boolean }
}

/** One value of one metric, as `/metrics` shows it. */
export interface MetricSample {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Methods of a worker object by name. `from` is the calling worker's index; what a method returns, or its promise gives, is structured-cloned to the caller. */
export type WorkerObject = Record<string, (argument: never, from: number) => unknown>

/** Counters and gauges in shared memory that `/metrics` sums over all workers. Names are Prometheus names. */
export interface Counters {
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter
}
/** One counter or gauge of this worker; adding costs one atomic operation. `set` is for gauges. */
export interface Counter {
  add(n?: number): void
  set(n: number): void
}
