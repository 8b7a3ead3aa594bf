/**
 * Runs Samba's smbtorture against a server: one process per test.
 *
 * A test passes only when smbtorture printed a success line, no failure or error line, and ended with status 0.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import type { TemporaryFolder } from './folder.ts'
import type { Account, Endpoint } from './server.ts'

/** What became of a test. */
export type TortureOutcome = 'pass' | 'fail' | 'error' | 'skip' | 'timeout'

/** One test's row in results.tsv. */
export interface TortureResult {
  readonly test: string
  readonly outcome: TortureOutcome
  readonly seconds: number
  /** First line of what it complains about; empty for a pass. */
  readonly reason: string
}

/** What to run, and against whom. */
export interface TortureOptions {
  readonly endpoint: Endpoint
  /** As many families run side by side as there are shares: no two tests may share a folder. */
  readonly shares: readonly string[]
  /** A further share, for tests that copy between shares. */
  readonly secondShare: string
  readonly accounts: readonly [Account, Account]
  readonly tests: readonly string[]
  /** More settings for smbtorture, as `NAME=VALUE`: `torture:use_iptables=yes` for the tests that cut connections. */
  readonly settings?: readonly string[]
  /** For one test. Default 90,000. */
  readonly timeoutMs?: number
  /** Folder for the tests' output, `TEST.log` each. */
  readonly logs?: string
  readonly onResult?: (result: TortureResult) => void
}

/** Tests with no verdict, without end, or for a server set up for that one test. */
const unsuitable: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/bench/, 'measures, checks nothing'],
  [/^smb2\.scan\./, 'enumerates levels and opcodes, checks nothing'],
  [/^smb2\.(hold|check)-(oplock|sharemode)\./, 'one half of a test made by hand'],
  [/^smb2\.(set-sparse|zero-data)-ioctl\./, 'a tool: wants the name of a file'],
  [/^smb2\.(samba3misc|kernel-oplocks)\./, "looks at the share's folder by its local path, and at Linux leases in it"],
  [
    /^smb2\.(aio_delay|twrp|acls_non_canonical|change_notify_disabled|create_no_streams|dosmode|ea)\./,
    'wants a share with a special set-up of Samba',
  ],
  [/^smb2\.session-require-signing\./, 'wants a server with a special set-up of Samba'],
  [/\.bug_15346$/, 'connects to port 445 whatever it is told'],
]

/** Tests that take long by their nature, in milliseconds. */
const slowTestsMs: Readonly<Record<string, number>> = { 'smb2.maxfid.maxfid': 600_000 }

/**
 * Shares as the tests want them, in folders that are made here: one for each job, one to copy to, and one that single tests ask for by
 * name (smb2.acls.ACCESSBASED).
 */
export function tortureShares(folder: TemporaryFolder, jobs: number): { readonly names: string[]; readonly folders: Record<string, string> } {
  const names = Array.from({ length: jobs }, (_, index) => (index === 0 ? 'share' : `share${index + 2}`))
  const folders: Record<string, string> = {}
  for (const name of [...names, secondShare]) {
    mkdirSync(folder.at(name))
    folders[name] = folder.at(name)
  }
  folders['hideunread'] = `${folder.at('share')},access-based-enumeration`
  return { names, folders }
}

/** Name of the share to copy to, in `tortureShares`. */
export const secondShare = 'share2'

/** All smb2 tests that say something about a server, in smbtorture's order. */
export async function suitableTests(): Promise<string[]> {
  const list = await mustRun('smbtorture', ['--list'])
  return list.split('\n').filter(test => test.startsWith('smb2.') && !unsuitable.some(([pattern]) => pattern.test(test)))
}

/** Families that change the machine's packet filter: one after the other. */
const exclusive: readonly string[] = ['smb2.replay', 'smb2.multichannel']

/** The family of a test: `smb2.lock.range.range` -> `smb2.lock`. */
export function familyOf(test: string): string {
  return test.split('.').slice(0, 2).join('.')
}

/** Tests that must not run side by side have the same queue. */
function queueOf(test: string): string {
  const family = familyOf(test)
  return exclusive.includes(family) ? (exclusive[0] ?? family) : family
}

/** What a test's output and exit status add up to. */
export function verdictOf(result: Pick<CommandResult, 'status' | 'stdout' | 'timedOut'>): Pick<TortureResult, 'outcome' | 'reason'> {
  if (result.timedOut) return { outcome: 'timeout', reason: 'did not end in time' }
  const lines = result.stdout.split('\n')
  /** The line below the first `word: test [`; undefined when there is no such line. */
  const find = (word: string): string | undefined => {
    const index = lines.findIndex(line => line.startsWith(`${word}: `))
    return index < 0 ? undefined : (lines[index]?.endsWith('[') === true ? (lines[index + 1] ?? '') : '').trim()
  }
  const outcomes = [
    ['error', 'error'],
    ['failure', 'fail'],
  ] as const
  for (const [word, outcome] of outcomes) {
    const reason = find(word)
    if (reason !== undefined) return { outcome, reason }
  }
  if (result.status !== 0) return { outcome: 'error', reason: `exit status ${result.status}: ${lines.findLast(line => line.trim() !== '') ?? ''}` }
  if (find('success') !== undefined) return { outcome: 'pass', reason: '' }
  const skipped = find('skip')
  return skipped === undefined ? { outcome: 'error', reason: 'no verdict printed' } : { outcome: 'skip', reason: skipped }
}

async function runTest(options: TortureOptions, share: string, test: string): Promise<TortureResult> {
  const { endpoint, accounts, secondShare } = options
  const [first, second] = accounts
  const args = [
    '--configfile=/dev/null',
    `--smb-ports=${endpoint.port}`,
    `--user=${first.user}%${first.password}`,
    `--option=torture:share2=${secondShare}`,
    `--option=torture:user2name=${second.user}`,
    `--option=torture:user2password=${second.password}`,
    ...(options.settings ?? []).map(setting => `--option=${setting}`),
    `//${endpoint.host}/${share}`,
    test,
  ]
  const begin = performance.now()
  const result = await runCommand('smbtorture', args, { timeoutMs: slowTestsMs[test] ?? options.timeoutMs ?? 90_000 })
  if (options.logs !== undefined) {
    mkdirSync(options.logs, { recursive: true })
    writeFileSync(join(options.logs, `${test.replaceAll(/[^\w.-]/g, '_')}.log`), result.stdout + result.stderr)
  }
  return { test, seconds: (performance.now() - begin) / 1000, ...verdictOf(result) }
}

/** Runs the tests, a family at a time on each share; the results are in the order of `tests`. */
export async function runTorture(options: TortureOptions): Promise<TortureResult[]> {
  const families = [...Map.groupBy(options.tests, queueOf).values()].sort((a, b) => b.length - a.length)
  const done = new Map<string, TortureResult>()
  const worker = async (share: string): Promise<void> => {
    for (let family = families.shift(); family !== undefined; family = families.shift()) {
      for (const test of family) {
        const result = await runTest(options, share, test)
        done.set(test, result)
        options.onResult?.(result)
      }
    }
  }
  await Promise.all(options.shares.map(worker))
  return options.tests.flatMap(test => done.get(test) ?? [])
}

/** Writes results as tab-separated values: test, result, seconds, reason. */
export function writeResults(path: string, results: readonly TortureResult[]): void {
  const rows = results.map(({ test, outcome, seconds, reason }) => [test, outcome, seconds.toFixed(1), reason.replaceAll('\t', ' ')].join('\t'))
  writeFileSync(path, ['test\tresult\tseconds\treason', ...rows, ''].join('\n'))
}

/** Reads the outcome of each test from a file that `writeResults` wrote, of this server or another. */
export function readOutcomes(path: string): ReadonlyMap<string, string> {
  const rows = readFileSync(path, 'utf8').trimEnd().split('\n').slice(1)
  return new Map(rows.map(row => row.split('\t')).map(([test = '', outcome = '']) => [test, outcome]))
}

/** The names in a list file: one per line, `#` starts a comment line. */
export function readList(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
}
