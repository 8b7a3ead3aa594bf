/**
 * Opens second connections without a handshake: the program is at lo, where the agent's packets come by on their way to the server. A packet of the agent with a request, for which there is no connection yet,
 * is given a request socket as if a SYN cookie had been answered (bpf_sk_assign_tcp_reqsk, Linux 6.8), with what the client and the director had agreed on: options, window scales, both sequence numbers and the
 * server's clock. The connection that the stack makes of it goes on where the director has stopped, and there is nothing to add to its numbers.
 */

import { TCX_NEXT, TC_ACT_SHOT } from '@holdfast/posix/bpf'
import { Assembler, at, r0, r1, r2, r3, r4, r8, r9 } from '../assembler/index.ts'
import type { Program } from '../assembler/index.ts'
import { AgentState, Captured } from '../entries.ts'
import { HandoffOptions } from '../../protocol/messages.ts'
import { Protocol, ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { tcpHeaderBytesMin } from '../../transform/packet.ts'
import { Exit, Stack, agentField, begin, copyMapped, copyWords, jumpIfFamily, maps, skb } from './context.ts'
import type { Context } from './context.ts'
import { checkIp, jumpIfProtocol, loadIp, lookup, readTcp } from './headers.ts'

/** Name of the kernel's function. */
export const assignFunction = 'bpf_sk_assign_tcp_reqsk'

/** What is constant. */
export interface OpenConstants {
  /** Of the agent's packets (SO_MARK). */
  readonly mark: number
  /** Number of `assignFunction`. */
  readonly assign: number
}

/** lo has an Ethernet header. */
const linkBytes = 14
/** struct __sk_buff. */
const skbMark = at(skb, 8)
/** struct bpf_sock, enum of states. */
const stateAt = 72
const TCP_LISTEN = 10
const BPF_F_CURRENT_NETNS = -1
/** struct bpf_tcp_req_attrs. */
const attributes = {
  tsVal: 0,
  tsEcr: 4,
  mss: 8,
  receiveScale: 10,
  sendScale: 11,
  ecn: 12,
  windowScale: 13,
  sack: 14,
  timestamps: 15,
  microseconds: 16,
  bytes: 20,
} as const

/** Makes the program. */
export function openProgram({ mark, assign }: OpenConstants): Program {
  const a = new Assembler('hf_open')
  const context: Context = { a, stack: new Stack(), linkBytes }
  begin(context)
  a.ldxw(r1, skbMark)
  a.jne32(r1, mark | 0, Exit.pass)
  for (const family of [ipv4, ipv6]) jumpIfFamily(context, family, `ipv${family.version}`)
  a.ja(Exit.pass)
  for (const family of [ipv4, ipv6]) {
    a.label(`ipv${family.version}`)
    a.scope(`ipv${family.version}`, () => open(context, family, assign))
  }
  a.label(Exit.pass)
  a.mov32(r0, TCX_NEXT)
  a.exit()
  a.label(Exit.silent)
  a.mov32(r0, TC_ACT_SHOT)
  a.exit()
  return a.assemble()
}

function open(context: Context, family: Family, assign: number): void {
  const { a, stack } = context
  loadIp(context, family, linkBytes)
  checkIp(context, family, linkBytes)
  jumpIfProtocol(context, family, Protocol.tcp, 'tcp')
  a.ja(Exit.pass)
  a.label('tcp')
  readTcp(context, family, linkBytes)
  makeReturnKey(context, family)
  // Of another agent, perhaps.
  lookup(context, Exit.pass)
  findSocket(context, family)

  a.label('listener')
  writeAttributes(context, family)
  a.mov(r2, r8)
  a.mov(r1, skb)
  a.addressOf(r3, stack.icmp)
  a.mov(r4, attributes.bytes)
  a.callKernel(assign)
  a.mov(r9, r0)
  a.call('sk_release', r8)
  a.jne32(r9, 0, 'refused')
  a.mov(r1, 0)
  a.stw(skbMark, r1)
  a.stb(agentField('state'), AgentState.established)
  countOpened(context)
  a.ja(Exit.pass)

  a.label('refused')
  a.stb(agentField('captured'), Captured.other)
  a.ja(Exit.silent)
}

/** Counts the connection where the agent sees it without asking. Only one thread of it opens connections. */
function countOpened({ a, stack }: Context): void {
  a.stw(stack.zero, 0)
  a.call('map_lookup_elem', maps.opened, stack.zero.address)
  a.jeq(r0, 0, Exit.pass)
  a.ldxdw(r1, at(r0))
  a.add(r1, 1)
  a.stdw(at(r0), r1)
}

/** The key of the server's packets: what comes back. */
function makeReturnKey({ a, stack }: Context, family: Family): void {
  const source = stack.ip.plus(family.addressesAt)
  copyMapped(a, stack.key, source.plus(family.addressBytes), family)
  copyMapped(a, stack.key.plus(16), source, family)
  a.ldxh(r1, stack.tcp.plus(2))
  a.sth(stack.key.plus(32), r1)
  a.ldxh(r1, stack.tcp)
  a.sth(stack.key.plus(34), r1)
}

/** Goes on with the listener in r8. Where there seems to be none, a handshake finds out; a connection that is there gets its packet, or, where there should be none, is in the way. */
function findSocket({ a, stack }: Context, family: Family): void {
  copyWords(a, stack.outer, stack.ip.plus(family.addressesAt), 2 * family.addressBytes)
  copyWords(a, stack.outer.plus(2 * family.addressBytes), stack.tcp, 4)
  a.call('skc_lookup_tcp', skb, stack.outer.address, 2 * family.addressBytes + 4, BPF_F_CURRENT_NETNS, 0)
  a.jeq(r0, 0, 'refused')
  a.mov(r8, r0)
  a.ldxw(r1, at(r8, stateAt))
  a.mov(r9, r1)
  a.call('sk_release', r8)
  a.jne(r9, TCP_LISTEN, 'connection')
  // The same again, as a socket of its own kind: to make one of the other takes CAP_PERFMON.
  a.call('sk_lookup_tcp', skb, stack.outer.address, 2 * family.addressBytes + 4, BPF_F_CURRENT_NETNS, 0)
  a.jeq(r0, 0, 'refused')
  a.mov(r8, r0)
  a.ja('listener')
  a.label('connection')
  a.ldxb(r1, agentField('state'))
  a.jeq(r1, AgentState.handshake, 'refused')
  a.ja(Exit.pass)
}

/** `struct bpf_tcp_req_attrs` of the entry, and of the timestamps behind two NOPs as `writeSegment` writes them. */
function writeAttributes({ a, stack }: Context, family: Family): void {
  const given = stack.icmp
  for (let offset = 0; offset < attributes.bytes; offset += 4) a.stw(given.plus(offset), 0)
  a.ldxh(r1, agentField('mss'))
  a.sth(given.plus(attributes.mss), r1)
  a.ldxb(r1, agentField('options'))
  a.block(done => {
    a.mov(r2, r1)
    a.and(r2, HandoffOptions.windowScale)
    a.jeq(r2, 0, done)
    a.stb(given.plus(attributes.windowScale), 1)
    a.ldxb(r2, agentField('directorScale'))
    a.stb(given.plus(attributes.receiveScale), r2)
    a.ldxb(r2, agentField('clientScale'))
    a.stb(given.plus(attributes.sendScale), r2)
  })
  a.block(done => {
    a.mov(r2, r1)
    a.and(r2, HandoffOptions.sack)
    a.jeq(r2, 0, done)
    a.stb(given.plus(attributes.sack), 1)
  })
  a.block(done => {
    a.and(r1, HandoffOptions.timestamps)
    a.jeq(r1, 0, done)
    a.stb(given.plus(attributes.timestamps), 1)
    a.call('skb_load_bytes', skb, linkBytes + family.headerBytes + tcpHeaderBytesMin + 4, stack.outer.address, 8)
    for (const offset of [attributes.tsVal, attributes.tsEcr]) {
      a.ldxw(r2, stack.outer.plus(offset))
      a.be32(r2)
      a.stw(given.plus(offset), r2)
    }
  })
}
