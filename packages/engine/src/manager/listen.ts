import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import type { ListenerState } from '../worker-api.ts'
import type { InheritedSocket, ListeningAddress, ListenOptions, TcpHandle, UnixSocket } from './client.ts'

const backlog = 511
/** A socket that is made while this is the mask belongs to its owner alone: there is no moment at which others could connect. */
const forOwnerAlone = 0o177

/** Where a node accepts connections. */
export class Listeners {
  readonly #servers = new Map<Server, string>()

  get states(): readonly ListenerState[] {
    return [...this.#servers].map(([server, protocol]) => ({ protocol, isListening: server.listening, address: addressOf(server) }))
  }

  /** Rejects with Node's error; nothing listens there then. */
  open(options: ListenOptions, onAccept: (accepted: TcpHandle) => void): Promise<ListeningAddress> {
    const server = createServer()
    this.#servers.set(server, options.protocol)
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#servers.delete(server)
        reject(error)
      }
      server.once('error', fail)
      listenAt(server, options, () => {
        server.off('error', fail)
        // node:net has no public way to give an accepted socket its read buffer; this is its own inner callback.
        const { _handle: handle } = server as unknown as { _handle: { onconnection: (error: number, accepted: TcpHandle) => void } }
        handle.onconnection = (error, accepted) => {
          if (error === 0) onAccept(accepted)
        }
        resolve(addressOf(server) ?? { host: '', port: 0 })
      })
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.keys()].map(server => new Promise(resolve => server.close(resolve))))
  }
}

function addressOf(server: Server): ListeningAddress | undefined {
  const address: AddressInfo | string | null = server.address()
  if (address === null) return undefined
  return typeof address === 'string' ? { host: address, port: 0 } : { host: address.address, port: address.port }
}

/** Makes the server listen; `onListening` and its `error` event tell how that went. */
function listenAt(server: Server, where: ListeningAddress | InheritedSocket | UnixSocket, onListening: () => void): void {
  if ('descriptor' in where) server.listen({ fd: where.descriptor, backlog }, onListening)
  else if ('path' in where) listenOnUnixSocket(server, where.path, onListening)
  else server.listen({ host: where.host, port: where.port, backlog }, onListening)
}

function listenOnUnixSocket(server: Server, path: string, onListening: () => void): void {
  const before = process.umask(forOwnerAlone)
  try {
    // Binds before it returns.
    server.listen({ path, backlog }, onListening)
  } finally {
    process.umask(before)
  }
}
