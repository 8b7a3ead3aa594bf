/** Runs one test file in a process (group) of its own. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './root.ts'
import type { Verdict } from './reporter.ts'

/** What became of one test file. */
export interface FileResult {
  readonly file: string
  readonly verdicts: readonly Verdict[]
  readonly ms: number
  /** Undefined when all is well; else what to show: a failed exit, a time-out. Failed tests speak for themselves. */
  readonly trouble: string | undefined
  /** All that the process printed. */
  readonly output: string
}

const running = new Set<number>()

/** Ends all test processes, with everything they started. */
export function stopAll(): void {
  for (const pid of running) killGroup(pid)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone already: that is what was wanted.
  }
}

/** Keeps the last `limitBytes` of what is printed. */
function tail(limitBytes: number): { add(chunk: Buffer): void; text(): string } {
  const chunks: Buffer[] = []
  let held = 0
  return {
    add(chunk) {
      chunks.push(chunk)
      held += chunk.length
      while (chunks.length > 1 && held - (chunks[0]?.length ?? 0) > limitBytes) held -= chunks.shift()?.length ?? 0
    },
    text: () => Buffer.concat(chunks).toString(),
  }
}

/** Runs the file; `onVerdict` is called for every test as it ends. Never rejects. */
export async function runTestFile(file: string, options: { timeoutMs: number; onVerdict?: (verdict: Verdict) => void }): Promise<FileResult> {
  const begin = performance.now()
  const verdicts: Verdict[] = []
  const output = tail(64 * 1024)
  let timedOut = false
  const status = await new Promise<string>(resolve => {
    const reporter = new URL('./reporter.ts', import.meta.url).href
    const args = ['--test-reporter', reporter, '--test-reporter-destination', 'stdout', join(root, file)]
    const child = spawn(process.execPath, args, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    const timer = setTimeout(() => {
      timedOut = true
      if (child.pid !== undefined) killGroup(child.pid)
    }, options.timeoutMs)
    if (child.pid !== undefined) running.add(child.pid)
    child.stdout?.on('data', (chunk: Buffer) => output.add(chunk))
    child.stderr?.on('data', (chunk: Buffer) => output.add(chunk))
    child.on('message', message => {
      const verdict = message as Verdict
      verdicts.push(verdict)
      options.onVerdict?.(verdict)
    })
    child.on('error', error => resolve(error.message))
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      if (child.pid !== undefined) {
        // Whatever the tests left behind would disturb the next file, and would keep the pipes open.
        killGroup(child.pid)
        running.delete(child.pid)
      }
      child.once('close', () => resolve(code === 0 ? '' : signal === null ? `exit status ${code}` : `ended by ${signal}`))
    })
  })
  const failures = verdicts.filter(verdict => verdict.outcome === 'fail').length
  const ms = performance.now() - begin
  const trouble = timedOut ? `not done after ${options.timeoutMs / 1000} s` : status !== '' && failures === 0 ? status : undefined
  return { file, verdicts, ms, trouble: trouble ?? (verdicts.length === 0 ? 'no test in it' : undefined), output: output.text() }
}
