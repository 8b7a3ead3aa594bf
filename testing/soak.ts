/**
 * `npm run test:soak`: mixed load for a long time; memory must not grow.
 *
 *     npm run test:soak [-- --seconds N] [--clients N] [--limit-mib N]
 *
 * Exit status 1 when a command failed, a file differed, a connection broke, or the resident memory in the last quarter of the run
 * is more than --limit-mib (default 48) above that of the second quarter.
 */
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { keepBusy, noCounts } from './load.ts'
import { temporaryFolder } from './peers/folder.ts'
import { startServer } from './peers/server.ts'
import { parseOptions } from './run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: { seconds: { type: 'string', default: '600' }, clients: { type: 'string', default: '4' }, 'limit-mib': { type: 'string', default: '48' } },
})
const seconds = Number(options.seconds)
const mebibyte = 1024 * 1024

await using folder = temporaryFolder('soak')
mkdirSync(folder.at('docs'))
await using server = await startServer({ shares: { docs: folder.at('docs') } })
const begin = performance.now()
const elapsed = (): number => (performance.now() - begin) / 1000
const goesOn = (): boolean => elapsed() < seconds && server.isRunning
const counts = noCounts()
const samples: { readonly at: number; readonly mebibytes: number }[] = []

const watch = async (): Promise<void> => {
  for (let next = 30; goesOn();) {
    samples.push({ at: elapsed(), mebibytes: server.residentBytes / mebibyte })
    if (elapsed() >= next) {
      next += 30
      console.log(
        `${elapsed().toFixed(0).padStart(6)} s  ${Math.round(samples.at(-1)?.mebibytes ?? 0)} MiB resident, ${counts.commands} commands, ${counts.errors} errors`,
      )
    }
    await sleep(1000)
  }
}
await Promise.all([
  watch(),
  ...Array.from({ length: Number(options.clients) }, async (_, client) => keepBusy({ server, share: 'docs', client, goesOn, counts })),
])

/** Median of the samples in a part of the run. */
const medianBetween = (from: number, to: number): number => {
  const values = samples.filter(({ at }) => at >= from * seconds && at < to * seconds).map(({ mebibytes }) => mebibytes)
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0
}
const growth = medianBetween(0.75, 1) - medianBetween(0.25, 0.5)
console.log(
  `${counts.commands} commands on ${counts.connections} connections: ${counts.errors} errors, ${counts.lost} connections lost, ` +
    `${counts.mismatches} files differed; resident ${Math.round(medianBetween(0.25, 0.5))} -> ${Math.round(medianBetween(0.75, 1))} MiB`,
)
for (const complaint of counts.complaints) console.log(`  ${complaint}`)
if (!server.isRunning) console.log(`the server ended:\n${server.log.slice(-4000)}`)
const bad = !server.isRunning || counts.errors + counts.lost + counts.mismatches > 0 || growth > Number(options['limit-mib'])
process.exitCode = bad ? 1 : 0
