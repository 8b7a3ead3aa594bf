/** Extended attributes: FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.16) and FILE_GET_EA_INFORMATION (2.4.16.1). */
import type { ExtendedAttribute } from '@holdfast/storage'
import { MalformedError } from '@holdfast/wire'

/** FILE_NEED_EA: who does not understand the attribute must not touch the file. */
export const needEa = 0x80

/** A list that cannot be right; `offsetBytes` is where the bad entry begins (the CREATE and SET_INFO error says so). */
export class EaListError extends MalformedError {
  readonly offsetBytes: number
  constructor(code: 'EA_LIST_INCONSISTENT' | 'INVALID_EA_NAME' | 'INVALID_EA_FLAG', offsetBytes: number) {
    super(code, `${code}: the entry at ${offsetBytes}`)
    this.name = 'EaListError'
    this.offsetBytes = offsetBytes
  }
}

const fullEaBytes = 8
const getEaBytes = 5

const align4 = (length: number): number => (length + 3) & ~3

/** Characters that a name must not have (2.4.16): controls and `\ / : * ? " < > | , + = [ ] ;`. */
const invalidNameByte = /[\x00-\x1f\\/:*?"<>|,+=[\];]/

/** Checks a name: not empty, at most 255 bytes, no character that is forbidden (2.4.16). */
export function isEaName(name: string): boolean {
  return name !== '' && !invalidNameByte.test(name) && Buffer.byteLength(name) <= 255
}

/** Bytes of one attribute in a list, not padded. */
export function eaLengthBytes(ea: ExtendedAttribute): number {
  return fullEaBytes + Buffer.byteLength(ea.name) + 1 + ea.value.length
}

/** Bytes of a list: what FileEaInformation says; 0 for none. */
export function eaListLengthBytes(eas: readonly ExtendedAttribute[]): number {
  let length = 0
  for (const ea of eas) length = align4(length) + eaLengthBytes(ea)
  return length
}

function readName(list: Buffer, at: number, lengthBytes: number, entry: number): string {
  if (list[at + lengthBytes] !== 0) throw new EaListError('EA_LIST_INCONSISTENT', entry)
  const name = list.toString('utf8', at, at + lengthBytes)
  if (!isEaName(name)) throw new EaListError('INVALID_EA_NAME', entry)
  return name
}

/** Where the entry after this one begins, or undefined at the last. `least` is where this entry's content ends. */
function nextEntry(list: Buffer, at: number, least: number): number | undefined {
  const next = list.readUInt32LE(at)
  if (next === 0) return undefined
  if (next % 4 !== 0 || next < least - at || next > list.length - at) throw new EaListError('EA_LIST_INCONSISTENT', at)
  return at + next
}

/**
 * Reads a list; values are views. No bytes are no attributes.
 * Throws `EaListError`: `EA_LIST_INCONSISTENT`, `INVALID_EA_NAME` or `INVALID_EA_FLAG`.
 */
export function decodeEaList(list: Buffer): ExtendedAttribute[] {
  const eas: ExtendedAttribute[] = []
  let at: number | undefined = list.length === 0 ? undefined : 0
  while (at !== undefined) {
    if (at + fullEaBytes > list.length) throw new EaListError('EA_LIST_INCONSISTENT', at)
    const flags = list[at + 4]
    const nameLength = list[at + 5]
    const valueAt = at + fullEaBytes + nameLength + 1
    const end = valueAt + list.readUInt16LE(at + 6)
    if (end > list.length) throw new EaListError('EA_LIST_INCONSISTENT', at)
    if ((flags & ~needEa) !== 0) throw new EaListError('INVALID_EA_FLAG', at)
    eas.push({ name: readName(list, at + fullEaBytes, nameLength, at), value: list.subarray(valueAt, end), flags })
    at = nextEntry(list, at, end)
  }
  return eas
}

/**
 * Writes as many whole entries as fit between `at` and `end`. `count` below the list's length: BUFFER_OVERFLOW,
 * or BUFFER_TOO_SMALL when it is 0 (MS-FSA 2.1.5.11.16).
 */
export function encodeEaList(
  eas: readonly ExtendedAttribute[],
  target: Buffer,
  at: number,
  end: number,
): { readonly end: number; readonly count: number } {
  let position = at
  let previous = -1
  let count = 0
  for (const ea of eas) {
    const start = at + align4(position - at)
    const entryEnd = start + eaLengthBytes(ea)
    if (entryEnd > end) break
    target.fill(0, position, start)
    if (previous >= 0) target.writeUInt32LE(start - previous, previous)
    target.writeUInt32LE(0, start)
    target[start + 4] = ea.flags
    const nameBytes = target.write(ea.name, start + fullEaBytes, 'utf8')
    target[start + 5] = nameBytes
    target.writeUInt16LE(ea.value.length, start + 6)
    target[start + fullEaBytes + nameBytes] = 0
    target.set(ea.value, start + fullEaBytes + nameBytes + 1)
    previous = start
    position = entryEnd
    count++
  }
  return { end: position, count }
}

/** Reads the names that a query asks for (2.4.16.1). Throws `EaListError`. */
export function decodeGetEaList(list: Buffer): string[] {
  const names: string[] = []
  let at: number | undefined = list.length === 0 ? undefined : 0
  while (at !== undefined) {
    if (at + getEaBytes > list.length) throw new EaListError('EA_LIST_INCONSISTENT', at)
    const nameLength = list[at + 4]
    const end = at + getEaBytes + nameLength + 1
    if (end > list.length) throw new EaListError('EA_LIST_INCONSISTENT', at)
    names.push(readName(list, at + getEaBytes, nameLength, at))
    at = nextEntry(list, at, end)
  }
  return names
}

/** Encodes the names that a query asks for. */
export function encodeGetEaList(names: readonly string[]): Buffer {
  const parts = names.map((name, index) => {
    const nameBytes = Buffer.byteLength(name)
    const length = getEaBytes + nameBytes + 1
    const last = index === names.length - 1
    const entry = Buffer.alloc(last ? length : align4(length))
    entry.writeUInt32LE(last ? 0 : entry.length, 0)
    entry[4] = nameBytes
    entry.write(name, getEaBytes)
    return entry
  })
  return Buffer.concat(parts)
}
