/** TCP: connects, sends frames, receives them without a copy. SMB Direct would take this one's place. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { SmbError } from './errors.ts'
import { FrameReceiver } from './frames.ts'
import type { Frame } from './frames.ts'
import type { BufferPool } from './buffers.ts'

/** What a transport is made with. */
export interface TransportOptions {
  readonly host: string
  readonly port: number
  /** Time for connecting, in ms. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly pool: BufferPool
  readonly onFrame: (frame: Frame) => void
  /** Called once, when nothing comes any more; without an error when the other side closed. */
  readonly onEnd: (error: Error | undefined) => void
}

/** One TCP connection. */
export class Transport {
  readonly #socket: Socket
  readonly #receiver: FrameReceiver
  readonly #onEnd: (error: Error | undefined) => void
  #ended = false
  #corked = false
  #receivedAtMs = performance.now()

  private constructor(options: TransportOptions) {
    this.#receiver = new FrameReceiver(options)
    this.#onEnd = options.onEnd
    this.#socket = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      keepAlive: true,
      onread: {
        // Called after each read: where the next one goes.
        buffer: () => this.#receiver.target(),
        callback: lengthBytes => this.#received(lengthBytes),
      },
    })
  }

  /** Connects. Rejects with SmbError `CONNECTION_FAILED` or `TIMEOUT`, or the signal's reason. */
  static async connect(options: TransportOptions): Promise<Transport> {
    const { host, port, timeoutMs, signal } = options
    signal?.throwIfAborted()
    const transport = new Transport(options)
    const socket = transport.#socket
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new SmbError('TIMEOUT', `no connection to ${host}:${port} within ${timeoutMs} ms`)), timeoutMs)
    const onAbort = (): void => reject(signal?.reason)
    const onError = (cause: Error): void => reject(new SmbError('CONNECTION_FAILED', `${host}:${port}: ${cause.message || cause.name}`, { cause }))
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('connect', resolve).once('error', onError)
    try {
      await promise
    } catch (error) {
      socket.on('error', () => undefined)
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', onError)
    }
    socket.on('error', error => transport.#end(error))
    socket.on('end', () => transport.#end(undefined))
    socket.on('close', () => transport.#end(undefined))
    return transport
  }

  /** When something was received last, by the monotonic clock, in ms. */
  get receivedAtMs(): number {
    return this.#receivedAtMs
  }

  /** Longest frame that is accepted, in bytes. */
  set maxFrameBytes(lengthBytes: number) {
    this.#receiver.maxFrameBytes = lengthBytes
  }

  /** Sends bytes, in order; what is sent in one turn of the event loop goes out together. `sent`: the buffer is not needed any more. */
  send(bytes: Buffer, sent?: () => void): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(bytes, sent)
  }

  /** Ends the connection after what was sent. */
  close(): void {
    this.#ended = true
    this.#socket.end(() => this.#socket.destroy())
    // Whoever does not take what was sent is not waited for.
    setTimeout(() => this.#socket.destroy(), 1000).unref()
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#ended = true
    this.#socket.destroy()
  }

  #received(lengthBytes: number): boolean {
    if (this.#ended) return false
    this.#receivedAtMs = performance.now()
    try {
      this.#receiver.received(lengthBytes)
    } catch (error) {
      this.#end(error as Error)
    }
    return true
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    this.#onEnd(error)
  }
}
