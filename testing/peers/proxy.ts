/** A TCP relay between a client and a server that looks at frames, changes them, or is gone all of a sudden. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { FrameCutter } from './frames.ts'
import type { Endpoint } from './server.ts'

/** What may be done to a frame (4 bytes of length, then the message); changed in place. */
export type Meddle = (frame: Buffer) => void

/** A running relay; stopped with `await using`. */
export interface Proxy extends AsyncDisposable {
  readonly endpoint: Endpoint
  /** Bytes the server has sent so far. */
  readonly bytesToClient: number
  /** Cuts all connections, as a power failure would. */
  cut(): void
}

/** Starts a relay to a server. */
export async function startProxy(target: Endpoint, meddle: { readonly toServer?: Meddle; readonly toClient?: Meddle } = {}): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let bytesToClient = 0
  const relay = (from: Socket, to: Socket, change: Meddle | undefined): void => {
    const cutter = new FrameCutter()
    from.on('data', (bytes: Buffer) => {
      for (const frame of change === undefined ? [bytes] : cutter.push(bytes)) {
        change?.(frame)
        if (!to.write(frame)) from.pause()
      }
    })
    to.on('drain', () => from.resume())
    from.on('error', () => undefined)
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    sockets.add(from)
  }
  const server = createServer({ noDelay: true }, client => {
    const upstream = connect({ ...target, noDelay: true })
    upstream.on('data', (bytes: Buffer) => (bytesToClient += bytes.length))
    relay(client, upstream, meddle.toServer)
    relay(upstream, client, meddle.toClient)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get bytesToClient() {
      return bytesToClient
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
