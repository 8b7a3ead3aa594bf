/** TCP: connects, sends PDUs, receives them. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Digests } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import { Outgoing } from './outgoing.ts'
import type { HeaderLayout, PduParts } from './outgoing.ts'
import { PduReceiver } from './receiver.ts'
import type { ReceivedPdu } from './receiver.ts'

/** Where to connect to. */
export interface TransportOptions {
  readonly host: string
  readonly port: number
  /** Time for connecting, in ms. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** MaxRecvDataSegmentLength that will be declared. */
  readonly dataBytesMax: number
}

/** Who has a transport. */
export interface TransportOwner {
  received(pdu: ReceivedPdu): void
  /** Nothing comes any more; called once. Without an error when the other side closed. */
  ended(error: Error | undefined): void
}

/** One TCP connection. It belongs to its login first, and to a session then. */
export class Transport {
  readonly #socket: Socket
  readonly #receiver: PduReceiver
  readonly #outgoing: Outgoing
  #owner: TransportOwner | undefined
  /** How it ended while nobody had it. */
  #end: { readonly error: Error | undefined } | undefined
  #receivedAtMs = performance.now()

  private constructor({ host, port, dataBytesMax }: TransportOptions) {
    this.#receiver = new PduReceiver({ dataBytesMax, onPdu: pdu => this.#owner?.received(pdu) })
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      onread: {
        // Called after each read: where the next one goes.
        buffer: () => this.#receiver.target(),
        callback: lengthBytes => this.#received(lengthBytes),
      },
    })
    this.#outgoing = new Outgoing(this.#socket)
  }

  /** Connects. Rejects with IscsiError `CONNECTION_FAILED` or `TIMEOUT`, or the signal's reason. */
  static async connect(options: TransportOptions): Promise<Transport> {
    const { host, port, timeoutMs, signal } = options
    signal?.throwIfAborted()
    const transport = new Transport(options)
    const socket = transport.#socket
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new IscsiError('TIMEOUT', `no connection to ${host}:${port} within ${timeoutMs} ms`)), timeoutMs)
    const onAbort = (): void => reject(signal?.reason)
    const onError = (cause: Error): void => reject(new IscsiError('CONNECTION_FAILED', `${host}:${port}: ${cause.message || cause.name}`, { cause }))
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
    socket.on('error', error => transport.#ended(error))
    socket.on('end', () => transport.#ended(undefined))
    socket.on('close', () => transport.#ended(undefined))
    return transport
  }

  /** When something was received last, by the monotonic clock, in ms. */
  get receivedAtMs(): number {
    return this.#receivedAtMs
  }

  /** Gives it to somebody; who is told at once when it has ended meanwhile. */
  set owner(owner: TransportOwner) {
    this.#owner = owner
    if (this.#end !== undefined) owner.ended(this.#end.error)
  }

  /** What was negotiated holds from the next PDU on, both ways. */
  set digests(digests: Digests) {
    this.#receiver.digests = digests
    this.#outgoing.digests = digests
  }

  /** See `Outgoing`. */
  put<In>(layout: HeaderLayout<In>, value: In, parts?: PduParts): void {
    this.#outgoing.put(layout, value, parts)
  }

  /** Ends it at once. The owner is not told. */
  destroy(): void {
    this.#end ??= { error: undefined }
    this.#socket.destroy()
  }

  #received(lengthBytes: number): boolean {
    if (this.#end !== undefined) return false
    this.#receivedAtMs = performance.now()
    try {
      this.#receiver.received(lengthBytes)
    } catch (error) {
      this.#ended(error as Error)
    }
    return true
  }

  #ended(error: Error | undefined): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#socket.destroy()
    this.#owner?.ended(error)
  }
}
