/** What a file or folder is like, for people: numbers and dates from MS-FSCC's structures. */
import { FileAttribute, ReparseTag } from '../messages/index.ts'
import type { CloseResponse, CreateResponse, DirectoryItem, AllInformationFixed } from '../messages/index.ts'
import type { Infer } from '@holdfast/wire'

/** What something is. */
export type SmbKind = 'file' | 'folder' | 'symlink' | 'other'

/** A file or folder as a listing has it. */
export interface SmbEntry {
  readonly name: string
  readonly kind: SmbKind
  /** 0 for folders. */
  readonly sizeBytes: number
  /** What it takes on the server's disk. */
  readonly allocationBytes: number
  readonly createdAt: Date
  readonly accessedAt: Date
  readonly writtenAt: Date
  /** When anything of it, as its attributes, changed. */
  readonly changedAt: Date
  /** `FileAttribute` bits (MS-FSCC 2.6). */
  readonly attributes: number
  /** Tells it from all others of its share; 0n where the server does not say. */
  readonly id: bigint
}

/** What `stat` tells. */
export interface SmbStat extends SmbEntry {
  /** Names it has. */
  readonly links: number
  /** Will be gone with its last handle. */
  readonly isDeletePending: boolean
}

const epochMs = 11_644_473_600_000

/** A FILETIME as a date, to the millisecond (MS-DTYP 2.3.3). */
export const dateOf = (time: bigint): Date => new Date(Number(time / 10_000n) - epochMs)

/** A date as a FILETIME. */
export const fileTimeOf = (date: Date): bigint => BigInt(date.getTime() + epochMs) * 10_000n

const symlinkTags: readonly number[] = [ReparseTag.symlink, ReparseTag.lxSymlink]

/** What attributes and a reparse tag (0 where it isn't known) say. */
export function kindOf(attributes: number, reparseTag: number): SmbKind {
  if ((attributes & FileAttribute.reparsePoint) !== 0 && reparseTag !== 0) {
    if (symlinkTags.includes(reparseTag)) return 'symlink'
    if ((attributes & FileAttribute.directory) === 0) return 'other'
  }
  return (attributes & FileAttribute.directory) === 0 ? 'file' : 'folder'
}

/** An entry of a listing. */
export function entryOf(item: DirectoryItem): SmbEntry {
  const kind = kindOf(item.attributes, item.reparseTag)
  return {
    name: item.name,
    kind,
    sizeBytes: kind === 'folder' ? 0 : item.sizeBytes,
    allocationBytes: item.allocationBytes,
    createdAt: dateOf(item.createdAt),
    accessedAt: dateOf(item.accessedAt),
    writtenAt: dateOf(item.writtenAt),
    changedAt: dateOf(item.changedAt),
    attributes: item.attributes,
    id: item.id,
  }
}

/** From FileAllInformation (MS-FSCC 2.4.2), whose name at the end is not needed. */
export function statOfAll(name: string, { basic, standard, id }: Infer<typeof AllInformationFixed>, reparseTag = 0): SmbStat {
  const kind = kindOf(basic.attributes, reparseTag)
  return {
    name,
    kind,
    sizeBytes: kind === 'folder' ? 0 : standard.sizeBytes,
    allocationBytes: standard.allocationBytes,
    createdAt: dateOf(basic.createdAt),
    accessedAt: dateOf(basic.accessedAt),
    writtenAt: dateOf(basic.writtenAt),
    changedAt: dateOf(basic.changedAt),
    attributes: basic.attributes,
    id,
    links: standard.links,
    isDeletePending: standard.deletePending,
  }
}

/** Size and attributes as CREATE and CLOSE tell them. */
export const sizeOf = (response: CreateResponse | CloseResponse): number =>
  (response.fileAttributes & FileAttribute.directory) === 0 ? response.endOfFile : 0
