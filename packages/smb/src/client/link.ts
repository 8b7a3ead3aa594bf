/**
 * A client's link to its server, over many connections: reconnects when one is lost, logs in, has opens again, and replays (MS-SMB2 3.2.7.1).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { rejectBatch, rejectPending, dropPending } from './batches.ts'
import type { Batch, Pending, Rescuer } from './batches.ts'
import type { Connection } from './connection.ts'
import { SmbError } from './errors.ts'
import type { SmbErrorCode } from './errors.ts'
import { Interrupted } from './interruption.ts'
import type { Interruption } from './interruption.ts'
import type { Negotiated } from './negotiate.ts'
import { reclaim } from './reclaim.ts'
import type { RemoteOpen } from './remote-open.ts'
import { openOf, verdictOf } from './replay.ts'
import type { Verdict } from './replay.ts'
import type { Session } from './session.ts'
import { linkStates, nextLinkState } from './states.ts'
import type { LinkEvent, LinkState } from './states.ts'
import type { Tree } from './tree.ts'

/** Connects and negotiates, as the first time. */
export type Dial = (how: {
  readonly signal: AbortSignal
  readonly channelSequence: number
}) => Promise<{ readonly connection: Connection; readonly negotiated: Negotiated }>

/** What a link is made with. */
export interface LinkOptions {
  readonly dial: Dial
  /** How long a loss is repaired, in ms; 0: it is not. */
  readonly reconnectMs: number
  readonly onInterruption?: ((event: Interruption) => void) | undefined
  /** Monotonic, in ms. */
  readonly clock?: () => number
}

/** The pause after the first try, which comes at once; each one after it is twice as long. */
export const firstPauseMs = 50
/** Longest pause between two tries. */
export const longestPauseMs = 1000

/** The pause behind a try, in ms: none behind the one before the first. */
export const pauseAfter = (attempt: number): number => (attempt === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt - 1, 10)))

/** What trying again makes no better: a refusal, and somebody in the middle. */
const finalCodes: ReadonlySet<SmbErrorCode> = new Set<SmbErrorCode>([
  'LOGON_FAILURE',
  'GUEST_REFUSED',
  'NEGOTIATION_FAILED',
  'NEGOTIATION_TAMPERED',
  'ENCRYPTION_NOT_SUPPORTED',
  'SIGNATURE_INVALID',
  'MALFORMED',
])
const isFinal = (error: unknown): boolean => error instanceof SmbError && finalCodes.has(error.code)
const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** See the file. */
export class Link implements Rescuer {
  /** What is connected anew after a loss. */
  readonly trees = new Set<Tree>()
  /** What is asked for, and may be open already. */
  readonly opening = new Set<RemoteOpen>()
  /** What is open. */
  readonly opens = new Set<RemoteOpen>()
  readonly reconnectMs: number
  readonly #session: Session
  readonly #dial: Dial
  readonly #onInterruption: LinkOptions['onInterruption']
  readonly #clock: () => number
  readonly #closing = new AbortController()
  #state: LinkState = 'connected'
  #held: Batch[] = []
  #isLeaving = false
  #error = new SmbError('CONNECTION_LOST', 'the connection is lost')
  #channelSequence = 0

  constructor(session: Session, options: LinkOptions) {
    this.#session = session
    this.#dial = options.dial
    this.reconnectMs = options.reconnectMs
    this.#onInterruption = options.onInterruption
    this.#clock = options.clock ?? (() => performance.now())
    session.link = this
    session.connection.rescuedBy(this)
  }

  get state(): LinkState {
    return this.#state
  }

  suspected(isSuspect: boolean): void {
    this.#go(isSuspect ? 'silence' : 'sound')
  }

  rescue(error: SmbError, batches: readonly Batch[]): boolean {
    // What ends otherwise was ended by us, or because of somebody in the middle: that is not repaired.
    if (this.#state === 'closed' || this.#state === 'given-up') return false
    this.#held = [...batches, ...this.#held]
    for (const batch of batches) batch.keeper = this
    if (error.code !== 'CONNECTION_LOST' || this.reconnectMs === 0 || this.#isLeaving) {
      this.#end(error)
      return true
    }
    this.#go('lose')
    for (const open of this.opens) open.go('interrupt')
    this.#tell({ kind: 'lost', attempt: 0, cause: error, pauseMs: 0 })
    void this.#recover(error)
    return true
  }

  hold(batch: Batch): boolean {
    if (linkStates[this.#state].holds) {
      batch.keeper = this
      this.#held.push(batch)
    } else {
      rejectBatch(batch, this.#error)
    }
    return true
  }

  abandon(batch: Batch, pending: Pending, reason: unknown): void {
    const index = this.#held.indexOf(batch)
    if (index >= 0) this.#held.splice(index, 1)
    dropPending(pending, reason)
  }

  /** Ends all because of what came from the server. */
  fail(error: SmbError): void {
    this.#session.connection.fail(error)
    if (linkStates[this.#state].holds) this.#end(error)
  }

  /** A loss from now on is not repaired: all that is left to do is to say goodbye. */
  leave(): void {
    this.#isLeaving = true
  }

  /** Ends all; what is under way, or waits, is rejected with `CLOSED`. */
  close(): void {
    this.#go('close')
    this.#closing.abort(new SmbError('CLOSED', 'the client was closed'))
    this.#error = new SmbError('CLOSED', 'the connection was closed')
    this.#session.connection.close()
    this.#reject(this.#error)
  }

  #go(event: LinkEvent): void {
    this.#state = nextLinkState(this.#state, event)
  }

  #tell(event: Omit<Interruption, 'at'>): void {
    const tell = this.#onInterruption
    // In a turn of its own: what it throws is its own business.
    if (tell !== undefined) queueMicrotask(() => tell({ ...event, at: new Date() }))
  }

  #reject(error: SmbError): void {
    const held = this.#held
    this.#held = []
    for (const batch of held) rejectBatch(batch, error)
  }

  #end(error: SmbError): void {
    this.#go('give-up')
    this.#error = error
    for (const open of this.opens) open.lose(error)
    this.#reject(error)
  }

  /** Tries until it is back, patience is over, or trying makes no sense. */
  async #recover(cause: SmbError): Promise<void> {
    const beganMs = this.#clock()
    const waited = (): number => Math.round(this.#clock() - beganMs)
    let last: Error = cause
    let attempt = 0
    while (!isFinal(last) && (attempt === 0 || waited() < this.reconnectMs)) {
      const remainingMs = Math.max(1, Math.ceil(this.reconnectMs - waited()))
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(remainingMs)])
      try {
        await sleep(Math.min(pauseAfter(attempt), remainingMs), undefined, { signal: this.#closing.signal })
        attempt++
        await this.#attempt(signal)
        return this.#tell({ kind: 'restored', attempt, cause, pauseMs: waited() })
      } catch (error) {
        if (this.#state === 'closed' || this.#state === 'given-up') return
        if (this.#state !== 'reconnecting') this.#go('lose')
        for (const open of this.opens) open.go('interrupt')
        last = asError(error)
      }
    }
    this.#end(new SmbError('CONNECTION_LOST', `${cause.message}; reconnecting failed for ${waited()} ms: ${last.message}`, { cause: last }))
    this.#tell({ kind: 'given-up', attempt, cause: last, pauseMs: waited() })
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const session = this.#session
    // 16 bits; a server compares by the difference.
    this.#channelSequence = (this.#channelSequence + 1) & 0xffff
    const { connection, negotiated } = await this.#dial({ signal, channelSequence: this.#channelSequence })
    try {
      checkSame(session.negotiated, negotiated)
      await session.renew(connection, negotiated, signal)
      this.#go('log-in')
      await Promise.all(Array.from(this.trees, tree => tree.renew(connection, signal)))
      await Promise.all(Array.from(this.opens, open => reclaim(open, connection, signal)))
      if (connection.state !== 'ready' && connection.state !== 'suspect') throw new SmbError('CONNECTION_LOST', 'the connection is lost again')
      const refused = Array.from(this.opens).find(open => open.state === 'interrupted')
      // Left, as `reclaim` says; once for all that was refused.
      if (refused !== undefined) throw new SmbError('CONNECTION_LOST', `the server did not give back '${refused.path}'`, { cause: refused.refusal })
      this.#go('restore')
    } catch (error) {
      connection.close()
      throw error
    }
    session.connection = connection
    connection.rescuedBy(this)
    this.#replay(connection)
  }

  #replay(connection: Connection): void {
    const held = this.#held
    this.#held = []
    this.#go('replay')
    for (const batch of held) replayActions[verdictOf(batch)](batch, connection)
  }
}

/** What the requests that wait were made for must be what the server still grants. */
function checkSame(before: Negotiated, now: Negotiated): void {
  const isSame =
    before.revision === now.revision &&
    (before.cipher === undefined || now.cipher !== undefined) &&
    now.maxReadBytes >= before.maxReadBytes &&
    now.maxWriteBytes >= before.maxWriteBytes &&
    now.maxTransactBytes >= before.maxTransactBytes
  if (!isSame) throw new SmbError('NEGOTIATION_FAILED', 'the server is not what it was before: another dialect, or smaller messages')
}

/** Verdict -> what is done. */
const replayActions: Readonly<Record<Verdict, (batch: Batch, connection: Connection) => void>> = Object.freeze({
  send(batch: Batch, connection: Connection) {
    const lost = lostTreeOf(batch)
    if (lost === undefined) connection.adopt(batch, false)
    else rejectBatch(batch, lost)
  },
  replay(batch: Batch, connection: Connection) {
    const lost = lostTreeOf(batch)
    if (lost === undefined) connection.adopt(batch, true)
    else rejectBatch(batch, lost)
  },
  done({ pendings }: Batch) {
    for (const pending of pendings) {
      pending.record.message?.release()
      pending.isDone = true
      pending.resolve({ status: 0, value: undefined })
    }
  },
  lost({ pendings }: Batch) {
    for (const pending of pendings) rejectPending(pending, openOf(pending.record)!.error!)
  },
  interrupted({ pendings }: Batch) {
    for (const pending of pendings) if (!pending.isDone) dropPending(pending, new Interrupted(pending.record.operation.name, pending.record.path))
  },
})

const lostTreeOf = ({ pendings }: Batch): SmbError | undefined => (pendings[0].record.scope as { readonly lost?: SmbError }).lost
