/**
 * Connections that the program has opened itself, and that nobody has taken yet: where an opening is kept while it is made, and what is done with packets that follow its SYN.
 * The client's ACK has nothing in it that anybody needs; its first packet with payload is where the connection begins for the agent.
 */

import { at, r0, r1, r2, r3, r7 } from '../assembler/index.ts'
import type { Place, Register } from '../assembler/index.ts'
import { OpeningEntry } from '../entries.ts'
import { offsetsOf } from '../offsets.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag } from '../../transform/packet.ts'
import { Exit, maps } from './context.ts'
import type { Context } from './context.ts'
import { payloadBytes } from './headers.ts'

const offsets = offsetsOf(OpeningEntry)

/** A field of the opening that a register points to. */
export const openingField = (register: Register, name: keyof OpeningEntry): Place => at(register, offsets[name])
/** A field of the opening that is being made. No packet with a TCP header has an ICMP error's places in use. */
export const newOpening = ({ stack }: Context, name: keyof OpeningEntry): Place => stack.icmp.plus(offsets[name])

/** Looks the key up: the opening in r7, or on to `otherwise`. */
export function lookUpOpening({ a, stack }: Context, otherwise: string): void {
  a.call('map_lookup_elem', maps.openings, stack.key.address)
  a.jeq(r0, 0, otherwise)
  a.mov(r7, r0)
}

/** Removes what there is by the key. */
export function removeOpening({ a, stack }: Context): void {
  a.call('map_delete_elem', maps.openings, stack.key.address)
}

/**
 * A packet of an opening, which is no SYN: what has payload or a FIN goes to `raise`, as does a RST that is not the next; all else no further. On to the end of this where it is of none, or acknowledges what was never sent: that is for whoever has it. The
 * header is read, its length in r8, the length of the packet in r9; both stay.
 */
export function followOpening(context: Context, family: Family, raise: string): void {
  const { a, stack } = context
  a.scope('follow', () => {
    lookUpOpening(context, 'end')
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.jset(r1, TcpFlag.rst, 'reset')
    a.and(r1, TcpFlag.syn | TcpFlag.ack)
    a.jne(r1, TcpFlag.ack, 'end')
    jumpUnlessNext(context, TcpAt.acknowledgement, 'serverSequence', 'end')
    a.call('ktime_get_ns')
    a.stdw(openingField(r7, 'lastNs'), r0)
    payloadBytes(context, family)
    a.jne(r1, 0, raise)
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.jset(r1, TcpFlag.fin, raise)
    a.ja(Exit.silent)
    // Only one with the very number that is expected: others may be anybody's (RFC 5961 3.2), or stand behind a packet that the agent has not taken yet.
    a.label('reset')
    jumpUnlessNext(context, TcpAt.sequence, 'clientSequence', raise)
    removeOpening(context)
    a.ja(Exit.silent)
    a.label('end')
  })
}

/** Goes on when a number of the header is the one after an initial sequence number of the opening in r7. */
function jumpUnlessNext({ a, stack }: Context, numberAt: number, name: 'clientSequence' | 'serverSequence', otherwise: string): void {
  a.ldxw(r2, stack.tcp.plus(numberAt))
  a.be32(r2)
  a.ldxw(r3, openingField(r7, name))
  a.sub32(r2, r3)
  a.jne32(r2, 1, otherwise)
}
