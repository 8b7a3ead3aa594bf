/**
 * Runs libiscsi's iscsi-test-cu against a logical unit: one process per test.
 *
 * A test passes only when CUnit ran it and counted it as passed, and nothing of it was left out: iscsi-test-cu itself counts what it skips as passed.
 */
import { mustRun, runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import type { TortureOutcome } from './smbtorture.ts'

/** What became of a test. */
export interface ScsiTestResult {
  readonly test: string
  readonly outcome: TortureOutcome
  /** First line of what it complains about; empty for a pass. */
  readonly reason: string
}

/** What to run, and against what. */
export interface ScsiTestOptions {
  /** `iscsi://[USER%PASSWORD@]HOST:PORT/TARGET/LUN` */
  readonly url: string
  /** Tests by name; all where undefined. */
  readonly tests?: readonly string[]
  /** For one test. Default 90,000. */
  readonly timeoutMs?: number
  readonly onResult?: (result: ScsiTestResult) => void
}

/** CUnit's summary: tests in all, run, passed, failed, inactive. */
const summaryPattern = /^ +tests +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/m

const lineWith = (output: string, mark: string): string => output.split('\n').find(line => line.includes(mark)) ?? ''

/** What the output and exit status of one test come to. */
export function scsiVerdict({ status, stdout, stderr, timedOut }: CommandResult): Pick<ScsiTestResult, 'outcome' | 'reason'> {
  const output = stdout + stderr
  if (timedOut) return { outcome: 'timeout', reason: 'not done in time' }
  const [, , ran, passed, failed] = (summaryPattern.exec(output) ?? []).map(Number)
  if (ran === undefined || passed === undefined || failed === undefined) return { outcome: 'error', reason: `exit status ${status}: no summary` }
  if (failed > 0) return { outcome: 'fail', reason: (lineWith(output, '[FAILED]') || lineWith(output, ' 1. ')).trim() }
  if (ran === 0) return { outcome: 'skip', reason: 'not run' }
  if (output.includes('[SKIPPED]')) return { outcome: 'skip', reason: lineWith(output, '[SKIPPED]').trim() }
  return status === 0 && passed === ran
    ? { outcome: 'pass', reason: '' }
    : { outcome: 'error', reason: `exit status ${status}, ${passed} of ${ran} passed` }
}

/** All tests, each once. */
export async function scsiTests(): Promise<readonly string[]> {
  const listing = await mustRun('iscsi-test-cu', ['--list'])
  return listing.split('\n').filter(name => /^ALL\.[^.]+\.[^.]+$/.test(name))
}

/** Runs tests one after the other: they use the same blocks. What is on the unit is lost. */
export async function runScsiTests(options: ScsiTestOptions): Promise<readonly ScsiTestResult[]> {
  const { url, tests = await scsiTests(), timeoutMs = 90_000, onResult } = options
  const results: ScsiTestResult[] = []
  for (const test of tests) {
    // Two sessions for what is about several paths.
    const paths = test.includes('.MultipathIO.') ? [url, url] : [url]
    const result = await runCommand('iscsi-test-cu', ['--dataloss', '--allow-sanitize', '--verbose', `--test=${test}`, ...paths], { timeoutMs })
    const verdict = { test, ...scsiVerdict(result) }
    results.push(verdict)
    onResult?.(verdict)
  }
  return results
}
