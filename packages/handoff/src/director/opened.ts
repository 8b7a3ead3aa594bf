/**
 * The first request of a connection that the program has opened: its packets come up, and it is handed over from here. When nobody takes it, it is put into our own stack (`restoreAndProxy`), which
 * has never heard of it before.
 */
import { plus, TcpFlag } from '../transform/index.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { fire } from './core.ts'
import { editGathered, note } from './following.ts'
import { hasMore } from './hand-over.ts'
import { beginGathering, discardGathered } from './gathered.ts'
import type { Gathered } from './gathered.ts'
import type { Event } from './life-cycle.ts'
import { readingMax } from './listener.ts'
import { readStretch } from './requests.ts'
import type { Stretch } from './requests.ts'

/** A packet of no connection that is known here. False: the program has not opened it either. */
export function takeOpening(core: Core, packet: ClientPacket): boolean {
  const connection = core.openings.take(packet)
  if (connection === 'late' || connection === 'none') return connection === 'late'
  core.counters.accepted++
  core.connections.add(connection)
  takeFirst(core, connection, packet)
  return true
}

/** A packet of a connection whose first head is not complete. Some may be late ones of another connection from the same port: they acknowledge what has not been said, or reset what is not here (RFC 5961 3.2). */
export function takeFirst(core: Core, connection: Connection, packet: ClientPacket): void {
  if ((packet.flags & TcpFlag.rst) !== 0) {
    if (packet.sequence === connection.clientSequenceNext) fire(core, connection, 'aborted')
    return
  }
  if (packet.acknowledgement !== connection.serverSequenceNext) return
  const gathered = connection.gathered ?? beginGathering(connection, connection.begin, core.loop.now())
  const isTaken = gathered.take(packet)
  noteState(core, connection, gathered)
  if (isTaken) look(core, connection, gathered)
  else fire(core, connection, 'unfit')
}

/** What our stack would have to know. */
function noteState(core: Core, connection: Connection, gathered: Gathered): void {
  connection.clientSequenceNext = gathered.end
  connection.tsClient = gathered.tsVal
  connection.tsDirector = connection.timestampAt(core.loop.now(), gathered.tsEcr)
  connection.sendWindow = gathered.window * 2 ** connection.clientScale
}

function look(core: Core, connection: Connection, gathered: Gathered): void {
  const stretch = readStretch(gathered.bytes, 0, gathered.length, core.mode, core.choose)
  const event = eventOf(core, gathered, stretch)
  if (event === 'request') plan(connection, gathered, stretch)
  fire(core, connection, event)
}

function eventOf({ counters }: Core, { finished }: Gathered, { kind, agent }: Stretch): Event {
  if (kind === 'requests') return agent === undefined ? 'unfit' : 'request'
  if (kind === 'bad') return 'unfit'
  if (finished || counters.reading >= readingMax) return 'left'
  return 'partial'
}

/** What is handed over, and where the next request begins. */
function plan(connection: Connection, gathered: Gathered, stretch: Stretch): void {
  note(connection, stretch, gathered.sequence)
  connection.knowsNextRequest = true
  connection.nextAgent = stretch.agent
  connection.requestBytes = stretch.bytes
  connection.hasMore = hasMore(stretch, gathered.length)
  if (stretch.mustClose) editGathered(connection, gathered, stretch)
}

/** A part of a head is here: the client is told so when the rest does not follow at once, and the head is given up when it never does. */
export function gatherFirst(core: Core, connection: Connection): void {
  if (!isPartial(connection)) core.counters.reading++
  core.awaitAnswer(connection)
  core.checkLater(connection)
}

/** A head that has come in part is looked at again later, and that is in no other state before the first hand-off. */
const isPartial = ({ generation, checkMs }: Connection): boolean => generation === 0 && checkMs > 0

/** The head is not waited for any more, whatever comes now. */
export function endReading(core: Core, connection: Connection): void {
  if (isPartial(connection)) core.counters.reading--
}

/** The client has gone before there was a request, or there are too many that say nothing: its FIN is answered by ours, anything else by a RST (RFC 9293 3.6). */
export function closeOpened(core: Core, connection: Connection): void {
  const { gathered, serverSequenceNext } = connection
  core.counters.dropped++
  if (gathered?.finished === true) core.raw.finish(connection, plus(gathered.end, 1), serverSequenceNext, connection.tsDirector, gathered.tsVal)
  else core.raw.reset(connection.flow, serverSequenceNext, connection.clientSequenceNext)
  forgetOpened(core, connection)
}

/** The client has reset it. */
export function forgetOpened(core: Core, connection: Connection): void {
  endReading(core, connection)
  discardGathered(connection)
  core.connections.remove(connection)
}
