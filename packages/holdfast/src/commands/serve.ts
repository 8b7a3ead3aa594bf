/** `holdfast serve`: a node from its configuration to its last breath. */

import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { defaultPorts, formatAddress } from '../config/addresses.ts'
import type { Config } from '../config/config.ts'
import { ConfigError, quoted } from '../config/errors.ts'
import { checkPassedSockets, type PassedSocket, takePassedSockets } from '../config/passed-sockets.ts'
import { saveCompileCache } from '../compile-cache.ts'
import { createLogger, type Logger } from '../log.ts'
import { chapProblemOf } from '../node/accounts.ts'
import { nodeConfigOf } from '../node/node-config.ts'
import { defaultIscsiAddress } from '../node/node-volumes.ts'
import { ListenError, nothingToServe, type RunningNode, startNode } from '../node/node.ts'
import { nodeStoreOf } from '../node/open-store.ts'
import { lockStateFolder, openIdentity, openStateFolder } from '../state/folder.ts'
import { openUserStore, type UserStore } from '../state/users.ts'
import type { CommandContext } from './context.ts'

export interface ServeHooks {
  /** After the ready line. */
  onReady?(node: RunningNode): void
  /** The HTTP listener is welcome, not demanded: a port that is taken costs a warning. */
  readonly httpOptional?: boolean
  readonly start?: typeof startNode
}

/** From SIGTERM to exit 0: what does not end by itself is left behind before the 10 s that are promised. */
const shutdownMsMax = 9000

/** Serves until `context.signal` aborts, then shuts down. Throws ConfigError, StateError, ListenError. */
export async function serve(context: CommandContext, given: Config, hooks: ServeHooks = {}): Promise<void> {
  const config = withListeners(given)
  const passedSockets = takePassedSockets(context.environment)
  const iscsi = config.iscsi.length === 0 ? [defaultIscsiAddress] : config.iscsi
  checkPassedSockets(passedSockets, [...config.smb, ...iscsi, ...config.http, ...config.content])
  const format = config.logFormat ?? (context.terminal ? 'pretty' : 'json')
  const log = createLogger({ level: config.logLevel, format, colour: context.terminal, write: line => void context.err.write(line) })
  openStateFolder(config.stateDir)
  using _lock = lockStateFolder(config.stateDir)
  const users = takeUsers(config, log)
  const node = await start(config, { log, passedSockets }, hooks)
  using _chaos = chaosOnSignal(node, context, log)
  if (node.listeners.iscsi.length > 0) warnOfChap(users, log)
  context.out.write(`${readyLine(node, config)}\n`)
  log.info({ workers: node.workers, shares: config.shares.map(share => share.name) }, 'ready')
  hooks.onReady?.(node)
  saveCompileCache()
  await aborted(context.signal)
  log.info('stopping')
  await stop(node, log)
}

/** `ready pid=1234 smb=127.0.0.1:4450 http=127.0.0.1:8080`: only what runs, several addresses with commas between. */
export function readyLine(node: Pick<RunningNode, 'listeners'>, config: Pick<Config, 'nodeName' | 'nodeNamed'>): string {
  const words = [`ready pid=${process.pid}`]
  for (const [protocol, addresses] of Object.entries(node.listeners)) {
    if (addresses.length > 0) words.push(`${protocol}=${addresses.map(formatAddress).join(',')}`)
  }
  if (config.nodeNamed) words.push(`node=${config.nodeName}`)
  return words.join(' ')
}

function withListeners(config: Config): Config {
  const { shares, volumes, smb, iscsi, http, content } = config
  const isNothingGiven = [shares, volumes, smb, iscsi, http, content].every(list => list.length === 0)
  // Volumes may be there that were made by a command.
  if (isNothingGiven && !existsSync(nodeStoreOf(config.stateDir))) throw new ConfigError(nothingToServe)
  return { ...config, smb: smb.length === 0 && shares.length > 0 ? [{ host: '127.0.0.1', port: defaultPorts.smb }] : smb }
}

function takeUsers(config: Config, log: Logger): UserStore {
  const users = openUserStore(config.stateDir)
  const admins = config.admins.map(user => ({ ...user, role: 'admin' }) as const)
  for (const user of [...config.users, ...admins]) {
    const outcome = users.set(user)
    if (outcome !== 'unchanged') log.info({ user: user.name }, `user ${outcome}`)
  }
  const known = new Set(users.list().map(user => user.name.toUpperCase()))
  const warnOfUnknown = (names: readonly string[] = [], of: object): void => {
    for (const name of names)
      if (!known.has(name.toUpperCase())) log.warn({ ...of, user: name }, `a ${Object.keys(of)[0]} names a user that there is not`)
  }
  for (const share of config.shares) warnOfUnknown(share.users, { share: share.name })
  for (const volume of config.volumes) warnOfUnknown(volume.users, { volume: volume.name })
  if (config.mutualChap !== undefined) checkMutualChap(config.mutualChap, users)
  if (known.size === 0) log.warn('there are no users: nobody can connect before one is added with --user or "holdfast user add"')
  return users
}

function checkMutualChap(name: string, users: UserStore): void {
  const user = users.find(name)
  const problem = user === undefined ? `there is no user ${quoted(name)}; "holdfast user add ${name}" adds one` : chapProblemOf(user)
  if (problem !== undefined) throw new ConfigError(`--mutual-chap: ${problem}`)
}

function warnOfChap(users: UserStore, log: Logger): void {
  for (const user of users.list()) {
    const problem = chapProblemOf(user)
    if (problem !== undefined) log.warn({ user: user.name, reason: problem }, 'this user cannot log in over iSCSI')
  }
}

interface ServeResources {
  readonly log: Logger
  readonly passedSockets: readonly PassedSocket[]
}

async function start(config: Config, resources: ServeResources, { httpOptional = false, start = startNode }: ServeHooks): Promise<RunningNode> {
  const nodeConfig = nodeConfigOf(config, openIdentity(config.stateDir))
  try {
    return await start(nodeConfig, resources)
  } catch (error) {
    if (!httpOptional || !(error instanceof ListenError) || error.protocol !== 'http') throw error
    resources.log.warn({ reason: error.message }, 'no HTTP listener')
    return start({ ...nodeConfig, http: [] }, resources)
  }
}

async function stop(node: RunningNode, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), shutdownMsMax)
  })
  const outcome = await Promise.race([node.close(), late])
  clearTimeout(timer)
  if (outcome === 'late') log.warn(`not everything had ended after ${shutdownMsMax / 1000} s`)
  else log.info('stopped')
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** With HOLDFAST_CHAOS=1, SIGUSR2 ends a worker at random as a crash would: for tests of what that costs clients. */
function chaosOnSignal(node: RunningNode, { environment }: CommandContext, log: Logger): Disposable {
  if (environment['HOLDFAST_CHAOS'] !== '1') return { [Symbol.dispose]() {} }
  const kill = (): void => {
    const worker = randomInt(node.workers)
    log.warn({ worker }, 'ending a worker on purpose')
    node.killWorker(worker)
  }
  process.on('SIGUSR2', kill)
  return { [Symbol.dispose]: () => void process.off('SIGUSR2', kill) }
}
