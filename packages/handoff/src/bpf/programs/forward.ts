/** Where the director's program sends packets: to the owner's machine over the link or over routers, or up to the agent. */

import { at, r0, r1, r2 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import { ForwardMethod, Total } from '../entries.ts'
import type { DirectorEntry } from '../entries.ts'
import { ipv4, ipv6 } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { Exit, copyWords, countPacket, directorField, entry, mappedWords, skb, skbField } from './context.ts'
import type { Context } from './context.ts'
import { outerBytes, requireWrappable, wrap } from './wrap.ts'

/** struct bpf_redir_neigh: family and next hop. */
const redirectBytes = 20
const ethernetBytes = 14

/** Sends the packet on as its entry says; to `tooBig` when it does not fit where it has to go. To the end of the program. */
export function forward(context: Context, family: Family, tooBig: string): void {
  const { a } = context
  a.scope('forward', () => {
    a.ldxw(r1, directorField('method'))
    a.jeq(r1, ForwardMethod.encapsulate, 'encapsulate')
    toNeighbour(context, family)
    a.label('encapsulate')
    for (const [index, word] of mappedWords.entries()) {
      a.ldxw(r1, directorField('agent').plus(4 * index))
      a.jne32(r1, word, 'ipv6')
    }
    toAgent(context, ipv4, tooBig)
    a.label('ipv6')
    toAgent(context, ipv6, tooBig)
  })
}

/** As it is, to the next hop's link address. */
function toNeighbour(context: Context, family: Family): void {
  const { a, stack } = context
  countPacket(context, Total.forwardedPackets)
  for (let offset = 4 + family.addressBytes; offset < redirectBytes; offset += 4) a.stw(stack.outer.plus(offset), 0)
  a.stw(stack.outer, family.number)
  copyWords(a, stack.outer.plus(4), entryAddress('nextHop', family), family.addressBytes)
  makeLinkHeader(context)
  a.ldxw(r1, directorField('interfaceIndex'))
  a.call('redirect_neigh', r1, stack.outer.address, redirectBytes, 0)
  a.exit()
}

/** In a datagram, by the route to the agent. What does not fit then is not cut by this way, so it is not sent by it. */
function toAgent(context: Context, outer: Family, tooBig: string): void {
  const { a, stack } = context
  a.scope(`ipv${outer.version}`, () => {
    loadInterface(context)
    a.stw(stack.word, 0)
    a.mov(r2, r1)
    a.call('check_mtu', skb, r2, stack.word.address, outerBytes(outer), 0)
    a.jne(r0, 0, tooBig)
    countPacket(context, Total.forwardedPackets)
    wrap(context, outer, {
      source: entryAddress('outerSource', outer),
      destination: entryAddress('agent', outer),
      sourcePort: directorField('outerSourcePort'),
      destinationPort: directorField('agentPort'),
    })
    makeLinkHeader(context)
    loadInterface(context)
    a.call('redirect_neigh', r1, 0, 0, 0)
    a.exit()
  })
}

/** What comes by a link without a header of its own gets room for one: the kernel takes it for the header to be replaced, and drops what has none. */
function makeLinkHeader({ a, linkBytes }: Context): void {
  if (linkBytes > 0) return
  a.call('skb_change_head', skb, ethernetBytes, 0)
  a.jne(r0, 0, Exit.drop)
}

/** r1 = the interface to leave by: the one the packet came by when the entry says none. */
function loadInterface({ a }: Context): void {
  a.block(isSaid => {
    a.ldxw(r1, directorField('interfaceIndex'))
    a.jne(r1, 0, isSaid)
    a.ldxw(r1, skbField('ifindex'))
  })
}

/** An address of the entry as a packet has it. */
const entryAddress = (name: 'nextHop' | 'agent' | 'outerSource', family: Family): Place =>
  at(entry, directorField(name satisfies keyof DirectorEntry).offset + family.inMapped)

/** Wraps the packet for the agent's own socket: from the client, to the VIP. To the end of the program. */
export function raise(context: Context, family: Family, raisePort: number): void {
  const { stack, a } = context
  requireWrappable(context, family, Exit.drop)
  countPacket(context, Total.raisedPackets)
  wrap(context, family, {
    source: stack.key.plus(family.inMapped),
    destination: stack.key.plus(16 + family.inMapped),
    sourcePort: stack.key.plus(32),
    destinationPort: raisePort,
  })
  a.ja(Exit.pass)
}
