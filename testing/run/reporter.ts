/**
 * A reporter for node:test that hands every verdict to the parent process, loaded by `testing/run.ts` into each test process.
 */
import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

/** What became of one test, as sent to the parent. */
export interface Verdict {
  readonly outcome: 'pass' | 'fail' | 'skip'
  /** Names of the enclosing suites and of the test, outermost first. */
  readonly path: readonly string[]
  readonly ms: number
  /** Why it was skipped, or what the failure says. */
  readonly reason: string
}

interface Outcome {
  readonly name: string
  readonly nesting: number
  readonly skip?: string | boolean
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: Error & { readonly failureType?: string } }
}

/** Sends verdicts as they come; what it yields is what node:test writes to the destination: nothing. */
async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const names: string[] = []
  for await (const event of source) {
    if (event.type === 'test:start') {
      names.length = event.data.nesting
      names[event.data.nesting] = event.data.name
    }
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const verdict = verdictOf(event.type === 'test:fail', event.data, names)
    if (verdict !== undefined) process.send?.(verdict)
  }
  yield ''
}

/** Undefined for a suite, and for a test that failed only because one inside it did. */
function verdictOf(failed: boolean, data: Outcome, names: readonly string[]): Verdict | undefined {
  const { error, type, duration_ms: ms } = data.details
  if (type === 'suite' && !(failed && error?.failureType !== 'subtestsFailed')) return undefined
  if (failed && error?.failureType === 'subtestsFailed') return undefined
  const path = [...names.slice(0, data.nesting), data.name]
  if (failed) return { outcome: 'fail', path, ms, reason: inspect(error?.cause ?? error, { depth: 4 }) }
  if (data.skip !== undefined && data.skip !== false) return { outcome: 'skip', path, ms, reason: data.skip === true ? '' : data.skip }
  return { outcome: 'pass', path, ms, reason: '' }
}

// node:test takes the module's default as the reporter.
// oxlint-disable-next-line import/no-default-export
export { report as default }
