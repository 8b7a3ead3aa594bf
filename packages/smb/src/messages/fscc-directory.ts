/**
 * Folder listings (MS-FSCC 2.4.8, 2.4.10, 2.4.17 – 2.4.24, 2.4.33): one table of layouts, one writer.
 *
 * A listing is the hottest loop of a file server next to reads: entries are written straight into the response,
 * without an object per entry and without a bigint made anew.
 */
import type { FolderEntry } from '@holdfast/storage'
import { MalformedError } from '@holdfast/wire'
import { FileAttribute } from './constants.ts'
import { FileClass } from './fscc-classes.ts'

/** Where a class keeps what; positions in bytes from the entry's start, -1 for what it does not have. */
export interface DirectoryLayout {
  readonly name: string
  readonly fileClass: number
  /** FileNameLength. */
  readonly nameLengthAt: number
  /** The name begins here; a smaller output buffer is INFO_LENGTH_MISMATCH. */
  readonly nameAt: number
  /** Times, sizes and attributes: all classes but FileNamesInformation. */
  readonly hasInfo: boolean
  /** EaSize; holds the reparse tag of a reparse point where there is no field of its own for that. */
  readonly eaSizeAt: number
  readonly reparseTagAt: number
  readonly shortNameAt: number
  readonly id64At: number
  readonly id128At: number
}

type Positions = { readonly [K in 'nameAt' | 'eaSizeAt' | 'reparseTagAt' | 'shortNameAt' | 'id64At' | 'id128At']?: number }

function layout(name: string, fileClass: number, positions: Positions, hasInfo = true): DirectoryLayout {
  const { nameAt = 64, eaSizeAt = -1, reparseTagAt = -1, shortNameAt = -1, id64At = -1, id128At = -1 } = positions
  return Object.freeze({ name, fileClass, nameLengthAt: hasInfo ? 60 : 8, nameAt, hasInfo, eaSizeAt, reparseTagAt, shortNameAt, id64At, id128At })
}

const extd = { eaSizeAt: 64, reparseTagAt: 68 }

/** All classes of QUERY_DIRECTORY (MS-SMB2 2.2.33, MS-FSCC 2.4). */
export const directoryLayouts: ReadonlyMap<number, DirectoryLayout> = new Map(
  [
    layout('FileDirectoryInformation', FileClass.directory, {}),
    layout('FileFullDirectoryInformation', FileClass.fullDirectory, { eaSizeAt: 64, nameAt: 68 }),
    layout('FileBothDirectoryInformation', FileClass.bothDirectory, { eaSizeAt: 64, shortNameAt: 68, nameAt: 94 }),
    layout('FileNamesInformation', FileClass.names, { nameAt: 12 }, false),
    layout('FileIdBothDirectoryInformation', FileClass.idBothDirectory, { eaSizeAt: 64, shortNameAt: 68, id64At: 96, nameAt: 104 }),
    layout('FileIdFullDirectoryInformation', FileClass.idFullDirectory, { eaSizeAt: 64, id64At: 72, nameAt: 80 }),
    layout('FileIdExtdDirectoryInformation', FileClass.idExtdDirectory, { ...extd, id128At: 72, nameAt: 88 }),
    layout('FileIdExtdBothDirectoryInformation', FileClass.idExtdBothDirectory, { ...extd, id128At: 72, shortNameAt: 88, nameAt: 114 }),
    layout('FileId64ExtdDirectoryInformation', FileClass.id64ExtdDirectory, { ...extd, id64At: 72, nameAt: 80 }),
    layout('FileId64ExtdBothDirectoryInformation', FileClass.id64ExtdBothDirectory, { ...extd, id64At: 72, shortNameAt: 80, nameAt: 106 }),
    layout('FileIdAllExtdDirectoryInformation', FileClass.idAllExtdDirectory, { ...extd, id64At: 72, id128At: 80, nameAt: 96 }),
    layout('FileIdAllExtdBothDirectoryInformation', FileClass.idAllExtdBothDirectory, {
      ...extd,
      id64At: 72,
      id128At: 80,
      shortNameAt: 96,
      nameAt: 122,
    }),
  ].map(row => [row.fileClass, row]),
)

/** Attributes as they go over the wire: DIRECTORY and REPARSE_POINT from what the object is, NORMAL where there is nothing else (MS-FSCC 2.6). */
export function wireAttributes(info: Pick<FolderEntry, 'attributes' | 'isFolder' | 'reparseTag'>): number {
  let attributes = info.attributes & ~FileAttribute.normal
  if (info.isFolder) attributes |= FileAttribute.directory
  if (info.reparseTag !== 0) attributes |= FileAttribute.reparsePoint
  return attributes === 0 ? FileAttribute.normal : attributes >>> 0
}

/** Below this many code units a loop beats the call into the runtime. */
const shortText = 32

function writeText(target: Buffer, at: number, text: string): void {
  if (text.length > shortText) {
    target.write(text, at, 'utf16le')
    return
  }
  for (let index = 0, position = at; index < text.length; index++, position += 2) {
    const unit = text.charCodeAt(index)
    target[position] = unit
    target[position + 1] = unit >>> 8
  }
}

/** A short name has room for 12 code units. */
const shortNameUnits = 12

/** Writes a listing between two positions of a buffer, entry by entry. */
export class DirectoryWriter {
  readonly #layout: DirectoryLayout
  readonly #target: Buffer
  readonly #view: DataView
  readonly #start: number
  readonly #end: number
  #previous = -1
  #position: number
  #count = 0

  constructor(options: { readonly layout: DirectoryLayout; readonly target: Buffer; readonly at: number; readonly end: number }) {
    this.#layout = options.layout
    this.#target = options.target
    this.#view = new DataView(options.target.buffer, options.target.byteOffset, options.target.byteLength)
    this.#start = options.at
    this.#end = Math.min(options.end, options.target.length)
    this.#position = options.at
  }

  /** Does the class have an 8.3 name? Making one costs more than the rest of the entry. */
  get wantsShortName(): boolean {
    return this.#layout.shortNameAt >= 0
  }

  /** Entries written. */
  get count(): number {
    return this.#count
  }

  /** Bytes written; the last entry is not padded. */
  get lengthBytes(): number {
    return this.#position - this.#start
  }

  /**
   * Adds an entry, at a multiple of 8 bytes, under the name `name` (the entry's own unless it is `.` or `..`); false when it does not fit.
   * `shortName` is the 8.3 name, `''` for none.
   */
  add(entry: FolderEntry, name: string, fileIndex: number, shortName: string): boolean {
    const at = this.#start + ((this.#position - this.#start + 7) & ~7)
    const nameAt = at + this.#layout.nameAt
    if (nameAt + 2 * name.length > this.#end) return false
    this.#writeFixed(entry, at, fileIndex, shortName)
    this.#view.setUint32(at + this.#layout.nameLengthAt, 2 * name.length, true)
    writeText(this.#target, nameAt, name)
    this.#link(at, nameAt + 2 * name.length)
    return true
  }

  /**
   * Adds the first entry although its name does not fit: as much of the name as there is room for, under its full
   * length (STATUS_BUFFER_OVERFLOW; MS-FSA 2.1.5.6.3). The room must hold the fixed part.
   */
  addTruncated(entry: FolderEntry, name: string, fileIndex: number, shortName: string): void {
    const at = this.#start
    const nameAt = at + this.#layout.nameAt
    const units = Math.min(name.length, (this.#end - nameAt) >> 1)
    this.#writeFixed(entry, at, fileIndex, shortName)
    this.#view.setUint32(at + this.#layout.nameLengthAt, 2 * name.length, true)
    writeText(this.#target, nameAt, name.slice(0, units))
    this.#link(at, nameAt + 2 * units)
  }

  #link(at: number, end: number): void {
    if (this.#previous >= 0) this.#view.setUint32(this.#previous, at - this.#previous, true)
    for (let position = this.#position; position < at; position++) this.#target[position] = 0
    this.#previous = at
    this.#position = end
    this.#count++
  }

  #writeFixed(entry: FolderEntry, at: number, fileIndex: number, shortName: string): void {
    const view = this.#view
    const layout = this.#layout
    view.setUint32(at, 0, true)
    view.setUint32(at + 4, fileIndex, true)
    if (!layout.hasInfo) return
    view.setBigUint64(at + 8, entry.createdAt, true)
    view.setBigUint64(at + 16, entry.accessedAt, true)
    view.setBigUint64(at + 24, entry.writtenAt, true)
    view.setBigUint64(at + 32, entry.changedAt, true)
    // A folder's sizes are an implementation's own business; NTFS says 0.
    const sizeBytes = entry.isFolder ? 0 : entry.sizeBytes
    const allocationBytes = entry.isFolder ? 0 : entry.allocationBytes
    view.setUint32(at + 40, sizeBytes >>> 0, true)
    view.setUint32(at + 44, sizeBytes / 0x1_0000_0000, true)
    view.setUint32(at + 48, allocationBytes >>> 0, true)
    view.setUint32(at + 52, allocationBytes / 0x1_0000_0000, true)
    view.setUint32(at + 56, wireAttributes(entry), true)
    if (layout.eaSizeAt >= 0) {
      const tagInstead = layout.reparseTagAt < 0 && entry.reparseTag !== 0
      view.setUint32(at + layout.eaSizeAt, tagInstead ? entry.reparseTag : entry.eaSizeBytes, true)
    }
    if (layout.reparseTagAt >= 0) view.setUint32(at + layout.reparseTagAt, entry.reparseTag, true)
    else if (layout.id64At === 72) view.setUint32(at + 68, 0, true)
    if (layout.shortNameAt >= 0) this.#writeShortName(at + layout.shortNameAt, shortName)
    if (layout.id64At >= 0) view.setBigUint64(at + layout.id64At, entry.id, true)
    if (layout.id128At >= 0) {
      view.setBigUint64(at + layout.id128At, entry.id, true)
      view.setUint32(at + layout.id128At + 8, 0, true)
      view.setUint32(at + layout.id128At + 12, 0, true)
    }
  }

  /** Length, a reserved byte, 24 bytes; in FileIdBothDirectoryInformation two reserved bytes more. */
  #writeShortName(at: number, shortName: string): void {
    const target = this.#target
    const units = Math.min(shortName.length, shortNameUnits)
    target[at] = 2 * units
    target[at + 1] = 0
    const reserved = this.#layout.id64At === 96 ? 2 : 0
    for (let index = 0, position = at + 2; index < shortNameUnits; index++, position += 2) {
      const unit = index < units ? shortName.charCodeAt(index) : 0
      target[position] = unit
      target[position + 1] = unit >>> 8
    }
    for (let index = 0; index < reserved; index++) target[at + 26 + index] = 0
  }
}

/** An entry of a listing as a client sees it. What the class does not have is 0 or empty. */
export interface DirectoryItem {
  readonly name: string
  readonly shortName: string
  readonly fileIndex: number
  readonly createdAt: bigint
  readonly accessedAt: bigint
  readonly writtenAt: bigint
  readonly changedAt: bigint
  readonly sizeBytes: number
  readonly allocationBytes: number
  readonly attributes: number
  readonly eaSizeBytes: number
  readonly reparseTag: number
  readonly id: bigint
}

function readItem(layout: DirectoryLayout, list: Buffer, at: number, end: number): DirectoryItem {
  const nameAt = at + layout.nameAt
  const nameEnd = nameAt + list.readUInt32LE(at + layout.nameLengthAt)
  if (nameEnd > end || (nameEnd - nameAt) % 2 !== 0) throw new MalformedError('bad-name', 'a name leads out of its entry')
  const u32 = (offset: number) => (offset < 0 ? 0 : list.readUInt32LE(at + offset))
  const u64 = (offset: number) => (offset < 0 || !layout.hasInfo ? 0n : list.readBigUInt64LE(at + offset))
  const attributes = layout.hasInfo ? u32(56) : 0
  const isReparsePoint = (attributes & FileAttribute.reparsePoint) !== 0
  const tagInstead = isReparsePoint && layout.reparseTagAt < 0
  const shortAt = at + layout.shortNameAt
  const shortBytes = layout.shortNameAt < 0 ? 0 : list[shortAt]
  if (shortBytes > 2 * shortNameUnits) throw new MalformedError('bad-name', 'a short name is too long')
  return {
    name: list.toString('utf16le', nameAt, nameEnd),
    shortName: shortBytes === 0 ? '' : list.toString('utf16le', shortAt + 2, shortAt + 2 + shortBytes),
    fileIndex: u32(4),
    createdAt: u64(8),
    accessedAt: u64(16),
    writtenAt: u64(24),
    changedAt: u64(32),
    sizeBytes: Number(u64(40)),
    allocationBytes: Number(u64(48)),
    attributes,
    eaSizeBytes: tagInstead ? 0 : u32(layout.eaSizeAt),
    reparseTag: tagInstead ? u32(layout.eaSizeAt) : isReparsePoint ? u32(layout.reparseTagAt) : 0,
    id: layout.id64At >= 0 ? u64(layout.id64At) : u64(layout.id128At),
  }
}

/** Reads a listing. Throws `MalformedError` with code `bad-chain` or `bad-name`. */
export function decodeDirectory(layout: DirectoryLayout, list: Buffer): DirectoryItem[] {
  const items: DirectoryItem[] = []
  let at = 0
  while (list.length > 0) {
    if (list.length - at < layout.nameAt) throw new MalformedError('bad-chain', 'an entry is cut off')
    const next = list.readUInt32LE(at)
    if (next !== 0 && (next < layout.nameAt || next > list.length - at)) throw new MalformedError('bad-chain', 'the next entry lies elsewhere')
    items.push(readItem(layout, list, at, next === 0 ? list.length : at + next))
    if (next === 0) break
    at += next
  }
  return items
}
