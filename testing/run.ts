/**
 * `npm test`: the unit tests of all rooms, then the suites against real peers.
 *
 *     npm test [-- [--unit | --peers] [--failures] [PATTERN...]]       (--failures: prints only what fails)
 *
 * As root on Debian the peers that are missing (Samba, smbclient, ...) are installed first. Elsewhere a suite whose
 * peer is missing is skipped with the reason, or fails when CI is set. Exit status 0 only when nothing failed.
 */
import { installMissing } from './peers/packages.ts'
import { integrationTestFiles, unitTestFiles } from './run/files.ts'
import { parseOptions } from './run/options.ts'
import { runTestFile, stopAll } from './run/process.ts'
import type { FileResult } from './run/process.ts'
import type { Verdict } from './run/reporter.ts'

const minute = 60_000
const unitTimeoutMs = 3 * minute
const suiteTimeoutMs = 20 * minute
const unitJobs = 2

const { values: options, positionals: patterns } = parseOptions(import.meta.url, {
  allowPositionals: true,
  options: { unit: { type: 'boolean', default: false }, peers: { type: 'boolean', default: false }, failures: { type: 'boolean', default: false } },
})
const chosen = (file: string): boolean => patterns.length === 0 || patterns.some(pattern => file.includes(pattern))
const units = options.peers ? [] : unitTestFiles().filter(chosen)
const suites = options.unit ? [] : integrationTestFiles().filter(chosen)
const results: FileResult[] = []
const begin = performance.now()

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(8)
const indent = (text: string): string => text.trimEnd().replace(/^/gm, '        ')
const tests = (count: number): string => `${count} test${count === 1 ? '' : 's'}`
const count = (verdicts: readonly Verdict[], outcome: Verdict['outcome']): number => verdicts.filter(one => one.outcome === outcome).length
const isBad = (result: FileResult): boolean => result.trouble !== undefined || count(result.verdicts, 'fail') > 0

function printVerdict({ outcome, path, ms, reason }: Verdict): void {
  if (options.failures && outcome !== 'fail') return
  const words = { pass: 'ok    ', fail: 'FAILED', skip: 'skip  ' }
  console.log(`  ${words[outcome]} ${seconds(ms)}  ${path.join(' > ')}${outcome === 'skip' && reason !== '' ? ` (${reason})` : ''}`)
  if (outcome === 'fail') console.log(indent(reason))
}

function printFile(result: FileResult, withVerdicts: boolean): void {
  if (options.failures && !isBad(result)) return
  const skipped = count(result.verdicts, 'skip')
  const what = `${tests(result.verdicts.length)}${skipped > 0 ? `, ${skipped} skipped` : ''}`
  console.log(`${isBad(result) ? 'FAILED' : 'ok    '} ${seconds(result.ms)}  ${result.file}  ${what}`)
  if (withVerdicts) result.verdicts.filter(one => one.outcome === 'fail').forEach(printVerdict)
  if (result.trouble !== undefined) console.log(`        ${result.trouble}`)
  if (isBad(result) && result.output.trim() !== '') console.log(indent(`printed:\n${result.output}`))
}

/** Unit tests: files side by side, a line for each when it is done. */
async function runUnits(): Promise<void> {
  const waiting = [...units]
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runTestFile(file, { timeoutMs: unitTimeoutMs })
      results.push(result)
      printFile(result, true)
    }
  }
  await Promise.all(Array.from({ length: unitJobs }, worker))
}

/** Suites: one after the other, as server and client keep two cores busy; a line for each test when it is done. */
async function runSuites(): Promise<void> {
  for (const file of suites) {
    console.log(`\n${file}`)
    const result = await runTestFile(file, { timeoutMs: suiteTimeoutMs, onVerdict: printVerdict })
    results.push(result)
    printFile(result, false)
  }
}

function printSummary(): number {
  const verdicts = results.flatMap(result => result.verdicts)
  const bad = results.filter(isBad)
  console.log(`\n${count(verdicts, 'pass')} passed, ${count(verdicts, 'fail')} failed, ${count(verdicts, 'skip')} skipped`)
  console.log(`${results.length} files in ${seconds(performance.now() - begin).trim()}`)
  for (const result of bad) {
    console.log(`FAILED ${result.file}${result.trouble === undefined ? '' : `: ${result.trouble}`}`)
    for (const { path } of result.verdicts.filter(one => one.outcome === 'fail')) console.log(`         ${path.join(' > ')}`)
  }
  if (results.length === 0) console.log(`no test file matches ${patterns.join(' ')}`)
  return bad.length > 0 || results.length === 0 ? 1 : 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopAll()
    process.exit(130)
  })
}

if (suites.length > 0) await installMissing(line => console.log(line))
if (units.length > 0) await runUnits()
if (suites.length > 0) await runSuites()
process.exitCode = printSummary()
