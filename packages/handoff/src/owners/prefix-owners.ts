/** Owners by longest prefix; several agents of a prefix share what is below it by rendezvous hash of the path. */
import type { AgentId, Owners, Route } from './owners.ts'
import { PrefixTree } from './prefix-tree.ts'
import { distanceOf, hashOf, seedOf } from './rendezvous.ts'

/** How long an agent that has become healthy takes until it has its whole share: its caches are cold. */
export const slowStartMs = 10_000
/** Of one that has become healthy just now: so little that the others have almost all, and that it has all where there are no others. */
const weightMin = 0.001

interface Agent {
  readonly id: AgentId
  readonly seed: number
  isHealthy: boolean
  healthyMs: number
  weight: number
  /** From the key of the request at hand. */
  distance: number
}

/** The agents of a prefix, and the list that is given out. */
interface Group {
  readonly agents: readonly Agent[]
  readonly ranked: Agent[]
  readonly ids: AgentId[]
}

/** By host: what its paths begin with. */
type Tree = PrefixTree<Group>

const nobody: readonly AgentId[] = []

/** CLOCK_MONOTONIC in ms. */
const clockOffsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
const monotonicMs = (): number => performance.now() + clockOffsetMs

/**
 * Owners by longest prefix. Routes with a host come before those without: `example.org/` has all of its paths, whatever `/videos/` says. The path is taken as the client writes
 * it. `replace` puts another table in place; agents that stay keep their health and weight.
 */
export class PrefixOwners implements Owners {
  readonly #now: () => number
  #byId = new Map<AgentId, Agent>()
  #anyHost: Tree = new PrefixTree()
  #hosts = new Map<string, Tree>()
  #lastHost = ''
  #lastTree: Tree | undefined
  /** When the last agent has its whole share. */
  #settledMs = -Infinity

  /** `now` is the clock of `setHealthy`; where nothing is said, CLOCK_MONOTONIC. */
  constructor(routes: readonly Route[], now: () => number = monotonicMs) {
    this.#now = now
    this.replace(routes)
  }

  get agents(): readonly AgentId[] {
    return [...this.#byId.keys()]
  }

  candidates(host: string, target: string): readonly AgentId[] {
    const isOrigin = target.charCodeAt(0) === slashCode
    const pathAt = isOrigin ? 0 : pathStart(target)
    // `*`, CONNECT, and an absolute one without a path ask for the host as a whole.
    const path = pathAt < 0 ? '/' : target
    const from = Math.max(0, pathAt)
    const group = this.#groupOf(isOrigin ? host : (authorityOf(target) ?? host), path, from)
    if (group === undefined) return nobody
    if (this.#settledMs !== -Infinity) this.#settle()
    return rank(group, path, from)
  }

  setHealthy(id: AgentId, isHealthy: boolean, nowMs: number): void {
    const agent = this.#byId.get(id)
    if (agent === undefined || agent.isHealthy === isHealthy) return
    agent.isHealthy = isHealthy
    agent.healthyMs = nowMs
    agent.weight = weightMin
    if (isHealthy) this.#settledMs = Math.max(this.#settledMs, nowMs + slowStartMs, this.#now())
  }

  replace(routes: readonly Route[]): void {
    const before = this.#byId
    this.#byId = new Map()
    this.#anyHost = new PrefixTree()
    this.#hosts = new Map()
    this.#lastTree = undefined
    for (const { prefix, agents } of routes) {
      const slash = prefix.indexOf('/')
      const group: Group = { agents: agents.map(id => this.#agentOf(id, before)), ranked: [], ids: [] }
      this.#treeOf(prefix.slice(0, slash)).set(prefix.slice(slash), group)
    }
  }

  #agentOf(id: AgentId, before: ReadonlyMap<AgentId, Agent>): Agent {
    const agent = this.#byId.get(id) ?? before.get(id) ?? { id, seed: seedOf(id), isHealthy: false, healthyMs: 0, weight: weightMin, distance: 0 }
    this.#byId.set(id, agent)
    return agent
  }

  /** The tree that prefixes of a host go into. */
  #treeOf(host: string): Tree {
    if (host === '') return this.#anyHost
    const tree = this.#hosts.get(host) ?? new PrefixTree<Group>()
    this.#hosts.set(host, tree)
    return tree
  }

  #groupOf(host: string, path: string, from: number): Group | undefined {
    if (this.#hosts.size > 0) {
      // Requests of one host come in rows.
      if (host !== this.#lastHost || this.#lastTree === undefined) {
        this.#lastHost = host
        this.#lastTree = this.#hosts.get(hostName(host)) ?? noTree
      }
      const group = this.#lastTree.find(path, from)
      if (group !== undefined) return group
    }
    return this.#anyHost.find(path, from)
  }

  /** Weights grow with the time, until all agents have their whole share. */
  #settle(): void {
    const now = this.#now()
    for (const agent of this.#byId.values()) agent.weight = Math.min(1, Math.max(weightMin, (now - agent.healthyMs) / slowStartMs))
    if (now >= this.#settledMs) this.#settledMs = -Infinity
  }
}

const noTree: Tree = new PrefixTree()

const slashCode = 0x2f
const schemeEnd = '://'

/** Where the path of a target in absolute form begins (RFC 9112 3.2.2); -1 where there is none. */
function pathStart(target: string): number {
  const scheme = target.indexOf(schemeEnd)
  return scheme < 0 ? -1 : target.indexOf('/', scheme + schemeEnd.length)
}

/** The authority of a target in absolute form: it counts, not the Host field (RFC 9112 3.2.2). */
function authorityOf(target: string): string | undefined {
  const scheme = target.indexOf(schemeEnd)
  if (scheme < 0) return undefined
  const path = pathStart(target)
  return target.slice(scheme + schemeEnd.length, path < 0 ? target.length : path)
}

/** A Host field's value without the port, in lower case. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(':')
  return (colon > host.lastIndexOf(']') ? host.slice(0, colon) : host).toLowerCase()
}

/** The healthy agents of a group, the nearest to the path first; the query is no part of it. */
function rank(group: Group, path: string, from: number): readonly AgentId[] {
  const { agents, ranked, ids } = group
  ids.length = 0
  if (agents.length === 1) {
    if (agents[0].isHealthy) ids.push(agents[0].id)
    return ids
  }
  const query = path.indexOf('?', from)
  const key = hashOf(path, from, query < 0 ? path.length : query)
  ranked.length = 0
  for (const agent of agents) {
    if (!agent.isHealthy) continue
    agent.distance = distanceOf(key, agent)
    insert(ranked, agent)
  }
  for (const { id } of ranked) ids.push(id)
  return ids
}

/** There are few: each goes to its place from behind. */
function insert(ranked: Agent[], agent: Agent): void {
  let at = ranked.length
  while (at > 0 && ranked[at - 1].distance > agent.distance) {
    ranked[at] = ranked[at - 1]
    at--
  }
  ranked[at] = agent
}
