/**
 * Requests that the program in the kernel may send on without us: those whose target has one owner by its prefix, with a header section that has come before, byte for byte, and was understood. Where it meets such a
 * one, it does what we would do.
 */
import type { RequestHead } from '@holdfast/http'
import { prefixBytesMax } from '../bpf/index.ts'
import type { KnownRequests } from '../bpf/index.ts'
import { SoleOwners } from '../owners/index.ts'
import type { AgentId, Route } from '../owners/index.ts'
import { parseEndpoint } from '../protocol/index.ts'

/** Hashes of header sections that have come once. A power of two. */
const seenSlots = 4096

/** What the program is told of requests. */
export class KnownHeads {
  readonly #program: KnownRequests | undefined
  readonly #onNotice: (text: string) => void
  readonly #seen = new Uint32Array(seenSlots)
  #owners = new SoleOwners([], prefixBytesMax)

  /** `program` is undefined where the kernel cannot: then nothing is known. */
  constructor(program: KnownRequests | undefined, onNotice: (text: string) => void) {
    this.#program = program
    this.#onNotice = onNotice
  }

  /** Puts other routes in place. */
  replace(routes: readonly Route[]): void {
    this.#owners = new SoleOwners(routes, prefixBytesMax)
    const owners = new Map(Array.from(this.#owners.byPrefix, ([prefix, id]) => [prefix, id === undefined ? undefined : parseEndpoint(id)]))
    if (this.#program?.replaceOwners(owners) !== false) return
    this.#owners = new SoleOwners([], prefixBytesMax)
    this.#onNotice('there are too many routes for the program in the kernel: all requests are looked at here')
  }

  /**
   * A request that has come for `agent`, its head at `from`: whether the program is told, so that it knows the next one. A header section that comes for the first time is not told: most that never come again would
   * push those out that do.
   */
  learn(head: RequestHead, bytes: Buffer, from: number, agent: AgentId): boolean {
    if (this.#program === undefined || !isPlain(head) || this.#owners.of(head.host, head.target) !== agent) return false
    const [begin, end] = [from + head.lineBytes, from + head.headBytes]
    return this.#isSeenAgain(bytes, begin, end) && this.#program.addHeader(bytes, begin, end)
  }

  #isSeenAgain(bytes: Buffer, begin: number, end: number): boolean {
    const hash = hashOfBytes(bytes, begin, end)
    const slot = hash & (seenSlots - 1)
    if (this.#seen[slot] === hash) return true
    this.#seen[slot] = hash
    return false
  }
}

/** Nothing comes behind such a head but the next request, and the connection stays what it is. */
const isPlain = ({ method, minor, content, upgrade, close, expectsContinue }: RequestHead): boolean =>
  method === 'GET' && minor === 1 && content === 'none' && !upgrade && !close && !expectsContinue

/** FNV-1a, 32 bits. */
function hashOfBytes(bytes: Buffer, from: number, end: number): number {
  let hash = 0x811c9dc5
  for (let at = from; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193)
  return hash >>> 0
}
