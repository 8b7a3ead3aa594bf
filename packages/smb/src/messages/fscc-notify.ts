/** FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1). */
import { decodeChain, encodeChain, lengthOf, reserved, struct, u32, utf16, type Infer } from '@holdfast/wire'

/** FILE_ACTION_* (MS-FSCC 2.7.1). */
export const NotifyAction = {
  added: 1,
  removed: 2,
  modified: 3,
  renamedOldName: 4,
  renamedNewName: 5,
  addedStream: 6,
  removedStream: 7,
  modifiedStream: 8,
  removedByDelete: 9,
} as const

/** One change: 12 bytes and the name relative to the watched folder, with backslashes. */
export const NotifyEntry = struct('FILE_NOTIFY_INFORMATION', {
  nextEntryOffset: reserved(u32),
  action: u32,
  nameLengthBytes: lengthOf('name', u32),
  name: utf16(),
})
export type NotifyEntry = Infer<typeof NotifyEntry>

/** Bytes that a change takes, padded; the last one is not padded. */
export function notifyEntryLengthBytes(name: string): number {
  return (NotifyEntry.fixedSize + 2 * name.length + 3) & ~3
}

/** Writes a list; returns its end, or undefined where it does not fit before `end`: STATUS_NOTIFY_ENUM_DIR (MS-SMB2 3.3.5.19). */
export function encodeNotifyList(entries: readonly NotifyEntry[], target: Buffer, at: number, end: number): number | undefined {
  let length = 0
  for (const entry of entries) length = ((length + 3) & ~3) + NotifyEntry.fixedSize + 2 * entry.name.length
  return at + length > end ? undefined : encodeChain(NotifyEntry, entries, target, at, 4)
}

/** Reads a list. Throws `MalformedError`. */
export function decodeNotifyList(list: Buffer): NotifyEntry[] {
  return decodeChain(NotifyEntry, list)
}
