/** What a dead worker leaves behind on one connection, and how it is finished. */
import { bytesWritten } from '@holdfast/posix/socket'
import { Slot, slotAt } from '../shared/layout.ts'

export interface Unfinished {
  /** First byte in the dead worker's outbound arena that has not gone out, and how many follow. */
  readonly offset: number
  readonly length: number
  /** Index of the message that this response finishes, or -1. */
  readonly message: number
}

/**
 * Reads the intent that a worker noted before it wrote to the client's socket and did not live to clear.
 * The kernel tells how much of it was written, so that the rest can follow without a gap and without a repetition.
 *
 * `nextRecord` is the number of the first record that the worker did not write. An intent whose record has been written is finished, although
 * the worker did not live to clear it: the index of its message may have been given to another one since.
 */
export function unfinishedWrite(table: Int32Array, connection: number, nextRecord: number): Unfinished | undefined {
  const slot = slotAt(connection)
  if (Atomics.exchange(table, slot + Slot.intent, 0) === 0) return undefined
  if (((nextRecord - table[slot + Slot.intentRecord]) | 0) > 0) return undefined
  const block = table[slot + Slot.intentOffset]
  const length = table[slot + Slot.intentLength]
  const message = table[slot + Slot.intentMessage] - 1
  const total = bytesWritten(table[slot + Slot.descriptor])
  if (total < 0) return { offset: block, length: 0, message }
  const base = table[slot + Slot.intentBase]
  const taken = ((total | 0) - base) | 0
  Atomics.store(table, slot + Slot.written, total | 0)
  if (taken < 0 || taken > length) throw new Error(`connection ${connection}: ${taken} of ${length} bytes written cannot be`)
  return { offset: block + taken, length: length - taken, message }
}
