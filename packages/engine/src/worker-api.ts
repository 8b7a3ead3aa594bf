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

/** What holds as soon as a write is certain to go out. */
export interface Settlement {
  /** Messages that are answered for good, at most `finishesMax`: they are released. */
  readonly finishes?: readonly Message[]
  /** `Connection.state` from then on. */
  readonly state?: readonly number[]
}

/** Bytes of a file that take the place of bytes of a buffer. */
export interface FilePiece {
  /** Where in the buffer, counted from its beginning. */
  readonly at: number
  readonly lengthBytes: number
  /** Of the open file; it is not used any more when `sendPart` returns. */
  readonly descriptor: number
  /** Where in the file. */
  readonly offset: number
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
   * Sends `lengthBytes` from `fromBytes` on of a buffer got from `allocate`, which have their headers; the buffer belongs to the connection
   * manager from here on. With it hold what it settles: whatever becomes of this worker, all of it or nothing.
   *
   * `files` take the place of what the buffer has there, in their order: the kernel sends its own pages, without a copy (`isCached` should have said that
   * they are in memory). What is written to a file before the client has taken them may be what it gets. A file that cannot be read, or
   * has become shorter, ends the connection.
   */
  sendPart(buffer: Buffer, fromBytes: number, lengthBytes: number, settles?: Settlement, files?: readonly FilePiece[]): void
  /**
   * Sends of a piece of a file what the client's buffers take at once, and no more: returns how many bytes that were. By so many the number
   * of 64 bits has grown that is in the words `countsAt` (its lower half) and the next one of `state`, whatever becomes of this worker. 0 while there are unsent bytes. Nobody says when there is room again: whoever has more sends a part of it with `sendPart`, and waits for `onDrain`.
   */
  sendFile(piece: Omit<FilePiece, 'at'>, countsAt: number): number
  /** Settles without sending anything. */
  settle(settles: Settlement): void
  /** What was settled last, also by a worker before this one: `stateWords` numbers of 32 bits; zeros at first. */
  readonly state: readonly number[]
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
  /**
   * Before the first `send`: this connection is a distributed session from here on, although its listener is of non-distributed ones. It stays
   * with its worker until it is closed.
   */
  stay(): void
  /** The client has shown who it is. One that has not within the limit `strangerMs` is closed. */
  known(): void
  close(reason: string): void
  /**
   * Closes when the client has read what was sent, which it shall have a moment for: what it still sends is dropped (RFC 9112 9.6). `close` may take back
   * what the client has not read, if there is something of its own that nobody has.
   */
  end(reason: string): void
}

/** What a protocol does with one client connection; the engine calls it, one call at a time. */
export interface ConnectionHandler {
  onMessage(message: Message): void
  /** All messages that had come in have been given to `onMessage`: what was gathered for one write can go out. */
  onBatchEnd?(): void
  /** The connection has room again: `unsentBytes` was above its limit, or there are none any more. */
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
  /** Whether the node takes new work: not while it shuts down. And where it listens for it, in the order in which that was asked for. */
  readonly node: { readonly ready: boolean; readonly listeners: readonly ListenerState[] }
}

/** A listener of the node. */
export interface ListenerState {
  readonly protocol: string
  readonly isListening: boolean
  /** Where; undefined before and after it listens. A Unix socket has its path as host, and port 0. */
  readonly address?: { readonly host: string; readonly port: number } | undefined
}

/** One metric with one set of labels, as `/metrics` shows it. */
export interface MetricSample {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly labels: Readonly<Record<string, string>>
  /** Of a histogram: how many observations there were. */
  readonly value: number
  /** Of a histogram only. */
  readonly histogram?: HistogramValue
}

/** What Prometheus makes of a metric. */
export type MetricType = 'counter' | 'gauge' | 'histogram'

/** What a histogram has observed. */
export interface HistogramValue {
  /** Upper bounds of the buckets but the last one, ascending. */
  readonly bounds: readonly number[]
  /** Observations in each bucket by itself: up to `bounds[i]`, and above the one before. The last one has what is above all bounds. */
  readonly counts: readonly number[]
  /** Of all that was observed. */
  readonly sum: number
}

/** Methods of a worker object by name. `from` is the calling worker's index; what a method returns, or its promise gives, is structured-cloned to the caller. */
export type WorkerObject = Record<string, (argument: never, from: number) => unknown>

/** Metrics in shared memory that `/metrics` sums over all workers. Names and units are as Prometheus has them. */
export interface Counters {
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter
  /** `bounds` ascend, in seconds where the name ends so; all histograms of a name have the same. */
  histogram(name: string, help: string, bounds: readonly number[], labels?: Readonly<Record<string, string>>): Histogram
}
/** One counter or gauge of this worker; adding costs one store, since nobody else writes there. `set` is for gauges. */
export interface Counter {
  add(n?: number): void
  set(n: number): void
}
/** One histogram of this worker; observing costs two stores, and allocates nothing. */
export interface Histogram {
  observe(value: number): void
}
