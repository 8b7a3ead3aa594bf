/** Asking the stack which of its sockets a packet is for. */

import { at, r0 } from '../assembler/index.ts'
import type { Place, Register } from '../assembler/index.ts'
import type { Family } from '../../transform/families.ts'
import { copyWords, skb } from './context.ts'
import type { Context } from './context.ts'

/** struct bpf_sock. */
const stateAt = 72
/** In the network namespace that the interface is in. */
const BPF_F_CURRENT_NETNS = -1

/** enum (include/net/tcp_states.h). */
export const TCP_LISTEN = 10

/** Where the state of a socket is. */
export const stateOf = (socket: Register): Place => at(socket, stateAt)

/** Finds the socket: a connection, one that is being made or that waits for late packets, or else a listener. It is in r0 and in `into`, and has to be released; on to `none` without one. The key is made. */
export function findSocket({ a, stack }: Context, family: Family, into: Register, none: string): void {
  // struct bpf_sock_tuple: addresses as packets have them, then ports. For IPv6 the key is just that.
  const tuple = family.version === 4 ? stack.outer : stack.key
  const tupleBytes = 2 * family.addressBytes + 4
  if (family.version === 4) {
    copyWords(a, tuple, stack.ip.plus(family.addressesAt), 2 * family.addressBytes)
    copyWords(a, tuple.plus(2 * family.addressBytes), stack.tcp, 4)
  }
  a.call('skc_lookup_tcp', skb, tuple.address, tupleBytes, BPF_F_CURRENT_NETNS, 0)
  a.jeq(r0, 0, none)
  a.mov(into, r0)
}
