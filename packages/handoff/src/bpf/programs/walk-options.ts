/**
 * The walk over TCP options of any layout: each option that is of interest is read from the packet to a place that is known, changed, and written back.
 *
 * What makes no sense ends the walk, as in Linux.
 */

import { r0, r1, r2 } from '../assembler/index.ts'
import { OptionBytes, OptionKind } from '../../transform/options.ts'
import { tcpHeaderBytesMax } from '../entries.ts'
import { TcpAt, tcpHeaderBytesMin } from '../../transform/packet.ts'
import { Exit, skb, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'
import { eachOption, walkIn } from './each-option.ts'
import type { Walk } from './each-option.ts'
import { addTo, timestampsGroup } from './numbers.ts'

const sackBlocksMax = 4

/** Begins at `walk`, or at `walkOn` behind timestamps that are done already; goes on behind it. The header is on the stack, its length in r8; r9 stays. */
export function walkOptions(context: Context, tcpAt: number): void {
  const { a, stack } = context
  const kept = walkIn(stack.outer)
  a.label('walk')
  a.stw(kept.begin, tcpHeaderBytesMin)
  a.ja('begin')
  a.label('walkOn')
  a.stw(kept.begin, tcpHeaderBytesMin + timestampsGroup)
  a.label('begin')
  // What is changed by now goes to the packet, and comes back with what is changed there.
  a.call('skb_store_bytes', skb, tcpAt, stack.tcp.address, tcpHeaderBytes, 0)
  a.jne(r0, 0, Exit.drop)
  forget(context)
  eachOption(context, tcpAt, kept, 'walked', () => {
    a.jeq(r2, OptionKind.sack, 'sack')
    a.jne(r2, OptionKind.timestamps, 'after')
    a.jne(r1, OptionBytes.timestamps, 'after')
    changeTimestamps(context, tcpAt, kept)
    changeSack(context, tcpAt, kept)
  })
  a.call('skb_load_bytes', skb, tcpAt, stack.tcp.address, tcpHeaderBytes)
  a.jne(r0, 0, Exit.drop)
}

/** By whatever way the walk is reached, the verifier is to know the same, and so to go through it once. */
function forget({ a, stack }: Context): void {
  a.ldxb(tcpHeaderBytes, stack.tcp.plus(TcpAt.dataOffset))
  a.rsh(tcpHeaderBytes, 4)
  a.lsh(tcpHeaderBytes, 2)
  a.jlt(tcpHeaderBytes, tcpHeaderBytesMin, Exit.drop)
  for (let offset = 0; offset < tcpHeaderBytesMax; offset += 4) a.stw(stack.tcp.plus(offset), 0)
}

function changeTimestamps(context: Context, tcpAt: number, kept: Walk): void {
  const { a } = context
  changeNumbers(context, tcpAt + 2, kept, () => {
    addTo(context, kept.numbers, 'addTsVal')
    a.block(noEcho => {
      a.ldxw(r1, kept.numbers.plus(4))
      a.jeq(r1, 0, noEcho)
      addTo(context, kept.numbers.plus(4), 'addTsEcr')
    })
  })
  a.ja('after')
}

function changeSack(context: Context, tcpAt: number, kept: Walk): void {
  const { a } = context
  a.label('sack')
  for (let block = 0; block < sackBlocksMax; block++) {
    const blockAt = 2 + block * OptionBytes.sackBlock
    a.ldxw(r1, kept.begin)
    a.add(r1, blockAt + OptionBytes.sackBlock)
    a.ldxw(r2, kept.end)
    a.jgt(r1, r2, 'after')
    changeNumbers(context, tcpAt + blockAt, kept, () => {
      addTo(context, kept.numbers, 'addAcknowledgement')
      addTo(context, kept.numbers.plus(4), 'addAcknowledgement')
    })
  }
}

/** Two numbers, so many bytes behind where the option would begin in a header at 0. */
function changeNumbers({ a }: Context, offset: number, { begin, numbers }: Walk, change: () => void): void {
  const bytes = 8
  const toPlace = (): void => void a.ldxw(r2, begin).add(r2, offset)
  toPlace()
  a.call('skb_load_bytes', skb, r2, numbers.address, bytes)
  a.jne(r0, 0, Exit.drop)
  change()
  toPlace()
  a.call('skb_store_bytes', skb, r2, numbers.address, bytes, 0)
  a.jne(r0, 0, Exit.drop)
}
