/** smbclient as a person has it open: a session that stays, with a command now and then. */
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { killGroup } from './command.ts'
import { findProgram } from './packages.ts'
import type { SmbclientOptions } from './smbclient.ts'
import { commonArguments } from './smbclient.ts'

/** It asks for commands at a terminal only, which `script` is for it. */
const terminal = (words: readonly string[]): readonly string[] => ['-qfec', words.map(word => `'${word}'`).join(' '), '/dev/null']
const prompt = /smb: [^\r\n]*> $/
const answerTimeoutMs = 60_000

/** Ended with `await using`. */
export class SmbclientShell implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<unknown>
  #output = ''
  #onOutput: (() => void) | undefined

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#ended = once(child, 'close')
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += String(chunk)
        this.#onOutput?.()
      })
    }
    // A client that has ended is seen by what it says, or does not.
    child.stdin.on('error', () => undefined)
    void this.#ended.then(() => this.#onOutput?.())
  }

  /** Connects to a share. */
  static async open(options: Omit<SmbclientOptions, 'commands'>): Promise<SmbclientShell> {
    const { endpoint, share } = options
    const words = [findProgram('smbclient') ?? 'smbclient', ...commonArguments(options), `//${endpoint.host}/${share}`]
    const shell = new SmbclientShell(spawn('script', terminal(words), { detached: true, env: { ...process.env, TERM: 'dumb' } }))
    await shell.#answer()
    return shell
  }

  /** What it says to a command, with NT statuses. Rejects when it says nothing. */
  async run(command: string): Promise<string> {
    this.#output = ''
    this.#child.stdin.write(`${command}\n`)
    return this.#answer()
  }

  async #answer(): Promise<string> {
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`smbclient says nothing more than ${JSON.stringify(this.#output)}`)), answerTimeoutMs)
        this.#onOutput = () => {
          if (prompt.test(this.#output) || this.#child.exitCode !== null) resolve()
        }
        this.#onOutput()
      })
    } finally {
      clearTimeout(timer)
    }
    return this.#output.replace(prompt, '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    killGroup(this.#child)
    await this.#ended
  }
}
