/** Runs other people's programs. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { findProgram } from './packages.ts'

/** What a program left behind. */
export interface CommandResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

/** Settings of one run. */
export interface CommandOptions {
  /** After this the program and all it started are killed. Default 60,000. */
  readonly timeoutMs?: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
}

/** Ends a child that was started with `detached: true`, with everything it started itself. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The group is gone already: that is what was wanted.
  }
}

/** Runs a program to its end. Rejects only when it cannot be started. */
export async function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(findProgram(program) ?? program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  let timedOut = false
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A program that ends without reading its input is no fault of ours.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.stdin ?? '')
  const timer = setTimeout(() => {
    timedOut = true
    killGroup(child)
  }, options.timeoutMs ?? 60_000)
  try {
    const [status] = (await once(child, 'close')) as [number | null]
    return { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), timedOut }
  } finally {
    clearTimeout(timer)
  }
}

/** Like `runCommand`, but a failure throws with what was printed. Returns stdout. */
export async function mustRun(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(program, args, options)
  if (result.status === 0) return result.stdout
  const how = result.timedOut ? 'did not end in time' : `failed with status ${result.status}`
  throw new Error(`${program} ${args.join(' ')} ${how}:\n${result.stdout}${result.stderr}`)
}
