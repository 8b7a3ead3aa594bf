/** What a client says on one connection, and what it hears. */

/** One step: bytes are sent, answers are waited for, time passes, the client ends its side. */
export interface Step {
  /** As latin1. */
  readonly send?: string
  /** So many bytes of zero are sent after it. */
  readonly zeros?: number
  /** Waits until so many responses are complete, of all of the connection. */
  readonly responses?: number
  readonly waitMs?: number
  readonly end?: 'fin' | 'reset'
}

/** A conversation on a connection of its own. */
export interface Conversation {
  readonly host: string
  readonly port: number
  readonly localPort?: number
  readonly steps: readonly Step[]
  /** Waits, after the steps, until the connection is over. */
  readonly untilEnd?: boolean
  /** All of it; default 10 s. */
  readonly timeoutMs?: number
}

/** A response as it came. */
export interface Heard {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly sha256: string
  readonly bytes: number
  /** The content, its first 200 bytes, as latin1. */
  readonly begin: string
  /** From the conversation's begin. */
  readonly firstByteMs: number
  readonly doneMs: number
}

/** What came of it. */
export interface Outcome {
  readonly heard: readonly Heard[]
  readonly localPort: number
  /** How the connection ended, if it did: by FIN, or an error (`ECONNRESET`); `timeout` when the conversation did not come to its end. */
  readonly ended: string
  readonly endedMs: number
}
