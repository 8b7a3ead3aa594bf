/**
 * `npm run test:linux`: the Linux kernel's cifs client against our server.
 *
 *     LINUX_CLIENT=/path/to/runner npm run test:linux [-- --only REGEX] [--list]
 *
 * LINUX_CLIENT names a program that runs a script as root on a Linux kernel with a cifs client (a virtual machine, say), called as
 * `RUNNER [--timeout SECONDS] SCRIPT ARG...`. The script finds the address of this machine's loopback in $HOST, and this machine's
 * files under their own paths. The runner's exit status is the script's.
 *
 * A script `jobs/cifs-fsx` beside the runner, if there is one, is run as well: random operations on one file, compared with memory.
 *
 * Exit status: 0 all well, 1 a job failed, 2 no runner.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from './peers/command.ts'
import { temporaryFolder } from './peers/folder.ts'
import { alice, startServer } from './peers/server.ts'
import { parseOptions } from './run/options.ts'
import { root } from './run/root.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: { only: { type: 'string', default: '' }, list: { type: 'boolean', default: false }, operations: { type: 'string', default: '20000' } },
})
const runner = process.env['LINUX_CLIENT']
if (runner === undefined || runner === '') {
  console.error('LINUX_CLIENT names no runner: a program that runs a script on a Linux kernel with a cifs client.')
  console.error('  LINUX_CLIENT=/path/to/runner npm run test:linux        (testing/linux.ts says what the runner must do)')
  process.exit(2)
}

/** Options of mount.cifs (8): dialects, encryption, caching, channels. */
const mounts = ['vers=3.1.1', 'vers=3.1.1,seal', 'vers=3.0.2', 'vers=2.1', 'vers=3.1.1,cache=none', 'vers=3.1.1,multichannel,max_channels=2']
/**
 * With SMB 2.1 Linux 6.12 loses what is written through a mapping behind the end of an earlier write in the same page. It does so with
 * Samba's smbd too, in the same operation of the same sequence.
 */
const withoutMappedWrites = ['--without', 'collapse,insert,mapwrite']
const fsx = join(dirname(runner), 'jobs', 'cifs-fsx')

interface Job {
  readonly name: string
  readonly script: string
  /** After SHARE PORT USER PASSWORD. */
  readonly args: readonly string[]
  readonly timeoutSeconds: number
}

const script = (name: string): string => join(root, 'testing', 'linux', name)
const jobs: readonly Job[] = [
  ...mounts.map(mount => ({ name: `smoke ${mount}`, script: script('smoke.sh'), args: [mount], timeoutSeconds: 600 })),
  ...mounts.slice(0, 2).map(mount => ({ name: `git ${mount}`, script: script('git.sh'), args: [mount, root], timeoutSeconds: 1200 })),
  ...['tar', 'folder', 'names', 'two-mounts'].map(name => ({
    name: `${name} vers=3.1.1`,
    script: script(`${name}.sh`),
    args: ['vers=3.1.1'],
    timeoutSeconds: 1800,
  })),
  ...(existsSync(fsx)
    ? mounts.map(mount => ({
        name: `fsx ${mount}`,
        script: fsx,
        args: ['-n', options.operations, '-o', mount, ...(mount === 'vers=2.1' ? withoutMappedWrites : [])],
        timeoutSeconds: 3600,
      }))
    : []),
]
const chosen = jobs.filter(({ name }) => new RegExp(options.only).test(name))
if (options.list) {
  for (const { name } of chosen) console.log(name)
  process.exit(0)
}

await using folder = temporaryFolder('linux')
mkdirSync(folder.at('docs'))
await using server = await startServer({ shares: { docs: folder.at('docs') } })
let failed = 0
for (const job of chosen) {
  const begin = performance.now()
  const args = ['--timeout', String(job.timeoutSeconds), job.script, 'docs', String(server.smb.port), alice.user, alice.password, ...job.args]
  const { status, stdout, stderr } = await runCommand(runner, args, { timeoutMs: (job.timeoutSeconds + 120) * 1000 })
  const good = status === 0 && server.isRunning
  if (!good) failed++
  console.log(`${good ? 'ok    ' : 'FAILED'} ${((performance.now() - begin) / 1000).toFixed(0).padStart(5)} s  ${job.name}`)
  if (!good) console.log(`${stdout}${stderr}`.trimEnd().split('\n').slice(-40).join('\n').replace(/^/gm, '        '))
  if (!server.isRunning) {
    console.log(`the server ended:\n${server.log.slice(-4000)}`)
    break
  }
}
process.exitCode = failed > 0 ? 1 : 0
