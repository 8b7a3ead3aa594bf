/** Runs the workload against a server that is killed at a chosen point. */
import { rmSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SmbClient } from '@holdfast/smb/client'
import type { Interruption } from '@holdfast/smb/client'
import { alice } from '../peers/server.ts'
import { Phoenix, shareName } from './phoenix.ts'
import type { KillPoint } from './points.ts'
import { startRelay } from './relay.ts'
import type { Relay } from './relay.ts'
import { differences, stateOf } from './state.ts'
import type { ShareState } from './state.ts'
import { workload } from './workload.ts'

/** What a run came to. */
export interface Outcome {
  readonly point: KillPoint | undefined
  /** Everything that is not as it should be. */
  readonly complaints: readonly string[]
  readonly state: ShareState
  readonly requests: number
  readonly responses: number
  readonly transactions: number
  readonly restarts: number
}

// As long as it takes where many other things run on the machine.
const reconnectMs = 120_000
const workloadMsMax = 240_000

/** A server and a way to it, for one run after the other. Stopped with `await using`. */
export class Range implements AsyncDisposable {
  readonly #phoenix: Phoenix
  readonly #relay: Relay
  readonly #resources: AsyncDisposableStack
  #runs = 0

  private constructor(phoenix: Phoenix, relay: Relay, resources: AsyncDisposableStack) {
    this.#phoenix = phoenix
    this.#relay = relay
    this.#resources = resources
  }

  static async start(): Promise<Range> {
    await using resources = new AsyncDisposableStack()
    const phoenix = resources.use(await Phoenix.start())
    const relay = resources.use(await startRelay(phoenix.smb))
    return new Range(phoenix, relay, resources.move())
  }

  /** Runs the workload, killed at the point where there is one; `expected` is the state of an undisturbed run. */
  async run(point?: KillPoint, expected?: ShareState): Promise<Outcome> {
    const phoenix = this.#phoenix
    const folder = `run-${++this.#runs}`
    const onDisk = join(phoenix.folders.docs, folder)
    mkdirSync(onDisk)
    const restartsBefore = phoenix.restarts
    const complaints: string[] = []
    const events: Interruption['kind'][] = []
    const client = await SmbClient.connect({
      ...this.#relay.endpoint,
      ...alice,
      reconnectMs,
      onInterruption: ({ kind }) => void events.push(kind),
    })
    const share = await client.share(shareName)
    await this.#arm(point)
    await inTime(workload(share, folder)).catch((error: unknown) => complaints.push(`the workload saw ${lineOf(error)}`))
    const { request: requests, response: responses } = this.#relay.seen
    this.#relay.arm()
    const { transactions, records } = await phoenix.order()
    complaints.push(...records.map(key => `the store has ${key}`))
    const restarts = phoenix.restarts - restartsBefore
    if (point !== undefined && restarts !== point.deaths) complaints.push(`the server died ${restarts} times`)
    const interruptions = events.join()
    if (events.includes('given-up')) complaints.push(`the client was told ${interruptions}`)
    await client.close().catch((error: unknown) => complaints.push(`the client closes with ${lineOf(error)}`))
    const state = await stateOf(phoenix.smb, folder, phoenix.folders.docs).catch((error: unknown) => [`cannot be read: ${String(error)}`])
    if (expected !== undefined) complaints.push(...differences(expected, state))
    rmSync(onDisk, { recursive: true })
    return { point, complaints, state, requests, responses, transactions, restarts }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }

  async #arm(point: KillPoint | undefined): Promise<void> {
    if (point?.again !== undefined) this.#phoenix.dieWhileStarting(point.again)
    await this.#phoenix.order(point?.store)
    const message = point?.message
    this.#relay.arm(
      message && {
        side: message.side,
        at: message.at,
        spring: () => {
          spin(message.afterMicroseconds)
          this.#phoenix.kill()
        },
      },
    )
  }
}

/** What was thrown, and by which line of the workload. */
function lineOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const at = error.stack?.split('\n').find(line => line.includes('workload.ts'))
  return `${String(error).replaceAll(/\s+/g, ' ')} ${at?.trim() ?? ''}`
}

/** No timer is that exact. */
function spin(microseconds: number): void {
  const until = performance.now() + microseconds / 1000
  while (performance.now() < until);
}

async function inTime<T>(action: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${workloadMsMax / 1000} s`)), workloadMsMax)
  })
  return Promise.race([action, late]).finally(() => clearTimeout(timer))
}
