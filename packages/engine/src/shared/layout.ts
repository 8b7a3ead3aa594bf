/** What connection manager and worker nodes share, word by word. */
import type { MessagePort } from 'node:worker_threads'
import type { ManagerAnswers, MetricType } from '../worker-api.ts'
import type { RingShape } from './ring.ts'

/** Records: type and up to five numbers. */
export const ringShape: RingShape = { records: 8192, wordsPerRecord: 6 }

/** Manager to worker. */
export const ToWorker = {
  /** connection, message, offset in the inbound arena, length */
  message: 1,
  /** connection, message, offset, length: an earlier worker died while it had it */
  orphan: 2,
  /** connection, reason (CloseReason) */
  close: 3,
  /** offset in the worker's outbound arena: written, free again */
  free: 4,
  /** connection: fell below its limit of unsent bytes, or has none left */
  drained: 5,
} as const

/** Worker to manager. */
export const ToManager = {
  /** message: finished, its memory is free */
  release: 1,
  /** connection, block in the outbound arena, first byte to write, length, message that this finishes + 1 (or 0): both or neither */
  write: 2,
  /** connection, not 0: once the client has read it; close once what is written has gone out */
  close: 3,
} as const

export const CloseReason = { closed: 0, moved: 1, shutdown: 2 } as const

/** Messages that one write can finish. */
export const finishesMax = 2048
/** Pieces of files that one write can have and go out directly, and the words that each takes in a control block. */
export const piecesMax = 64
export const pieceWords = 5
/** Words of a connection's state (`Connection.state`). */
export const stateWords = 4

/** Words of a worker's control block. */
export const Control = {
  /** WorkerState */
  state: 0,
  /** Not 0: something waits in a message port. */
  mail: 1,
  /** Not 0: the manager has been told to look at the ring, and has not looked yet. */
  rung: 2,
  /** Indices of the messages that the write at work finishes, at most `finishesMax`: a worker is in one write at a time. */
  finishing: 16,
  /** How many pieces of files the write at work has (`holdPieces`), and what they are. */
  pieceCount: 16 + finishesMax,
  pieces: 17 + finishesMax,
  words: 17 + finishesMax + piecesMax * pieceWords,
} as const

export const WorkerState = {
  running: 0,
  /** Blocked in Atomics.wait on `Control.state`. */
  waiting: 1,
  /** In its event loop; wake it with a message. */
  inEventLoop: 2,
} as const

/** Words of a connection's block in the shared table. */
export const Slot = {
  /** Writes handed to the manager that it has not finished; while not 0, everything goes through the manager. */
  managerWrites: 0,
  /** An `Intent`: not 0 while a worker is in a write of … */
  intent: 1,
  intentOffset: 2,
  intentLength: 3,
  /** … what finishes so many messages (`Control.finishing`), … */
  intentMessages: 4,
  /** Bytes written since the connection was accepted, modulo 2^32. */
  written: 5,
  /** Duplicate of the socket's descriptor for the worker, -1 without. */
  descriptor: 6,
  /** Not 0 when the connection is gone. */
  closed: 7,
  /** Bytes the manager has not written yet. */
  managerBytes: 8,
  /** `written` at the time of the intent. */
  intentBase: 9,
  /** Not 0 when a worker has said that the client is who it says it is. */
  known: 10,
  /**
   * The number of the next record to the manager at the time of the intent. Its records follow from there: one with the write, unless the socket
   * has taken it all, which finishes the first message too, and one for each further message.
   */
  intentRecord: 11,
  /** How messages of this connection are cut, as its worker has set it: the `variant` of `Framing.frameBytes`. */
  framing: 12,
  /** Which of the two `state`s holds. */
  stateInForce: 13,
  /** … and from which on this one holds. */
  intentState: 14,
  /** Not 0 when its worker keeps it although its listener is of requests that end with their response. */
  stays: 15,
  /** What the connection's worker keeps with its writes (`Connection.state`): the one that holds, and room for the next one. */
  state: 16,
  words: 16 + 2 * stateWords,
} as const

/**
 * What a worker is in: a write to the socket; one that the manager does; or one to the socket with pieces of files, which the manager
 * reads for what has not gone out (`Control.pieces`); or one of a file alone, whose bytes are counted in the state, at word `intentOffset`: what went out counts.
 */
export const Intent = { none: 0, direct: 1, throughManager: 2, withFiles: 3, counted: 4 } as const

/** Adds to a number of 64 bits in a table of words, the lower ones first. */
export function addToCount(table: Int32Array, at: number, bytes: number): void {
  const low = (table[at] >>> 0) + bytes
  table[at] = low | 0
  if (low > 0xffffffff) table[at + 1]++
}

/** Word 0 of the table's header: not 0 when the manager wants to be woken by every release. */
export const managerWantsWake = 0
/** Word 1: grows whenever a message comes from another client than the one before. */
export const clientSwitches = 1
export const tableHeaderWords = 16

export const maxConnections = 16384

export function slotAt(connection: number): number {
  return tableHeaderWords + connection * Slot.words
}

/** Limits of the engine; all are configuration. */
export interface EngineLimits {
  /** Open connections in all. */
  readonly connections: number
  readonly connectionsPerAddress: number
  /** How long a client may stay without its worker calling `known`, in milliseconds. */
  readonly strangerMs: number
  /** How long a client may leave what was sent to it unacknowledged, in milliseconds: then its machine is taken for gone. */
  readonly unacknowledgedMs: number
  /** Bytes of messages that one connection may have waiting or in work before its socket is not read any more. */
  readonly inboundBytesPerConnection: number
  /** Bytes of responses that one client may leave unread before its requests wait. */
  readonly unsentBytesPerConnection: number
  /** Shared memory for messages from clients, of the whole node. */
  readonly inboundBytes: number
  /** Shared memory for responses, of each worker. */
  readonly outboundBytes: number
  /** The largest message a client may send. */
  readonly messageBytes: number
  /** JavaScript heap of a worker, in MiB. */
  readonly workerHeapMiB: number
}

/** The limits of a node that says nothing of its own: 8,192 connections, 256 MiB of shared memory for each direction. Memory is taken as it is used. */
export const defaultLimits: EngineLimits = {
  connections: 8192,
  connectionsPerAddress: 8192,
  strangerMs: 60_000,
  unacknowledgedMs: 30_000,
  inboundBytesPerConnection: 32 << 20,
  unsentBytesPerConnection: 32 << 20,
  inboundBytes: 256 << 20,
  outboundBytes: 256 << 20,
  messageBytes: 9 << 20,
  workerHeapMiB: 1024,
}

/** How a transport cuts its byte stream into messages. */
export interface Framing {
  /** Bytes in front of each message that are not delivered to the worker. */
  readonly headerBytes: number
  /** Bytes needed before `frameBytes` can tell. */
  readonly leadBytes: number
  /**
   * Length of the frame that starts at `at`, header included; 0 when more bytes are needed to tell.
   * Throws when the bytes can't be the start of a frame: the connection is closed. `variant` is what the worker has set with
   * `Connection.reframe`, 0 before.
   */
  frameBytes(bytes: Buffer, at: number, end: number, variant?: number): number
  /** Writes the header of a frame with a payload of `lengthBytes`. */
  writeHeader(into: Buffer, at: number, lengthBytes: number): void
}

/** What a worker gets at its start. */
export interface WorkerStart {
  readonly index: number
  readonly workers: number
  readonly incarnation: number
  readonly table: SharedArrayBuffer
  readonly inbound: SharedArrayBuffer
  readonly outbound: SharedArrayBuffer
  readonly toWorker: SharedArrayBuffer
  readonly toManager: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  readonly counters: SharedArrayBuffer
  readonly limits: EngineLimits
  readonly config: unknown
}

/** Over the port between manager and worker: what does not fit a record, and is rare. */
export type ManagerMail =
  | {
      readonly kind: 'open'
      readonly connection: number
      readonly protocol: string
      readonly distributed: boolean
      readonly addresses: Addresses
      readonly checkpoints: readonly (readonly [string, unknown])[]
    }
  | { readonly kind: 'peer'; readonly worker: number; readonly port: MessagePort; readonly control: SharedArrayBuffer }
  | { readonly kind: 'lost'; readonly worker: number }
  | { readonly kind: 'reply'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'bell' }

export interface Addresses {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

export type WorkerMail =
  | { readonly kind: 'ready' }
  | { readonly kind: 'bell' }
  | { readonly kind: 'checkpoint'; readonly connection: number; readonly key: string; readonly state: unknown }
  /** The worker holds nothing of the connection any more. */
  | { readonly kind: 'gone'; readonly connection: number }
  | { readonly kind: 'move'; readonly connection: number; readonly to: number; readonly first: number }
  | {
      readonly kind: 'counter'
      readonly slot: number
      readonly name: string
      readonly help: string
      readonly type: MetricType
      readonly labels: Readonly<Record<string, string>>
      /** Of a histogram: a slot for each bucket, the one above all bounds, and the sum follow one another. */
      readonly bounds?: readonly number[]
    }
  | { readonly kind: 'ask'; readonly call: number; readonly what: keyof ManagerAnswers }
  | { readonly kind: 'log'; readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }
