/** Which server agent has the content of a request: what any way to know it offers. */

/** A server agent by its address, in the one way to write it: `10.0.0.1:7001`, `[2001:db8::1]:7001`. */
export type AgentId = string

/** A choice of owners. */
export interface Owners {
  /** All agents there are, healthy or not. */
  readonly agents: readonly AgentId[]
  /**
   * The agents that may have what a request asks for, in order of preference; those that may not be handed to (`setHealthy`) are left out. `host` is the Host field's value, or
   * empty; `target` the request target as it is. The result is used again for the next request: it is not to be changed, nor kept.
   */
  candidates(host: string, target: string): readonly AgentId[]
  /** An agent becomes fit for hand-offs, or ceases to be. One that becomes fit takes its share over 10 s. All are unfit at first. */
  setHealthy(agent: AgentId, healthy: boolean, nowMs: number): void
}

/** One line of the table: what a target (or host and target) begins with, and who has it. */
export interface Route {
  /** `/videos/`, or with a host `example.org/videos/`. */
  readonly prefix: string
  readonly agents: readonly AgentId[]
}
