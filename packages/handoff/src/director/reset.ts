/** The end of connections whose owner is lost: their clients are told. */
import { sendRelease } from './handoff-message.ts'
import type { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { forget } from './expiry.ts'

/** RST to the client, and the entry is removed. What the client has acknowledged last is what it expects next. */
export function reset(core: Core, connection: Connection): void {
  const { gathered, agent } = connection
  const seen = core.entries.seen(connection)
  const sequence = gathered?.acknowledgement ?? seen?.lastAck ?? connection.serverSequenceNext
  const acknowledgement = gathered?.end ?? seen?.lastSequenceEnd ?? connection.clientSequenceNext
  core.counters.reset++
  core.raw.reset(connection.flow, sequence, acknowledgement)
  if (agent !== undefined) sendRelease(connection, agent, sequence, 'reset')
  forget(core, connection)
}
