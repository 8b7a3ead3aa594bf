/** Tells a job on an emulated machine, whose own clock is no good, how long it still has. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/** Listens on a port of loopback: to everybody who connects it says how many seconds are left, counted from the first who does. */
export async function startClock(seconds: number): Promise<AsyncDisposable & { readonly port: number }> {
  let begin: number | undefined
  const server = createServer(socket => {
    begin ??= performance.now()
    socket.on('error', () => undefined).end(`${Math.ceil(seconds - (performance.now() - begin) / 1000)}\n`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
