/** What callers learn of a connection that was lost: an event, and nothing else where it can be helped. */
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

/** True for what a loss of the connection did to one call, and not to the client. */
export const isInterruption = (error: unknown): boolean => error instanceof Interrupted || (error instanceof SmbError && error.code === 'HANDLE_LOST')

/** True when the server did not keep what was open: what was copied begins anew. */
export const isHandleLost = (error: unknown): boolean => error instanceof SmbError && error.code === 'HANDLE_LOST'

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
