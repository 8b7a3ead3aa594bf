/** An address and a port. */
export interface DirectorEndpoint {
  /** In the usual notation, IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/**
 * How much of a connection is looked at. `per-request`: each request may go to another owner. `sticky`: all go to the owner of the first. `close`: each connection
 * has one request, as its head gets `Connection: close`.
 */
export type DirectorMode = 'per-request' | 'sticky' | 'close'

/** What `startDirector` is told. */
export interface DirectorOptions {
  /** The address and port that clients connect to. The address is this machine's. */
  readonly vip: DirectorEndpoint
  /** The interface by which clients' packets come. */
  readonly interface: string
  /** The cluster's key, at least 32 bytes. */
  readonly key: Uint8Array
  /** Words `PREFIX=ADDR:PORT` as of `--owner`, or a file of routes, which is read again when it changes. */
  readonly owners: readonly string[] | { readonly file: string }
  /** Default `per-request`. */
  readonly mode?: DirectorMode
  /** Where the program and its maps outlive the process (a directory of bpffs); without one, transfers end with the process. */
  readonly pinDirectory?: string
  /** How the program is attached: `auto` takes tcx where the kernel has it (6.6), clsact elsewhere. Default `auto`. */
  readonly attach?: 'auto' | 'tcx' | 'clsact'
  /** How packets get to the owners: `auto` takes `neighbour` where an owner is on the link, `encapsulate` elsewhere. Default `auto`. */
  readonly forward?: 'auto' | 'neighbour' | 'encapsulate'
  /** UDP port of the VIP by which the program passes packets up; nothing from outside gets there. Default 7002. */
  readonly raisePort?: number
  /** A connection without a packet for so long is forgotten; more than the servers' keep-alive time. Default 10 minutes. */
  readonly idleMs?: number
  /** A connection that has not sent a head for so long is answered 408. Default 60 s. */
  readonly headMs?: number
  /** Told in words what an operator should know: that nothing outlives the process, that an agent is gone. */
  readonly onNotice?: (notice: string) => void
  /** Told when the data thread ends by itself. */
  readonly onFailure?: (error: Error) => void
}

/** `idleMs` where nothing is said. */
export const idleMsDefault = 600_000
/** `headMs` where nothing is said. */
export const headMsDefault = 60_000
/** `raisePort` where nothing is said. */
export const raisePortDefault = 7002
