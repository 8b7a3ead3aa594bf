/** Starts the product on a socket that is held for it, ends it with -9, and starts it again at once. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { startActivated } from './held-socket.ts'
import type { ActivatedProcess, HeldSocket } from './held-socket.ts'

/** One end and one new beginning; times as `Date.now()`. */
export interface Restart {
  readonly killedAtMs: number
  /** When the ready line came. */
  readonly upAtMs: number
}

/** What of the log is kept, from its end. */
const logCharacters = 200_000

/** A server that is there again whenever it was killed. Stopped with `await using`. */
export class Restarter implements AsyncDisposable {
  readonly restarts: Restart[] = []
  readonly #socket: HeldSocket
  readonly #args: readonly string[]
  #child: ActivatedProcess | undefined
  #log = ''
  #ends = false

  private constructor(socket: HeldSocket, args: readonly string[]) {
    this.#socket = socket
    this.#args = args
  }

  /** `args` are node's: the program and its words. Resolves when it is ready. */
  static async start(socket: HeldSocket, args: readonly string[]): Promise<Restarter> {
    const restarter = new Restarter(socket, args)
    await restarter.#launch()
    return restarter
  }

  get log(): string {
    return this.#log
  }

  /** Ends the process as a fault would, and resolves when the next one is ready. */
  async kill(): Promise<Restart> {
    const child = this.#child
    const ended = child && once(child, 'exit')
    const killedAtMs = Date.now()
    child?.kill('SIGKILL')
    await ended
    await this.#launch()
    const restart = { killedAtMs, upAtMs: Date.now() }
    this.restarts.push(restart)
    return restart
  }

  /** Kills again and again until `signal` aborts. Rejects when the server does not come back, or ended by itself. */
  async killEvery(ms: number, signal: AbortSignal, onRestart: (restart: Restart) => void = () => undefined): Promise<void> {
    while (!signal.aborted) {
      await sleep(ms, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      if (this.#child?.exitCode !== null) throw new Error(`the server ended by itself:\n${this.#log.slice(-4000)}`)
      onRestart(await this.kill())
    }
  }

  async #launch(): Promise<void> {
    const child = startActivated(this.#socket, this.#args)
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-logCharacters)
    })
    const ready = new Promise<void>(resolve => {
      createInterface(child.stdout).on('line', line => {
        if (line.startsWith('ready ')) resolve()
      })
    })
    const outcome = await Promise.race([ready.then(() => 'ready'), once(child, 'close').then(() => 'ended')])
    if (outcome === 'ended' && !this.#ends) throw new Error(`the server ended before it was ready:\n${this.#log.slice(-4000)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}
