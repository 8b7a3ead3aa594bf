/** RELEASE: whether a connection can be taken from this server. */

import { AgentEntry, Answers, Asked } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { ReleaseFlags } from '../protocol/messages.ts'
import type { Release } from '../protocol/messages.ts'
import { isAnswered, isUnclear } from '../transform/answers.ts'
import { ahead, furthest } from '../transform/sequence.ts'
import type { Connection } from './connections.ts'
import { lastMsOf } from './expiry.ts'
import type { LifeCycleEvent } from './life-cycle.ts'

const at = offsetsOf(AgentEntry)

/** What a RELEASE says. */
type Asks = Pick<Release, 'clientAck' | 'flags'>

/** Where it can't be told whether the server has said all: it has, or pauses, when nothing has come for so long. */
const unclearMs = 500

/** Entries of a connection, as they are now: numbers of `out` are those that the client knows. */
export interface Entries {
  readonly out: Buffer
  readonly incoming: Buffer
}

/**
 * Which event a RELEASE is. The server must have answered, and said all of it, and the client must have all that it has sent: what is lost on its way can be repeated by
 * this server only. `entries` are undefined when that of the server's packets is gone.
 */
export function releaseEvent(connection: Connection, entries: Entries | undefined, { clientAck, flags }: Asks, nowMs: number): LifeCycleEvent {
  if ((flags & ReleaseFlags.reset) !== 0) return 'releaseReset'
  if ((flags & ReleaseFlags.finish) !== 0) return 'releaseFinish'
  if (entries === undefined) return 'release'
  const sentEnd = entries.out.readUInt32LE(at.sequenceEndMax)
  const hasBegun = connection.requestBytes === 0 || ahead(sentEnd, connection.serverSequenceNext) > 0
  if (!hasBegun || ahead(sentEnd, clientAck) > 0) return 'releaseEarly'
  if (!connection.injected.isKnown) return 'release'
  const answers = Answers.decode(entries.out.subarray(at.synAck))
  if (isUnclear(answers)) return nowMs - lastMsOf(entries.out) < unclearMs ? 'releaseEarly' : 'releaseUnclear'
  return isAllSaid(answers, connection, entries, sentEnd) ? 'release' : 'releaseEarly'
}

/** Whether the server has said all it has to say, as far as that is known. */
function isAllSaid(answers: Answers, { injected }: Connection, { out, incoming }: Entries, sentEnd: number): boolean {
  const seen = Asked.decode(incoming.subarray(at.synAck))
  const isHead = ahead(seen.end, injected.end) > 0 ? seen.isHead === 1 : injected.isHead
  return isAnswered(answers, { requests: seen.requests + injected.requests, isHead, sentEnd, flags: out.readUInt32LE(at.flagsSeen) })
}

/** Where the client's bytes end, as far as the server may have them: what came by the program, and what was injected. */
export const clientEndOf = (connection: Connection, incoming: Buffer | undefined): number =>
  incoming === undefined ? connection.injectedEnd : furthest(incoming.readUInt32LE(at.sequenceEndMax), connection.injectedEnd)

/** What the server has acknowledged last: the next number it expects, unless it has not said so yet. */
export const serverAckOf = (connection: Connection, out: Buffer | undefined): number =>
  out === undefined ? connection.injectedEnd : out.readUInt32LE(at.lastAck)
