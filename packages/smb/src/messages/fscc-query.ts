/** One rule for all queries of information classes: what a class needs, and what happens when the client's buffer is too small (MS-SMB2 3.3.5.20). */
import { NtStatus } from './nt-status.ts'

/** What a server must have at hand before a class can be encoded. */
export type Need = 'info' | 'streams' | 'extended-attributes' | 'links' | 'volume'

/** An information class that can be queried. */
export interface QueryRow<Source> {
  readonly name: string
  /** A smaller OutputBufferLength is STATUS_INFO_LENGTH_MISMATCH. */
  readonly minBytes: number
  /** All of these must be in the open's granted access, else ACCESS_DENIED (MS-FSA 2.1.5.12). */
  readonly access: number
  readonly needs: readonly Need[]
  /** Least dialect; STATUS_NOT_SUPPORTED below. 0 for all. */
  readonly dialect: number
  /**
   * What a buffer gets that has room for the least but not for all: the first bytes, whatever they are (`cut`), or whole
   * entries (`entries`); BUFFER_OVERFLOW both times. Where not even one entry has room: BUFFER_TOO_SMALL (`entries`), or as
   * `cut` (`entries-or-cut`).
   */
  readonly overflow: 'cut' | 'entries' | 'entries-or-cut'
  /** A status other than success that does not depend on the buffer, e.g. NO_EAS_ON_FILE. */
  refuse?(source: Source): number | undefined
  lengthBytes(source: Source): number
  /** Writes from `at`, entries not beyond `end`; returns where it ends. */
  write(source: Source, target: Buffer, at: number, end: number): number
}

/** What became of a query: the status to answer, and how many bytes were written. */
export interface QueryOutcome {
  /** SUCCESS or BUFFER_OVERFLOW (a regular response), or the error to answer. */
  readonly status: number
  readonly lengthBytes: number
}

const outcome = (status: number, lengthBytes = 0): QueryOutcome => ({ status, lengthBytes })

/**
 * Encodes a query's answer into `target` from `at`. `maxBytes` is the client's OutputBufferLength; `target` must have
 * room for the lesser of that and what the class takes (`row.lengthBytes`). Access and dialect were checked before.
 */
export function encodeQuery<Source>(options: {
  readonly row: QueryRow<Source>
  readonly source: Source
  readonly target: Buffer
  readonly at: number
  readonly maxBytes: number
}): QueryOutcome {
  const { row, source, target, at, maxBytes } = options
  if (maxBytes < row.minBytes) return outcome(NtStatus.INFO_LENGTH_MISMATCH)
  const refused = row.refuse?.(source)
  if (refused !== undefined) return outcome(refused)
  const lengthBytes = row.lengthBytes(source)
  if (lengthBytes <= maxBytes) return outcome(NtStatus.SUCCESS, row.write(source, target, at, at + lengthBytes) - at)
  if (row.overflow !== 'cut') {
    const written = row.write(source, target, at, at + maxBytes) - at
    if (written > 0) return outcome(NtStatus.BUFFER_OVERFLOW, written)
    if (row.overflow === 'entries') return outcome(NtStatus.BUFFER_TOO_SMALL)
  }
  const whole = Buffer.allocUnsafe(lengthBytes)
  row.write(source, whole, 0, lengthBytes)
  whole.copy(target, at, 0, maxBytes)
  return outcome(NtStatus.BUFFER_OVERFLOW, maxBytes)
}
