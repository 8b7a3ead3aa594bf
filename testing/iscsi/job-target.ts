/** The target that the jobs of `npm run test:iscsi` work with, and what they may ask for while they do. */
import { mustRun } from '../peers/command.ts'
import { temporaryFolder } from '../peers/folder.ts'
import type { TemporaryFolder } from '../peers/folder.ts'
import { alice, productMain, readyWords, startServer } from '../peers/server.ts'
import type { Account, Server } from '../peers/server.ts'
import { NetworkPath } from './network-path.ts'
import type { Trouble } from './network-path.ts'

/** How many addresses it listens on. */
export const portals = 2

/** By what the target shows who it is (mutual CHAP). */
export const targetAccount: Account = { user: 'target', password: 'Target-Secret-1' }

const volumes = ['disk0=1GiB', 'disk1=1GiB', 'open=64MiB,no-auth']
/** What the volumes of the jobs may come to hold. */
const needBytes = 3 * 2 ** 30

const portsOf = (server: Server): number[] =>
  (readyWords(server.ready).get('iscsi') ?? '').split(',').map(address => Number(address.split(':').at(-1)))

/** A target with two volumes and two portals. Stopped with `await using`. */
export class JobTarget implements AsyncDisposable {
  /** Names of targets begin with it. */
  static readonly prefix = 'iqn.2026-11.io.holdfast'
  readonly ports: readonly number[]
  /** To each portal one that can be taken away. */
  readonly paths: readonly NetworkPath[]
  readonly #folder: TemporaryFolder
  #server: Server
  #log = ''
  #wasKilled = false
  readonly #answers: Readonly<Record<string, (...words: string[]) => Promise<string> | Promise<void> | void>> = {
    kill: async () => this.#kill(),
    start: async () => this.#restart(),
    break: (path, trouble) => this.#path(path).break(trouble as Trouble),
    mend: path => this.#path(path).mend(),
    resize: async (name = '', size = '') => void (await this.#holdfast('volume', 'resize', name, '--size', size)),
    usage: async (name = '') => {
      const used = /^used +(.*)$/m.exec(await this.#holdfast('volume', 'show', name))?.[1]
      return `${name} uses ${used}`
    },
  }

  private constructor(started: { folder: TemporaryFolder; server: Server; ports: readonly number[]; paths: readonly NetworkPath[] }) {
    this.#folder = started.folder
    this.#server = started.server
    this.ports = started.ports
    this.paths = started.paths
  }

  static async start(): Promise<JobTarget> {
    const folder = temporaryFolder('iscsi', { needBytes })
    const server = await launch(
      folder.at('state'),
      Array.from({ length: portals }, () => 0),
    )
    const ports = portsOf(server)
    const paths = await Promise.all(ports.map(port => NetworkPath.open({ host: '127.0.0.1', port })))
    return new JobTarget({ folder, server, ports, paths })
  }

  get isRunning(): boolean {
    return this.#server.isRunning
  }

  /** What it has logged, over all its lives. */
  get log(): string {
    return this.#log + this.#server.log
  }

  /** Does what a job asks for: `kill`, `start`, `resize disk0 2GiB`, ... Gives lines that tell of it. */
  async answer([what = '', ...words]: readonly string[]): Promise<readonly string[]> {
    const answer = Object.hasOwn(this.#answers, what) ? this.#answers[what] : undefined
    if (answer === undefined) throw new Error(`nobody knows how to do this: ${what}`)
    const said = await answer(...words)
    return said === undefined ? [] : [`told: ${said}`]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.paths) await path[Symbol.asyncDispose]()
    await this.#server[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }

  #path(text = ''): NetworkPath {
    const path = this.paths[Number(text)]
    if (path === undefined) throw new Error(`there is no path ${text}`)
    return path
  }

  async #kill(): Promise<void> {
    if (!this.#server.isRunning) throw new Error('it ended by itself')
    await this.#server.kill()
    this.#wasKilled = true
    this.#log = this.log.slice(-100_000)
  }

  async #restart(): Promise<void> {
    if (!this.#wasKilled) throw new Error('it has not been killed')
    this.#wasKilled = false
    this.#server = await launch(this.#folder.at('state'), this.ports)
  }

  #holdfast(...words: readonly string[]): Promise<string> {
    return mustRun(process.execPath, [productMain, ...words, '--state', this.#folder.at('state')])
  }
}

const launch = (state: string, ports: readonly number[]): Promise<Server> =>
  startServer({
    shares: {},
    state,
    accounts: [alice, targetAccount],
    extra: [
      ...volumes.flatMap(volume => ['--volume', volume]),
      ...ports.flatMap(port => ['--iscsi', `127.0.0.1:${port}`]),
      '--mutual-chap',
      targetAccount.user,
    ],
  })
