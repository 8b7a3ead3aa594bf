/** The agent beside an unmodified HTTP server: makes second connections of hand-offs, in the clients' names. */
export { detachServerAgent, startServerAgent } from './server-agent.ts'
export type { ServerAgent } from './server-agent.ts'
export { capacityDefault, idleMsDefault } from './options.ts'
export type { Endpoint, ServerAgentOptions } from './options.ts'
export type { DirectorStatus, ServerAgentMetrics, ServerAgentStatus } from './status.ts'
