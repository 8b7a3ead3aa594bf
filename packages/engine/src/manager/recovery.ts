/** What a dead worker leaves behind on one connection, and how it is finished. */
import { bytesWritten } from '@holdfast/posix/socket'
import { heldPieces } from '../shared/held-pieces.ts'
import { addToCount, Control, Intent, Slot, slotAt, stateWords } from '../shared/layout.ts'
import type { FilePiece } from '../worker-api.ts'
import { readRest } from '../worker/files.ts'

export interface Unfinished {
  /** First byte in the dead worker's outbound arena that has not gone out, and how many follow. */
  readonly offset: number
  readonly length: number
  /** Indices of the messages that were to be finished with it and are not yet. */
  readonly messages: readonly number[]
  /** Pieces of files that lie within it, and are not in the arena. */
  readonly files?: readonly FilePiece[]
}

/** What a dead worker has left. */
export interface Remains {
  readonly table: Int32Array
  readonly control: Int32Array
  /** The number of the first record that it did not write. */
  readonly nextRecord: number
}

/**
 * Reads the intent that a worker noted before it wrote and did not live to clear; what holds with that write holds from here on. The kernel tells
 * how much of it the client's socket has taken, so that the rest can follow without a gap and without a repetition.
 *
 * Records that the worker has written are not repeated: with the first one the write is done, or in the manager's hands, and each is the end of
 * one message, whose index may have been given to another one since.
 */
export function unfinishedWrite({ table, control, nextRecord }: Remains, connection: number): Unfinished | undefined {
  const slot = slotAt(connection)
  const intent = Atomics.exchange(table, slot + Slot.intent, Intent.none)
  if (intent === Intent.none) return undefined
  table[slot + Slot.stateInForce] = table[slot + Slot.intentState]
  if (intent === Intent.counted) return counted(table, slot)
  const written = Math.max(0, (nextRecord - table[slot + Slot.intentRecord]) | 0)
  const count = table[slot + Slot.intentMessages]
  const messages = [...control.subarray(Control.finishing + Math.min(written, count), Control.finishing + count)]
  const offset = table[slot + Slot.intentOffset]
  const length = written > 0 ? 0 : table[slot + Slot.intentLength]
  const total = length === 0 || intent === Intent.throughManager ? undefined : bytesWritten(table[slot + Slot.descriptor])
  if (total === undefined) return { offset, length, messages }
  if (total < 0) return { offset, length: 0, messages }
  const taken = ((total | 0) - table[slot + Slot.intentBase]) | 0
  Atomics.store(table, slot + Slot.written, total | 0)
  if (taken < 0 || taken > length) throw new Error(`connection ${connection}: ${taken} of ${length} bytes written cannot be`)
  const rest = { offset: offset + taken, length: length - taken, messages }
  return intent === Intent.withFiles && taken < length ? { ...rest, files: heldPieces(control) } : rest
}

/** Reads what lies in files to where it belongs in the arena; from the page cache, most of the time, as it was about to be sent from there. False: it cannot be read, and the connection cannot go on. */
export const readFiles = ({ files, offset }: Unfinished, outbound: Buffer): boolean => files === undefined || readRest(outbound, files, offset)

/** What the socket has taken of a file counts in the state; nothing is left. */
function counted(table: Int32Array, slot: number): Unfinished {
  const total = bytesWritten(table[slot + Slot.descriptor])
  if (total >= 0) {
    const taken = ((total | 0) - table[slot + Slot.intentBase]) | 0
    if (taken < 0 || taken > table[slot + Slot.intentLength])
      throw new Error(`${taken} of ${table[slot + Slot.intentLength]} bytes of a file written cannot be`)
    Atomics.store(table, slot + Slot.written, total | 0)
    addToCount(table, slot + Slot.state + table[slot + Slot.stateInForce] * stateWords + table[slot + Slot.intentOffset], taken)
  }
  return { offset: 0, length: 0, messages: [] }
}
