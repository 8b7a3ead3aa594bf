/** Director and server agents as their users start them: by the command line. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { mustRun } from '../peers/command.ts'
import { temporaryFolder } from '../peers/folder.ts'
import type { TemporaryFolder } from '../peers/folder.ts'
import { productMain } from '../peers/server.ts'
import type { Machine } from './machine.ts'
import type { Program } from './program.ts'
import type { Addresses, Family } from './topologies.ts'

/** Port of each agent for hand-offs. */
export const agentPort = 7450

/** `[::1]:80`, `10.0.0.1:80`. */
export const endpoint = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** A folder with a key, a bpffs for pins, and sockets of --status; gone with `await using`. */
export interface Ground extends AsyncDisposable {
  readonly folder: TemporaryFolder
  readonly keyFile: string
  readonly pins: string
}

/** Makes one. */
export async function makeGround(): Promise<Ground> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(temporaryFolder('handoff'))
  const keyFile = folder.at('key')
  writeFileSync(keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  const pins = folder.at('bpf')
  mkdirSync(pins)
  await mustRun('mount', ['-t', 'bpf', 'bpf', pins])
  stack.defer(async () => void (await mustRun('umount', ['-l', pins])))
  const all = stack.move()
  return { folder, keyFile, pins, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** What an agent is started with. */
export interface AgentOptions {
  readonly ground: Ground
  readonly family?: Family
  readonly extra?: readonly string[]
  /** Of a second director: for its pins and its socket. */
  readonly name?: string
  /** Words in front of the program: `setpriv …`. */
  readonly before?: readonly string[]
}

const common = ({ keyFile, pins, folder }: Ground, name: string): string[] => [
  '--dev=eth0',
  `--key-file=${keyFile}`,
  `--pin=${pins}/${name}`,
  `--run=${folder.at(`run-${name}`)}`,
  '--log-format=json',
]

/** The command line, for those that start it otherwise. */
export const holdfastWords = (...words: readonly string[]): string[] => [process.execPath, productMain, ...words]

/** Starts a director on its machine; `owners` are words of --owner. */
export async function startDirector(
  machine: Machine,
  addresses: Addresses,
  owners: readonly string[],
  { ground, extra = [], before = [], name = 'director' }: AgentOptions,
): Promise<Program> {
  const words = ['director', '--vip', endpoint(addresses.vip, 80), ...common(ground, name), ...owners.flatMap(owner => ['--owner', owner]), ...extra]
  return machine.start([...before, ...holdfastWords(...words)], { ready: /^ready / })
}

/** Starts the agent of a server. */
export async function startAgent(
  machine: Machine,
  name: 'a' | 'b',
  addresses: Addresses,
  { ground, extra = [], before = [] }: AgentOptions,
): Promise<Program> {
  const [listen, local] = [endpoint(addresses[name], agentPort), endpoint(addresses[name], 80)]
  const words = ['server-agent', '--listen', listen, '--local', local, ...common(ground, `agent-${name}`), ...extra]
  return machine.start([...before, ...holdfastWords(...words)], { ready: /^ready / })
}

/** What --status says, by the socket that it asks: sockets of files belong to no network namespace. */
export async function statusOf(name: 'director' | 'agent-a' | 'agent-b', { folder }: Ground): Promise<Status> {
  const socket = connect({ path: `${folder.at(`run-${name}`)}/${name === 'director' ? name : 'server-agent'}-eth0.sock` })
  await once(socket, 'connect')
  return JSON.parse(await text(socket)) as Status
}

/** Of it, what tests ask for. */
export interface Status {
  readonly pid: number
  readonly connections?: number
  readonly agents?: readonly { readonly agent: string; readonly health: string; readonly connections: number }[]
  readonly metrics: Readonly<Record<string, number>> & { readonly refusals: Readonly<Record<string, number>> }
}
