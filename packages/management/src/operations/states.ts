/** The life of an operation as a table: state x event -> next state, and what is done about it. */

import type { z } from 'zod'
import type { OperationState as Schema } from '../api/schemas.ts'

/** A state, as the API shows it. */
export type OperationState = z.output<typeof Schema>

/** What happens to an operation. `cancel-uncancellable`: somebody cancels one whose action cannot be undone. `restart`: the worker that had it died. */
export const operationEvents = ['start', 'progress', 'done', 'failed', 'cancel', 'cancel-uncancellable', 'undone', 'undo-failed', 'restart'] as const
/** One of them. */
export type OperationEvent = (typeof operationEvents)[number]

/**
 * What is done with an event. `queue`: it waits for its turn, as it has done nothing yet. `tell`: how far it is. `stop`: its signal is aborted. `refuse`: whoever
 * asked for it hears why not. `end`: its outcome is told, and it goes.
 */
export type OperationAction = 'none' | 'queue' | 'run' | 'run-again' | 'tell' | 'stop' | 'undo' | 'undo-again' | 'end' | 'refuse'

/** A cell of the table. */
export interface Transition {
  readonly next: OperationState
  readonly action: OperationAction
}

const to = (next: OperationState, action: OperationAction): Transition => ({ next, action })

const ended = (state: OperationState): Partial<Record<OperationEvent, Transition>> => ({
  // An action may speak after its end.
  progress: to(state, 'none'),
  cancel: to(state, 'refuse'),
  'cancel-uncancellable': to(state, 'refuse'),
})

/** What is not in the table can't happen. An outcome that comes after the cancellation is not one: what was done is undone. */
export const operationTransitions: Readonly<Record<OperationState, Partial<Record<OperationEvent, Transition>>>> = Object.freeze({
  queued: {
    start: to('running', 'run'),
    cancel: to('cancelled', 'end'),
    'cancel-uncancellable': to('cancelled', 'end'),
    restart: to('queued', 'queue'),
  },
  running: {
    progress: to('running', 'tell'),
    done: to('succeeded', 'end'),
    failed: to('failed', 'end'),
    cancel: to('cancelling', 'stop'),
    'cancel-uncancellable': to('running', 'refuse'),
    restart: to('running', 'run-again'),
  },
  cancelling: {
    progress: to('cancelling', 'tell'),
    done: to('cancelling', 'undo'),
    failed: to('cancelling', 'undo'),
    cancel: to('cancelling', 'none'),
    undone: to('cancelled', 'end'),
    'undo-failed': to('failed', 'end'),
    restart: to('cancelling', 'undo-again'),
  },
  succeeded: ended('succeeded'),
  failed: ended('failed'),
  cancelled: ended('cancelled'),
})

/** What follows an event. */
export function transitionOf(state: OperationState, event: OperationEvent): Transition {
  const transition = operationTransitions[state][event]
  if (transition === undefined) throw new Error(`operation: ${event} in state ${state}`)
  return transition
}

/** No event changes it any more. */
export const isEnded = (state: OperationState): boolean => state === 'succeeded' || state === 'failed' || state === 'cancelled'
