/** What a prefix alone says about who has a target: for whoever can compare the beginning of a target, and nothing more. */
import type { AgentId, Route } from './owners.ts'
import { hostName } from './prefix-owners.ts'
import { PrefixTree } from './prefix-tree.ts'

/** Several agents have it, or it takes more than the prefix to tell. */
const undecided = ''

/** The routes as prefixes of targets in origin form, each with its one agent. */
export class SoleOwners {
  /** None is longer than was wanted; the longest that a target begins with counts. Undefined: that prefix does not tell. */
  readonly byPrefix: ReadonlyMap<string, AgentId | undefined>
  readonly #tree = new PrefixTree<AgentId>()
  readonly #hosts = new Set<string>()

  /** `prefixBytesMax`: what longer prefixes begin with does not tell. */
  constructor(routes: readonly Route[], prefixBytesMax: number) {
    const byPrefix = new Map<string, AgentId | undefined>()
    for (const { prefix, agents } of routes) {
      const slash = prefix.indexOf('/')
      if (slash > 0) this.#hosts.add(prefix.slice(0, slash))
      else if (prefix.length > prefixBytesMax) byPrefix.set(prefix.slice(0, prefixBytesMax), undefined)
      else if (!byPrefix.has(prefix)) byPrefix.set(prefix, agents.length === 1 ? agents[0] : undefined)
    }
    for (const [prefix, agent] of byPrefix) this.#tree.set(prefix, agent ?? undecided)
    this.byPrefix = byPrefix
  }

  /** The only agent that may have what is asked for, healthy or not, where a prefix of the target tells: in origin form, for a host without routes of its own. Undefined elsewhere. */
  of(host: string, target: string): AgentId | undefined {
    if (!target.startsWith('/') || (this.#hosts.size > 0 && this.#hosts.has(hostName(host)))) return undefined
    const agent = this.#tree.find(target)
    return agent === undecided ? undefined : agent
  }
}
