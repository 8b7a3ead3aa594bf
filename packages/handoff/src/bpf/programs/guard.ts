/**
 * What the agent gets at its port of the VIP has to come from the program: a datagram from outside goes no further, whatever options, fragments or extension headers (RFC 8200 4) it comes with.
 */

import { r0, r1, r2, r7, r8, r9 } from '../assembler/index.ts'
import type { Family } from '../../transform/families.ts'
import { Protocol } from '../../transform/families.ts'
import { Exit, skb, swap16 } from './context.ts'
import type { Context } from './context.ts'

/** Extension headers that have their length in the second byte: hop-by-hop options, routing, destination options. */
const extensions: readonly number[] = [0, 43, 60]
const fragmentHeader = 44
const fragmentOffsetBits = 0x1fff
const fragmentOffsetBits6 = 0xfff8
/** More than these, and it is nothing a client sends. */
const extensionsMax = 8

/** Drops datagrams to the port; goes on with all else. The IP header is on the stack. */
export function guard(context: Context, family: Family, port: number): void {
  const { a, stack, linkBytes } = context
  const next = r8
  const offset = r9
  a.scope('guard', () => {
    a.ldxb(next, stack.ip.plus(family.protocolAt))
    if (family.version === 4) {
      a.jne(next, Protocol.udp, 'done')
      a.ldxh(r1, stack.ip.plus(6))
      a.jset(r1, swap16(fragmentOffsetBits), Exit.pass)
      a.ldxb(offset, stack.ip)
      a.and(offset, 0x0f)
      a.lsh(offset, 2)
      a.add(offset, linkBytes)
    } else {
      a.mov(offset, linkBytes + family.headerBytes)
      skipExtensions(context)
    }
    a.label('udp')
    a.call('skb_load_bytes', skb, offset, stack.outer.address, 4)
    a.jne(r0, 0, Exit.pass)
    a.ldxh(r1, stack.outer.plus(2))
    a.jeq(r1, swap16(port), Exit.drop)
    a.ja(Exit.pass)
    a.label('done')
  })
}

/** To `udp` or `done` with the first header that is no extension. r8 is what it is, r9 where. */
function skipExtensions({ a, stack }: Context): void {
  const [next, offset, left] = [r8, r9, r7]
  a.mov(left, extensionsMax)
  a.label('header')
  a.jeq(next, Protocol.tcp, 'done')
  a.jeq(next, Protocol.udp, 'udp')
  a.jeq(next, fragmentHeader, 'extension')
  for (const extension of extensions) a.jeq(next, extension, 'extension')
  a.ja('done')
  a.label('extension')
  a.sub(left, 1)
  a.jeq(left, 0, Exit.drop)
  a.call('skb_load_bytes', skb, offset, stack.outer.address, 4)
  a.jne(r0, 0, Exit.pass)
  a.ldxb(r2, stack.outer.plus(1))
  a.jne(next, fragmentHeader, 'long')
  // Only the first fragment has what we look for.
  a.ldxh(r1, stack.outer.plus(2))
  a.jset(r1, swap16(fragmentOffsetBits6), Exit.pass)
  a.mov(r2, 0)
  a.label('long')
  a.add(r2, 1)
  a.lsh(r2, 3)
  a.add(offset, r2)
  a.ldxb(next, stack.outer)
  a.ja('header')
}
