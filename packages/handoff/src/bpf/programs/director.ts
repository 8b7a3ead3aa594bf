/**
 * The director's program, for packets that come by its interface: those of connections that were handed over go to their owners, or up to the agent. The same as `direct`.
 * It is made for one VIP, port and link header: what is constant in an instance is constant in its program.
 */

import { Assembler, r1, r2, r3, r4 } from '../assembler/index.ts'
import type { Program } from '../assembler/index.ts'
import { DirectorAction, replacedFlag, resetFlag } from '../entries.ts'
import { Protocol, familyOf } from '../../transform/families.ts'
import type { Family } from '../../transform/families.ts'
import { TcpAt, TcpFlag } from '../../transform/packet.ts'
import { answerSyn } from './answer-syn.ts'
import { Exit, Stack, begin, directorField, end, jumpIfFamily, requireAddress, swap16 } from './context.ts'
import type { Context } from './context.ts'
import { forward, raise } from './forward.ts'
import { guard } from './guard.ts'
import { addFlagBytes, checkIp, jumpIfProtocol, loadIp, lookup, makeKey, payloadBytes, readTcp } from './headers.ts'
import { readIcmp } from './icmp.ts'
import { sendKnownOn } from './known-request.ts'
import { noteAcknowledgement, noteArrival, noteFlags } from './notes.ts'
import { followOpening } from './openings.ts'
import { passOwn } from './unknown.ts'

/** What is constant. */
export interface DirectorConstants {
  /** 16 bytes. */
  readonly vip: Uint8Array
  readonly vipPort: number
  readonly raisePort: number
  /** 14 for Ethernet, 0 where packets begin with IP. */
  readonly linkBytes: number
  /** MSS that clients are told where the program answers their SYNs. Undefined: it answers none (see `answerSyn`). */
  readonly synAckMss?: number
  /** Whether it sends requests on by itself that are known to be for the owner (see `sendKnownOn`). Default: not. */
  readonly knowsRequests?: boolean
}

const over = TcpFlag.fin | TcpFlag.rst
/** Whose packets are that no owner gets: of an entry whose client has gone on to another connection, the stack's, where they are of no opening; without an entry, the stack knows. */
const [isOurs, mayBeAnybodys] = [1, 0]

/** Makes the program. */
export function directorProgram({ vip, vipPort, raisePort, linkBytes, synAckMss, knowsRequests = false }: DirectorConstants): Program {
  const a = new Assembler('hf_director')
  const context: Context = { a, stack: new Stack(), linkBytes }
  const { stack } = context
  const family = familyOf(vip)
  begin(context)
  jumpIfFamily(context, family, 'family')
  a.ja(Exit.pass)

  a.label('family')
  loadIp(context, family, linkBytes)
  requireAddress(a, stack.ip.plus(family.addressesAt + family.addressBytes), family, vip, Exit.pass)
  guard(context, family, raisePort)
  checkIp(context, family, linkBytes)
  jumpIfProtocol(context, family, Protocol.tcp, 'tcp')
  jumpIfProtocol(context, family, family.icmp, 'icmp')
  a.ja(Exit.pass)

  a.label('tcp')
  readTcp(context, family, linkBytes)
  a.ldxh(r1, stack.tcp.plus(TcpAt.destinationPort))
  a.jne(r1, swap16(vipPort), Exit.pass)
  makeKey(context, family)
  lookup(context, 'unknown')
  note(context, family)
  decide(context, family, knowsRequests)
  a.label('local')
  a.stw(stack.word, isOurs)
  a.ja('open')

  a.label('icmp')
  readIcmp(context, family, linkBytes)
  lookup(context, Exit.pass)
  a.ldxw(r1, directorField('flagsSeen'))
  a.jset(r1, replacedFlag, Exit.pass)
  a.ldxw(r1, directorField('action'))
  a.jeq(r1, DirectorAction.forward, 'forward')
  a.jeq(r1, DirectorAction.split, 'forward')
  a.ja(Exit.pass)

  a.label('forward')
  forward(context, family, 'raise')
  a.label('unknown')
  a.stw(stack.word, mayBeAnybodys)
  a.label('open')
  if (synAckMss !== undefined) {
    answerSyn(context, family, synAckMss)
    followOpening(context, family, 'raise')
  }
  a.ldxw(r1, stack.word)
  a.jeq(r1, isOurs, Exit.pass)
  passOwn(context, family)
  a.label('raise')
  raise(context, family, raisePort)
  end(context)
  return a.assemble()
}

/**
 * Counts the packet and notes its numbers; a SYN where the connection is over makes an end of the entry: the client uses its port again. Of another SYN nothing is noted: where the connection goes on, its numbers
 * are not of it, and the RST by which the client answers a challenge ACK (RFC 9293 3.10.7.3) would seem far away.
 */
function note(context: Context, family: Family): void {
  const { a, stack } = context
  noteArrival(context, directorField)
  a.ldxw(r1, directorField('flagsSeen'))
  a.jset(r1, replacedFlag, 'local')
  a.block(noted => {
    a.block(isNoSyn => {
      a.ldxb(r2, stack.tcp.plus(TcpAt.flags))
      a.and(r2, TcpFlag.syn | TcpFlag.ack)
      a.jne(r2, TcpFlag.syn, isNoSyn)
      a.and(r1, over)
      a.jeq(r1, 0, noted)
      a.mov(r1, replacedFlag)
      a.atomicOr32(directorField('flagsSeen'), r1)
      a.ja('local')
    })
    noteNumbers(context, family)
  })
}

/** A RST is held against the numbers of other packets: several with the same number may come of a connection before, and are no more right for that. */
function noteNumbers(context: Context, family: Family): void {
  const { a, stack } = context
  noteFlags(context, directorField, () => {
    a.ldxw(r3, directorField('lastSequenceEnd'))
    a.sub32(r2, r3)
  })
  a.block(noted => {
    a.ldxb(r1, stack.tcp.plus(TcpAt.flags))
    a.block(isNoReset => {
      a.and(r1, TcpFlag.rst)
      a.jeq(r1, 0, isNoReset)
      noteReset(context)
      a.ja(noted)
    })
    noteAcknowledgement(context, directorField)
    payloadBytes(context, family)
    addFlagBytes(context)
    a.ldxw(r2, stack.tcp.plus(TcpAt.sequence))
    a.be32(r2)
    a.add32(r1, r2)
    a.stw(directorField('lastSequenceEnd'), r1)
  })
}

function noteReset({ a, stack }: Context): void {
  a.block(done => {
    a.ldxw(r1, stack.tcp.plus(TcpAt.sequence))
    a.be32(r1)
    a.ldxw(r2, directorField('lastSequenceEnd'))
    a.jne(r1, r2, done)
    a.mov(r1, resetFlag)
    a.atomicOr32(directorField('flagsSeen'), r1)
  })
}

/** By the entry's action. Of `split`, payload beyond `forwardUntil`, or `requestAt`, is the agent's, unless it is a request that is known. */
function decide(context: Context, family: Family, knowsRequests: boolean): void {
  const { a, stack } = context
  a.ldxw(r1, directorField('action'))
  a.jeq(r1, DirectorAction.forward, 'forward')
  a.jeq(r1, DirectorAction.hold, 'raise')
  a.jne(r1, DirectorAction.split, 'local')
  payloadBytes(context, family)
  a.jeq(r1, 0, 'forward')
  a.ldxw(r2, stack.tcp.plus(TcpAt.sequence))
  a.be32(r2)
  a.add32(r1, r2)
  a.ldxdw(r3, directorField('requestAt'))
  a.jeq(r3, 0, 'agentLeads')
  a.mov32(r4, r3)
  a.sub32(r4, r1)
  a.jsge32(r4, 0, 'forward')
  a.sub32(r3, r2)
  a.jne32(r3, 0, 'raise')
  if (knowsRequests) sendKnownOn(context, family)
  else a.ja('raise')
  a.label('agentLeads')
  a.ldxw(r2, directorField('forwardUntil'))
  a.sub32(r2, r1)
  a.jsge32(r2, 0, 'forward')
  a.ja('raise')
}
