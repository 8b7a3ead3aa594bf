/** The events of one revision as bytes: a row of the history table. Belongs to the schema, and changes only with its version. */
import type { Entry, StoreEvent } from '../store.ts'

const isPut = 1
const hasPrevious = 2
/** Four numbers of 8 bytes and the value's length. */
const entryHead = 36
/** Flags and the key's length. */
const eventHead = 5

const entryBytes = (entry: Entry | undefined): number => (entry === undefined ? 0 : entryHead + entry.value.byteLength)

/** Events as bytes. */
export function encodeEvents(events: readonly StoreEvent[]): Uint8Array {
  let length = 4
  for (const { key, entry, previous } of events) length += eventHead + Buffer.byteLength(key) + entryBytes(entry) + entryBytes(previous)
  const bytes = Buffer.allocUnsafe(length)
  let at = bytes.writeUInt32LE(events.length)
  for (const { type, key, entry, previous } of events) {
    at = bytes.writeUInt8((type === 'put' ? isPut : 0) | (previous === undefined ? 0 : hasPrevious), at)
    const keyBytes = bytes.write(key, at + 4)
    at = bytes.writeUInt32LE(keyBytes, at) + keyBytes
    for (const one of [entry, previous]) if (one !== undefined) at = writeEntry(bytes, at, one)
  }
  return bytes
}

/** The events of a row that `encodeEvents` made. */
export function decodeEvents(row: Uint8Array): StoreEvent[] {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  const events: StoreEvent[] = []
  const count = bytes.readUInt32LE(0)
  let at = 4
  for (let i = 0; i < count; i++) {
    const flags = bytes[at]
    const keyEnd = at + eventHead + bytes.readUInt32LE(at + 1)
    const key = bytes.toString('utf8', at + eventHead, keyEnd)
    at = keyEnd
    const read = (): Entry => {
      const entry = readEntry(bytes, at, key)
      at += entryBytes(entry)
      return entry
    }
    const entry = (flags & isPut) === 0 ? undefined : read()
    const previous = (flags & hasPrevious) === 0 ? undefined : read()
    if (entry !== undefined) events.push({ type: 'put', key, entry, previous })
    else if (previous !== undefined) events.push({ type: 'delete', key, entry, previous })
  }
  return events
}

function writeEntry(bytes: Buffer, begin: number, entry: Entry): number {
  let at = begin
  for (const number of [entry.createRevision, entry.modRevision, entry.version, entry.lease]) at = bytes.writeDoubleLE(number, at)
  at = bytes.writeUInt32LE(entry.value.byteLength, at)
  bytes.set(entry.value, at)
  return at + entry.value.byteLength
}

function readEntry(bytes: Buffer, at: number, key: string): Entry {
  const end = at + entryHead + bytes.readUInt32LE(at + 32)
  return {
    key,
    value: new Uint8Array(bytes.subarray(at + entryHead, end)),
    createRevision: bytes.readDoubleLE(at),
    modRevision: bytes.readDoubleLE(at + 8),
    version: bytes.readDoubleLE(at + 16),
    lease: bytes.readDoubleLE(at + 24),
  }
}
