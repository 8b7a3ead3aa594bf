/**
 * The server agent's programs: `ingress` for what comes by an interface, also wrapped by a director, `egress` for what the server sends. Both look a packet up by its addresses and ports, and the entry says what
 * is to be done with it: it is the same in both directions.
 */

import { Assembler, r0, r1 } from '../assembler/index.ts'
import type { Program } from '../assembler/index.ts'
import { Protocol, familyOf, ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { followAnswers, noteAsked } from './answers.ts'
import { Exit, Stack, begin, copyMapped, end, jumpIfFamily, maps, requireAddress, skb, swap16 } from './context.ts'
import type { Context } from './context.ts'
import { checkIp, jumpIfProtocol, loadIp, lookup, makeKey, readTcp } from './headers.ts'
import { readIcmp, transformIcmp } from './icmp.ts'
import { transformTcp } from './transform.ts'
import { outerBytes, unwrap } from './wrap.ts'

/** What is constant. */
export interface ServerAgentConstants {
  /** Where wrapped packets come to: 16 bytes. */
  readonly listen: Uint8Array
  readonly listenPort: number
  /** 14 for Ethernet, 0 where packets begin with IP. */
  readonly linkBytes: number
}

const families = [ipv4, ipv6]
const scopeOf = (family: Family): string => `ipv${family.version}`

/** Makes the program for packets that leave. */
export function egressProgram({ linkBytes }: Pick<ServerAgentConstants, 'linkBytes'>): Program {
  const a = new Assembler('hf_egress')
  const context: Context = { a, stack: new Stack(), linkBytes }
  beginWithFamilies(context, family => {
    a.ja(Exit.pass)
    a.label('tcp')
    findTcp(context, family, linkBytes)
    transformTcp(context, family)
  })
  followAnswers(context)
  end(context)
  return a.assemble()
}

/** Makes the program for packets that come. */
export function ingressProgram({ listen, listenPort, linkBytes }: ServerAgentConstants): Program {
  const a = new Assembler('hf_ingress')
  const context: Context = { a, stack: new Stack(), linkBytes }
  const outer = familyOf(listen)
  beginWithFamilies(context, family => {
    jumpIfProtocol(context, family, family.icmp, 'icmp')
    if (family === outer) jumpIfProtocol(context, family, Protocol.udp, 'datagram')
    a.ja(Exit.pass)
    both(context, family, outer)
  })
  a.label('datagram')
  readDatagram(context, outer, listen, listenPort)
  noteAsked(context)
  end(context)
  return a.assemble()
}

/** The IP header of either family is read, and TCP goes on at `tcp`; `others` says where that is, and what is done with all else. */
function beginWithFamilies(context: Context, others: (family: Family) => void): void {
  const { a, linkBytes } = context
  begin(context)
  for (const family of families) jumpIfFamily(context, family, scopeOf(family))
  a.ja(Exit.pass)
  for (const family of families) {
    a.label(scopeOf(family))
    a.scope(scopeOf(family), () => {
      loadIp(context, family, linkBytes)
      checkIp(context, family, linkBytes)
      jumpIfProtocol(context, family, Protocol.tcp, 'tcp')
      others(family)
    })
  }
}

/** What is done with packets of a family, as they come or wrapped. */
function both(context: Context, family: Family, outer: Family): void {
  const { a, linkBytes } = context
  const wrappedAt = linkBytes + outerBytes(outer)
  a.label('wrapped')
  loadIp(context, family, wrappedAt)
  checkIp(context, family, wrappedAt)
  jumpIfProtocol(context, family, family.icmp, 'wrappedIcmp')
  jumpIfProtocol(context, family, Protocol.tcp, 'wrappedTcp')
  a.ja(Exit.pass)

  a.label('wrappedTcp')
  findTcp(context, family, wrappedAt)
  unwrap(context, outer, family)
  a.ja('transformTcp')
  a.label('tcp')
  findTcp(context, family, linkBytes)
  a.label('transformTcp')
  transformTcp(context, family)

  a.label('wrappedIcmp')
  readIcmp(context, family, wrappedAt)
  lookup(context, Exit.pass)
  unwrap(context, outer, family)
  a.ja('transformIcmp')
  a.label('icmp')
  readIcmp(context, family, linkBytes)
  lookup(context, Exit.pass)
  a.label('transformIcmp')
  transformIcmp(context, family)
}

/** What has no entry passes: wrapped as it is, so that the agent gets it. */
function findTcp(context: Context, family: Family, base: number): void {
  readTcp(context, family, base)
  makeKey(context, family)
  lookup(context, Exit.pass)
}

/** A datagram of a director to the agent: a packet, if it begins as one; messages of the protocol pass. */
function readDatagram(context: Context, outer: Family, listen: Uint8Array, listenPort: number): void {
  const { a, stack, linkBytes } = context
  requireAddress(a, stack.ip.plus(outer.addressesAt + outer.addressBytes), outer, listen, Exit.pass)
  // Ports, length, checksum, and the first byte of what is in it.
  a.call('skb_load_bytes', skb, linkBytes + outer.headerBytes, stack.outer.address, 9)
  a.jne(r0, 0, Exit.pass)
  a.ldxh(r1, stack.outer.plus(2))
  a.jne(r1, swap16(listenPort), Exit.pass)
  copyMapped(a, stack.key, stack.ip.plus(outer.addressesAt), outer)
  a.call('map_lookup_elem', maps.directors, stack.key.address)
  a.jeq(r0, 0, Exit.pass)
  a.ldxb(r1, stack.outer.plus(8))
  a.rsh(r1, 4)
  for (const family of families) a.jeq(r1, family.version, `${scopeOf(family)}.wrapped`)
  a.ja(Exit.pass)
}
