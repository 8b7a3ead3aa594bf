/** Information classes that carry names (MS-FSCC 2.4): rename, link, names, streams, hard links. */
import {
  bool8,
  bytes,
  chainLength,
  decodeChain,
  encodeChain,
  fixed,
  lengthOf,
  reserved,
  struct,
  u32,
  u64,
  u64n,
  utf16,
  withDefault,
  type Infer,
  type Input,
} from '@holdfast/wire'

/** FileNameInformation, FileAlternateNameInformation, FileNormalizedNameInformation, and FileShortNameInformation when set: length and text (2.1.7). */
export const NameInformation = struct('FileNameInformation', { lengthBytes: lengthOf('name', u32), name: utf16() })

/** FileRenameInformation as SMB2 has it, 20 bytes and the name (2.4.43.2). Also FileLinkInformation (2.4.28.2). */
export const RenameInformation = struct('FileRenameInformation', {
  replace: bool8,
  reserved: reserved(bytes(7)),
  rootDirectory: withDefault(u64, 0n),
  nameLengthBytes: lengthOf('name', u32),
  name: utf16(),
})
export type RenameInformation = Infer<typeof RenameInformation>

/** FileRenameInformationEx and FileLinkInformationEx, 20 bytes and the name (2.4.43.3 of later revisions). */
export const RenameInformationEx = struct('FileRenameInformationEx', {
  flags: u32,
  reserved: reserved(u32),
  rootDirectory: withDefault(u64, 0n),
  nameLengthBytes: lengthOf('name', u32),
  name: utf16(),
})

/** Flags of RenameInformationEx. */
export const RenameFlags = { replaceIfExists: 0x1, posixSemantics: 0x2, ignoreReadonlyAttribute: 0x40 } as const

/** One entry of FileStreamInformation, 24 bytes and the name with type, `:name:$DATA` (2.4.49). */
export const StreamEntry = struct('FileStreamInformation', {
  nextEntryOffset: reserved(u32),
  nameLengthBytes: lengthOf('name', u32),
  sizeBytes: u64n,
  allocationBytes: u64n,
  name: utf16(),
})
export type StreamEntry = Infer<typeof StreamEntry>

/** Length of a stream list. */
export function streamListLengthBytes(entries: readonly Input<typeof StreamEntry>[]): number {
  return chainLength(StreamEntry, entries, 8)
}

/** Writes a stream list; returns where it ends. */
export function encodeStreamList(entries: readonly Input<typeof StreamEntry>[], target: Buffer, at = 0): number {
  return encodeChain(StreamEntry, entries, target, at, 8)
}

/** Reads a stream list. Throws `MalformedError`. */
export function decodeStreamList(list: Buffer): StreamEntry[] {
  return decodeChain(StreamEntry, list)
}

/** The name in a stream list of a named stream, or (for `''`) of the data stream: `::$DATA`. */
export function streamWireName(name: string): string {
  return `:${name}:$DATA`
}

/** FILE_LINK_ENTRY_INFORMATION, 20 bytes and the name; its length counts characters (2.4.21.1). */
export interface LinkEntry {
  readonly parentId: bigint
  readonly name: string
}

const LinkEntryHead = struct('FILE_LINK_ENTRY_INFORMATION', {
  nextEntryOffset: u32,
  reserved: fixed(u32, 0, { tolerate: true }),
  parentId: u64,
  nameUnits: u32,
})
/** Bytes of FileHardLinkInformation before its entries: BytesNeeded and EntriesReturned (2.4.21). */
const hardLinkHeadBytes = 8
/** Bytes of an entry before its name. The reserved word keeps ParentFileId aligned: NextEntryOffset 4, padding 4, id 8, length 4. */
const linkEntryBytes = LinkEntryHead.fixedSize

const align8 = (length: number): number => (length + 7) & ~7

/** Length of FileHardLinkInformation. */
export function hardLinksLengthBytes(links: readonly LinkEntry[]): number {
  let length = hardLinkHeadBytes
  for (const link of links) length = align8(length) + linkEntryBytes + 2 * link.name.length
  return length
}

/** Writes FileHardLinkInformation with as many entries as fit before `end`; returns where it ends (2.4.21). */
export function encodeHardLinks(links: readonly LinkEntry[], target: Buffer, at: number, end: number): number {
  let position = at + hardLinkHeadBytes
  let previous = -1
  let count = 0
  for (const link of links) {
    const start = at + align8(position - at)
    if (start + linkEntryBytes + 2 * link.name.length > end) break
    target.fill(0, position, start)
    if (previous >= 0) target.writeUInt32LE(start - previous, previous)
    LinkEntryHead.encode({ nextEntryOffset: 0, parentId: link.parentId, nameUnits: link.name.length }, target, start)
    position = start + linkEntryBytes
    position += target.write(link.name, position, 'utf16le')
    previous = start
    count++
  }
  target.writeUInt32LE(hardLinksLengthBytes(links), at)
  target.writeUInt32LE(count, at + 4)
  return position
}
