/**
 * Packets to the VIP of connections that have no entry. Those of the director's own stack are its own. The others may be of a connection that a director has handed over which is no more: the agent asks
 * who has it, and the stack never gets to answer with a RST.
 */

import { r0, r1, r2, r8 } from '../assembler/index.ts'
import { Total } from '../entries.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag, tcpHeaderBytesMin } from '../../transform/packet.ts'
import { Exit, count } from './context.ts'
import type { Context } from './context.ts'
import { TCP_LISTEN, findSocket, stateOf } from './sockets.ts'

/** Passes what the stack knows; goes on with the rest. The key is made; r8 is gone then. */
export function passOwn(context: Context, family: Family): void {
  const { a, stack } = context
  a.scope('own', () => {
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.and(r1, TcpFlag.syn | TcpFlag.ack)
    a.jeq(r1, TcpFlag.syn, Exit.pass)
    findSocket(context, family, r8, 'none')
    a.ldxw(r1, stateOf(r8))
    a.jeq(r1, TCP_LISTEN, 'listener')
    a.call('sk_release', r8)
    a.ja(Exit.pass)
    a.label('listener')
    // The last packet of a handshake that only its SYN cookie knows about.
    a.call('tcp_check_syncookie', r8, stack.ip.address, family.headerBytes, stack.tcp.address, tcpHeaderBytesMin)
    a.stdw(stack.outer, r0)
    a.call('sk_release', r8)
    a.ldxdw(r2, stack.outer)
    a.jeq(r2, 0, Exit.pass)
    a.label('none')
    count(context, Total.unknownPackets, 1)
  })
}
