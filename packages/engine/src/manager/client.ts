import { Socket } from 'node:net'
import { closeDescriptor, duplicateDescriptor, isUnresponsive, shutdownSocket, socketCallsAvailable } from '@holdfast/posix/socket'
import type { Addresses, EngineLimits, Framing } from '../shared/layout.ts'
import { Slot, slotAt } from '../shared/layout.ts'
import { Intake } from './intake.ts'
import type { IntakeOwner } from './intake.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** libuv's handle of an accepted connection, as `net.Server` gets it. */
export interface TcpHandle {
  readonly fd: number
  close(): void
}

export interface ListenerOptions {
  readonly protocol: string
  readonly framing: Framing
  /** Keeps its connection to its worker; otherwise that is torn down with the response, unless the worker says that it stays. */
  readonly distributed: boolean
  /** A client that has ended its side gets the answers to what it has sent before (RFC 9112 9.6); otherwise it has left. */
  readonly answersAfterEnd?: boolean
}

/**
 * Where a protocol listens: at an address, where port 0 takes a free one, on a socket that was made by somebody else, or on a Unix socket.
 */
export type ListenOptions = ListenerOptions & (ListeningAddress | InheritedSocket | UnixSocket)

/** A listening socket that whoever started this process has made, and keeps when this process is gone. It is closed with the manager. */
export interface InheritedSocket {
  readonly descriptor: number
}

/** A Unix socket that is made at a path, where nothing must be, for the user alone whose process this is; removed with the manager. */
export interface UnixSocket {
  readonly path: string
}

/** Where a listener really is. A Unix socket has its path as host, and port 0. */
export interface ListeningAddress {
  readonly host: string
  readonly port: number
}

export interface ClientEvents {
  onMessage(client: Client, offset: number, length: number): void
  onStarved(client: Client): void
  /** The client has ended its side, and waits for answers. */
  onEnd(client: Client): void
  onClose(client: Client): void
}

/** How long a client may take to read what was said last, and to close. */
const lingerMs = 2000

/** A client's connection as the manager keeps it: the socket, the bytes that arrive, the bytes that wait to go out. */
export class Client {
  readonly id: number
  readonly socket: Socket
  readonly listener: ListenerOptions
  readonly addresses: Addresses
  readonly checkpoints = new Map<string, unknown>()
  worker: WorkerHandle | undefined
  /** Bytes of its messages that are with a worker. */
  inboundBytes = 0
  /** Writes handed to the socket and not finished. */
  writes = 0
  isClosed = false
  endWhenWritten = false
  /** It has had its one response: what it may still send is nobody's (RFC 9112 9.6). */
  hasEnded = false
  /** The client has ended its side. */
  hasHeardAll = false
  #endedAtMs = 0
  readonly #intake: Intake
  readonly #table: Int32Array
  readonly #events: ClientEvents
  readonly #descriptor: number
  readonly #acceptedAt = performance.now()
  #paused = false
  #starved = false

  constructor(options: {
    id: number
    handle: TcpHandle
    listener: ListenerOptions
    table: Int32Array
    memory: Pick<IntakeOwner, 'arena' | 'landing'>
    messageBytes: number
    events: ClientEvents
  }) {
    const { id, handle, listener, table, events } = options
    this.id = id
    this.listener = listener
    this.#table = table
    this.#events = events
    const variantAt = slotAt(id) + Slot.framing
    this.#intake = new Intake({
      framing: listener.framing,
      messageBytes: options.messageBytes,
      owner: {
        ...options.memory,
        get variant() {
          return Atomics.load(table, variantAt)
        },
        deliver: (offset, length) => events.onMessage(this, offset, length),
      },
    })
    this.#descriptor = listener.distributed && socketCallsAvailable ? duplicateDescriptor(handle.fd) : -1
    this.#resetSlot()
    // `handle` and `onread.buffer` as a function are how node:net itself builds a socket that reads into given memory.
    this.socket = new Socket({
      handle,
      allowHalfOpen: listener.answersAfterEnd === true,
      onread: { buffer: () => this.#intake.target(), callback: (count: number) => this.#onRead(count) },
    } as never)
    this.socket.setNoDelay(true)
    this.socket.on('error', () => this.close())
    this.socket.on('end', () => this.#onEnd())
    this.socket.on('close', () => this.close())
    this.addresses = {
      remoteAddress: this.socket.remoteAddress ?? '',
      remotePort: this.socket.remotePort ?? 0,
      localAddress: this.socket.localAddress ?? '',
      localPort: this.socket.localPort ?? 0,
    }
  }

  get descriptor(): number {
    return this.#descriptor
  }

  get isPaused(): boolean {
    return this.#paused || this.#starved
  }

  /** Keeps its worker: because all of its listener do, or because that one has said so. */
  get isDistributed(): boolean {
    return this.listener.distributed || Atomics.load(this.#table, slotAt(this.id) + Slot.stays) !== 0
  }

  /** Writes part of a response that a worker could not; `done` when the kernel has it. */
  write(bytes: Buffer, done: () => void): void {
    if (this.isClosed) {
      done()
      return
    }
    this.writes++
    this.socket.write(bytes, () => {
      this.writes--
      done()
      if (this.writes === 0 && this.endWhenWritten) this.close()
    })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.isPaused || this.isClosed) return
    this.#paused = false
    try {
      if (this.#starved) this.#starved = !this.#intake.retry()
    } catch {
      this.close()
      return
    }
    if (!this.isPaused) this.socket.resume()
  }

  /** A message of that length is with no worker any more. */
  released(lengthBytes: number): void {
    this.inboundBytes -= lengthBytes
    // What answers it may be the next record of its worker's.
    if (this.hasHeardAll && this.inboundBytes === 0) queueMicrotask(() => this.inboundBytes === 0 && this.closeWhenWritten())
  }

  #onEnd(): void {
    this.hasHeardAll = true
    if (this.listener.answersAfterEnd !== true || this.hasEnded) this.close()
    else if (this.inboundBytes === 0) this.closeWhenWritten()
    else this.#events.onEnd(this)
  }

  closeWhenWritten(): void {
    if (this.writes === 0) this.close()
    else this.endWhenWritten = true
  }

  /** Says that nothing follows what has been written, and leaves it to the client to close, for a while. */
  end(): void {
    if (this.isClosed || this.hasEnded) return
    this.hasEnded = true
    this.#endedAtMs = performance.now()
    this.socket.end()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    Atomics.store(this.#table, slotAt(this.id) + Slot.closed, 1)
    this.#intake.abandon()
    // A duplicate of the descriptor keeps the socket alive: say goodbye explicitly.
    if (this.#descriptor >= 0) shutdownSocket(this.#descriptor)
    this.socket.destroy()
    this.#events.onClose(this)
  }

  /**
   * Closes the connection of a client that has not shown in time who it is, and of one whose machine has gone without a word: others that
   * wait for what that one holds shall go on before they give up themselves.
   */
  closeIfOverdue(limits: Pick<EngineLimits, 'strangerMs' | 'unacknowledgedMs'>): void {
    if (this.isClosed) return
    if (this.hasEnded && this.isDistributed && performance.now() - this.#endedAtMs > lingerMs) return this.close()
    const isStranger = Atomics.load(this.#table, slotAt(this.id) + Slot.known) === 0
    if (isStranger && performance.now() - this.#acceptedAt > limits.strangerMs) this.close()
    else if (this.#descriptor >= 0 && isUnresponsive(this.#descriptor, limits.unacknowledgedMs)) this.close()
  }

  /** When no worker holds the connection any more. */
  release(): void {
    if (this.#descriptor >= 0) closeDescriptor(this.#descriptor)
  }

  #onRead(count: number): boolean {
    if (this.isClosed) return false
    try {
      if (!this.#intake.arrived(count)) {
        this.#starved = true
        this.#events.onStarved(this)
      }
    } catch {
      this.close()
      return false
    }
    return !this.isPaused
  }

  #resetSlot(): void {
    const at = slotAt(this.id)
    this.#table.fill(0, at, at + Slot.words)
    this.#table[at + Slot.descriptor] = this.#descriptor
  }
}
