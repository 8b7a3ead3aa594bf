import type { Endpoint } from './options.ts'

/** One director that has a session with the agent. */
export interface DirectorStatus {
  readonly address: Endpoint
  /** Since its last message. */
  readonly silentMs: number
  /** Connections it has handed over that are still there. */
  readonly connections: number
}

/** What the agent says about itself (`--status`). */
export interface ServerAgentStatus {
  readonly listen: Endpoint
  readonly local: Endpoint
  readonly interfaces: readonly string[]
  /** How the programs are attached. */
  readonly attach: 'tcx' | 'clsact'
  /** Where programs and maps are pinned. */
  readonly pinDirectory?: string
  readonly connections: number
  readonly capacity: number
  readonly directors: readonly DirectorStatus[]
  readonly metrics: ServerAgentMetrics
}

/** Counted since the start of the process; the packets and bytes since the programs were first attached. */
export interface ServerAgentMetrics {
  /** Hand-offs taken over. */
  readonly handoffs: number
  /** Hand-offs that came again and were answered as before. */
  readonly repeats: number
  /** By the words of `RefuseReason`. */
  readonly refusals: Readonly<Record<'serverDown' | 'optionMissing' | 'noRoom' | 'ending' | 'system' | 'late', number>>
  /** SYNs that were sent: where the kernel cannot open connections without, or something was in the way. */
  readonly handshakes: number
  /** Hand-offs for which another source port than the client's was taken. */
  readonly otherPorts: number
  /** SYN-ACKs that were not there when the SYN had been sent, and were looked for again. */
  readonly secondLooks: number
  /** An older connection of the same client's address and port gave way. */
  readonly replaced: number
  /** Requests that the server had not taken, and that were sent again. */
  readonly requestsRepeated: number
  /** Packets of clients injected for a director. */
  readonly continued: number
  readonly released: number
  readonly busy: number
  /** Connections that a RELEASE ended with the client's FIN. */
  readonly finished: number
  /** Gone after RST or both FINs. */
  readonly closed: number
  /** Gone because nothing came for too long. */
  readonly idle: number
  /** Taken up from an earlier process. */
  readonly resumed: number
  /** Wrapped packets that came before their connection was ready, and were injected then. */
  readonly kept: number
  /** Wrapped packets of no connection that is known. */
  readonly unknown: number
  /** Connections that are there now. */
  readonly connections: number
  /** From the server to clients, by the program in the kernel. */
  readonly outPackets: number
  readonly outBytes: number
  /** From clients to the server. */
  readonly inPackets: number
  readonly inBytes: number
  /** Could not be changed. */
  readonly droppedPackets: number
}
