/**
 * Goes through the options of a TCP header in the packet, one after the other. A program that may not see addresses of the kernel (one without CAP_PERFMON, which an agent does not need otherwise) can only reach
 * places on its stack that are known beforehand, so it looks at the packet.
 */

import { r0, r1, r2 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { OptionKind } from '../../transform/options.ts'
import { Exit, skb, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'

const optionsMax = 40

/** What it keeps on the stack. */
export interface Walk {
  /** Kind and length of the option. */
  readonly head: Place
  /** Two numbers of it. */
  readonly numbers: Place
  /** How many options there may still be: without it the verifier sees no end. */
  readonly left: Place
  /**
   * Where the option begins and where it ends, from the TCP header on. They are not at multiples of 8, and so the verifier forgets what values they have: it then goes through the walk once for each option, and not for each
   * way in which options may follow each other.
   */
  readonly begin: Place
  readonly end: Place
}

/** Its places, in `stack.outer`. */
export const walkIn = (outer: Place): Walk => ({
  head: outer,
  numbers: outer.plus(8),
  left: outer.plus(16),
  begin: outer.plus(28),
  end: outer.plus(36),
})

/**
 * Goes through the options from `walk.begin` on; goes on behind it. The length of the header is in r8. `visit` writes what is done with one: its length is in r1, its kind in r2, and it may jump to `after`. NOPs are left
 * out, and what follows the end or the 40th option; a length that makes no sense is a jump to `malformed`, which may be `walked`: the end of all.
 */
export function eachOption({ a }: Context, tcpAt: number, { head, left, begin, end }: Walk, malformed: string, visit: () => void): void {
  a.stdw(left, optionsMax)
  a.label('next')
  a.ldxdw(r1, left)
  a.jeq(r1, 0, 'walked')
  a.sub(r1, 1)
  a.stdw(left, r1)
  a.ldxw(r2, begin)
  // Its length has to be there too.
  a.add(r2, 1)
  a.jge(r2, tcpHeaderBytes, 'walked')
  a.add(r2, tcpAt - 1)
  a.call('skb_load_bytes', skb, r2, head.address, 2)
  a.jne(r0, 0, Exit.drop)
  a.ldxw(r2, begin)
  a.ldxb(r1, head)
  a.jeq(r1, OptionKind.end, 'walked')
  a.jne(r1, OptionKind.noOperation, 'option')
  a.add(r2, 1)
  a.stw(begin, r2)
  a.ja('next')
  a.label('option')
  a.ldxb(r1, head.plus(1))
  a.jlt(r1, 2, malformed)
  a.add(r2, r1)
  a.jgt(r2, tcpHeaderBytes, malformed)
  a.stw(end, r2)
  a.ldxb(r2, head)
  visit()
  a.label('after')
  a.ldxw(r1, end)
  a.stw(begin, r1)
  a.ja('next')
  a.label('walked')
}
