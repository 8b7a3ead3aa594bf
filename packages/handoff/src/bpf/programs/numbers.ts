/** Numbers of a TCP header, sequence numbers and timestamps: as the entry says. */

import { r1, r2 } from '../assembler/index.ts'
import type { Place } from '../assembler/index.ts'
import type { AgentEntry } from '../entries.ts'
import { agentField } from './context.ts'
import type { Context } from './context.ts'

/** Bytes of NOP NOP timestamps. */
export const timestampsGroup = 12

/** Fields of the entry that are added. */
export type Added = Extract<keyof AgentEntry, `add${string}`>

/** Adds what the entry says to a number of 32 bits at a place that is known. */
export function addTo({ a }: Context, place: Place, what: Added): void {
  a.ldxw(r1, place)
  a.be32(r1)
  a.ldxw(r2, agentField(what))
  a.add32(r1, r2)
  a.be32(r1)
  a.stw(place, r1)
}
