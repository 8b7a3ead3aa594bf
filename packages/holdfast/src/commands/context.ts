/** What a command has of the process it runs in; tests give their own. */

import { once } from 'node:events'
import type { ConnectRemote } from '../remote/remote.ts'

export interface CommandContext {
  readonly out: NodeJS.WritableStream
  readonly err: NodeJS.WritableStream
  readonly environment: Record<string, string | undefined>
  readonly cwd: string
  /** True where stderr is a terminal: progress bars, colours. */
  readonly terminal: boolean
  readonly columns: () => number
  /** Where a person can be asked. */
  readonly prompt?: (question: string) => Promise<string>
  /** Asks a person yes or no, with one key; false when `signal` says that the question is moot, undefined at Ctrl-C. */
  readonly confirm?: (question: string, signal: AbortSignal) => Promise<boolean | undefined>
  /** Who takes SIGINT gets it until they give it back; `signal` is not aborted by it meanwhile. */
  readonly interrupts?: { readonly take: (handler: () => void) => Disposable }
  /** Colours on stdout are seen by somebody. */
  readonly colours?: boolean
  readonly connect: ConnectRemote
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

/** Writes and waits while the reader is slow. */
export async function writeAll(stream: NodeJS.WritableStream, bytes: string | Uint8Array): Promise<void> {
  if (!stream.write(bytes)) await once(stream, 'drain')
}

/** One line of JSON, for scripts. */
export const writeJson = (stream: NodeJS.WritableStream, value: unknown): Promise<void> => writeAll(stream, `${JSON.stringify(value)}\n`)

/** A name from elsewhere cannot move the cursor or colour the terminal. */
export const printable = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?')

/** A command could not do what it was asked: one line for people, exit 1. */
export class CommandError extends Error {
  readonly code: string
  constructor(message: string, code = 'COMMAND', options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
    this.code = code
  }
}
