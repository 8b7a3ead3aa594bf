/** Which source port the second connection has: the client's own, or where that is taken, another one. */

import { Captured } from '../bpf/entries.ts'
import { TcpFlag } from '../transform/packet.ts'

/** Ports from here on are taken (RFC 6056 3.2: not those of services). */
const portFirst = 1024
const portLast = 65_535
/** SYNs that are sent for a hand-off at most. */
export const attemptsMax = 4

/** The port of an attempt (from 0 on): first the client's, then any. `random` gives a number of [0, 1). */
export const portOfAttempt = (attempt: number, clientPort: number, random: () => number = Math.random): number =>
  attempt === 0 ? clientPort : portFirst + Math.floor(random() * (portLast - portFirst + 1))

/**
 * What came of a SYN. `reset`: nobody listens. `inUse`: a connection lives with this port, or has not been over for long: the kernel answers with an ACK
 * (RFC 9293 3.10.7.4; of TIME-WAIT 3.6.1).
 */
export type Outcome = 'answered' | 'reset' | 'inUse' | 'silence'

/** Reads it from the entry of the server's packets: `captured` is `Captured`, `flagsSeen` are those of all packets. */
export function outcomeOf(captured: number, flagsSeen: number): Outcome {
  if (captured === Captured.synAck) return 'answered'
  if ((flagsSeen & TcpFlag.rst) !== 0) return 'reset'
  return captured === Captured.nothing ? 'silence' : 'inUse'
}

/**
 * Whether what an attempt has led to may be about an earlier connection with the client's port, and says nothing about the server: a RST that was on its way, or that a SYN brings about where a connection waits for a FIN
 * without anybody at the server to know of it (Linux' TIME-WAIT in place of FIN-WAIT-2); silence, as challenge ACKs are few (RFC 5961 7). Another port has no past.
 */
export const mayBeOfAnother = (outcome: Outcome, attempt: number): boolean => attempt === 0 && outcome !== 'answered'
