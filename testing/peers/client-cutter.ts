/** A TCP relay that resets a connection at a chosen message, or lets nothing through any more. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { FrameCutter } from './frames.ts'
import type { Endpoint } from './server.ts'

/** `request`: the message does not reach the server. `response`: the server has answered, and the client does not see it. */
export type Side = 'request' | 'response'

/** A running relay; stopped with `await using`. */
export interface Cutter extends AsyncDisposable {
  readonly endpoint: Endpoint
  /** Messages of each side since `arm`. */
  readonly seen: Readonly<Record<Side, number>>
  readonly cuts: number
  /** Bytes to the client, of all connections. */
  readonly bytesToClient: number
  readonly bytesToServer: number
  /** Counts from here; the `at`th message of that side resets the connection. Without arguments: only counts. */
  arm(side?: Side, at?: number): void
  /** Resets all connections. */
  cut(): void
  /** From now on nothing goes through, on connections that stay; until `cut`. */
  mute(): void
  /** New connections are refused, or not any more. */
  refuse(isRefusing: boolean): void
}

/** Starts a relay to a server. */
export async function startCutter(target: Endpoint): Promise<Cutter> {
  const sockets = new Set<Socket>()
  const seen = { request: 0, response: 0 }
  const bytes = { request: 0, response: 0 }
  let plan: { readonly side: Side; readonly at: number } | undefined
  let cuts = 0
  let isMute = false
  let isRefusing = false
  const cut = (): void => {
    cuts++
    isMute = false
    // A reset of a socket that is ending already never ends (libuv refuses it, and Node keeps the handle).
    for (const socket of sockets) {
      if (socket.readyState === 'open') socket.resetAndDestroy()
      else socket.destroy()
    }
    sockets.clear()
  }
  const relay = (from: Socket, to: Socket, side: Side): void => {
    const frames = new FrameCutter()
    from.on('data', (chunk: Buffer) => {
      if (isMute) return
      bytes[side] += chunk.length
      for (const frame of frames.push(chunk)) {
        if (to.destroyed) return
        if (++seen[side] === plan?.at && plan.side === side) {
          plan = undefined
          return cut()
        }
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
    if (isRefusing) {
      client.on('error', () => undefined)
      return void client.resetAndDestroy()
    }
    const upstream = connect({ ...target, noDelay: true })
    relay(client, upstream, 'request')
    relay(upstream, client, 'response')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    seen,
    get cuts() {
      return cuts
    },
    get bytesToClient() {
      return bytes.response
    },
    get bytesToServer() {
      return bytes.request
    },
    arm(side, at) {
      seen.request = seen.response = 0
      plan = side === undefined || at === undefined ? undefined : { side, at }
    },
    cut,
    mute: () => void (isMute = true),
    refuse: refusing => void (isRefusing = refusing),
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
