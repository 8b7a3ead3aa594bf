/** How an operation is kept in the store, and how it is told. */

import type { Operation } from '../core/core.ts'
import { ManagementError } from '../core/problems.ts'

/** The record of an operation: what everybody may see of it, and what its owner has to know. */
export interface OperationRecord {
  readonly shown: Operation
  /** Where it came from, for the audit log. */
  readonly address: string
  /** Of what `ActionContext.progress` said last. */
  readonly checkpoint?: unknown
  /** Numbers of its first and its latest event in the session's log. */
  readonly firstSequence: number
  readonly lastSequence: number
}

/** `data` of the event that tells an operation as it is. */
export function eventData(id: string, { shown, at }: { readonly shown: Operation; readonly at: string }): string {
  const { kind, target, request, state, percent, note, result, problem, recovery } = shown
  return JSON.stringify({ id, operation: shown.id, kind, target, request, state, percent, note, result, problem, recovery, at })
}

/** When an operation came to be as it is, as far as its record tells. */
export const timeOf = ({ endedAt, startedAt, createdAt }: Operation): string => endedAt ?? startedAt ?? createdAt

const partBytes = 256 * 1024
const noteLength = 200

/** How far an operation is, as an action says it. */
export interface Progress {
  readonly percent: number
  readonly note?: string
  readonly checkpoint?: unknown
}

/** What an action said, as far as it can be kept. Throws for a checkpoint that cannot. */
export function checkedProgress({ percent, note, checkpoint }: Progress): Progress {
  checkedResult(checkpoint)
  return {
    percent: Number.isNaN(percent) ? 0 : Math.round(Math.min(100, Math.max(0, percent)) * 10) / 10,
    ...(note !== undefined && { note: note.length > noteLength ? `${note.slice(0, noteLength)}…` : note }),
    ...(checkpoint !== undefined && { checkpoint }),
  }
}

/** What an operation came to, as JSON has it. Throws for what cannot be kept. */
export function checkedResult(result: unknown): unknown {
  const json = JSON.stringify(result ?? null)
  if (json.length > partBytes) throw new ManagementError('INTERNAL', `what the operation came to is too large to be kept: ${json.length} characters`)
  return JSON.parse(json)
}
