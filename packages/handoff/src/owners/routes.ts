/** Routes as people write them: words of `--owner`, and lines of a file. */
import { isIPv6 } from 'node:net'
import { UsageError } from '@holdfast/wire'
import { parseEndpoint } from '../protocol/endpoint.ts'
import type { AgentId, Route } from './owners.ts'

const wordAllowed = 'PREFIX=ADDR:PORT, as /videos/=10.0.0.1:7001 or example.org/=[2001:db8::1]:7001'
const lineAllowed = 'PREFIX ADDR:PORT [ADDR:PORT…], as /videos/ 10.0.0.1:7001 10.0.0.2:7001'

/** Routes that grow: one prefix may be named several times, each agent once. */
class RouteList {
  readonly #agents = new Map<string, AgentId[]>()

  /** Throws an Error whose message says why not. */
  add(prefix: string, address: string): void {
    const normal = normalPrefix(prefix)
    const agent = parseEndpoint(address).text
    const agents = this.#agents.get(normal) ?? []
    if (agents.includes(agent)) throw new UsageError('twice', `${normal} has ${agent} already`)
    this.#agents.set(normal, [...agents, agent])
  }

  all(): Route[] {
    return [...this.#agents].map(([prefix, agents]) => ({ prefix, agents }))
  }
}

/** The routes of `--owner PREFIX=ADDR:PORT` words; the same prefix several times is shared. Throws UsageError `bad-owner`. */
export function parseOwnerWords(words: readonly string[]): Route[] {
  const routes = new RouteList()
  for (const word of words) {
    // A prefix may have an equals sign in it, an address has none.
    const equals = word.lastIndexOf('=')
    explaining('bad-owner', `--owner ${word}`, wordAllowed, () => {
      if (equals < 0) throw new UsageError('no-address', 'has no =')
      routes.add(word.slice(0, equals), word.slice(equals + 1))
    })
  }
  return routes.all()
}

/** The routes of a file's text. Throws UsageError `bad-routes`, which names file, line and what is allowed. */
export function parseRoutes(text: string, file: string): Route[] {
  const routes = new RouteList()
  text.split(/\r?\n/).forEach((line, index) => {
    const [prefix, ...addresses] = line
      .replace(/(^|\s)#.*$/, '')
      .split(/\s+/)
      .filter(word => word !== '')
    if (prefix === undefined) return
    explaining('bad-routes', `${file}:${index + 1}`, lineAllowed, () => {
      if (addresses.length === 0) throw new UsageError('no-address', `${prefix} has no address`)
      for (const address of addresses) routes.add(prefix, address)
    })
  })
  const all = routes.all()
  // A file that is being written may be empty for a moment; a director without owners is of no use either.
  if (all.length === 0) throw new UsageError('bad-routes', `${file}: no routes; allowed: ${lineAllowed}`)
  return all
}

function explaining(code: string, where: string, allowed: string, action: () => void): void {
  try {
    action()
  } catch (error) {
    throw new UsageError(code, `${where}: ${(error as Error).message}; allowed: ${allowed}`, { cause: error })
  }
}

/** The prefix with its host in lower case, as hosts are compared (RFC 9110 4.2.3). */
function normalPrefix(prefix: string): string {
  const slash = prefix.indexOf('/')
  const host = prefix.slice(0, Math.max(0, slash)).toLowerCase()
  if (slash < 0 || !/^[!-~]+$/.test(prefix)) throw new UsageError('bad-prefix', `${prefix === '' ? 'nothing' : prefix} is no path with a /`)
  if (/[?#]/.test(prefix)) throw new UsageError('bad-prefix', `${prefix} is more than a path`)
  if (host !== '' && !isHost(host)) throw new UsageError('bad-prefix', `${host} is no host (without a port)`)
  return `${host}${prefix.slice(slash)}`
}

function isHost(text: string): boolean {
  return text.startsWith('[') ? text.endsWith(']') && isIPv6(text.slice(1, -1)) : /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/.test(text)
}
