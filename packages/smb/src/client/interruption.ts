/** What callers learn of a connection that was lost: an event, and nothing else where it can be helped. */
import { NtStatus } from '../messages/index.ts'
import { SmbError } from './errors.ts'

/** A connection is lost, is back with all that was open, or will not come back. */
export interface Interruption {
  /** `lost` comes first; then `restored` or `given-up`. */
  readonly kind: 'lost' | 'restored' | 'given-up'
  readonly at: Date
  /** Tries to reconnect so far; 0 for `lost`. */
  readonly attempt: number
  /** Why it was lost; for `given-up` why the last try failed. */
  readonly cause: Error | undefined
  /** How long calls have been waiting, in ms; 0 for `lost`. */
  readonly pauseMs: number
}

/** A compound was under way when the connection was lost: whoever sent it knows whether it may be sent again. */
export class Interrupted extends SmbError {
  constructor(what: string, path: string | undefined) {
    super('OUTCOME_UNKNOWN', `${what}: the connection was lost before the answer came`, { path })
  }
}

/**
 * True when the server does not have what was open, and was not closed by us: it was lost with the connection, or a part of the server was
 * lost with it (FILE_CLOSED, on a connection that goes on). What was copied begins anew.
 */
export const isHandleLost = (error: unknown): boolean =>
  error instanceof SmbError && (error.code === 'HANDLE_LOST' || error.status === NtStatus.FILE_CLOSED)

/** True for what a loss of the connection, or of an open, did to one call, and not to the client. */
export const isInterruption = (error: unknown): boolean => error instanceof Interrupted || isHandleLost(error)

/** More interruptions of one call than this are somebody's intention. */
export const repeatsMax = 100

/** Calls, and calls again each time an interruption ends it; `repeats` says how often that was. For what can be begun anew. */
export async function acrossInterruptions<T>(call: (repeats: number) => Promise<T>): Promise<T> {
  for (let repeats = 0; ; repeats++) {
    try {
      return await call(repeats)
    } catch (error) {
      if (!isInterruption(error) || repeats === repeatsMax) throw error
    }
  }
}
