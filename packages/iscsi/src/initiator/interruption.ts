/** What callers learn of a connection that was lost: an event, and nothing else where it can be helped. */

/** A connection is lost, everything is as before, or it will not be again. */
export interface Interruption {
  /** `lost` comes first; then `restored` or `given-up`. */
  readonly kind: 'lost' | 'restored' | 'given-up'
  readonly at: Date
  /** What is made anew: one connection with its tasks (error recovery level 2), or all of the session. */
  readonly scope: 'connection' | 'session'
  /** Tries to reconnect so far; 0 for `lost`. */
  readonly attempt: number
  /** Why it was lost; for `given-up` why the last try failed. */
  readonly cause: Error | undefined
  /** How long commands have been waiting, in ms; 0 for `lost`. */
  readonly pauseMs: number
}
