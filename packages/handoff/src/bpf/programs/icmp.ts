/** Errors of routers about packets of a connection: the same as `readIcmpError` and `transformIcmp`. */

import { at, r0, r1, r2, r5 } from '../assembler/index.ts'
import { AgentState } from '../entries.ts'
import type { Place } from '../assembler/index.ts'
import type { Family } from '../../transform/families.ts'
import { Protocol } from '../../transform/families.ts'
import { embeddedTcpBytes, errorsOf, icmpHeaderBytes } from '../../transform/icmp.ts'
import {
  applyDifference,
  applyHeaderDifference,
  applyPseudoDifference,
  difference,
  differenceFrom,
  differenceTo,
  foldToChecksum,
} from './checksums.ts'
import { Exit, agentField, copyMapped, copyWords, entry, skb, swap16 } from './context.ts'
import type { Context } from './context.ts'
import { addTo } from './numbers.ts'

const versionAndLength = 0x45
const fragmentOffsetBits = 0x1fff
const checksumInIcmp = 2
const checksumInIpv4 = 10

/** Where things are in what is kept of an error. */
const within = (family: Family) => {
  const ip = icmpHeaderBytes
  const tcp = ip + family.headerBytes
  const source = ip + family.addressesAt
  return { ip, tcp, source, destination: source + family.addressBytes, end: tcp + embeddedTcpBytes }
}

/** Reads an error whose IP header is on the stack already, and makes the key of the packets that go the other way: client → VIP. Others pass. */
export function readIcmp(context: Context, family: Family, base: number): void {
  const { a, stack } = context
  const { ip, tcp, source, destination, end } = within(family)
  a.call('skb_load_bytes', skb, base + family.headerBytes, stack.icmp.address, end)
  a.jne(r0, 0, Exit.pass)
  a.block(isError => {
    a.ldxb(r1, stack.icmp)
    for (const type of errorsOf(family)) a.jeq(r1, type, isError)
    a.ja(Exit.pass)
  })
  a.ldxb(r1, stack.icmp.plus(ip + family.protocolAt))
  a.jne(r1, Protocol.tcp, Exit.pass)
  a.ldxb(r1, stack.icmp.plus(ip))
  if (family.version === 4) {
    a.jne(r1, versionAndLength, Exit.pass)
    a.ldxh(r1, stack.icmp.plus(ip + 6))
    a.jset(r1, swap16(fragmentOffsetBits), Exit.pass)
  } else {
    a.rsh(r1, 4)
    a.jne(r1, family.version, Exit.pass)
  }
  requireSame(context, family, stack.ip.plus(family.addressesAt + family.addressBytes), stack.icmp.plus(source))
  copyMapped(a, stack.key, stack.icmp.plus(destination), family)
  copyMapped(a, stack.key.plus(16), stack.icmp.plus(source), family)
  a.ldxh(r1, stack.icmp.plus(tcp + 2))
  a.sth(stack.key.plus(32), r1)
  a.ldxh(r1, stack.icmp.plus(tcp))
  a.sth(stack.key.plus(34), r1)
}

/** An error goes to whose packet it is about. */
function requireSame({ a }: Context, family: Family, one: Place, other: Place): void {
  for (let offset = 0; offset < family.addressBytes; offset += 4) {
    a.ldxw(r1, one.plus(offset))
    a.ldxw(r2, other.plus(offset))
    a.jne(r1, r2, Exit.pass)
  }
}

/** Changes the error by the entry in r7: about the packet as the server sent it, and to the server. To the end of the program. */
export function transformIcmp(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  const { ip, end } = within(family)
  const icmpAt = linkBytes + family.headerBytes
  const embedded = stack.icmp.plus(ip)
  a.ldxb(r1, agentField('state'))
  a.jne(r1, AgentState.established, Exit.pass)
  differenceFrom(context, embedded, end - ip)
  changeEmbedded(context, family)
  differenceTo(context, embedded, end - ip)
  a.call('skb_store_bytes', skb, icmpAt + ip, embedded.address, end - ip, 0)
  a.jne(r0, 0, Exit.drop)
  applyDifference(context, icmpAt + checksumInIcmp)
  changeDestination(context, family)
  a.ja(Exit.pass)
}

/** What is embedded, on the stack: it went from the server to the client's second connection, with the server's own sequence number. r9 stays. */
function changeEmbedded(context: Context, family: Family): void {
  const { a, stack } = context
  const { ip, tcp, source } = within(family)
  copyWords(a, stack.outer, entryAddress('newDestination', family), family.addressBytes)
  copyWords(a, stack.outer.plus(family.addressBytes), entryAddress('newSource', family), family.addressBytes)
  if (family.version === 4) {
    const checksum = stack.icmp.plus(ip + checksumInIpv4)
    a.ldxh(r5, checksum)
    a.mov32(r0, -1)
    a.xor(r5, r0)
    a.call('csum_diff', stack.icmp.plus(source).address, 2 * family.addressBytes, stack.outer.address, 2 * family.addressBytes, r5)
    foldToChecksum(context)
    a.sth(checksum, r1)
  }
  copyWords(a, stack.icmp.plus(source), stack.outer, 2 * family.addressBytes)
  a.ldxh(r1, agentField('newDestinationPort'))
  a.sth(stack.icmp.plus(tcp), r1)
  a.ldxh(r1, agentField('newSourcePort'))
  a.sth(stack.icmp.plus(tcp + 2), r1)
  addTo(context, stack.icmp.plus(tcp + 4), 'addAcknowledgement')
}

/** The destination of the error itself. */
function changeDestination(context: Context, family: Family): void {
  const { a, stack, linkBytes } = context
  const destinationAt = family.addressesAt + family.addressBytes
  difference(context, stack.ip.plus(destinationAt), entryAddress('newDestination', family), family.addressBytes)
  copyWords(a, stack.outer, entryAddress('newDestination', family), family.addressBytes)
  a.call('skb_store_bytes', skb, linkBytes + destinationAt, stack.outer.address, family.addressBytes, 0)
  a.jne(r0, 0, Exit.drop)
  if (family.version === 4) applyHeaderDifference(context, linkBytes + checksumInIpv4)
  else applyPseudoDifference(context, family, linkBytes + family.headerBytes + checksumInIcmp)
}

/** An address of the entry as a packet has it. */
const entryAddress = (name: 'newSource' | 'newDestination', family: Family): Place => at(entry, agentField(name).offset + family.inMapped)
