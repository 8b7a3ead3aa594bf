/** What both kinds of programs note in an entry about each packet. */

import { r0, r1, r2, r3 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { endingFlags, farBytes } from '../../transform/notes.ts'
import { TcpAt, TcpFlag } from '../../transform/packet.ts'
import { packetBytes } from './context.ts'
import type { Context } from './context.ts'

/** Where an entry has these: `agentField` or `directorField`. */
export type NotedField = (name: 'packets' | 'bytes' | 'lastNs' | 'flagsSeen' | 'lastAck') => Place

/** That it came, and when. */
export function noteArrival({ a }: Context, field: NotedField): void {
  a.mov(r1, 1)
  // A connection's packets may be on several CPUs at a time.
  a.atomicAdd(field('packets'), r1)
  a.atomicAdd(field('bytes'), packetBytes)
  a.call('ktime_get_ns')
  a.stdw(field('lastNs'), r0)
}

/**
 * Its flags. None may be lost to a packet on another CPU: an entry whose FIN was not seen stays until it is idle. `subtractReached` takes where the sender has got to from r2, the packet's sequence number, by r3; it may jump to
 * the label it is given instead, where that is not known.
 */
export function noteFlags({ a, stack }: Context, field: NotedField, subtractReached: (unknown: string) => void): void {
  a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
  a.block(near => {
    a.mov(r2, r1)
    a.and(r2, endingFlags)
    a.jeq(r2, 0, near)
    a.ldxw(r2, stack.tcp.plus(TcpAt.sequence))
    a.be32(r2)
    subtractReached(near)
    a.add32(r2, farBytes)
    a.jlt(r2, 2 * farBytes, near)
    a.and(r1, ~endingFlags)
  })
  a.ldxw(r2, field('flagsSeen'))
  a.block(known => {
    a.mov(r3, r2)
    a.or(r3, r1)
    a.jeq(r3, r2, known)
    a.atomicOr32(field('flagsSeen'), r1)
  })
}

/** Its acknowledgement number, as it is on the stack by now, if it has one. */
export function noteAcknowledgement({ a, stack }: Context, field: NotedField): void {
  a.block(done => {
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.and(r1, TcpFlag.ack)
    a.jeq(r1, 0, done)
    a.ldxw(r1, stack.tcp.plus(TcpAt.acknowledgement))
    a.be32(r1)
    a.stw(field('lastAck'), r1)
  })
}
