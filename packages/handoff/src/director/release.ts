/** Moves a connection from the owner that has it to another one: RELEASE, its answers, and HANDOFF again. */
import { HandoffFlags } from '../protocol/index.ts'
import { ahead, plus, TcpFlag } from '../transform/index.ts'
import type { Agent } from './agents.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { assign, fire } from './core.ts'
import { follow } from './hand-over.ts'
import { discardGathered } from './gathered.ts'
import type { Gathered } from './gathered.ts'
import { endReading } from './opened.ts'
import { sendEnd, sendHandoff, sendPacket, sendRelease } from './handoff-message.ts'

/**
 * A client that has several requests under way: it acknowledges what the server still sends for the one before, and it can't be told whether that was all. When it has acknowledged nothing new for
 * `quietMs`, the agent is asked again; after `waitMs` the server is told to finish. (To tell it at once would be right by RFC 9112 9.3.2, but nginx, and not only that, takes
 * a FIN while it responds for a client that has gone, and breaks off.)
 */
const busy = { quietMs: 100, waitMs: 60_000 } as const

/** Asks the owner to let go. The client's packets come up to us meanwhile. */
export function release(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent === undefined || gathered === undefined) return
  // The client has several requests under way: when it sent this one, the one before had not been answered (the agent knows so of the first one only).
  connection.isBusy = gathered.acknowledgement === connection.requestAck
  core.entries.give(connection, agent, 'hold')
  if (connection.isBusy) noteLastAck(core, connection, gathered)
  connection.busySinceMs = connection.movedMs = core.loop.now()
  if (!connection.isBusy) sendRelease(connection, agent, gathered.acknowledgement)
  core.awaitAnswer(connection)
}

/** The client may have acknowledged an answer since, past us: the program knows. */
function noteLastAck(core: Core, connection: Connection, gathered: Gathered): void {
  const seen = core.entries.seen(connection)
  if (seen !== undefined && ahead(seen.lastAck, gathered.acknowledgement) > 0) gathered.acknowledgement = seen.lastAck
}

/** The same question, as no answer came, or the client has acknowledged more. */
export function repeatRelease(connection: Connection, agent: Agent): void {
  const { gathered } = connection
  if (gathered !== undefined) sendRelease(connection, agent, gathered.acknowledgement)
}

/** The server has sent more than the client has, or has not answered yet. */
export function waitForAck(core: Core, connection: Connection): void {
  core.counters.busy++
  connection.isBusy = true
  connection.movedMs = core.loop.now()
}

/** The server is busy: whether it is time to ask again, or to give up. */
export function lookWhileBusy(core: Core, connection: Connection, agent: Agent): void {
  const now = core.loop.now()
  if (now - connection.busySinceMs > busy.waitMs) {
    fire(core, connection, 'too-busy')
    return
  }
  const isAnswered = connection.gathered?.acknowledgement !== connection.requestAck
  if (!isAnswered || now - connection.movedMs < busy.quietMs) return
  connection.isBusy = false
  connection.askedMs = now
  repeatRelease(connection, agent)
}

/** A packet of a connection that is being released. */
export function takeWhileReleasing(core: Core, connection: Connection, packet: ClientPacket): void {
  const { agent, gathered } = connection
  if (agent === undefined || gathered === undefined) return
  if (ahead(packet.acknowledgement, gathered.acknowledgement) > 0) connection.movedMs = core.loop.now()
  if (packet.payloadBytes > 0 || (packet.flags & TcpFlag.fin) !== 0) {
    // What is too much is dropped: the client repeats it.
    gathered.take(packet)
  } else {
    gathered.note(packet)
    sendPacket(connection, agent, packet)
  }
}

/** Nobody has it now: the owner of the request is to take it. */
export function handOverAgain(core: Core, connection: Connection): void {
  const { gathered, nextAgent } = connection
  if (gathered === undefined) return
  const nowMs = core.loop.now()
  if (connection.generation === 0) core.connections.number(connection)
  endReading(core, connection)
  connection.generation++
  connection.clientSequenceNext = plus(gathered.sequence, connection.requestBytes)
  connection.serverSequenceNext = gathered.acknowledgement
  connection.tsClient = gathered.tsVal
  connection.tsDirector = connection.timestampAt(nowMs, gathered.tsEcr)
  connection.setClock(nowMs, connection.tsDirector)
  connection.sendWindow = gathered.window * 2 ** connection.clientScale
  const isAll = connection.requestBytes === gathered.length
  connection.handoffFlags = isAll && gathered.finished ? HandoffFlags.clientFinished : 0
  connection.clientSequenceNext = plus(connection.clientSequenceNext, connection.handoffFlags)
  connection.forwardUntil = connection.generation === 1 ? connection.begin : connection.nextRequest
  connection.nextAgent = undefined
  assign(connection, nextAgent)
  const refusal = refusalOf(core, connection, nextAgent)
  if (refusal !== undefined) {
    core.counters.refusals[refusal]++
    fire(core, connection, 'refused')
    return
  }
  core.counters[connection.generation === 1 ? 'handoffs' : 'moves']++
  connection.requestAck = connection.serverSequenceNext
  core.awaitAnswer(connection)
}

/** Sends HANDOFF, unless there is nobody to send it to, or no entry to be had. */
function refusalOf(core: Core, connection: Connection, agent: Agent | undefined): 'silent' | 'noRoom' | undefined {
  if (agent === undefined) return 'silent'
  // What the client acknowledges goes to the owner, who is the only one to be acknowledged; the rest of what it sends comes to us until the owner has taken the connection.
  if (!connection.hasEntry && core.entries.give(connection, agent, 'split') !== 0) return 'noRoom'
  return sendAgain(core, connection, agent) ? undefined : 'silent'
}

/** HANDOFF with the request that was gathered. */
export function sendAgain({ vip }: Core, connection: Connection, agent: Agent): boolean {
  const { gathered, edited } = connection
  if (gathered === undefined) return false
  if (edited !== undefined) return sendHandoff(vip, connection, agent, edited, edited.length)
  return sendHandoff(vip, connection, agent, gathered.bytes, connection.requestBytes)
}

/** The new owner has taken it; what else was gathered follows. */
export function settleAgain(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent === undefined || gathered === undefined) return
  if (core.entries.isAbandoned(connection)) {
    fire(core, connection, 'replaced')
    return
  }
  gathered.skip(connection.requestBytes)
  connection.edited = undefined
  if (gathered.length === 0) {
    if (gathered.finished) connection.flagsSeen |= TcpFlag.fin
    discardGathered(connection)
  }
  giveWhole(core, connection, agent)
  follow(core, connection)
}

/** What is not a new request goes to the owner past us from now on. Of a first request of which all is here, nothing does. */
function giveWhole({ entries }: Core, connection: Connection, agent: Agent): void {
  const action = connection.state === 'forwarded' ? 'forward' : 'split'
  if (connection.generation > 1) entries.give(connection, agent, action)
  else if (connection.hasMore) {
    connection.forwardUntil = connection.nextRequest
    entries.give(connection, agent, action)
  }
}

/** The server is to end the connection after what it still has to say; the client repeats elsewhere what was not answered (RFC 9112 9.3.2). */
export function finish(core: Core, connection: Connection): void {
  const { agent, gathered } = connection
  if (agent === undefined || gathered === undefined) return
  sendEnd(connection, agent, gathered.sequence, gathered)
  connection.forwardUntil = gathered.sequence
  discardGathered(connection)
  core.entries.give(connection, agent, 'split')
}

/**
 * A packet of a connection whose server is to finish. More of the client's than its FIN would make the server's stack end the connection at once (RFC 9293 3.10.7.4). The client repeats what is
 * not answered, and we do: the FIN may have been lost.
 */
export function takeWhileFinishing(connection: Connection, packet: ClientPacket): void {
  const { agent } = connection
  if (agent === undefined) return
  if (packet.payloadBytes === 0) return sendPacket(connection, agent, packet)
  const { acknowledgement, window, options } = packet
  sendEnd(connection, agent, connection.forwardUntil, { acknowledgement, window, tsVal: options.tsVal, tsEcr: options.tsEcr })
}

/** The client has given up: its RST goes on, whoever waits for what. Where it has begun another connection by now, nothing may stand in that one's way. */
export function passAbort(core: Core, connection: Connection): void {
  const { agent } = connection
  const { packet } = core
  if (agent === undefined) return
  discardGathered(connection)
  if (core.openings.isThere(connection.flow)) {
    fire(core, connection, 'replaced')
    return
  }
  connection.flagsSeen |= TcpFlag.rst
  sendPacket(connection, agent, packet)
  core.entries.give(connection, agent, 'forward')
}
