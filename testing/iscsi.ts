/**
 * `npm run test:iscsi`: Linux' iSCSI initiator, its file systems, dm-multipath and sg3-utils against our target.
 *
 *     LINUX_CLIENT=/path/to/runner npm run test:iscsi [-- --minutes N] [--only REGEX] [--list] [--log FILE]
 *
 * LINUX_CLIENT names a program that runs a script as root on a Linux kernel (a virtual machine, say), called as
 * `RUNNER [--timeout SECONDS] [--nics N] SCRIPT ARG...`. The script finds the address of this machine's loopback in $HOST, by each of its
 * interfaces in $HOSTS, and this machine's files under their own paths. The runner's exit status is the script's.
 *
 * A script `jobs/iscsi-smoke` beside the runner, if there is one, is run as well. `--minutes`: for how long each of the jobs under load
 * goes on. Exit status: 0 all well, 1 a job failed, 2 no runner.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { startClock } from './iscsi/clock.ts'
import { JobTarget, portals, targetAccount } from './iscsi/job-target.ts'
import { alice } from './peers/server.ts'
import { parseOptions } from './run/options.ts'
import { root } from './run/root.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    minutes: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
    log: { type: 'string' },
  },
})
const runner = process.env['LINUX_CLIENT']
if (runner === undefined || runner === '') {
  console.error('LINUX_CLIENT names no runner: a program that runs a script on a Linux kernel.')
  console.error('  LINUX_CLIENT=/path/to/runner npm run test:iscsi        (testing/iscsi.ts says what the runner must do)')
  process.exit(2)
}
const seconds = Number(options.minutes) * 60

interface Job {
  readonly name: string
  readonly script: string
  /** `clock` is a port that tells how many seconds are left (`startClock`). */
  readonly args: (target: JobTarget, clock: string) => readonly string[]
  readonly nics?: number
  /** How long it goes on by itself; boot, set-up and reading back come on top of it. */
  readonly seconds: number
}

const script = (name: string): string => join(root, 'testing', 'iscsi', `${name}.sh`)
const smoke = join(dirname(runner), 'jobs', 'iscsi-smoke')
const login = [alice.user, alice.password]
const port = (target: JobTarget): string => String(target.ports[0])

const filesystem = (name: string, more: readonly string[] = []): Job => ({
  name: [name, ...more].join(' with '),
  script: script('filesystem'),
  args: (target, clock) => [clock, port(target), ...login, name, ...more],
  seconds,
})
const jobs: readonly Job[] = [
  ...(existsSync(smoke)
    ? [{ name: 'smoke', script: smoke, args: (target: JobTarget) => [port(target), `${JobTarget.prefix}:disk0`, ...login], seconds: 0 }]
    : []),
  { name: 'login', script: script('login'), args: target => [port(target), ...login, targetAccount.user, targetAccount.password], seconds: 60 },
  { name: 'sg3-utils', script: script('sg'), args: target => [port(target), ...login], seconds: 60 },
  filesystem('ext4'),
  filesystem('xfs', ['digests']),
  {
    name: 'multipath',
    script: script('multipath'),
    args: (target, clock) => [clock, ...target.paths.map(path => String(path.port)), ...login],
    nics: portals,
    seconds,
  },
  { name: 'kill', script: script('kill'), args: (target, clock) => [clock, port(target), ...login], seconds },
]
const chosen = jobs.filter(({ name }) => new RegExp(options.only).test(name))
if (options.list) {
  for (const { name } of chosen) console.log(name)
  process.exit(0)
}

/** An emulated processor boots slowly, and verifies slowly. */
const slackSeconds = 1200

const log = (text: string): void => {
  if (options.log !== undefined) appendFileSync(options.log, `${new Date().toISOString()} ${text}\n`)
}

/** Runs a job to its end, and does what it asks for on the way (`ask: WORDS`). Resolves to its exit status and all it printed. */
async function runJob(job: Job, target: JobTarget): Promise<{ readonly status: number | null; readonly lines: readonly string[] }> {
  const nics = job.nics === undefined ? [] : ['--nics', String(job.nics)]
  await using clock = await startClock(job.seconds)
  const args = ['--timeout', String(job.seconds + slackSeconds), ...nics, job.script, ...job.args(target, String(clock.port))]
  const child = spawn(runner!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let answered = Promise.resolve()
  createInterface(child.stdout).on('line', text => {
    lines.push(text)
    log(`${job.name}: ${text}`)
    if (!text.startsWith('ask: ')) return
    const words = text.trim().split(' ').slice(1)
    answered = answered
      .then(() => target.answer(words))
      .then(
        said => {
          lines.push(...said)
          for (const line of said) log(`${job.name}: ${line}`)
        },
        (error: unknown) => void lines.push(`not done: ${String(error)}`),
      )
  })
  const [status] = (await once(child, 'close')) as [number | null]
  await answered
  return { status, lines }
}

let failed = 0
for (const job of chosen) {
  const begin = performance.now()
  await using target = await JobTarget.start()
  const { status, lines } = await runJob(job, target)
  const good = status === 0 && target.isRunning && !lines.some(line => line.startsWith('not done: '))
  if (!good) failed++
  const done = lines.findLast(line => line.startsWith('done: '))?.slice('done: '.length) ?? ''
  console.log(`${good ? 'ok    ' : 'FAILED'} ${((performance.now() - begin) / 1000).toFixed(0).padStart(5)} s  ${job.name}  ${done}`)
  for (const line of lines.filter(text => text.startsWith('told: '))) console.log(`                ${line.slice('told: '.length)}`)
  if (!good) console.log([...lines.slice(-60), target.log.slice(-4000)].join('\n').replace(/^/gm, '        '))
}
process.exitCode = failed > 0 ? 1 : 0
