/**
 * `npm run test:chaos`: one worker at random is terminated again and again under load; no client may lose its TCP connection.
 *
 *     npm run test:chaos [-- --seconds N] [--clients N] [--every-ms N] [--workers N]
 *
 * An operation may fail with a status while its worker is gone; a connection may not break, no file may come back wrong, and when
 * the killing stops everything must work.
 */
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { keepBusy, noCounts } from './load.ts'
import { temporaryFolder } from './peers/folder.ts'
import { startServer } from './peers/server.ts'
import { parseOptions } from './run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '4' },
    'every-ms': { type: 'string', default: '1000' },
    workers: { type: 'string', default: '2' },
  },
})
const seconds = Number(options.seconds)

await using folder = temporaryFolder('chaos')
mkdirSync(folder.at('docs'))
await using server = await startServer({ shares: { docs: folder.at('docs') }, workers: Number(options.workers), env: { HOLDFAST_CHAOS: '1' } })
const begin = performance.now()
const counts = noCounts()
const goesOn = (): boolean => performance.now() - begin < seconds * 1000 && server.isRunning
let killed = 0

const kill = async (): Promise<void> => {
  while (goesOn()) {
    await sleep(Number(options['every-ms']))
    server.signal('SIGUSR2')
    killed++
  }
}
await Promise.all([
  kill(),
  ...Array.from({ length: Number(options.clients) }, async (_, client) => keepBusy({ server, share: 'docs', client, goesOn, counts })),
])
console.log(
  `${killed} workers terminated in ${seconds} s; ${counts.commands} commands on ${counts.connections} connections: ${counts.lost} connections lost, ` +
    `${counts.errors} commands refused, ${counts.mismatches} files differed`,
)

await sleep(1000)
const calm = noCounts()
const calmUntil = performance.now() + 3000
await keepBusy({ server, share: 'docs', client: 99, goesOn: () => performance.now() < calmUntil && server.isRunning, counts: calm })
console.log(`afterwards: ${calm.commands} commands, ${calm.errors} refused, ${calm.lost} connections lost`)
for (const complaint of [...counts.complaints, ...calm.complaints]) console.log(`  ${complaint}`)
if (!server.isRunning) console.log(`the server ended:\n${server.log.slice(-4000)}`)
const bad = !server.isRunning || counts.lost + counts.mismatches + calm.errors + calm.lost + calm.mismatches > 0
process.exitCode = bad ? 1 : 0
