/**
 * Connections that are not handed over, in the main thread: carried to a server byte by byte, or answered. A connection that is proxied has one request: the head gets `Connection: close`, so that
 * the next one is decided anew.
 */
import { Socket, connect } from 'node:net'
import { reasonOf, scanRequestHead } from '@holdfast/http'
import type { RequestHead } from '@holdfast/http'
import { parseEndpoint } from '../protocol/index.ts'
import { closeHeaderBytes, copyWithClose } from './close-header.ts'
import type { ProxyRequest } from './core.ts'
import { headBytesMax, headLimits } from './requests.ts'
import type { ProxyMetrics } from './thread-messages.ts'

/** A server that has not answered the SYN in this time is not waited for. */
const connectMs = 1000
/** Nothing has come in either direction for so long. */
const idleMs = 600_000
/** A request that cannot be answered now may be repeated so soon. */
const retryAfterSeconds = 1

interface Answer {
  readonly status: number
  readonly detail: string
}

const unavailable: Answer = { status: 503, detail: 'No server can be reached that has this.' }

/** The connections that are proxied. */
export class Proxy {
  readonly #sockets = new Set<Socket>()
  readonly #answered: Record<string, number> = {}
  #proxied = 0

  metrics(): ProxyMetrics {
    return { proxied: this.#proxied, proxying: this.#sockets.size, answered: { ...this.#answered } }
  }

  /** Takes a connection over: its descriptor belongs to us from now on. */
  take(request: ProxyRequest): void {
    const client = new Socket({ fd: request.fd, readable: true, writable: true, allowHalfOpen: true })
    this.#sockets.add(client)
    client.on('close', () => this.#sockets.delete(client))
    // Whoever wrote has heard of it by 'close'.
    client.on('error', () => client.destroy())
    client.setTimeout(idleMs, () => client.destroy())
    if (request.answer !== undefined) this.#answer(client, request.answer)
    else this.#readHead(client, request.servers)
  }

  /** Waits for those that are there, at most so long; then they end. */
  async close(graceMs: number): Promise<void> {
    const waiting = Array.from(this.#sockets, socket => new Promise(resolve => socket.once('close', resolve)))
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, graceMs)
    await Promise.all(waiting)
    clearTimeout(timer)
  }

  /** The head was there when the connection was given to us, so it does not take long. */
  #readHead(client: Socket, servers: readonly string[]): void {
    let bytes: Buffer = Buffer.alloc(0)
    const take = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const head = scanRequestHead(bytes, 0, bytes.length, headLimits)
      if (head === 'more' && bytes.length < headBytesMax) return
      client.off('data', take)
      client.pause()
      if (head === 'more') this.#answer(client, { status: 431, detail: 'The head of the request is too long.' })
      else if ('status' in head) this.#answer(client, head)
      else void this.#carry(client, withClose(bytes, head), servers)
    }
    client.on('data', take)
    client.once('end', () => {
      if (client.listenerCount('data') > 0 && bytes.length === 0) client.destroy()
    })
  }

  async #carry(client: Socket, first: Buffer, servers: readonly string[]): Promise<void> {
    for (const server of servers) {
      // One after the other: the first that answers has it.
      // oxlint-disable-next-line no-await-in-loop
      const upstream = await connected(server)
      if (upstream === undefined) continue
      this.#proxied++
      upstream.on('error', () => client.destroy())
      upstream.on('close', () => client.end())
      client.on('close', () => upstream.destroy())
      upstream.write(first)
      client.pipe(upstream)
      upstream.pipe(client)
      return
    }
    this.#answer(client, unavailable)
  }

  /** What else the client sends is read and forgotten: a connection that is closed with bytes unread is reset, and the answer with it. */
  #answer(client: Socket, { status, detail }: Answer): void {
    this.#answered[status] = (this.#answered[status] ?? 0) + 1
    const body = `${detail}\n`
    const retry = status === 503 ? `Retry-After: ${retryAfterSeconds}\r\n` : ''
    const fields = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${retry}Connection: close\r\n`
    client.resume()
    client.end(`HTTP/1.1 ${status} ${reasonOf(status)}\r\n${fields}\r\n${body}`)
    client.setTimeout(connectMs, () => client.destroy())
  }
}

/** An upgrade needs its Connection field. */
function withClose(bytes: Buffer, head: RequestHead): Buffer {
  if (head.upgrade || head.close) return bytes
  const edited = Buffer.allocUnsafe(bytes.length + closeHeaderBytes)
  return edited.subarray(0, copyWithClose(bytes, 0, bytes.length, head, edited))
}

/** A connection to a server, or undefined when there is none to be had. */
function connected(server: string): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
  const { host, port } = parseEndpoint(server)
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
  const fail = (): void => {
    socket.destroy()
    resolve(undefined)
  }
  socket.setTimeout(connectMs, fail)
  socket.once('error', fail)
  socket.once('connect', () => {
    socket.off('error', fail)
    socket.setTimeout(0)
    resolve(socket)
  })
  return promise
}
