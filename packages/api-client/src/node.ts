/** The client in Node: also over a node's Unix socket. */

import { request } from 'node:http'
import { Readable } from 'node:stream'
import { type ApiClient, connect as connectOverHttp, type ConnectOptions } from './client.ts'
import type { Fetch } from './requests.ts'

/** A node of this machine: who may open its socket may do everything, and needs no password. */
export interface SocketOptions extends Pick<ConnectOptions, 'signal' | 'patienceMs' | 'onConnection' | 'token'> {
  /** `control.sock` in the node's state folder. */
  readonly socketPath: string
}

/** The name that a socket's sessions have. */
const localUser = 'local'

/**
 * As `connect` of `@holdfast/api-client`, and over a Unix socket.
 *
 * @example
 * import { connect } from '@holdfast/api-client/node'
 * await using api = await connect({ socketPath })
 * api.session.role // => 'admin'
 */
export function connect(options: ConnectOptions | SocketOptions): Promise<ApiClient> {
  if (!('socketPath' in options)) return connectOverHttp(options)
  const { socketPath, ...rest } = options
  const who = rest.token === undefined ? { user: localUser } : {}
  return connectOverHttp({ ...rest, ...who, url: 'http://localhost', fetch: socketFetch(socketPath) })
}

/** `fetch` over a Unix socket, as far as the client needs it: a connection for each request. */
export function socketFetch(socketPath: string): Fetch {
  return (url, { method = 'GET', headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(url)
      const content = typeof body === 'string' ? body : undefined
      const sent = request({
        socketPath,
        method,
        path: `${pathname}${search}`,
        agent: false,
        headers: {
          ...(headers as Record<string, string>),
          Host: 'localhost',
          ...(content !== undefined && { 'Content-Length': String(Buffer.byteLength(content)) }),
        },
        ...(signal && { signal }),
      })
      sent.on('error', reject)
      sent.on('response', response => {
        const { statusCode = 0, statusMessage = '' } = response
        const answerHeaders = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as [string, string])
        const isEmpty = statusCode === 204 || statusCode === 304
        if (isEmpty) response.resume()
        // Node's types of the same web stream, twice.
        const stream = isEmpty ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>)
        resolve(new Response(stream, { status: statusCode, statusText: statusMessage, headers: answerHeaders }))
      })
      sent.end(content)
    })
}

export { ApiClient, type ConnectOptions } from './client.ts'
export { ApiError } from './error.ts'
