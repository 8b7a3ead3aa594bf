/** A whole service: a client, a director with the VIP, two servers with an agent each. */
import { makeGround, agentPort, endpoint, startAgent, startDirector, statusOf } from './agents.ts'
import type { Ground, Status } from './agents.ts'
import type { Conversation, Outcome } from './conversation.ts'
import { startProgram } from './program.ts'
import type { Program } from './program.ts'
import { oneLink } from './topologies.ts'
import type { Addresses, Family, Topology } from './topologies.ts'
import { makeContent, startHoldfast, startNginx } from './web-servers.ts'
import type { Content } from './web-servers.ts'

/** What differs from a scene of its own. */
export interface SceneOptions {
  readonly topology?: () => Promise<Topology>
  readonly family?: Family
  /** More words for the director. */
  readonly director?: readonly string[]
  /** More words for both agents. */
  readonly agents?: readonly string[]
  /** Words in front of director and agents: `setpriv …`. */
  readonly before?: readonly string[]
  /** Words of --owner; default: `/b/` is b's, all else a's. */
  readonly owners?: readonly string[]
  /** Sizes of files. */
  readonly files?: Parameters<typeof makeContent>[2]
  /** Which HTTP servers there are; default nginx. */
  readonly server?: 'nginx' | 'holdfast'
}

const curlWords = ['curl', '-sSf', '--noproxy', '*', '--max-time', '60']

type Part = 'director' | 'a' | 'b'

/** The HTTP servers, which run from the beginning. */
interface Servers {
  start(name: 'a' | 'b'): Promise<void>
  stop(name: 'a' | 'b'): Promise<void>
}

/** Everything runs; it ends with `await using`. */
export class Scene implements AsyncDisposable {
  readonly topology: Topology
  readonly addresses: Addresses
  readonly ground: Ground
  readonly content: Content
  readonly servers: Servers
  readonly #client: Program
  readonly #parts = new Map<Part, Program>()
  readonly #options: SceneOptions
  readonly #stack: AsyncDisposableStack

  constructor(
    made: Pick<Scene, 'topology' | 'addresses' | 'ground' | 'content' | 'servers'> & {
      client: Program
      options: SceneOptions
      stack: AsyncDisposableStack
    },
  ) {
    this.topology = made.topology
    this.addresses = made.addresses
    this.ground = made.ground
    this.content = made.content
    this.servers = made.servers
    this.#client = made.client
    this.#options = made.options
    this.#stack = made.stack
  }

  /** The VIP's URL of a path. */
  url(path: string): string {
    return `http://${endpoint(this.addresses.vip, 80)}${path}`
  }

  part(name: Part): Program {
    const program = this.#parts.get(name)
    if (program === undefined) throw new Error(`${name} does not run`)
    return program
  }

  /** Starts the director, or an agent: first, or again after it has ended; with more words than the scene's own. */
  async start(name: Part, more: readonly string[] = []): Promise<Program> {
    const { ground, addresses, topology } = this
    const {
      director = [],
      agents = [],
      before = [],
      owners = [`/=${endpoint(addresses.a, agentPort)}`, `/b/=${endpoint(addresses.b, agentPort)}`],
    } = this.#options
    const program =
      name === 'director'
        ? await startDirector(topology.director, addresses, owners, { ground, before, extra: [...director, ...more] })
        : await startAgent(topology[name], name, addresses, { ground, before, extra: [...agents, ...more] })
    this.#parts.set(name, program)
    return program
  }

  /** Until both agents take connections, as the director sees them. */
  async healthy(): Promise<void> {
    await until('both agents are healthy', async () => (await this.status('director')).agents?.every(({ health }) => health === 'healthy') === true)
  }

  /** What went through the director's interface while something was done, and how much of `bytes` that is, for people. */
  async throughDirector(bytes: number, work: () => Promise<void>): Promise<{ readonly most: number; readonly text: string }> {
    const { director } = this.topology
    const earlier = await director.counters()
    await work()
    const later = await director.counters()
    const [received, sent] = [later.receivedBytes - earlier.receivedBytes, later.sentBytes - earlier.sentBytes]
    const percent = (part: number): string => `${((100 * part) / bytes).toFixed(3)} %`
    return { most: Math.max(received, sent), text: `director: ${percent(received)} of the bytes in, ${percent(sent)} out` }
  }

  /** Until no entry is left, at the director and at the agents that run. */
  async empty(): Promise<void> {
    const left = async (name: Part): Promise<number> => {
      if (this.#parts.get(name)?.isRunning !== true) return 0
      return name === 'director' ? ((await this.status('director')).metrics['entries'] ?? 0) : ((await this.status(`agent-${name}`)).connections ?? 0)
    }
    await until('no entry is left', async () => (await Promise.all((['director', 'a', 'b'] as const).map(left))).every(count => count === 0))
  }

  status(name: 'director' | 'agent-a' | 'agent-b'): Promise<Status> {
    return statusOf(name, this.ground)
  }

  /** A conversation of the client with the VIP. */
  converse(conversation: Omit<Conversation, 'host' | 'port'>): Promise<Outcome> {
    return this.#client.ask({ host: this.addresses.vip, port: 80, ...conversation })
  }

  /** curl on the client's machine; `-sS` is said, and that a failure is one (`-f`). Returns what it printed. */
  curl(...words: readonly string[]): Promise<string> {
    return this.topology.client.must([...curlWords, ...words], { timeoutMs: 70_000 })
  }

  /** SHA-256 of what a GET brings. */
  async sha256(path: string, ...words: readonly string[]): Promise<string> {
    const script = 'set -o pipefail; "$@" | sha256sum'
    const printed = await this.topology.client.must(['bash', '-c', script, 'bash', ...curlWords, ...words, this.url(path)], { timeoutMs: 70_000 })
    return printed.split(' ')[0] ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#parts.values()) await program[Symbol.asyncDispose]()
    await this.#stack.disposeAsync()
  }
}

/** Starts everything, and waits until both agents take connections. */
export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack()
  const ground = stack.use(await makeGround())
  const topology = stack.use(await (options.topology ?? oneLink)())
  const addresses = topology.addresses[options.family ?? 'ipv4']
  const { folder } = ground
  const contents = { a: makeContent(folder.at('a'), ['a'], options.files), b: makeContent(folder.at('b'), ['b'], options.files) }
  const startServer = options.server === 'holdfast' ? startHoldfast : startNginx
  const running = { a: new AsyncDisposableStack(), b: new AsyncDisposableStack() }
  const servers: Servers = {
    async start(name) {
      running[name] = new AsyncDisposableStack()
      running[name].use(await startServer({ machine: topology[name], folder, name, content: contents[name].folder }))
    },
    stop: name => running[name].disposeAsync(),
  }
  stack.defer(async () => void (await Promise.all([servers.stop('a'), servers.stop('b')])))
  await servers.start('a')
  await servers.start('b')
  const clientWords = topology.client.words(process.execPath, new URL('client-process.ts', import.meta.url).pathname)
  const client = stack.use(await startProgram(clientWords, { ready: /^up/, talks: true }))
  const content = { folder: '', sha256: { ...contents.a.sha256, ...contents.b.sha256 } }
  const scene = new Scene({ topology, addresses, ground, content, servers, client, options, stack: stack.move() })
  try {
    await Promise.all((['a', 'b', 'director'] as const).map(name => scene.start(name)))
    await scene.healthy()
  } catch (error) {
    await scene[Symbol.asyncDispose]()
    throw error
  }
  return scene
}

/** Asks until it is so. Throws after `ms`. */
export async function until(what: string, isSo: () => Promise<boolean>, ms = 10_000): Promise<void> {
  const begin = performance.now()
  while (!(await isSo())) {
    if (performance.now() - begin > ms) throw new Error(`not so after ${ms / 1000} s: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
