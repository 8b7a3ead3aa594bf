/**
 * What a client sends when its connection has been handed over: the request after the one that an owner has. For the same owner the packet goes on as it is; for
 * another one the connection is released and handed over again.
 */
import { ahead, plus, TcpFlag } from '../transform/index.ts'
import type { Agent } from './agents.ts'
import { closeHeaderBytes, copyWithClose } from './close-header.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { fire } from './core.ts'
import type { Event } from './life-cycle.ts'
import { beginGathering, discardGathered, gatheredBytesMax } from './gathered.ts'
import type { Gathered } from './gathered.ts'
import { sendGathered, sendPacket, sendPart } from './handoff-message.ts'
import { readStretch } from './requests.ts'
import type { Stretch } from './requests.ts'

/** The program compares sequence numbers as RFC 9293 3.4 has it: an entry that is not renewed would seem to be ahead one day. */
const forwardUntilAgeMax = 0x4000_0000

const editedBytes = Buffer.alloc(gatheredBytesMax + closeHeaderBytes)

/** A packet with payload (or a FIN) of a connection that an owner has. */
export function takeFollowing(core: Core, connection: Connection, packet: ClientPacket): void {
  const { agent, gathered } = connection
  if (agent === undefined) return
  if (packet.payloadBytes === 0 && gathered === undefined) return passFlags(core, connection, agent, packet)
  core.entries.takeLead(connection)
  if (gathered !== undefined) return takeMore(core, connection, gathered, packet)
  const { stretch, isKnown } = position(core, connection, packet)
  if (!isKnown) return sendPacket(connection, agent, packet)
  const offset = ahead(packet.sequence, connection.nextRequest)
  // The end of a content, or what the owner has already and its server may have lost.
  if (offset < 0 && ahead(packet.sequenceEnd, connection.nextRequest) <= 0) return sendPacket(connection, agent, packet)
  // A hole: the client repeats what is missing, and this.
  if (offset > 0) return undefined
  if (offset === 0) {
    const found = stretch ?? read(core, packet.bytes, packet.payloadFrom, packet.end)
    if (isWhole(core, connection, found, packet)) return sendOnAsItIs(core, connection, agent, packet, found)
  }
  if (offset < 0) sendPart(connection, agent, packet, -offset)
  takeMore(core, connection, beginGathering(connection, connection.nextRequest, core.loop.now()), packet)
}

/** Without payload: it has come up because it was on its way when the program was told whom to send to. */
function passFlags(core: Core, connection: Connection, agent: Agent, packet: ClientPacket): void {
  sendPacket(connection, agent, packet)
  const flags = packet.flags & (TcpFlag.fin | TcpFlag.rst)
  if (flags === 0 || (connection.flagsSeen & flags) === flags) return
  connection.flagsSeen |= flags
  core.entries.give(connection, agent, connection.state === 'forwarded' ? 'forward' : 'split')
}

const read = (core: Core, bytes: Buffer, from: number, end: number): Stretch => readStretch(bytes, from, end, core.mode, core.choose)

/** Whether it is known where the next request begins: after a restart it is not, until a packet begins as a request does. */
function position(core: Core, connection: Connection, packet: ClientPacket): { stretch: Stretch | undefined; isKnown: boolean } {
  if (connection.knowsNextRequest) return known
  const stretch = read(core, packet.bytes, packet.payloadFrom, packet.end)
  if (stretch.kind !== 'requests') return unknown
  connection.nextRequest = packet.sequence
  connection.knowsNextRequest = true
  return { stretch, isKnown: true }
}

const known = { stretch: undefined, isKnown: true }
const unknown = { stretch: undefined, isKnown: false }

/** The packet has nothing but one request for the owner that has the connection. When no owner is healthy, but that is one, its server still may answer. Several go by CONTINUE: server agents count them. */
function isWhole(core: Core, connection: Connection, stretch: Stretch, packet: ClientPacket): boolean {
  if (!isSame(core, connection, stretch) || stretch.bytes !== packet.payloadBytes || isSeveral(stretch)) return false
  note(connection, stretch, packet.sequence)
  return true
}

const isSeveral = ({ head, next }: Stretch): boolean => head !== undefined && next > head.headBytes + head.contentBytes

function isSame({ agents }: Core, { agent }: Connection, { kind, mustClose, head, agent: owner }: Stretch): boolean {
  if (kind !== 'requests' || mustClose || agent === undefined || head === undefined) return false
  return owner === agent || (owner === undefined && agents.isOwner(agent, head.host, head.target))
}

/** What of a stretch that begins at `begin` matters afterwards. */
export function note(connection: Connection, stretch: Stretch, begin: number): void {
  connection.nextRequest = plus(begin, stretch.next)
  connection.isLast = stretch.isLast
  connection.upgradeAsked = stretch.upgrade
}

function sendOnAsItIs(core: Core, connection: Connection, agent: Agent, packet: ClientPacket, stretch: Stretch): void {
  core.counters.continued++
  connection.requestAck = packet.acknowledgement
  sendPacket(connection, agent, packet)
  if (isKnown(core, agent, packet, stretch)) core.entries.giveLead(connection)
  else afterSending(core, connection, agent, packet.sequenceEnd)
}

/** The packet is one request, and the program knows the next one like it. */
function isKnown({ known }: Core, { id }: Agent, packet: ClientPacket, { head, isLast }: Stretch): boolean {
  if (head === undefined || isLast || head.headBytes !== packet.payloadBytes || (packet.flags & TcpFlag.fin) !== 0) return false
  return known.learn(head, packet.bytes, packet.payloadFrom, id)
}

/** The rest of a content goes to the owner in the kernel, and so does everything after the last request. */
function afterSending(core: Core, connection: Connection, agent: Agent, end: number): void {
  if (connection.isLast) {
    fire(core, connection, 'opaque')
    return
  }
  const hasMore = ahead(connection.nextRequest, end) > 0
  if (!hasMore && ahead(connection.nextRequest, connection.forwardUntil) < forwardUntilAgeMax) return
  connection.forwardUntil = connection.nextRequest
  core.entries.give(connection, agent, 'split')
}

function takeMore(core: Core, connection: Connection, gathered: Gathered, packet: ClientPacket): void {
  if (!gathered.take(packet)) {
    fire(core, connection, 'overflow')
    return
  }
  lookAtGathered(core, connection)
}

/** Looks at what has been gathered: whom it is for, if that can be told yet. */
export function lookAtGathered(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent === undefined || gathered === undefined) return
  if (connection.state === 'forwarded') return forwardAll(core, connection)
  // The rest of a content stands first.
  const content = Math.min(gathered.length, ahead(connection.nextRequest, gathered.sequence))
  if (content > 0) sendFirst(connection, agent, gathered, content)
  if (gathered.length === 0) return empty(core, connection, agent, gathered)
  const stretch = read(core, gathered.bytes, 0, gathered.length)
  const event = eventOf(core, connection, gathered, stretch)
  if (event === 'same-owner' || event === 'other-owner') note(connection, stretch, gathered.sequence)
  if (event === 'other-owner') {
    connection.nextAgent = stretch.agent
    connection.requestBytes = stretch.bytes
    connection.edited = undefined
    if (stretch.mustClose) editGathered(connection, gathered, stretch)
  }
  if (event === 'same-owner') connection.requestBytes = stretch.bytes
  fire(core, connection, event)
}

function eventOf(core: Core, connection: Connection, gathered: Gathered, stretch: Stretch): Event {
  // Half a head that has an end, or may be the other protocol that was asked for.
  if (stretch.kind === 'partial') return gathered.finished || connection.upgradeAsked ? 'opaque' : 'partial'
  if (stretch.kind === 'bad') return 'opaque'
  return isSame(core, connection, stretch) && !gathered.acknowledged ? 'same-owner' : 'other-owner'
}

function sendFirst(connection: Connection, agent: Agent, gathered: Gathered, length: number): void {
  sendGathered(connection, agent, gathered, length)
  gathered.skip(length)
}

/** Nothing is left of it but, maybe, a FIN that went on with the last byte. */
function empty(core: Core, connection: Connection, agent: Agent, gathered: Gathered): void {
  discardGathered(connection)
  if (gathered.finished) connection.flagsSeen |= TcpFlag.fin
  afterSending(core, connection, agent, gathered.sequence)
}

/** Has the head at the beginning of what was gathered ask for the end of the connection. */
export function editGathered(connection: Connection, gathered: Gathered, { head, bytes }: Stretch): void {
  if (head === undefined) return
  const length = copyWithClose(gathered.bytes, 0, bytes, head, editedBytes)
  connection.edited = Buffer.from(editedBytes.subarray(0, length))
}

/** What was gathered goes to the owner that has the connection. */
export function sendOn(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent === undefined || gathered === undefined) return
  core.counters.continued++
  connection.requestAck = gathered.acknowledgement
  sendFirst(connection, agent, gathered, connection.requestBytes)
  if (gathered.length > 0 && !connection.isLast) return lookAtGathered(core, connection)
  empty(core, connection, agent, gathered)
}

/** A part of a head is here: it is looked at again when more comes, or when nothing does. */
export function gather(core: Core, connection: Connection): void {
  core.awaitAnswer(connection)
}

/** What was gathered is not to be understood, or nothing that follows is. */
export function forwardAll(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent === undefined) return
  discardGathered(connection)
  if (gathered !== undefined && gathered.length > 0) sendGathered(connection, agent, gathered, gathered.length)
  core.entries.give(connection, agent, 'forward')
}

/** The rest of a head has not come for a while: the client may be waiting to hear that we have what there is. */
export function acknowledgeGathered(core: Core, connection: Connection): void {
  const { gathered } = connection
  if (gathered === undefined) return
  gathered.acknowledged = true
  gathered.acknowledgedEnd = gathered.end
  const tsVal = connection.timestampAt(core.loop.now(), gathered.tsEcr)
  core.raw.acknowledge(connection, gathered.end, gathered.acknowledgement, tsVal, gathered.tsVal)
}
