/** A network between an initiator and a portal: it breaks off, it goes silent, and it comes back. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Endpoint } from '../peers/server.ts'

/**
 * What happens to a path: `cut`: connections break off, and new ones are refused, as those of a portal that was killed are; `silent`: nothing comes
 * through any more, and nobody says so.
 */
export type Trouble = 'cut' | 'silent'

/** A running path; stopped with `await using`. */
export class NetworkPath implements AsyncDisposable {
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer({ noDelay: true }, client => this.#relay(client))
  #port = 0
  #trouble: Trouble | undefined
  #target: Endpoint

  private constructor(target: Endpoint) {
    this.#target = target
  }

  static async open(target: Endpoint): Promise<NetworkPath> {
    const path = new NetworkPath(target)
    await path.#listen()
    path.#port = (path.#server.address() as AddressInfo).port
    return path
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return this.#port
  }

  break(trouble: Trouble): void {
    this.#trouble = trouble
    if (trouble === 'cut') this.#server.close()
    for (const socket of this.#sockets) this.#suffer(socket)
  }

  /** What was on its way when the path went silent is lost: it must not come after what the initiator has sent by another way since. */
  async mend(): Promise<void> {
    this.#trouble = undefined
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) await this.#listen()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #relay(client: Socket): void {
    this.#follow(client)
    if (this.#trouble !== undefined) return this.#suffer(client)
    const target = connect({ ...this.#target, noDelay: true })
    this.#follow(target)
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        if (!to.write(bytes)) from.pause()
      })
      to.on('drain', () => {
        if (this.#trouble === undefined) from.resume()
      })
      from.on('close', () => to.destroy())
    }
  }

  #suffer(socket: Socket): void {
    if (this.#trouble === 'cut') socket.destroy()
    else socket.pause()
  }

  #follow(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
