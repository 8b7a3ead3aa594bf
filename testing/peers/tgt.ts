/** A private tgtd of Debian's package tgt on loopback, for tests of the initiator and side-by-side measurements. Needs root. */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { killGroup, mustRun, runCommand } from './command.ts'
import { temporaryFolder } from './folder.ts'
import { findProgram } from './packages.ts'
import { freePort } from './port.ts'
import type { Account } from './server.ts'

/** A running tgtd; stopped with `await using`. */
export interface Tgt extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Name of its only target. */
  readonly target: string
  /** Of its only disk: number 0 is tgt's controller. */
  readonly lun: number
  /** Runs tgtadm, for what a test wants otherwise. */
  admin(...args: readonly string[]): Promise<string>
}

/** What to start tgtd with. */
export interface TgtOptions {
  /** The disk; default: a sparse file of `sizeBytes` that goes away with tgtd. */
  readonly file?: string
  /** Of the default disk; 64 MiB where left out. */
  readonly sizeBytes?: number
  /** Who may log in by CHAP; everybody without a login where left out. */
  readonly account?: Account
  /** What the target proves itself with (mutual CHAP). */
  readonly targetAccount?: Account
  /** CPU list, as for `taskset -c`. */
  readonly cpus?: string
}

const target = 'iqn.2026-11.test.holdfast:tgt'
const targetId = ['--tid', '1']

/** Where tgtd puts its control socket, whatever else it is told. */
const controlSocket = (control: number | string): string => `/run/tgtd/socket.${control}`

/** A number that names nobody's control socket; tgtd takes no more than 32,767. */
function controlPort(): number {
  for (;;) {
    const port = randomInt(1024, 32_768)
    if (!existsSync(controlSocket(port))) return port
  }
}

/** Starts tgtd with one target, which has one thin disk, and waits until it answers. */
export async function startTgt(options: TgtOptions = {}): Promise<Tgt> {
  const folder = temporaryFolder('tgt', { needBytes: options.sizeBytes ?? 64 << 20 })
  const port = await freePort()
  const file = options.file ?? folder.at('disk')
  if (options.file === undefined) {
    writeFileSync(file, '')
    truncateSync(file, options.sizeBytes ?? 64 << 20)
  }
  mkdirSync('/run/tgtd', { recursive: true })
  const tgtd = findProgram('tgtd') ?? 'tgtd'
  const control = String(controlPort())
  const words = [tgtd, '--foreground', '--control-port', control, '--pid-file', folder.at('pid'), '--iscsi', `portal=127.0.0.1:${port}`]
  const [program = tgtd, ...args] = options.cpus === undefined ? words : ['taskset', '-c', options.cpus, ...words]
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  const exited = once(child, 'exit')
  const end = (): void => killGroup(child)
  process.once('exit', end)
  const admin = async (...given: readonly string[]): Promise<string> => mustRun('tgtadm', ['--control-port', control, '--lld', 'iscsi', ...given])
  const tgt: Tgt = {
    host: '127.0.0.1',
    port,
    target,
    lun: 1,
    admin,
    async [Symbol.asyncDispose]() {
      // It does not listen to SIGTERM while it has a target.
      end()
      await exited
      process.off('exit', end)
      for (const path of [controlSocket(control), `${controlSocket(control)}.lock`]) rmSync(path, { force: true })
      await folder[Symbol.asyncDispose]()
    },
  }
  try {
    await waitForControl(control, () => child.exitCode !== null)
    await configure(admin, file, options)
    return tgt
  } catch (error) {
    await tgt[Symbol.asyncDispose]()
    throw error
  }
}

async function waitForControl(control: string, hasEnded: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 100 && !hasEnded(); attempt++) {
    if (existsSync(controlSocket(control))) {
      const { status } = await runCommand('tgtadm', ['--control-port', control, '--lld', 'iscsi', '--mode', 'system', '--op', 'show'])
      if (status === 0) return
    }
    await sleep(50)
  }
  throw new Error('tgtd does not answer')
}

async function configure(admin: Tgt['admin'], file: string, { account, targetAccount }: TgtOptions): Promise<void> {
  await admin('--mode', 'target', '--op', 'new', ...targetId, '--targetname', target)
  await admin('--mode', 'logicalunit', '--op', 'new', ...targetId, '--lun', '1', '--backing-store', file)
  await admin('--mode', 'logicalunit', '--op', 'update', ...targetId, '--lun', '1', '--params', 'thin_provisioning=1')
  for (const [given, direction] of [
    [account, []],
    [targetAccount, ['--outgoing']],
  ] as const) {
    if (given === undefined) continue
    await admin('--mode', 'account', '--op', 'new', '--user', given.user, '--password', given.password)
    await admin('--mode', 'account', '--op', 'bind', ...targetId, '--user', given.user, ...direction)
  }
  // Without it, it answers None to whoever offers a digest.
  for (const digest of ['HeaderDigest', 'DataDigest']) {
    await admin('--mode', 'target', '--op', 'update', ...targetId, '--name', digest, '--value', 'CRC32C,None')
  }
  await admin('--mode', 'target', '--op', 'bind', ...targetId, '--initiator-address', 'ALL')
}
