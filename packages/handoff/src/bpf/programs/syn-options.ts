/**
 * The options of a client's SYN, and of our answer. The answer has the same options at the same places, so its header is as long: each with what we say, and NOPs for those we do not speak (TCP Fast Open, MD5,
 * Multipath TCP). It says nothing that the client has not asked for.
 */

import { r0, r1, r2, r4 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { HandoffOptions } from '../../protocol/messages.ts'
import type { Family } from '../../transform/families.ts'
import { OptionBytes, OptionKind, mssDefault, windowScaleMax } from '../../transform/options.ts'
import { tcpHeaderBytesMin } from '../../transform/packet.ts'
import { Exit, skb, swap16, tcpHeaderBytes } from './context.ts'
import type { Context } from './context.ts'
import { eachOption, walkIn } from './each-option.ts'
import { newOpening } from './openings.ts'
import { OpeningEntry } from '../entries.ts'

/** The scale of the windows that the director and servers tell clients: that of Linux with its usual buffers. */
export const directorScale = 7

/** Options that we speak. */
type Spoken = 'mss' | 'windowScale' | 'sackPermitted' | 'timestamps'
const spoken: readonly Spoken[] = ['mss', 'windowScale', 'sackPermitted', 'timestamps']

/** Where an option begins, from the TCP header on. In a byte each, behind the opening, and at no multiple of 8: see `Walk`. */
const placeOf = ({ stack }: Context, option: Spoken): Place => stack.icmp.plus(OpeningEntry.fixedSize + 1 + spoken.indexOf(option))

/** Where there is none of an option. The verifier would tell a 0 from a place, and go through the walk once for each choice of options. */
const nowhere = 0xff

/** Finds the options; of those that come twice, the last. Nothing is changed. A SYN whose options make no sense passes. */
export function findSynOptions(context: Context, tcpAt: number): void {
  const { a, stack } = context
  const walk = walkIn(stack.outer)
  for (const option of spoken) a.stb(placeOf(context, option), nowhere)
  a.stw(walk.begin, tcpHeaderBytesMin)
  a.scope('find', () =>
    eachOption(context, tcpAt, walk, Exit.pass, () => {
      for (const option of spoken) {
        a.block(isOther => {
          a.jne(r2, OptionKind[option], isOther)
          a.jne(r1, OptionBytes[option], 'after')
          a.ldxw(r1, walk.begin)
          a.stb(placeOf(context, option), r1)
          a.ja('after')
        })
      }
    }),
  )
}

/** Notes in the new opening what both have, and the client's numbers. Its time is there already. */
export function noteSynOptions(context: Context, family: Family, tcpAt: number): void {
  const { a, stack } = context
  a.sth(newOpening(context, 'mss'), mssDefault(family))
  withOption(context, 'mss', () => {
    loadNumber(context, tcpAt, 2)
    a.ldxh(r1, stack.outer)
    a.be16(r1)
    a.block(isNone => {
      a.jeq(r1, 0, isNone)
      a.sth(newOpening(context, 'mss'), r1)
    })
  })
  withOption(context, 'sackPermitted', () => agree(context, HandoffOptions.sack))
  withOption(context, 'timestamps', () => {
    agree(context, HandoffOptions.timestamps)
    loadNumber(context, tcpAt, 4)
    a.ldxw(r1, stack.outer)
    a.be32(r1)
    a.stw(newOpening(context, 'tsVal'), r1)
    a.ldxdw(r1, newOpening(context, 'lastNs'))
    a.div(r1, 1_000_000)
    a.stw(newOpening(context, 'tsDirector'), r1)
  })
  withOption(context, 'windowScale', () => {
    agree(context, HandoffOptions.windowScale)
    loadNumber(context, tcpAt, 1)
    a.ldxb(r1, stack.outer)
    a.block(fits => {
      a.jle(r1, windowScaleMax, fits)
      a.mov(r1, windowScaleMax)
    })
    a.stb(newOpening(context, 'clientScale'), r1)
    a.stb(newOpening(context, 'directorScale'), directorScale)
  })
}

/** What is done when the client has the option, whose place is in r2 then. */
function withOption(context: Context, option: Spoken, body: () => void): void {
  const { a } = context
  a.block(none => {
    a.ldxb(r2, placeOf(context, option))
    a.jeq(r2, nowhere, none)
    body()
  })
}

/** By r1. */
function agree(context: Context, option: number): void {
  const { a } = context
  const options = newOpening(context, 'options')
  a.ldxb(r1, options)
  a.or(r1, option)
  a.stb(options, r1)
}

/** Loads the first number of the option that begins at r2 to `stack.outer`. */
function loadNumber({ a, stack }: Context, tcpAt: number, bytes: number): void {
  a.add(r2, tcpAt + 2)
  a.call('skb_load_bytes', skb, r2, stack.outer.address, bytes)
  a.jne(r0, 0, Exit.pass)
}

/** Writes ours into the packet, as the new opening has them. */
export function writeSynAckOptions(context: Context, tcpAt: number, mss: number): void {
  const { a, stack } = context
  // So that the numbers of timestamps are at multiples of 4.
  const option = stack.outer.plus(2)
  const [kind, length, number] = [option, option.plus(1), option.plus(2)]
  writeNops(context, tcpAt)
  for (const name of spoken) {
    withOption(context, name, () => {
      a.stb(kind, OptionKind[name])
      a.stb(length, OptionBytes[name])
      if (name === 'mss') a.sth(number, swap16(mss))
      if (name === 'windowScale') a.stb(number, directorScale)
      if (name === 'timestamps') {
        copyNumber(context, number, 'tsDirector')
        copyNumber(context, number.plus(4), 'tsVal')
      }
      a.add(r2, tcpAt)
      a.call('skb_store_bytes', skb, r2, option.address, OptionBytes[name], 0)
      a.jne(r0, 0, Exit.drop)
    })
  }
}

function copyNumber(context: Context, to: Place, name: 'tsDirector' | 'tsVal'): void {
  const { a } = context
  a.ldxw(r1, newOpening(context, name))
  a.be32(r1)
  a.stw(to, r1)
}

/** In place of all options. */
function writeNops({ a, stack }: Context, tcpAt: number): void {
  const optionBytesMax = 40
  const nops = OptionKind.noOperation * 0x0101_0101
  for (let offset = 0; offset < optionBytesMax; offset += 4) a.stw(stack.outer.plus(offset), nops)
  a.block(none => {
    a.mov(r4, tcpHeaderBytes)
    a.sub(r4, tcpHeaderBytesMin)
    a.jeq(r4, 0, none)
    a.call('skb_store_bytes', skb, tcpAt + tcpHeaderBytesMin, stack.outer.address, r4, 0)
    a.jne(r0, 0, Exit.drop)
  })
}
