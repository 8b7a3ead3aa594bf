/**
 * `npm run test:failover`: the Linux kernel's cifs client with persistent handles, while the server is killed with -9 again and again.
 *
 *     LINUX_CLIENT=/path/to/runner npm run test:failover [-- --minutes N] [--every SECONDS] [--job REGEX] [--mount OPTIONS] [--log FILE]
 *
 * LINUX_CLIENT: see testing/linux.ts. The server's socket is held for it, as systemd does (docs/run-under-systemd.md), and a new server
 * is started as soon as the old one is dead. Jobs:
 *
 *     fsx      random operations on one file, compared with memory (where there is a `jobs/cifs-fsx` beside the runner)
 *     fio      sequential, random and direct writers that read back what they wrote
 *     pauses   an application that writes and syncs small records as fast as it can; it runs beside fio as well
 *
 * No error may reach an application, and nothing may differ from what was written. Exit status: 0 all well, 1 not, 2 no runner.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pauseFigures, spread } from './failover/figures.ts'
import type { ArrivedLine } from './failover/figures.ts'
import { holdSocket } from './failover/held-socket.ts'
import { Restarter } from './failover/restarter.ts'
import type { Restart } from './failover/restarter.ts'
import { temporaryFolder } from './peers/folder.ts'
import { alice, productMain } from './peers/server.ts'
import { parseOptions } from './run/options.ts'
import { root } from './run/root.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    minutes: { type: 'string', default: '5' },
    every: { type: 'string', default: '20' },
    job: { type: 'string', default: '' },
    mount: { type: 'string', default: 'vers=3.1.1,persistenthandles,hard' },
    log: { type: 'string' },
  },
})
const runner = process.env['LINUX_CLIENT']
if (runner === undefined || runner === '') {
  console.error('LINUX_CLIENT names no runner: a program that runs a script on a Linux kernel with a cifs client.')
  console.error('  LINUX_CLIENT=/path/to/runner npm run test:failover        (testing/linux.ts says what the runner must do)')
  process.exit(2)
}
const seconds = Number(options.minutes) * 60
const fsx = join(dirname(runner), 'jobs', 'cifs-fsx')
const jobs = ['fsx', 'fio', 'pauses'].filter(name => new RegExp(options.job).test(name) && (name !== 'fsx' || existsSync(fsx)))
if (!jobs.includes('fsx')) console.log(`no fsx: ${existsSync(fsx) ? 'not asked for' : `there is no ${fsx}`}`)

/** Boot, the last pass of a job, which began just before the end, and reading back. */
const slackSeconds = 900

const log = (text: string): void => {
  if (options.log !== undefined) appendFileSync(options.log, `${new Date().toISOString()} ${text}\n`)
}

interface JobOutcome {
  readonly status: number | null
  readonly lines: readonly ArrivedLine[]
}

async function runJob(name: string, port: number): Promise<JobOutcome> {
  const script = join(root, 'testing', 'failover', `${name}.sh`)
  const args = [script, 'docs', String(port), alice.user, alice.password, options.mount, String(seconds), fsx]
  const child = spawn(runner!, ['--timeout', String(seconds + slackSeconds), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: ArrivedLine[] = []
  createInterface(child.stdout).on('line', text => {
    lines.push({ text, atMs: Date.now() })
    log(text)
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, lines }
}

async function failover(name: string): Promise<boolean> {
  await using folder = temporaryFolder('failover')
  mkdirSync(folder.at('docs'))
  await using socket = await holdSocket()
  await using server = await Restarter.start(socket, [
    productMain,
    'serve',
    `--state=${folder.at('state')}`,
    `--share=docs=${folder.at('docs')},continuous-availability`,
    `--user=${alice.user}:${alice.password}`,
    `--smb=127.0.0.1:${socket.port}`,
    '--log-level=warn',
  ])
  const over = new AbortController()
  const killing = server
    .killEvery(Number(options.every) * 1000, over.signal, ({ killedAtMs, upAtMs }) => log(`killed ${killedAtMs} up ${upAtMs}`))
    .then(() => undefined, String)
  const { status, lines } = await runJob(name, socket.port)
  over.abort()
  const trouble = await killing
  const good = status === 0 && trouble === undefined
  const said = (what: string): string => lines.findLast(({ text }) => text.startsWith(`${what}: `))?.text ?? ''
  console.log(`${good ? 'ok    ' : 'FAILED'} ${name}, ${said('kernel')}: ${server.restarts.length} times killed; ${said('done')}`)
  report(lines, server)
  if (!good) console.log([trouble ?? '', ...lines.slice(-60).map(({ text }) => text), server.log.slice(-4000)].join('\n').replace(/^/gm, '        '))
  return good
}

function report(lines: readonly ArrivedLine[], { restarts }: Restarter): void {
  const figures = {
    'down, from kill to ready': spread(restarts.map(({ killedAtMs, upAtMs }) => upAtMs - killedAtMs)),
    'errors given to applications': String(lines.filter(({ text }) => /^pauses: error|^failure: /.test(text)).length),
    ...(lines.some(({ text }) => text.startsWith('pauses: ')) ? figuresOfApplication(lines, restarts) : {}),
  }
  for (const [name, figure] of Object.entries(figures)) {
    console.log(`         ${name.padEnd(32)} ${figure}`)
    log(`${name}: ${figure}`)
  }
}

/** Of the application that notices pauses; fsx runs without it. */
function figuresOfApplication(lines: readonly ArrivedLine[], restarts: readonly Restart[]): Record<string, string> {
  const { pauses, unnoticed, others } = pauseFigures(lines, restarts)
  return {
    'pause, counted from kill': spread(pauses.map(({ fromKillMs }) => fromKillMs)),
    'pause, counted from ready': spread(pauses.map(({ fromUpMs }) => fromUpMs)),
    'restarts that were not noticed': String(unnoticed),
    'other pauses': `${others.length}, ${spread(others)}`,
    application: lines.findLast(({ text }) => text.startsWith('pauses: wrote'))?.text ?? 'did not end well',
  }
}

let failed = 0
for (const name of jobs) if (!(await failover(name))) failed++
process.exitCode = failed > 0 ? 1 : 0
