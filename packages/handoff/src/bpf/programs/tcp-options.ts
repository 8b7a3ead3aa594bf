/**
 * Changing the options of a TCP header on the stack: timestamps (RFC 7323) and SACK blocks (RFC 2018). Nearly all packets have NOP NOP timestamps, and maybe NOP NOP SACK after them: these are
 * done here, at places that are known. All other layouts are walked.
 */

import { r1, r2 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { OptionBytes, OptionKind } from '../../transform/options.ts'
import { tcpHeaderBytesMin } from '../../transform/packet.ts'
import { tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'
import { addTo, timestampsGroup } from './numbers.ts'
import { walkOptions } from './walk-options.ts'

/** NOP NOP timestamps, NOP NOP SACK: what comes before the numbers. */
const timestampsHead = (OptionKind.noOperation << 24) | (OptionKind.noOperation << 16) | (OptionKind.timestamps << 8) | OptionBytes.timestamps
const sackHead = (OptionKind.noOperation << 16) | (OptionKind.noOperation << 8) | OptionKind.sack

/** Changes all options of the header that begins at `tcpAt` in the packet. Its length is in r8; r9 stays. */
export function changeOptions(context: Context, tcpAt: number): void {
  const { a, stack } = context
  const options = stack.tcp.plus(tcpHeaderBytesMin)
  a.scope('options', () => {
    a.jeq(tcpHeaderBytes, tcpHeaderBytesMin, 'end')
    changeUsual(context, options)
    walkOptions(context, tcpAt)
    a.label('end')
  })
}

/** NOP NOP timestamps [NOP NOP SACK]; anything else goes on to the walk: `walk` from the first option on, or `walkOn` behind the timestamps. */
function changeUsual(context: Context, options: Place): void {
  const { a } = context
  const group = tcpHeaderBytesMin + timestampsGroup
  a.jlt(tcpHeaderBytes, group, 'walk')
  a.ldxw(r1, options)
  a.be32(r1)
  a.jne(r1, timestampsHead, 'walk')
  addTo(context, options.plus(4), 'addTsVal')
  a.ldxw(r1, options.plus(8))
  // None was there to echo (RFC 7323 3.2).
  a.jeq(r1, 0, 'noEcho')
  addTo(context, options.plus(8), 'addTsEcr')
  a.label('noEcho')
  a.jeq(tcpHeaderBytes, group, 'end')
  changeUsualSack(context, options.plus(timestampsGroup), group)
}

function changeUsualSack(context: Context, options: Place, from: number): void {
  const { a, stack } = context
  const headBytes = 4
  a.jlt(tcpHeaderBytes, from + headBytes + OptionBytes.sackBlock, 'walkOn')
  a.ldxw(r1, options)
  a.be32(r1)
  a.mov(r2, r1)
  a.rsh(r2, 8)
  a.jne(r2, sackHead, 'walkOn')
  // Its length has to be that of one to three blocks, and within the header; the rest of the walk is for others.
  a.and(r1, 0xff)
  a.mov(r2, r1)
  a.add(r2, from + 2)
  a.jne(r2, tcpHeaderBytes, 'walkOn')
  a.stw(stack.outer, r1)
  for (let block = 0; block < 3; block++) {
    a.ldxw(r1, stack.outer)
    a.jlt(r1, 2 + (block + 1) * OptionBytes.sackBlock, 'end')
    const edges = options.plus(headBytes + block * OptionBytes.sackBlock)
    addTo(context, edges, 'addAcknowledgement')
    addTo(context, edges.plus(4), 'addAcknowledgement')
  }
  a.ja('end')
}
