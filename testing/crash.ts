/**
 * `npm run test:crash`: a server is killed at every write to its store and at every message of a scripted workload, and started again; its client
 * must notice nothing.
 *
 *     npm run test:crash [-- --kinds REGEX] [--from N] [--to N] [--lanes N] [--copy-mib N]
 *         [--only points|copy|once]
 *
 * After each run the share must be what a run without a crash leaves, and the store empty. Then a large copy, and appends and exclusive creates,
 * under a server that is killed again and again.
 */
import { copyUnderFire } from './crash/copy.ts'
import { exactlyOnce } from './crash/once.ts'
import { allKillPoints } from './crash/points.ts'
import type { KillPoint } from './crash/points.ts'
import { Range } from './crash/run.ts'
import type { Outcome } from './crash/run.ts'
import { mebibyte } from './peers/smb-client-target.ts'
import { parseOptions } from './run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    kinds: { type: 'string', default: '.' },
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: '1000000' },
    lanes: { type: 'string', default: '2' },
    'copy-mib': { type: 'string', default: '2048' },
    only: { type: 'string', default: '' },
  },
})
const copyKills = 10
const onceCount = 200
const print = (line: string): void => console.log(line)

async function points(): Promise<number> {
  const begin = performance.now()
  const extent = await undisturbed()
  print(`undisturbed: ${extent.requests} requests, ${extent.responses} responses, ${extent.transactions} transactions of the store`)
  extent.state.forEach(line => print(`  ${line}`))
  const isChosen = ({ at }: KillPoint): boolean => at >= Number(options.from) && at <= Number(options.to)
  const waiting = allKillPoints(extent, new RegExp(options.kinds)).filter(isChosen)
  const total = waiting.length
  const outcomes: Outcome[] = []
  const lane = async (): Promise<void> => {
    while (waiting.length > 0) {
      await using range = await Range.start()
      for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
        const outcome = await range.run(point, extent.state)
        outcomes.push(outcome)
        printFailure(outcome)
        if (outcomes.length % 50 === 0) print(`${outcomes.length} of ${total} kill points, ${Math.round((performance.now() - begin) / 1000)} s`)
        // What it has left behind must not be another one's failure.
        if (outcome.complaints.length > 0) break
      }
    }
  }
  await Promise.all(Array.from({ length: Number(options.lanes) }, lane))
  return summary(outcomes, (performance.now() - begin) / 1000)
}

/** Where the workload did not come to its end, what it has left says nothing new. */
const complaintsShown = 3

function printFailure({ point, complaints }: Outcome): void {
  for (const complaint of complaints.slice(0, complaintsShown)) print(`FAILED ${point?.kind}, number ${point?.at}: ${complaint}`)
}

async function undisturbed(): Promise<Outcome> {
  await using range = await Range.start()
  const first = await range.run()
  // What the second one does differently is no matter of crashes.
  const second = await range.run(undefined, first.state)
  const complaints = [...first.complaints, ...second.complaints]
  if (complaints.length > 0) throw new Error(`a run without a crash fails:\n${complaints.join('\n')}`)
  return second
}

const sum = (outcomes: readonly Outcome[], of: 'requests' | 'transactions' | 'restarts'): number =>
  outcomes.reduce((total, outcome) => total + outcome[of], 0)

function summary(outcomes: readonly Outcome[], seconds: number): number {
  const bad = outcomes.filter(({ complaints }) => complaints.length > 0)
  const kinds = new Set(outcomes.map(({ point }) => point?.kind))
  for (const kind of kinds) {
    const own = outcomes.filter(({ point }) => point?.kind === kind)
    print(`  ${own.length} kill points ${kind}: ${own.filter(({ complaints }) => complaints.length > 0).length} bad`)
  }
  print(
    `${outcomes.length} kill points, ${sum(outcomes, 'restarts')} restarts, ${sum(outcomes, 'requests')} requests, ${bad.length} mismatches, ` +
      `${Math.round(seconds)} s`,
  )
  return bad.length
}

const parts: Readonly<Record<string, () => Promise<number>>> = {
  points,
  copy: () => copyUnderFire({ bytes: Number(options['copy-mib']) * mebibyte, kills: copyKills, print }),
  once: () => exactlyOnce({ count: onceCount, print }),
}
let bad = 0
for (const [name, part] of Object.entries(parts)) if (options.only === '' || options.only === name) bad += await part()
process.exitCode = bad === 0 ? 0 : 1
