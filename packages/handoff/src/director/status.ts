import type { Health } from '../protocol/index.ts'
import type { DirectorEndpoint, DirectorMode } from './options.ts'

/** A server agent as the director sees it. */
export interface AgentStatus {
  /** As it is named in the routes. */
  readonly agent: string
  readonly health: Health
  /** The server beside it, which requests are proxied to; undefined while it has not been heard of. */
  readonly server?: string
  /** How packets get to it. */
  readonly forward: 'neighbour' | 'encapsulate'
  /** Connections of this director that it has. */
  readonly connections: number
  /** Connections that it has in all, as it says. */
  readonly connectionsOfAll: number
  readonly capacity: number
}

/** What the director says about itself (`--status`). */
export interface DirectorStatus {
  readonly vip: DirectorEndpoint
  readonly interface: string
  readonly mode: DirectorMode
  /** How the program is attached. */
  readonly attach: 'tcx' | 'clsact'
  /** Where program and maps are pinned. */
  readonly pinDirectory?: string
  readonly agents: readonly AgentStatus[]
  readonly metrics: DirectorMetrics
}

/** Counted since the start of the process; packets and bytes since the program was first attached. */
export interface DirectorMetrics {
  /** Connections that have sent something: from the listener, or those whose SYN the program has answered. */
  readonly accepted: number
  /** Connections handed over for the first time. */
  readonly handoffs: number
  /** Connections handed on to another owner, or anew to the same. */
  readonly moves: number
  /** Later requests for the owner that has the connection already, those that the program has sent on by itself too. */
  readonly continued: number
  /** HANDOFFs that were sent a second or third time. */
  readonly repeats: number
  /** By the words of `RefuseReason`, and `silent` where no answer came. */
  readonly refusals: Readonly<Record<'serverDown' | 'optionMissing' | 'noRoom' | 'ending' | 'system' | 'late' | 'silent', number>>
  /** RELEASEs answered by BUSY. */
  readonly busy: number
  /** Connections that the director's own stack went on with. */
  readonly thawed: number
  /** Connections that were put back into the director's own stack after they had been handed over. */
  readonly restored: number
  /** Connections that are, or were, proxied. */
  readonly proxied: number
  /** Connections that are being proxied now. */
  readonly proxying: number
  /** Requests answered by the director itself, by status. */
  readonly answered: Readonly<Record<string, number>>
  /** Connections reset because the owner's machine is gone, or nobody has them. */
  readonly reset: number
  /** Connections whose head is being read now. */
  readonly reading: number
  /** Connections closed before there was a head, as there were too many, or the client went. */
  readonly dropped: number
  /** Entries taken up from an earlier process. */
  readonly resumed: number
  /** Entries learned from agents, of a director that is gone. */
  readonly learned: number
  /** Entries gone because their connection has ended, and because nothing came for too long. */
  readonly closed: number
  readonly idle: number
  /** Connections that have an entry now. */
  readonly entries: number
  readonly agentsHealthy: number
  /** Of clients to owners, by the program in the kernel. */
  readonly forwardedPackets: number
  readonly forwardedBytes: number
  /** Of clients, passed up to the director. */
  readonly raisedPackets: number
  readonly raisedBytes: number
  /** Of no connection that is known. */
  readonly unknownPackets: number
  /** SYNs of clients that the program has answered itself, repeated ones too. */
  readonly answeredSyns: number
  /** That could not be sent on. */
  readonly droppedPackets: number
  /** Requests that the program has sent on by itself. */
  readonly knownRequests: number
}
