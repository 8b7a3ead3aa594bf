import { reducedState } from './caching-states.ts'
import { leaseStates, type OpenStatus } from './types.ts'

/**
 * The one state machine of oplock and lease breaks (MS-SMB2 3.3.4.6, 3.3.4.7, 3.3.5.22; MS-FSA 2.1.5.17).
 *
 * A holder is `held`, or `breaking` while its client owes an acknowledgement. What it must come down to
 * (`required`) may fall further meanwhile; that is asked for after the acknowledgement, in a further break.
 */
export interface BreakState {
  phase: BreakPhase
  kind: 'oplock' | 'lease'
  /** What the client may rely on now. */
  state: number
  /** In `breaking`: what it was asked to come down to. */
  breakingTo: number
  /** In `breaking`: what it must come down to in the end. */
  required: number
}

export type BreakPhase = 'held' | 'breaking'
export type BreakEvent = 'break' | 'acknowledge' | 'timeout'

/** What follows from an event. */
export interface BreakOutcome {
  readonly status: OpenStatus
  /** Send a break notification. */
  readonly notice?: { readonly from: number; readonly to: number; readonly acknowledgementRequired: boolean }
  /** The holder was breaking and no longer is: who waited for it may try again. */
  readonly finished?: boolean
}

type Transition = (holder: BreakState, argument: number) => BreakOutcome

const { read, write, handle } = leaseStates
const nothing: BreakOutcome = { status: 'SUCCESS' }

/** Losing write or handle caching needs the client's doing, losing read caching does not. */
const needsAcknowledgement = (state: number): boolean => (state & (write | handle)) !== 0

const start = (holder: BreakState, to: number, required: number): BreakOutcome => {
  const from = holder.state
  if (needsAcknowledgement(from)) {
    holder.phase = 'breaking'
    holder.breakingTo = to
    holder.required = required
    return { status: 'SUCCESS', notice: { from, to, acknowledgementRequired: true } }
  }
  holder.phase = 'held'
  holder.state = to
  return { status: 'SUCCESS', notice: { from, to, acknowledgementRequired: false } }
}

const settleAt = (holder: BreakState, state: number): void => {
  holder.phase = 'held'
  holder.state = state
}

const beginBreak: Transition = (holder, keep) => {
  if ((holder.state & ~keep) === 0) return nothing
  const to = reducedState(holder.kind, holder.state & keep)
  return start(holder, to, to)
}

/** One break at a time: the next is sent when this one is acknowledged. */
const lowerRequirement: Transition = (holder, keep) => {
  holder.required = reducedState(holder.kind, holder.required & keep)
  return nothing
}

const acknowledge: Transition = (holder, state) => {
  const acknowledged = holder.kind === 'lease' ? state : oplockAcknowledgement(holder, state)
  if (acknowledged === undefined) {
    // A level that nobody may acknowledge with forfeits the oplock (MS-SMB2 3.3.5.22.1).
    settleAt(holder, 0)
    return { status: 'INVALID_OPLOCK_PROTOCOL', finished: true }
  }
  if ((acknowledged & ~holder.breakingTo) !== 0) return { status: 'REQUEST_NOT_ACCEPTED' }
  holder.state = reducedState(holder.kind, acknowledged)
  const left = reducedState(holder.kind, holder.state & holder.required)
  if (left === holder.state) {
    settleAt(holder, holder.state)
    return { status: 'SUCCESS', finished: true }
  }
  // Step by step: read caching is kept until handle and write caching are given up.
  const to = needsAcknowledgement(holder.state) ? reducedState(holder.kind, left | (holder.state & read)) : left
  const outcome = start(holder, to, left)
  return { ...outcome, finished: !needsAcknowledgement(outcome.notice!.from) }
}

/** Acknowledging a break to none with level II gives none; exclusive and batch cannot be acknowledged. */
const oplockAcknowledgement = (holder: BreakState, state: number): number | undefined =>
  state === 0 || state === read ? state & holder.breakingTo : undefined

/** As if acknowledged with none (MS-SMB2 3.3.6.1). */
const expire: Transition = holder => {
  settleAt(holder, 0)
  return { status: 'SUCCESS', finished: true }
}

/** An acknowledgement nobody asked for (MS-SMB2 3.3.5.22). */
const unasked: Transition = holder => ({ status: holder.kind === 'lease' ? 'UNSUCCESSFUL' : 'INVALID_OPLOCK_PROTOCOL' })

const ignored: Transition = () => nothing

const transitions: Readonly<Record<BreakPhase, Readonly<Record<BreakEvent, Transition>>>> = {
  held: { break: beginBreak, acknowledge: unasked, timeout: ignored },
  breaking: { break: lowerRequirement, acknowledge, timeout: expire },
}

/**
 * Applies an event: `break` with the state bits that may be kept, `acknowledge` with the acknowledged state
 * (of an oplock: that of its level), `timeout` without.
 */
export const applyBreakEvent = (holder: BreakState, event: BreakEvent, argument = 0): BreakOutcome =>
  transitions[holder.phase][event](holder, argument)
