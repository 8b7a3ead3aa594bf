/** An address and a port. */
export interface Endpoint {
  /** In the usual notation, IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/** What `startServerAgent` is told. */
export interface ServerAgentOptions {
  /** Names of the interfaces by which clients' packets come and responses leave: at least one. */
  readonly interfaces: readonly string[]
  /** Where directors' messages and wrapped packets come to. */
  readonly listen: Endpoint
  /** The unmodified HTTP server beside the agent: an address of this machine, other than loopback. */
  readonly local: Endpoint
  /** The cluster's key, at least 32 bytes. */
  readonly key: Uint8Array
  /** Where programs and maps outlive the process (a directory of bpffs); without one, transfers end with the process. */
  readonly pinDirectory?: string
  /** How the program is attached: `auto` takes tcx where the kernel has it (6.6), clsact elsewhere. Default `auto`. */
  readonly attach?: 'auto' | 'tcx' | 'clsact'
  /** A connection without a packet for so long is forgotten; more than the server's keep-alive time. Default 10 minutes. */
  readonly idleMs?: number
  /** Connections at a time; what is more is refused. Default 131,072. */
  readonly capacity?: number
  /** Told in words what an operator should know: that nothing outlives the process, say. */
  readonly onNotice?: (notice: string) => void
  /** Told when the data thread ends by itself. */
  readonly onFailure?: (error: Error) => void
}

/** `idleMs` where nothing is said. */
export const idleMsDefault = 600_000
/** `capacity` where nothing is said: half of what the map holds, as each connection has two entries. */
export const capacityDefault = 131_072
