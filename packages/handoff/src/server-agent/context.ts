import type { AgentLinks, Endpoint } from '../protocol/index.ts'
import type { Connections } from './connections.ts'
import type { EarlyPackets } from './early-packets.ts'
import type { FlowKeys } from './flow-keys.ts'
import type { Machine } from './machine.ts'
import type { SentRequests } from './sent-requests.ts'
import type { ServerAgentMetrics } from './status.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type FromKernel = 'outPackets' | 'outBytes' | 'inPackets' | 'inBytes' | 'droppedPackets' | 'connections'

/** What the agent counts itself. */
export type Counters = Mutable<Omit<ServerAgentMetrics, FromKernel | 'refusals'>> & { readonly refusals: Mutable<ServerAgentMetrics['refusals']> }

/** All at zero. */
export const newCounters = (): Counters => ({
  handoffs: 0,
  repeats: 0,
  refusals: { serverDown: 0, optionMissing: 0, noRoom: 0, ending: 0, system: 0, late: 0 },
  handshakes: 0,
  otherPorts: 0,
  secondLooks: 0,
  replaced: 0,
  requestsRepeated: 0,
  continued: 0,
  released: 0,
  busy: 0,
  finished: 0,
  closed: 0,
  idle: 0,
  resumed: 0,
  kept: 0,
  unknown: 0,
})

/** What an agent says to directors. */
export type Words = Pick<AgentLinks, 'accept' | 'refuse' | 'busy' | 'released' | 'closed' | 'owner' | 'peerAt'>

/** What the agent's parts share. */
export interface AgentContext {
  readonly machine: Machine
  readonly server: Endpoint
  readonly keys: FlowKeys
  readonly connections: Connections
  readonly early: EarlyPackets
  readonly requests: SentRequests
  readonly counters: Counters
}
