/** The server agents of the routes: links to them, which of them a request is for, and how packets get there. */
import { routeTo } from '@holdfast/posix/netlink'
import { DirectorEntry, ForwardMethod } from '../bpf/index.ts'
import { PrefixOwners } from '../owners/index.ts'
import type { AgentId, Route } from '../owners/index.ts'
import { DirectorLink, parseEndpoint } from '../protocol/index.ts'
import type { DirectorHandler, Endpoint, Health, Mac } from '../protocol/index.ts'
import type { Loop } from '../loop/index.ts'
import { familyOf, udpHeaderBytes } from '../transform/index.ts'
import type { DirectorOptions } from './options.ts'

/** A server agent. */
export interface Agent {
  readonly id: AgentId
  readonly link: DirectorLink
  /** A `DirectorEntry` that sends packets to it; the rest of it is to be filled in. */
  readonly entry: Buffer
  readonly forward: 'neighbour' | 'encapsulate'
  /** Connections of ours that it has. */
  connections: number
  /** How long it takes to answer, smoothed (RFC 6298 2: an eighth of what is new). */
  answerMs: number
}

/** What `Agents` needs. */
export interface AgentsOptions {
  readonly loop: Loop
  readonly mac: Mac
  readonly handler: DirectorHandler
  readonly director: number
  readonly forward: NonNullable<DirectorOptions['forward']>
  readonly routes: readonly Route[]
  readonly onNotice: (notice: string) => void
}

/** All agents, by their address. */
export class Agents {
  readonly #options: AgentsOptions
  readonly #byId = new Map<AgentId, Agent>()
  readonly #byLink = new Map<DirectorLink, Agent>()
  readonly #owners: PrefixOwners
  /** The same routes with nobody left out: who is proxied to, when a server's agent is down. */
  readonly #everybody: PrefixOwners

  constructor(options: AgentsOptions) {
    this.#options = options
    this.#owners = new PrefixOwners(options.routes)
    this.#everybody = new PrefixOwners(options.routes)
    this.#take()
  }

  /** Puts other routes in place. Agents that are in none any more keep the connections they have. */
  replace(routes: readonly Route[]): void {
    this.#owners.replace(routes)
    this.#everybody.replace(routes)
    this.#take()
  }

  all(): Iterable<Agent> {
    return this.#byId.values()
  }

  of(link: DirectorLink): Agent | undefined {
    return this.#byLink.get(link)
  }

  /** The agent at an address, whether routes name it or not. Undefined when there is no way to it. */
  at(endpoint: Endpoint): Agent | undefined {
    const known = this.#byId.get(endpoint.text)
    if (known !== undefined) return known
    try {
      return this.#add(endpoint.text, endpoint)
    } catch (error) {
      this.#options.onNotice(`${endpoint.text}: ${(error as Error).message}`)
      return undefined
    }
  }

  /** Who is to have a request: the first choice of those that are healthy. */
  choose(host: string, target: string): Agent | undefined {
    const [id] = this.#owners.candidates(host, target)
    return id === undefined ? undefined : this.#byId.get(id)
  }

  /** Whether an agent is one of those that may have a request, healthy or not. */
  isOwner(agent: Agent, host: string, target: string): boolean {
    return this.#everybody.candidates(host, target).includes(agent.id)
  }

  /** Servers that a request may be proxied to, those whose agents are healthy first. */
  servers(host: string, target: string): Endpoint[] {
    const ids = new Set([...this.#owners.candidates(host, target), ...this.#everybody.candidates(host, target)])
    return [...ids].map(id => this.#byId.get(id)?.link.server).filter(server => server !== undefined)
  }

  /** Whether there is somebody to hand connections to. */
  get anyHealthy(): boolean {
    for (const { link } of this.#byId.values()) if (link.health === 'healthy') return true
    return false
  }

  /** Health has changed. */
  setHealth(link: DirectorLink, health: Health, nowMs: number): void {
    const agent = this.#byLink.get(link)
    if (agent !== undefined) this.#owners.setHealthy(agent.id, health === 'healthy', nowMs)
  }

  close(): void {
    for (const { link } of this.#byId.values()) link.close()
  }

  #take(): void {
    for (const id of this.#owners.agents) {
      const { link } = this.#byId.get(id) ?? this.#add(id, parseEndpoint(id))
      // One that was in no route for a while has kept its link.
      this.setHealth(link, link.health, this.#options.loop.now())
    }
    for (const id of this.#everybody.agents) this.#everybody.setHealthy(id, true, -Infinity)
  }

  #add(id: AgentId, endpoint: Endpoint): Agent {
    const { loop, mac, handler, director, forward } = this.#options
    const link = new DirectorLink({ loop, mac, agent: endpoint, handler, director })
    const route = routeTo(endpoint.address)
    const isNeighbour = isReachedAsNeighbour(route, forward)
    const entry = DirectorEntry.toBytes({
      ...emptyEntry,
      method: isNeighbour ? ForwardMethod.neighbour : ForwardMethod.encapsulate,
      interfaceIndex: route.interfaceIndex,
      nextHop: route.gateway ?? endpoint.address,
      agent: endpoint.address,
      outerSource: link.local.address,
      agentPort: endpoint.port,
      outerSourcePort: link.local.port,
    })
    const agent: Agent = { id, link, entry, forward: isNeighbour ? 'neighbour' : 'encapsulate', connections: 0, answerMs: 0 }
    this.#byId.set(id, agent)
    this.#byLink.set(link, agent)
    return agent
  }
}

type Forward = AgentsOptions['forward']

const isReachedAsNeighbour = (route: ReturnType<typeof routeTo>, forward: Forward): boolean =>
  forward === 'auto' ? route.gateway === undefined && route.type === unicast : forward === 'neighbour'

/** What the packets of a client grow by on their way to the agents of these routes: by the most. Throws `PosixError` where there is no way to one. */
export function wrappingBytesOf(routes: readonly Route[], forward: Forward): number {
  const addresses = routes.flatMap(({ agents }) => agents.map(id => parseEndpoint(id).address))
  return Math.max(
    0,
    ...addresses.map(address => (isReachedAsNeighbour(routeTo(address), forward) ? 0 : familyOf(address).headerBytes + udpHeaderBytes)),
  )
}

/** RTN_UNICAST (linux/rtnetlink.h): neither this machine itself nor a broadcast. */
const unicast = 1

const emptyEntry = {
  action: 0,
  forwardUntil: 0,
  packets: 0,
  bytes: 0,
  lastNs: 0,
  flagsSeen: 0,
  lastAck: 0,
  lastSequenceEnd: 0,
  requestAck: 0,
  requestAt: 0,
  generation: 0,
  connection: 0,
  mss: 0,
  options: 0,
  clientScale: 0,
  directorScale: 0,
  note: 0,
  receiveWindow: 0,
}
