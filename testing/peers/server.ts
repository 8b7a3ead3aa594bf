/** The product as a child process, as a user starts it. */
import { spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessByStdio, Serializable, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { root } from '../run/root.ts'
import { temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'

/** Where a listener of the product can be reached. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Who may log in. */
export interface Account {
  readonly user: string
  readonly password: string
}

/** What to start the product with. */
export interface ServerOptions {
  /** Share name -> folder, optionally with the options of `--share`: `/data,read-only`. */
  readonly shares: Readonly<Record<string, string>>
  /** Default: alice and bob, see `alice`, `bob`. */
  readonly accounts?: readonly Account[]
  /** Where the node keeps its state; default: a temporary folder. */
  readonly state?: string
  /** Port to listen on; default: any free one. */
  readonly smbPort?: number
  readonly workers?: number
  /** More words for the command line. */
  readonly extra?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** CPU list for `taskset -c`, to keep server and client apart in a measurement. */
  readonly cpus?: string
  /** A program to start in place of the product; understands its command line, and answers `Server.ask`. */
  readonly entry?: string
}

/** The accounts a test server has unless told otherwise. */
export const alice: Account = { user: 'alice', password: 'Correct-Horse-1' }
/** See `alice`. */
export const bob: Account = { user: 'bob', password: 'Battery-Staple-2' }

/** The product's entry point, for node. */
export const productMain: string = join(root, 'packages/holdfast/src/main.ts')

const readyTimeoutMs = 30_000
const stopTimeoutMs = 15_000
const logLimitCharacters = 4 * 1024 * 1024

/** A running server; stopped with `await using`. */
export class Server implements AsyncDisposable {
  readonly smb: Endpoint
  readonly http: Endpoint
  /** Without a port where it serves no volumes. */
  readonly iscsi: Endpoint
  /** The ready line as it was printed. */
  readonly ready: string
  readonly accounts: readonly Account[]
  readonly #child: ChildProcess
  readonly #log: string[]
  readonly #state: TemporaryFolder | undefined
  readonly #exited: Promise<unknown>

  constructor(started: {
    child: ChildProcess
    ready: string
    log: string[]
    state: TemporaryFolder | undefined
    exited: Promise<unknown>
    accounts: readonly Account[]
  }) {
    this.#child = started.child
    this.#log = started.log
    this.#state = started.state
    this.#exited = started.exited
    this.ready = started.ready
    this.accounts = started.accounts
    const words = readyWords(started.ready)
    this.smb = endpointOf(words.get('smb'))
    this.http = endpointOf(words.get('http'))
    this.iscsi = endpointOf(words.get('iscsi'))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when the process has ended, whoever ended it. */
  get ended(): Promise<unknown> {
    return this.#exited
  }

  /** Sends a message to a program of one's own (`ServerOptions.entry`), which has one answer to each. Rejects when it has ended. */
  async ask(message: Serializable): Promise<unknown> {
    this.#child.send(message, () => undefined)
    const ended = this.#exited.then(() => Promise.reject(new Error('the server has ended')))
    const [answer] = await Promise.race([once(this.#child, 'message'), ended])
    return answer
  }

  /** Everything the server wrote to its log so far. */
  get log(): string {
    return this.#log.join('')
  }

  /** Resident memory in bytes, 0 where /proc has nothing to say. */
  get residentBytes(): number {
    try {
      const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))
      return Number(match?.[1] ?? 0) * 1024
    } catch {
      return 0
    }
  }

  /** Sends a signal, such as SIGUSR2: terminate one worker at random (only with HOLDFAST_CHAOS=1). */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** SIGTERM; resolves to the exit status, which is 0 when all went well. Throws when it does not end in time. */
  async stop(): Promise<number | null> {
    if (this.isRunning) this.#child.kill('SIGTERM')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>(resolve => {
      timer = setTimeout(() => resolve('late'), stopTimeoutMs)
    })
    const outcome = await Promise.race([this.#exited, late])
    clearTimeout(timer)
    if (outcome === 'late') {
      await this.kill()
      throw new Error(`the server did not stop within ${stopTimeoutMs / 1000} s of SIGTERM; its log:\n${this.log.slice(-4000)}`)
    }
    return this.#child.exitCode
  }

  /** kill -9, as a machine that loses its power. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL')
    await this.#exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop()
    } finally {
      await this.#state?.[Symbol.asyncDispose]()
    }
  }
}

/** `ready pid=1 smb=127.0.0.1:4450 …` -> Map { pid -> 1, smb -> 127.0.0.1:4450, … }. */
export function readyWords(line: string): ReadonlyMap<string, string> {
  const words = line
    .split(' ')
    .slice(1)
    .map(word => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] as const)
  return new Map(words)
}

function endpointOf(word: string | undefined): Endpoint {
  const first = word?.split(',')[0] ?? ''
  const colon = first.lastIndexOf(':')
  return { host: first.slice(0, colon), port: Number(first.slice(colon + 1)) }
}

/** The command line that starts the product. */
function commandLine(options: ServerOptions, state: string, accounts: readonly Account[]): string[] {
  return [
    options.entry ?? productMain,
    'serve',
    '--state',
    state,
    ...Object.entries(options.shares).flatMap(([name, folder]) => ['--share', `${name}=${folder}`]),
    ...accounts.flatMap(({ user, password }) => ['--user', `${user}:${password}`]),
    `--smb=127.0.0.1:${options.smbPort ?? 0}`,
    '--http=127.0.0.1:0',
    ...(options.workers === undefined ? [] : ['--workers', String(options.workers)]),
    ...(options.extra ?? []),
  ]
}

/** Starts the product and waits for its ready line. Throws with its log when it ends or is silent instead. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const state = options.state === undefined ? temporaryFolder('state') : undefined
  const accounts = options.accounts ?? [alice, bob]
  const words = [process.execPath, ...commandLine(options, options.state ?? state?.path ?? '', accounts)]
  const [program = '', ...args] = options.cpus === undefined ? words : ['taskset', '-c', options.cpus, ...words]
  const talks = options.entry === undefined ? 'ignore' : 'ipc'
  const settings: SpawnOptions = { cwd: root, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe', talks] }
  const child = spawn(program, args, settings) as ChildProcessByStdio<null, Readable, Readable> // by `stdio`
  const exited = once(child, 'exit')
  const log: string[] = []
  let logged = 0
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    if (logged < logLimitCharacters) log.push(text)
    logged += text.length
  })

  const ready = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer)
      reject(new Error(`the server ${why}; its log:\n${log.join('').slice(-4000)}`))
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail(`printed no ready line within ${readyTimeoutMs / 1000} s`)
    }, readyTimeoutMs)
    child.once('close', status => fail(`ended with status ${status} before it was ready`))
    child.once('error', error => fail(`does not start: ${error.message}`))
    createInterface(child.stdout).on('line', line => {
      if (!line.startsWith('ready ')) return
      clearTimeout(timer)
      resolve(line)
    })
  }).catch(async (error: unknown) => {
    await state?.[Symbol.asyncDispose]()
    throw error
  })
  return new Server({ child, ready, log, state, exited, accounts })
}
