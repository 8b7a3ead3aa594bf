/** THE table of file information classes that can be queried: (InfoType FILE, class) -> what it needs and how it is encoded (MS-FSCC 2.4). */
import type { ExtendedAttribute, FileInfo, StreamInfo } from '@holdfast/storage'
import type { Input, Struct } from '@holdfast/wire'
import { Dialect } from './constants.ts'
import { access } from './fscc-access-mask.ts'
import { FileClass } from './fscc-classes.ts'
import { wireAttributes } from './fscc-directory.ts'
import { eaListLengthBytes, encodeEaList } from './fscc-ea.ts'
import * as layouts from './fscc-file-info.ts'
import {
  encodeHardLinks,
  hardLinksLengthBytes,
  NameInformation,
  StreamEntry,
  streamListLengthBytes,
  streamWireName,
  type LinkEntry,
} from './fscc-names.ts'
import type { Need, QueryRow } from './fscc-query.ts'
import { NtStatus } from './nt-status.ts'

/** What a query of a file information class is answered from. The optional parts are there when the row's `needs` says so. */
export interface FileQuery {
  readonly info: FileInfo
  /** Path in the share with backslashes, without a leading one, the stream behind a colon; `''` for the root. */
  readonly path: string
  /** The 8.3 name, `''` where there is none. */
  readonly shortName: string
  readonly grantedAccess: number
  /** FILE_WRITE_THROUGH and the like of the open (FileModeInformation). */
  readonly mode: number
  /** CurrentByteOffset of the open. */
  readonly position: bigint
  readonly deletePending: boolean
  readonly streams?: readonly StreamInfo[]
  readonly extendedAttributes?: readonly ExtendedAttribute[]
  readonly links?: readonly LinkEntry[]
  /** Of a named pipe (MS-FSCC 2.4.36, 2.4.37). */
  readonly pipe?: { readonly readMode: number; readonly completionMode: number; readonly readDataAvailable: number }
}

type Row = QueryRow<FileQuery>

function row(values: Partial<Row> & Pick<Row, 'name' | 'minBytes' | 'lengthBytes' | 'write'>): Row {
  return Object.freeze({ access: 0, needs: ['info'] as readonly Need[], dialect: 0, overflow: 'cut' as const, ...values })
}

/** A class of fixed size is a struct and how its value is had. */
function fixedRow<S extends Struct<unknown, never>>(layout: S, value: (query: FileQuery) => Input<S>, more: Partial<Row> = {}): Row {
  const encode = layout.encode as (value: Input<S>, into: Buffer, at: number) => number
  return row({
    name: layout.name,
    minBytes: layout.fixedSize,
    lengthBytes: () => layout.fixedSize,
    write: (query, target, at) => encode(value(query), target, at),
    ...more,
  })
}

const sizes = ({ info }: FileQuery) => ({
  sizeBytes: info.isFolder ? 0 : info.sizeBytes,
  allocationBytes: info.isFolder ? 0 : info.allocationBytes,
})

const times = ({ info }: FileQuery) => ({
  createdAt: info.createdAt,
  accessedAt: info.accessedAt,
  writtenAt: info.writtenAt,
  changedAt: info.changedAt,
})

const basic = (query: FileQuery) => ({ ...times(query), attributes: wireAttributes(query.info) })

const standard = (query: FileQuery) => ({
  ...sizes(query),
  // A name that is about to go does not count (MS-FSA 2.1.5.12.27).
  links: Math.max(0, query.info.links - (query.deletePending ? 1 : 0)),
  deletePending: query.deletePending,
  isFolder: query.info.isFolder,
})

/** Every byte may be at any address: FILE_BYTE_ALIGNMENT (2.4.3). */
const byteAlignment = 0

const { AllInformationFixed } = layouts
const allNameAt = AllInformationFixed.fixedSize
const rootedPath = (query: FileQuery) => `\\${query.path}`

function nameRow(values: { name: string; text: (query: FileQuery) => string; minBytes: number } & Partial<Row>): Row {
  const { text, ...more } = values
  return row({
    ...more,
    lengthBytes: query => NameInformation.fixedSize + 2 * text(query).length,
    write: (query, target, at) => NameInformation.encode({ name: text(query) }, target, at),
  })
}

function streamEntries(query: FileQuery) {
  const { isFolder } = query.info
  const shown = (query.streams ?? []).filter(stream => !(isFolder && stream.name === ''))
  return shown.map(stream => ({ name: streamWireName(stream.name), sizeBytes: stream.sizeBytes, allocationBytes: stream.allocationBytes }))
}

/** Writes the streams that fit as a whole (the chain's entries are at multiples of 8 bytes). */
function writeStreams(query: FileQuery, target: Buffer, at: number, end: number): number {
  let position = at
  let previous = -1
  for (const entry of streamEntries(query)) {
    const start = at + ((position - at + 7) & ~7)
    if (start + StreamEntry.encodedLength(entry) > end) break
    target.fill(0, position, start)
    if (previous >= 0) target.writeUInt32LE(start - previous, previous)
    position = StreamEntry.encode(entry, target, start)
    previous = start
  }
  return position
}

const { readAttributes, readEa } = access

/** By information class. A class that is missing: STATUS_INVALID_INFO_CLASS; NOT_SUPPORTED for those Windows knows. */
export const fileQueryRows: ReadonlyMap<number, Row> = new Map<number, Row>([
  [FileClass.basic, fixedRow(layouts.BasicInformation, basic, { access: readAttributes })],
  [FileClass.standard, fixedRow(layouts.StandardInformation, standard)],
  [FileClass.internal, fixedRow(layouts.InternalInformation, ({ info }) => ({ id: info.id }))],
  [FileClass.ea, fixedRow(layouts.EaInformation, ({ info }) => ({ eaSizeBytes: info.eaSizeBytes }))],
  [FileClass.access, fixedRow(layouts.AccessInformation, ({ grantedAccess }) => ({ grantedAccess }), { needs: [] })],
  [FileClass.name, nameRow({ name: 'FileNameInformation', minBytes: 8, text: rootedPath, needs: [] })],
  [FileClass.position, fixedRow(layouts.PositionInformation, ({ position }) => ({ position }), { needs: [] })],
  [
    FileClass.fullEa,
    row({
      name: 'FileFullEaInformation',
      minBytes: 0,
      access: readEa,
      needs: ['info', 'extended-attributes'],
      overflow: 'entries',
      refuse: query => ((query.extendedAttributes?.length ?? 0) === 0 ? NtStatus.NO_EAS_ON_FILE : undefined),
      lengthBytes: query => eaListLengthBytes(query.extendedAttributes ?? []),
      write: (query, target, at, end) => encodeEaList(query.extendedAttributes ?? [], target, at, end).end,
    }),
  ],
  [FileClass.mode, fixedRow(layouts.ModeInformation, ({ mode }) => ({ mode }), { needs: [] })],
  [FileClass.alignment, fixedRow(layouts.AlignmentInformation, () => ({ alignment: byteAlignment }), { needs: [] })],
  [
    FileClass.all,
    row({
      name: 'FileAllInformation',
      // The name's length, its first two bytes and the padding of the C structure: Windows wants 104 (MS-FSA 2.1.5.12.3).
      minBytes: 104,
      access: readAttributes,
      lengthBytes: query => allNameAt + NameInformation.fixedSize + 2 * (query.path.length + 1),
      write: (query, target, at) => {
        const { info, grantedAccess, position, mode } = query
        const all = { basic: basic(query), standard: standard(query), id: info.id, eaSizeBytes: info.eaSizeBytes, grantedAccess, position, mode }
        AllInformationFixed.encode({ ...all, alignment: byteAlignment }, target, at)
        return NameInformation.encode({ name: rootedPath(query) }, target, at + allNameAt)
      },
    }),
  ],
  [
    FileClass.alternateName,
    nameRow({
      name: 'FileAlternateNameInformation',
      minBytes: 8,
      text: query => query.shortName,
      needs: [],
      refuse: query => (query.shortName === '' ? NtStatus.OBJECT_NAME_NOT_FOUND : undefined),
    }),
  ],
  [
    FileClass.stream,
    row({
      name: 'FileStreamInformation',
      minBytes: 32,
      needs: ['info', 'streams'],
      overflow: 'entries-or-cut',
      lengthBytes: query => streamListLengthBytes(streamEntries(query)),
      write: writeStreams,
    }),
  ],
  [
    FileClass.pipe,
    fixedRow(layouts.PipeInformation, ({ pipe }) => ({ readMode: pipe?.readMode ?? 0, completionMode: pipe?.completionMode ?? 0 }), {
      access: readAttributes,
      needs: [],
    }),
  ],
  [
    FileClass.pipeLocal,
    fixedRow(
      layouts.PipeLocalInformation,
      // A message-type pipe (1), full duplex (2), connected (3), seen from the client's end (0).
      ({ pipe }) => ({
        type: 1,
        configuration: 2,
        maximumInstances: 0xffff_ffff,
        currentInstances: 1,
        inboundQuota: 4096,
        readDataAvailable: pipe?.readDataAvailable ?? 0,
        outboundQuota: 4096,
        writeQuotaAvailable: 4096,
        state: 3,
        end: 0,
      }),
      { access: readAttributes, needs: [] },
    ),
  ],
  [
    FileClass.pipeRemote,
    fixedRow(layouts.PipeRemoteInformation, () => ({ collectDataTime: 0n, maximumCollectionCount: 0 }), { access: readAttributes, needs: [] }),
  ],
  [
    FileClass.compression,
    fixedRow(layouts.CompressionInformation, query => ({
      compressedBytes: sizes(query).sizeBytes,
      format: 0,
      unitShift: 0,
      chunkShift: 0,
      clusterShift: 0,
    })),
  ],
  [FileClass.reparsePoint, fixedRow(layouts.ReparsePointInformation, ({ info }) => ({ id: info.id, reparseTag: info.reparseTag }))],
  [FileClass.networkOpen, fixedRow(layouts.NetworkOpenInformation, query => ({ ...basic(query), ...sizes(query) }), { access: readAttributes })],
  [
    FileClass.attributeTag,
    fixedRow(layouts.AttributeTagInformation, ({ info }) => ({ attributes: wireAttributes(info), reparseTag: info.reparseTag }), {
      access: readAttributes,
    }),
  ],
  [
    FileClass.hardLink,
    row({
      name: 'FileHardLinkInformation',
      minBytes: 8,
      needs: ['info', 'links'],
      overflow: 'entries',
      lengthBytes: query => hardLinksLengthBytes(query.links ?? []),
      write: (query, target, at, end) => encodeHardLinks(query.links ?? [], target, at, end),
    }),
  ],
  [
    FileClass.normalizedName,
    nameRow({ name: 'FileNormalizedNameInformation', minBytes: 4, text: query => query.path, needs: [], dialect: Dialect.smb311 }),
  ],
  [
    FileClass.standardLink,
    fixedRow(layouts.StandardLinkInformation, query => {
      const { links, deletePending, isFolder } = standard(query)
      return { accessibleLinks: links, links: query.info.links, deletePending, isFolder }
    }),
  ],
  [FileClass.id, fixedRow(layouts.IdInformation, ({ info }) => ({ volumeId: info.volumeId, id: info.id }))],
  [
    FileClass.stat,
    fixedRow(
      layouts.StatInformation,
      query => ({
        id: query.info.id,
        ...basic(query),
        ...sizes(query),
        reparseTag: query.info.reparseTag,
        links: standard(query).links,
        effectiveAccess: query.grantedAccess,
      }),
      { access: readAttributes },
    ),
  ],
  [FileClass.caseSensitive, fixedRow(layouts.CaseSensitiveInformation, () => ({ flags: 0 }), { access: readAttributes, needs: [] })],
])
