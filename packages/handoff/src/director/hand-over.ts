/** Hands a connection of our own stack over to the owner of its first request, and what the answer does. */
import { close, peek } from '@holdfast/posix/network'
import { HandoffFlags } from '../protocol/index.ts'
import { minus, plus } from '../transform/index.ts'
import type { Agent } from './agents.ts'
import { closeHeaderBytes, copyWithClose } from './close-header.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { assign, fire } from './core.ts'
import { forget } from './expiry.ts'
import { first, isFit, proxyRequest, readFirst } from './first-request.ts'
import { lookAtGathered } from './following.ts'
import { freeze, readAgreed, receivedNext, thaw } from './freeze.ts'
import { beginGathering, discardGathered, gatheredBytesMax } from './gathered.ts'
import { sendHandoff, sendRelease } from './handoff-message.ts'
import { takeKept } from './kept.ts'
import type { Stretch } from './requests.ts'

const editedBytes = Buffer.alloc(gatheredBytesMax + closeHeaderBytes)

/** Diverts and freezes a connection, whose request is in `first`, and sends HANDOFF. */
export function handOver(core: Core, connection: Connection): void {
  const agent = first.stretch?.agent
  if (agent === undefined) throw new Error('a request without an owner')
  core.connections.number(connection)
  connection.generation = 1
  assign(connection, agent)
  const agreed = readAgreed(connection)
  if (agreed === 'gone') {
    fire(core, connection, 'left')
    return
  }
  if (agreed === 'unknown') return refuse(core, connection, 'system')
  connection.forwardUntil = connection.begin
  // Before all else: no packet of the client gets to this stack any more. What it sends comes to us; what it acknowledges goes to the owner, who is the only one to be acknowledged.
  if (core.entries.give(connection, agent, 'split') !== 0) return refuse(core, connection, 'noRoom')
  const received = freeze(connection, core.loop.now())
  if (received !== first.count && !readAgain(core, connection, agent, received)) return refuse(core, connection, 'system')
  const { stretch } = first
  if (stretch === undefined) return refuse(core, connection, 'system')
  plan(connection, stretch, first.count, core.loop.now())
  if (!send(core, connection, agent)) return refuse(core, connection, 'silent')
  core.counters.handoffs++
  core.awaitAnswer(connection)
}

/** What has come between the look and the freezing. False: it can't be handed over as it is now. */
function readAgain(core: Core, connection: Connection, agent: Agent, received: number): boolean {
  const { count, stretch } = readFirst(core, connection.fd)
  if (received < 0 || !isFit(first) || stretch?.agent !== agent) return false
  connection.handoffFlags = received - count === 1 ? HandoffFlags.clientFinished : 0
  return received === count + connection.handoffFlags
}

function refuse(core: Core, connection: Connection, reason: 'noRoom' | 'system' | 'silent'): void {
  core.counters.refusals[reason]++
  fire(core, connection, 'refused')
}

/** What is handed over, and what is looked at afterwards. */
function plan(connection: Connection, stretch: Stretch, total: number, nowMs: number): void {
  const { begin } = connection
  connection.isLast = stretch.isLast
  connection.upgradeAsked = stretch.upgrade
  connection.requestBytes = stretch.bytes
  connection.requestAck = connection.serverSequenceNext
  connection.nextRequest = plus(begin, stretch.next)
  connection.knowsNextRequest = true
  connection.hasMore = hasMore(stretch, total)
  if (stretch.mustClose && stretch.head !== undefined) {
    const length = copyWithClose(first.bytes, 0, stretch.bytes, stretch.head, editedBytes)
    connection.edited = Buffer.from(editedBytes.subarray(0, length))
  }
  if (stretch.bytes === total) return
  // Another request is here already, for somebody else or not whole: it follows when this one has been taken.
  const rest = beginGathering(connection, plus(begin, stretch.bytes), nowMs)
  rest.takeFrom(connection, first.bytes, stretch.bytes, total)
  rest.finished = connection.handoffFlags !== 0
  connection.handoffFlags = 0
  connection.clientSequenceNext = rest.sequence
}

/** Whether something follows what is here that is for the owner without being looked at. */
export const hasMore = (stretch: Stretch, total: number): boolean => stretch.next > total || (stretch.isLast && !isOver(stretch))

/** After a request without content that ends its connection nothing comes. */
const isOver = ({ head, mustClose, upgrade }: Stretch): boolean =>
  head !== undefined && head.content === 'none' && !upgrade && (head.close || mustClose)

/** The request is in `first`, or edited. */
function send({ vip }: Core, connection: Connection, agent: Agent): boolean {
  const { edited } = connection
  if (edited !== undefined) return sendHandoff(vip, connection, agent, edited, edited.length)
  return sendHandoff(vip, connection, agent, first.bytes, connection.requestBytes)
}

/** HANDOFF again: what it carries is still in the socket. */
export function repeatFirst(core: Core, connection: Connection, agent: Agent): void {
  if (connection.edited === undefined) first.count = peek(connection.fd, first.bytes, 0, connection.requestBytes)
  send(core, connection, agent)
}

/** The owner has taken it: our socket is closed without a word, and the client's packets go there. */
export function settle(core: Core, connection: Connection): void {
  const { agent, fd, gathered, requestBytes } = connection
  if (agent === undefined) throw new Error('nobody has taken it')
  const known = plus(connection.clientSequenceNext, gathered === undefined ? 0 : gathered.length + (gathered.finished ? 1 : 0))
  const late = minus(receivedNext(fd), known)
  if (late !== 0) takeLate(connection, requestBytes + (gathered?.length ?? 0), late, core.loop.now())
  connection.fd = -1
  connection.edited = undefined
  if (core.entries.isAbandoned(connection)) {
    close(fd)
    fire(core, connection, 'replaced')
    return
  }
  if (connection.hasMore) {
    connection.forwardUntil = connection.nextRequest
    core.entries.give(connection, agent, connection.state === 'forwarded' ? 'forward' : 'split')
  }
  close(fd)
  follow(core, connection)
}

/** The client has gone: the owner's server is not to answer to nobody, or to whom the port belongs now. */
export function abandon(core: Core, connection: Connection): void {
  const { agent } = connection
  if (agent !== undefined) sendRelease(connection, agent, connection.serverSequenceNext, 'reset')
  forget(core, connection)
}

/** Bytes (and a FIN) that had passed the program when the entry was made, and got to the socket after it was frozen. */
function takeLate(connection: Connection, before: number, late: number, nowMs: number): void {
  const count = Math.max(before, peek(connection.fd, first.bytes, 0, first.bytes.length))
  const gathered = connection.gathered ?? beginGathering(connection, connection.clientSequenceNext, nowMs)
  gathered.takeFrom(connection, first.bytes, before, count)
  gathered.finished = count - before < late
}

/** What came meanwhile follows. */
export function follow(core: Core, connection: Connection): void {
  core.checkLater(connection)
  if (connection.gathered !== undefined) lookAtGathered(core, connection)
  takeKept(connection, core.raised)
}

/** It is not handed over after all: our own stack goes on, and the main thread with it. */
export function thawAndProxy(core: Core, connection: Connection): void {
  const { agent, fd } = connection
  core.counters.thawed++
  // An answer may be under way that we have not waited for: nobody else is to talk to the client.
  if (agent !== undefined) sendRelease(connection, agent, connection.serverSequenceNext, 'reset')
  assign(connection, undefined)
  core.entries.remove(connection)
  thaw(fd)
  takeKept(connection, core.inject)
  giveToProxy(core, connection)
}

/** The main thread carries the connection, or answers what is in its socket. */
export function giveToProxy(core: Core, connection: Connection): void {
  const { fd } = connection
  connection.fd = -1
  discardGathered(connection)
  core.connections.remove(connection)
  core.proxy(proxyRequest(core, fd, readFirst(core, fd)))
}

/** Nobody goes on with it. */
export function drop(core: Core, connection: Connection): void {
  core.counters.dropped++
  const { agent } = connection
  if (agent !== undefined) sendRelease(connection, agent, connection.serverSequenceNext, 'reset')
  assign(connection, undefined)
  core.entries.remove(connection)
  discardGathered(connection)
  core.connections.remove(connection)
  if (connection.fd >= 0) close(connection.fd)
  connection.fd = -1
}
