/** A program that runs beside a test until the test ends it. */
import { spawn } from 'node:child_process'
import type { ChildProcess, Serializable } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { killGroup } from '../peers/command.ts'

/** How a program is started. */
export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** A line on stdout that says that it is up; it is taken for up at once where undefined. */
  readonly ready?: RegExp
  /** Talks by IPC (`ask`). */
  readonly talks?: boolean
  readonly startMs?: number
}

const stopMsMax = 12_000
const logCharactersMax = 1 << 20
/** Of the kernel's clock in /proc/PID/stat. */
const ticksPerSecond = 100

/** A program with all it starts; ended with `await using`. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Map<number, (answer: { value?: unknown; error?: string }) => void>()
  #asked = 0
  #log = ''
  /** What it printed on stdout when it was up. */
  readyLine = ''

  constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
    this.#exited.catch(() => undefined)
    child.stderr?.on('data', (text: Buffer) => this.#keep(text))
    child.on('message', message => {
      const { id, ...answer } = message as { id: number; value?: unknown; error?: string }
      this.#waiting.get(id)?.(answer)
      this.#waiting.delete(id)
    })
    void this.#exited.then(() => {
      for (const answered of this.#waiting.values()) answered({ error: `it has ended:\n${this.log}` })
    })
  }

  #keep(text: Buffer): void {
    this.#log = (this.#log + text.toString()).slice(-logCharactersMax)
  }

  /** Waits for the line. Throws when the program ends instead, or is silent. */
  async up(ready: RegExp, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error(`printed nothing like ${String(ready)}:\n${this.#log}`)), timeoutMs)
    let printed = ''
    this.#child.stdout?.on('data', (text: Buffer) => {
      printed += text.toString()
      const found = printed.split('\n').find(line => ready.test(line))
      if (found === undefined) return
      this.readyLine = found
      resolve()
    })
    void this.#exited.then(() => reject(new Error(`ended with status ${this.#child.exitCode} before it was up:\n${printed}${this.#log}`)))
    this.#child.once('error', reject)
    return promise.finally(() => clearTimeout(timer))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What it has written to stderr, its end at least. */
  get log(): string {
    return this.#log
  }

  /** Has the program do something; of those that talk. */
  async ask<T>(what: Serializable): Promise<T> {
    const id = ++this.#asked
    const answered = Promise.withResolvers<{ value?: unknown; error?: string }>()
    this.#waiting.set(id, answered.resolve)
    this.#child.send({ id, what })
    const { value, error } = await answered.promise
    if (error !== undefined) throw new Error(error)
    return value as T
  }

  /** Resident memory in bytes. */
  get residentBytes(): number {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  }

  /** User and system time of the process with all its threads, in seconds. */
  get cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  /** SIGTERM; the exit status and how long it took. */
  async stop(): Promise<{ readonly status: number | null; readonly ms: number }> {
    const begin = performance.now()
    if (this.isRunning) this.#child.kill('SIGTERM')
    const timer = setTimeout(() => killGroup(this.#child), stopMsMax)
    await this.#exited
    clearTimeout(timer)
    return { status: this.#child.exitCode, ms: performance.now() - begin }
  }

  /** kill -9, with all it has started. */
  async kill(): Promise<void> {
    killGroup(this.#child)
    await this.#exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    killGroup(this.#child)
  }
}

/** Starts a program, and waits until it is up. */
export async function startProgram(words: readonly string[], { env, ready, talks = false, startMs = 20_000 }: ProgramOptions = {}): Promise<Program> {
  const [program = '', ...args] = words
  const stdio = ['ignore', 'pipe', 'pipe', ...(talks ? (['ipc'] as const) : [])] as const
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: [...stdio], detached: true })
  const running = new Program(child)
  try {
    if (ready !== undefined) await running.up(ready, startMs)
    else child.stdout?.resume()
  } catch (error) {
    killGroup(child)
    throw new Error(`${words.join(' ')}: ${(error as Error).message}`, { cause: error })
  }
  return running
}
