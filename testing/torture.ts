/**
 * `npm run test:torture`: all of smbtorture's smb2 tests that have a verdict, against our server or another.
 *
 *     npm run test:torture [-- OPTIONS]
 *       --only REGEX       only tests whose name matches          --skip REGEX   leave out matching tests
 *       --required         only those that `npm test` requires (testing/peers/smbtorture-required.txt)
 *       --jobs N           families side by side, each on a share of its own (default 2)
 *       --out DIR          keep results.tsv and logs/TEST.log there
 *       --baseline FILE    another run's results.tsv: print what passes there and not here, and the reverse
 *       --timeout SECONDS  for one test (default 90)
 *       --option NAME=VALUE  for smbtorture, may be repeated: torture:use_iptables=yes and torture:iptables_command=/usr/sbin/iptables
 *                          let the tests that cut connections do so (root)
 *       --server HOST:PORT --shares A,B,... --share2 C --user NAME:PASSWORD (twice)   test that server instead
 *
 * Exit status: 0 the gap to the baseline is empty (without one: no test failed), 1 otherwise, 2 wrong usage.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './peers/folder.ts'
import { missing } from './peers/packages.ts'
import { alice, bob, startServer } from './peers/server.ts'
import type { Account, Endpoint } from './peers/server.ts'
import { familyOf, readList, readOutcomes, runTorture, secondShare, suitableTests, tortureShares, writeResults } from './peers/smbtorture.ts'
import type { TortureOutcome, TortureResult } from './peers/smbtorture.ts'
import { parseOptions } from './run/options.ts'
import { root } from './run/root.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    only: { type: 'string' },
    skip: { type: 'string' },
    required: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
    out: { type: 'string' },
    baseline: { type: 'string' },
    timeout: { type: 'string', default: '90' },
    server: { type: 'string' },
    shares: { type: 'string', default: 'share' },
    share2: { type: 'string', default: 'share2' },
    option: { type: 'string', multiple: true, default: [] },
    user: { type: 'string', multiple: true, default: [] },
  },
})

function giveUp(why: string): never {
  console.error(why)
  process.exit(2)
}

const outcomes: readonly TortureOutcome[] = ['pass', 'fail', 'error', 'skip', 'timeout']

function printTable(results: readonly TortureResult[]): void {
  const row = (name: string, of: readonly TortureResult[]): string => {
    const counts = outcomes.map(outcome => of.filter(result => result.outcome === outcome).length)
    return name.padEnd(30) + [...counts, of.length].map(number => String(number).padStart(9)).join('')
  }
  console.log('family'.padEnd(30) + [...outcomes, 'all'].map(word => word.padStart(9)).join(''))
  for (const [family, of] of Map.groupBy(results, result => familyOf(result.test))) console.log(row(family, of))
  console.log(row('total', results))
}

/** Prints where a run differs from a baseline; returns the number of tests that pass only there. */
function printGap(results: readonly TortureResult[], baseline: ReadonlyMap<string, string>): number {
  const gap = results.filter(({ test, outcome }) => baseline.get(test) === 'pass' && outcome !== 'pass')
  const ahead = results.filter(({ test, outcome }) => baseline.get(test) !== 'pass' && outcome === 'pass')
  console.log(`\npasses in the baseline and not here: ${gap.length}`)
  for (const { test, outcome, reason } of gap) console.log(`  ${outcome.padEnd(8)} ${test}  ${reason}`)
  console.log(`\npasses here and not in the baseline: ${ahead.length}`)
  for (const { test } of ahead) console.log(`  ${(baseline.get(test) ?? 'absent').padEnd(8)} ${test}`)
  return gap.length
}

function parseEndpoint(text: string): Endpoint {
  const match = /^(.+):(\d+)$/.exec(text) ?? giveUp(`--server wants HOST:PORT, not ${text}`)
  return { host: match[1] ?? '', port: Number(match[2]) }
}

function parseAccount(text: string | undefined): Account {
  const match = /^([^:]+):(.+)$/.exec(text ?? '') ?? giveUp('--server wants --user NAME:PASSWORD twice')
  return { user: match[1] ?? '', password: match[2] ?? '' }
}

const lacking = missing('smbtorture')
if (lacking !== false) giveUp(lacking)
const all = options.required ? readList(join(root, 'testing/peers/smbtorture-required.txt')) : await suitableTests()
const only = new RegExp(options.only ?? '')
const skip = options.skip === undefined ? undefined : new RegExp(options.skip)
const tests = all.filter(test => only.test(test) && skip?.test(test) !== true)
if (tests.length === 0) giveUp('no test selected')
if (options.out !== undefined) mkdirSync(options.out, { recursive: true })

async function run(target: { endpoint: Endpoint; shares: readonly string[]; secondShare: string; accounts: readonly [Account, Account] }) {
  let done = 0
  return runTorture({
    ...target,
    tests,
    settings: options.option,
    timeoutMs: Number(options.timeout) * 1000,
    ...(options.out === undefined ? {} : { logs: join(options.out, 'logs') }),
    onResult: ({ test, outcome, reason }) => console.log(`[${++done}/${tests.length}] ${outcome.padEnd(8)} ${test}  ${reason}`),
  })
}

async function runAgainstOwnServer(): Promise<TortureResult[]> {
  await using folder = temporaryFolder('torture')
  const { names, folders } = tortureShares(folder, Number(options.jobs))
  await using server = await startServer({ shares: folders })
  const results = await run({ endpoint: server.smb, shares: names, secondShare, accounts: [alice, bob] })
  if (!server.isRunning) console.log(`the server ended; its log:\n${server.log.slice(-4000)}`)
  return results
}

const results =
  options.server === undefined
    ? await runAgainstOwnServer()
    : await run({
        endpoint: parseEndpoint(options.server),
        shares: options.shares.split(','),
        secondShare: options.share2,
        accounts: [parseAccount(options.user[0]), parseAccount(options.user[1])],
      })
if (options.out !== undefined) writeResults(join(options.out, 'results.tsv'), results)
printTable(results)
const bad =
  options.baseline === undefined
    ? results.filter(({ outcome }) => outcome !== 'pass' && outcome !== 'skip').length
    : printGap(results, readOutcomes(options.baseline))
process.exitCode = bad > 0 ? 1 : 0
