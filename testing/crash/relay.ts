/** A TCP relay to a server that dies and comes back: it makes the server die at a chosen message, and lets clients wait until it is back. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { FrameCutter } from '../peers/frames.ts'
import type { Endpoint } from '../peers/server.ts'

/** `request`: the server has been given the message. `response`: the server has sent it, and the client does not get it. */
export type Side = 'request' | 'response'

/** What happens at a message. */
export interface Trap {
  readonly side: Side
  /** 1 for the next message of that side. */
  readonly at: number
  /** Kills the server; no message goes through on these connections any more. */
  readonly spring: () => void
}

/** A running relay; stopped with `await using`. */
export interface Relay extends AsyncDisposable {
  readonly endpoint: Endpoint
  /** Messages of each side since `arm`. */
  readonly seen: Readonly<Record<Side, number>>
  /** Payload and all, of all connections since the start. */
  readonly bytes: Readonly<Record<Side, number>>
  arm(trap?: Trap): void
  /** New connections wait, or not any longer. */
  hold(isHolding: boolean): void
}

const retryMs = 10

/** Starts a relay. */
export async function startRelay(target: Endpoint): Promise<Relay> {
  const sockets = new Set<Socket>()
  const seen = { request: 0, response: 0 }
  const bytes = { request: 0, response: 0 }
  let trap: Trap | undefined
  let isHolding = false

  /** True when the message was the last that its connection was to see. */
  const springs = (side: Side): boolean => {
    if (++seen[side] !== trap?.at || trap.side !== side) return false
    const { spring } = trap
    trap = undefined
    spring()
    return true
  }
  const pass = (from: Socket, to: Socket, side: Side): void => {
    const frames = new FrameCutter()
    from.on('data', (chunk: Buffer) => {
      bytes[side] += chunk.length
      for (const frame of frames.push(chunk)) {
        if (from.destroyed || to.destroyed) return
        if (side === 'request') to.write(frame)
        if (springs(side)) return cut(from, to)
        if (side === 'response') to.write(frame)
      }
      if (to.writableNeedDrain) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('error', () => undefined)
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    sockets.add(from)
  }
  const cut = (...ends: readonly Socket[]): void => {
    for (const socket of ends) {
      socket.removeAllListeners('data')
      socket.destroy()
    }
  }
  /** The server may be starting: a client waits for it here. Undefined when it has lost its patience. */
  const reach = async (client: Socket): Promise<Socket | undefined> => {
    while (!client.destroyed) {
      if (isHolding) {
        await sleep(retryMs)
        continue
      }
      const upstream = connect({ ...target, noDelay: true })
      try {
        await once(upstream, 'connect')
        return upstream
      } catch {
        // Nobody listens yet.
        await sleep(retryMs)
      }
    }
    return undefined
  }
  const server = createServer({ noDelay: true, pauseOnConnect: true }, client => {
    client.on('error', () => undefined)
    client.on('close', () => sockets.delete(client))
    sockets.add(client)
    void reach(client).then(upstream => {
      if (upstream === undefined) return
      pass(client, upstream, 'request')
      pass(upstream, client, 'response')
      client.resume()
      if (client.destroyed) upstream.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    seen,
    bytes,
    arm(next) {
      seen.request = seen.response = 0
      trap = next
    },
    hold: holding => void (isHolding = holding),
    async [Symbol.asyncDispose]() {
      cut(...sockets)
      server.close()
      await once(server, 'close')
    },
  }
}
