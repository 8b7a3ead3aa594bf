/** An operation that has not ended, in the hands of its session's owner: what happens to it goes through the table, into the store, then on. */

import type { Timers } from '@holdfast/cluster'
import type { Audit } from '../audit/audit.ts'
import type { Operation } from '../core/core.ts'
import type { Journal, Refusal } from '../core/journal.ts'
import { keys, toJson } from '../core/keys.ts'
import { knownProblemOf, ManagementError, problemOf } from '../core/problems.ts'
import type { Problem } from '../core/problems.ts'
import type { Writes } from '../core/writes.ts'
import type { SessionLog } from '../events/log.ts'
import type { ActionContext } from './actions.ts'
import { checkedProgress, checkedResult, eventData } from './record.ts'
import type { OperationRecord, Progress } from './record.ts'
import { isEnded, transitionOf } from './states.ts'
import type { OperationEvent, OperationState } from './states.ts'
import { lineOf } from './targets.ts'
import type { AnyAsked } from './targets.ts'

/** An action, whatever its kind. */
export interface AnyAction {
  check?(asked: AnyAsked): Promise<void> | void
  run(asked: AnyAsked, context: ActionContext): Promise<unknown>
  undo?(asked: AnyAsked, context: ActionContext): Promise<void>
}

/** What operations need of their worker. */
export interface OperationHost {
  readonly journal: Journal
  readonly audit: Audit
  readonly timers: Timers
  readonly wallClock: () => number
  readonly now: () => string
  /** Milliseconds between two events about progress, as things are. */
  readonly progressMs: () => number
  /** Undefined when the session has ended. */
  readonly logOf: (session: string) => SessionLog | undefined
  readonly log: (level: string, message: string, fields: Readonly<Record<string, unknown>>) => void
  /** Aborted when the worker stops: what runs shall stop, and is taken up by the next one. */
  readonly closing: AbortSignal
}

/** What came of an operation's turn: it has ended, something else has its target (as of that revision), or the worker stops. */
export type Turn = { readonly blockedAt: number } | 'ended' | 'stopped'

/** Who asks for a cancellation. */
export interface Canceller {
  readonly user: string
  readonly session: string
  readonly address: string
}

const auditOutcome = { succeeded: 'done', failed: 'failed', cancelled: 'cancelled' } as const

/** See the top of the file. */
export class LiveOperation {
  readonly #host: OperationHost
  readonly #action: AnyAction
  readonly #asked: AnyAsked
  /** What it waits in; see `Lines`. */
  readonly line: string
  #record: OperationRecord
  /** The target is this one's, in the store. */
  #holdsTarget: boolean
  /** It ran before, in the hands of somebody who died. */
  #again = false
  readonly #cancelled = new AbortController()
  /** It is being written that it begins. */
  #claiming: Promise<unknown> | undefined
  /** How often its state has changed here. */
  #changes = 0
  /** `progress` said more than is on the way to the store. */
  #isDirty = false
  #told: { percent: number; note: string | undefined; atMs: number } = { percent: 0, note: undefined, atMs: -Infinity }
  #cancelTelling: (() => void) | undefined
  readonly #ended = Promise.withResolvers<void>()

  constructor(host: OperationHost, options: { readonly record: OperationRecord; readonly action: AnyAction; readonly asked: AnyAsked }) {
    this.#host = host
    this.#record = options.record
    this.#action = options.action
    this.#asked = options.asked
    this.line = lineOf(options.record.shown.target)
    this.#holdsTarget = this.state === 'running' || this.state === 'cancelling'
  }

  get shown(): Operation {
    return this.#record.shown
  }

  get state(): OperationState {
    return this.shown.state
  }

  get isEnded(): boolean {
    return isEnded(this.state)
  }

  get holdsTarget(): boolean {
    return this.#holdsTarget
  }

  /** Puts the record and an event that tells it. */
  write(writes: Writes): void {
    this.#writeAs(writes, this.shown)
  }

  /** What the worker before has left is told. */
  async restart(): Promise<void> {
    const { next, action } = transitionOf(this.state, 'restart')
    if (action === 'queue') return
    this.#again = true
    await this.#change({ state: next, recovery: action === 'undo-again' ? 'rolled-back' : 'resumed' })
  }

  /** Its turn has come. Resolves when it is over. Rejects when the journal does. */
  async begin(): Promise<Turn> {
    if (this.state === 'queued') {
      const claimed = this.#claim()
      this.#claiming = claimed
      const refusal = await claimed.finally(() => (this.#claiming = undefined))
      if (refusal !== undefined) return { blockedAt: refusal.revision }
    }
    // It may have been cancelled while it waited.
    if (!this.isEnded) await (this.state === 'cancelling' ? this.#undo() : this.#run())
    if (!this.isEnded) return 'stopped'
    await this.#ended.promise
    return 'ended'
  }

  /** Resolves when it is in the store that it is cancelled, or being cancelled. Rejects with `OPERATION_ENDED`, `NOT_CANCELLABLE`. */
  async cancel(by: Canceller): Promise<Operation> {
    await this.#claiming?.catch(() => undefined)
    const { next, action } = transitionOf(this.state, this.#action.undo === undefined ? 'cancel-uncancellable' : 'cancel')
    if (action === 'refuse') throw refusalOf(this.state)
    const audit = (writes: Writes): void => {
      this.#host.audit.write(writes, {
        ...by,
        action: 'operation.cancel',
        target: `/v1/operations/${this.shown.id}`,
        outcome: 'done',
        operation: this.shown.id,
      })
    }
    if (action === 'end') await this.#end(next, {}, audit)
    else if (action === 'stop') {
      const written = this.#change({ state: next, ...(this.#again && { recovery: 'rolled-back' }) }, audit)
      this.#cancelled.abort(new ManagementError('CANCELLED', 'The operation was cancelled.'))
      await written
    }
    return this.shown
  }

  /** Takes the target, unless somebody has it. */
  async #claim(): Promise<Refusal | undefined> {
    const key = keys.target(this.line)
    const shown: Operation = { ...this.shown, state: transitionOf(this.state, 'start').next, startedAt: this.#host.now() }
    const refusal = await this.#host.journal.write({
      expects: { key, modRevision: 0 },
      write: writes => {
        writes.put(key, Buffer.from(shown.id))
        this.#writeAs(writes, shown)
      },
    })
    if (refusal !== undefined) return refusal
    this.#record = { ...this.#record, shown }
    this.#holdsTarget = true
    return undefined
  }

  async #run(): Promise<void> {
    let event: OperationEvent = 'done'
    let outcome: Partial<Operation>
    try {
      outcome = { percent: 100, result: checkedResult(await this.#action.run(this.#asked, this.#context(this.#signal()))) }
    } catch (error) {
      if (this.#host.closing.aborted) return
      event = 'failed'
      outcome = { problem: this.#problemOf(error) }
    }
    const { next, action } = transitionOf(this.state, event)
    await (action === 'undo' ? this.#undo() : this.#end(next, outcome))
  }

  async #undo(): Promise<void> {
    let event: OperationEvent = 'undone'
    let outcome: Partial<Operation> = {}
    try {
      await this.#action.undo?.(this.#asked, this.#context(this.#host.closing))
    } catch (error) {
      if (this.#host.closing.aborted) return
      event = 'undo-failed'
      outcome = { problem: this.#problemOf(error) }
    }
    await this.#end(transitionOf(this.state, event).next, outcome)
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#cancelled.signal, this.#host.closing])
  }

  #context(signal: AbortSignal): ActionContext {
    const { checkpoint } = this.#record
    return { again: this.#again, checkpoint, signal, user: this.shown.user, progress: at => this.#progress(at) }
  }

  #problemOf(error: unknown): Problem {
    if (knownProblemOf(error) === undefined) {
      const { id, kind, target } = this.shown
      this.#host.log('error', 'operation failed', { operation: id, kind, target, error: error instanceof Error ? error.stack : String(error) })
    }
    return { ...problemOf(error), operation: this.shown.id }
  }

  async #end(state: OperationState, outcome: Partial<Operation>, more?: (writes: Writes) => void): Promise<void> {
    await this.#change({ ...outcome, state, endedAt: this.#host.now() }, writes => {
      const { id, session, user, kind, target, problem } = this.shown
      writes.delete(keys.pendingOne(session, id))
      if (this.#holdsTarget) writes.delete(keys.target(this.line))
      more?.(writes)
      this.#host.audit.write(writes, {
        user,
        session,
        address: this.#record.address,
        action: kind,
        target,
        outcome: auditOutcome[state as keyof typeof auditOutcome], // the states that are an end
        operation: id,
        ...(problem !== undefined && { detail: `${problem.code}: ${problem.detail}` }),
      })
    })
    this.#ended.resolve()
  }

  /** The state as it is from now on; resolves when it is in the store. */
  async #change(change: Partial<Operation>, more?: (writes: Writes) => void): Promise<void> {
    const shown = { ...this.shown, ...change }
    this.#record = { ...this.#record, shown }
    this.#changes++
    // What `progress` said before is told along.
    this.#isDirty = false
    await this.#host.journal.write({
      write: writes => {
        this.#writeAs(writes, shown)
        more?.(writes)
      },
    })
  }

  #writeAs(writes: Writes, shown: Operation): void {
    const log = this.#host.logOf(shown.session)
    const at = this.#host.now()
    const sequence = log?.append(writes, id => eventData(id, { shown, at }))
    if (sequence !== undefined) {
      const { firstSequence } = this.#record
      this.#record = { ...this.#record, firstSequence: isFirst(shown) ? sequence : firstSequence, lastSequence: sequence }
    }
    const former = this.#told
    writes.whenDropped(() => (this.#told = former))
    this.#told = { percent: shown.percent, note: shown.note, atMs: this.#host.wallClock() }
    writes.put(keys.operation(shown.id), toJson({ ...this.#record, shown } satisfies OperationRecord))
  }

  #progress(at: Progress): void {
    if (transitionOf(this.state, 'progress').action !== 'tell') return
    const { percent, note, checkpoint } = checkedProgress(at)
    const { note: _former, ...shown } = this.shown
    this.#record = {
      ...this.#record,
      shown: { ...shown, percent, ...(note !== undefined && { note }) },
      ...(checkpoint !== undefined && { checkpoint }),
    }
    this.#isDirty = true
    if (this.#cancelTelling !== undefined) return
    const delayMs = Math.max(0, this.#told.atMs + this.#host.progressMs() - this.#host.wallClock())
    this.#cancelTelling = this.#host.timers.schedule(delayMs, () => void this.#tellProgress())
  }

  async #tellProgress(): Promise<void> {
    const write = (writes: Writes): void => {
      if (!this.#isDirty) return
      this.#isDirty = false
      const changes = this.#changes
      writes.whenDropped(() => (this.#isDirty ||= changes === this.#changes))
      const { percent, note } = this.shown
      if (percent === this.#told.percent && note === this.#told.note) writes.put(keys.operation(this.shown.id), toJson(this.#record))
      else this.write(writes)
    }
    // A journal that ends has said so to everybody.
    await this.#host.journal.write({ write }).catch(() => undefined)
    this.#cancelTelling = undefined
  }
}

/** As the receipt tells it. */
const isFirst = ({ state, startedAt }: Operation): boolean => state === 'queued' && startedAt === undefined

function refusalOf(state: OperationState): ManagementError {
  if (isEnded(state)) return new ManagementError('OPERATION_ENDED', `The operation has ended: it is ${state}.`)
  return new ManagementError('NOT_CANCELLABLE', 'An operation of this kind cannot be cancelled once it runs.')
}
