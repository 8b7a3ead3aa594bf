import assert from 'node:assert/strict'
import test from 'node:test'
import type { FileInfo } from '@holdfast/storage'
import { MalformedError, toHex } from '@holdfast/wire'
import * as fc from 'fast-check'
import { FileClass, FileSystemClass } from './fscc-classes.ts'
import { decodeDirectory, directoryLayouts, DirectoryWriter, wireAttributes } from './fscc-directory.ts'
import { decodeEaList, decodeGetEaList, eaListLengthBytes, encodeEaList, encodeGetEaList } from './fscc-ea.ts'
import { BasicInformation, timeMeaning } from './fscc-file-info.ts'
import { fileQueryRows, type FileQuery } from './fscc-file-query.ts'
import { fileSetRows, isSettable } from './fscc-file-set.ts'
import { fileSystemQueryRows } from './fscc-filesystem-query.ts'
import { fileSystemAttributes, type FileSystemQuery } from './fscc-filesystem.ts'
import { decodeStreamList, encodeHardLinks, encodeStreamList, hardLinksLengthBytes, RenameInformation } from './fscc-names.ts'
import { decodeNotifyList, encodeNotifyList, NotifyAction } from './fscc-notify.ts'
import { encodeQuery } from './fscc-query.ts'
import { decodeQuotas, decodeQuotaSids, encodeQuotas } from './fscc-quota.ts'
import { NtStatus } from './nt-status.ts'

const file: FileInfo = {
  id: 0x1122334455667788n,
  volumeId: 7n,
  name: 'bufsize.txt',
  isFolder: false,
  kind: 'file',
  attributes: 0x20,
  createdAt: 0x01d0000000000001n,
  accessedAt: 0x01d0000000000002n,
  writtenAt: 0x01d0000000000003n,
  changedAt: 0x01d0000000000004n,
  sizeBytes: 5_000_000_000,
  allocationBytes: 5_000_003_584,
  links: 1,
  eaSizeBytes: 31,
  reparseTag: 0,
}

const query: FileQuery = {
  info: file,
  path: 'bufsize.txt',
  shortName: 'BUFSIZE.TXT',
  grantedAccess: 0x1f01ff,
  mode: 2,
  position: 0n,
  deletePending: false,
  streams: [
    { name: '', sizeBytes: 5_000_000_000, allocationBytes: 5_000_003_584 },
    { name: 'Zone', sizeBytes: 3, allocationBytes: 512 },
  ],
  extendedAttributes: [
    { name: 'EAONE', value: Buffer.from('VALUE1'), flags: 0 },
    { name: 'SECONDEA', value: Buffer.from('ValueTwo'), flags: 0x80 },
  ],
  links: [{ parentId: 5n, name: 'bufsize.txt' }],
}

const fileSystem: FileSystemQuery = {
  volume: {
    label: 'holdfast',
    serialNumber: 0xcafe,
    createdAt: 9n,
    allocationUnitBytes: 4096,
    sectorBytes: 512,
    totalUnits: 1000,
    freeUnits: 500,
    availableUnits: 400,
    maxNameLength: 255,
  },
  attributes: 0x3,
  fileSystemName: 'NTFS',
  objectId: Buffer.alloc(16, 1),
}

function ask(fileClass: number, maxBytes = 65_535, source: FileQuery = query) {
  const row = fileQueryRows.get(fileClass)
  assert.ok(row, `class ${fileClass}`)
  const target = Buffer.alloc(Math.min(maxBytes, 4096), 0xee)
  const { status, lengthBytes } = encodeQuery({ row, source, target, at: 0, maxBytes })
  return { status, bytes: target.subarray(0, lengthBytes), untouched: target.subarray(lengthBytes) }
}

/** The least sizes that Windows asks for (smb2.getinfo.qfile_buffercheck). */
const leastFileSizes: readonly (readonly [fileClass: number, minBytes: number])[] = [
  ...([
    [4, 40],
    [5, 24],
    [6, 8],
    [7, 4],
    [8, 4],
    [16, 4],
    [17, 4],
    [18, 104],
    [21, 8],
    [22, 32],
    [28, 16],
    [34, 56],
    [35, 8],
  ] as const),
]

test('a query of a file class answers INFO_LENGTH_MISMATCH, BUFFER_OVERFLOW or SUCCESS by its size (MS-SMB2 3.3.5.20.1)', () => {
  for (const [fileClass, least] of leastFileSizes) {
    const whole = ask(fileClass)
    assert.equal(whole.status, NtStatus.SUCCESS)
    assert.ok(whole.bytes.length >= least, `class ${fileClass}`)
    for (let size = 0; size <= whole.bytes.length; size++) {
      const { status, bytes, untouched } = ask(fileClass, size)
      const expected = size < least ? NtStatus.INFO_LENGTH_MISMATCH : size < whole.bytes.length ? NtStatus.BUFFER_OVERFLOW : NtStatus.SUCCESS
      assert.equal(status, expected, `class ${fileClass}, ${size} bytes`)
      assert.ok(bytes.length <= size)
      assert.ok(untouched.every(byte => byte === 0xee) || status === NtStatus.BUFFER_OVERFLOW)
    }
  }
})

test('a query of a filesystem class likewise (smb2.getinfo.qfs_buffercheck)', () => {
  for (const [fsClass, least] of [
    [1, 24],
    [3, 24],
    [4, 8],
    [5, 16],
    [6, 48],
    [7, 32],
    [8, 64],
    [11, 28],
  ] as const) {
    const row = fileSystemQueryRows.get(fsClass)
    assert.ok(row)
    const ofSize = (maxBytes: number) => encodeQuery({ row, source: fileSystem, target: Buffer.alloc(256), at: 0, maxBytes })
    const whole = ofSize(65_535)
    for (let size = 0; size <= whole.lengthBytes; size++) {
      const expected = size < least ? NtStatus.INFO_LENGTH_MISMATCH : size < whole.lengthBytes ? NtStatus.BUFFER_OVERFLOW : NtStatus.SUCCESS
      assert.equal(ofSize(size).status, expected, `class ${fsClass}, ${size} bytes`)
    }
  }
})

test('FileStandardInformation and FileNetworkOpenInformation on the wire (MS-FSCC 2.4.41, 2.4.34)', () => {
  assert.equal(toHex(ask(FileClass.standard).bytes), '0000062a 01000000 00f2052a 01000000 01000000 00000000')
  assert.equal(
    toHex(ask(FileClass.networkOpen).bytes),
    [
      '01000000',
      '0000d001',
      '02000000',
      '0000d001',
      '03000000',
      '0000d001',
      '04000000',
      '0000d001',
      '0000062a',
      '01000000',
      '00f2052a',
      '01000000',
      '20000000',
      '00000000',
    ].join(' '),
  )
})

test('a file about to be deleted has one link less (smb2.setinfo)', () => {
  const { bytes } = ask(FileClass.standard, 100, { ...query, deletePending: true })
  assert.deepEqual([bytes.readUInt32LE(16), bytes[20]], [0, 1])
})

test('FileAllInformation ends in the name with a leading backslash (MS-FSCC 2.4.2)', () => {
  const { bytes } = ask(FileClass.all)
  assert.equal(bytes.length, 100 + 24)
  assert.equal(bytes.readUInt32LE(96), 24)
  assert.equal(bytes.toString('utf16le', 100), '\\bufsize.txt')
  assert.equal(bytes.readUInt32LE(76), 0x1f01ff)
})

test('the normalized name has no leading backslash and the root none at all (MS-FSCC 2.4.33)', () => {
  assert.equal(ask(FileClass.normalizedName).bytes.toString('utf16le', 4), 'bufsize.txt')
  assert.deepEqual([...ask(FileClass.normalizedName, 100, { ...query, path: '' }).bytes], [0, 0, 0, 0])
  assert.equal(fileQueryRows.get(FileClass.normalizedName)?.dialect, 0x0311)
})

test('a file without short name or extended attributes says so', () => {
  assert.equal(ask(FileClass.alternateName, 100, { ...query, shortName: '' }).status, NtStatus.OBJECT_NAME_NOT_FOUND)
  assert.equal(ask(FileClass.fullEa, 100, { ...query, extendedAttributes: [] }).status, NtStatus.NO_EAS_ON_FILE)
})

test('streams are listed with their type, a folder has no data stream (MS-FSCC 2.4.49)', () => {
  const names = (source: FileQuery) => decodeStreamList(ask(FileClass.stream, 4096, source).bytes).map(entry => entry.name)
  assert.deepEqual(names(query), ['::$DATA', ':Zone:$DATA'])
  assert.deepEqual(names({ ...query, info: { ...file, isFolder: true } }), [':Zone:$DATA'])
  assert.deepEqual(
    decodeStreamList(ask(FileClass.stream, 60).bytes).map(entry => entry.name),
    ['::$DATA'],
  )
})

test('extended attributes that do not all fit are cut between entries (MS-FSA 2.1.5.12.14)', () => {
  assert.deepEqual(
    decodeEaList(ask(FileClass.fullEa, 40).bytes).map(ea => ea.name),
    ['EAONE'],
  )
  assert.equal(ask(FileClass.fullEa, 40).status, NtStatus.BUFFER_OVERFLOW)
  assert.equal(ask(FileClass.fullEa, 8).status, NtStatus.BUFFER_TOO_SMALL)
})

test('every class of the table encodes as many bytes as it says', () => {
  for (const [fileClass, row] of fileQueryRows) {
    const { status, bytes } = ask(fileClass)
    assert.equal(status, NtStatus.SUCCESS, row.name)
    assert.equal(bytes.length, row.lengthBytes(query), row.name)
    assert.ok(bytes.length >= Math.min(row.minBytes, row.lengthBytes(query)), row.name)
  }
})

test('attributes on the wire: NORMAL only alone, DIRECTORY and REPARSE_POINT from what it is (MS-FSCC 2.6)', () => {
  assert.equal(wireAttributes({ attributes: 0, isFolder: false, reparseTag: 0 }), 0x80)
  assert.equal(wireAttributes({ attributes: 0x82, isFolder: false, reparseTag: 0 }), 0x02)
  assert.equal(wireAttributes({ attributes: 0, isFolder: true, reparseTag: 0xa000000c }), 0x410)
})

const entry = (name: string, more: Partial<FileInfo> = {}): FileInfo => ({ ...file, name, ...more })

test('every folder class round-trips, entries at multiples of 8 bytes, the last with offset 0 (MS-FSCC 2.4)', () => {
  const entries = [
    entry('.', { isFolder: true }),
    entry('a'),
    entry('ünïcode \ud800 name that is a good deal longer.txt', { reparseTag: 0xa000000c }),
    entry('x'.repeat(255)),
  ]
  for (const [fileClass, layout] of directoryLayouts) {
    const target = Buffer.alloc(4096, 0xee)
    const writer = new DirectoryWriter({ layout, target, at: 8, end: target.length })
    for (const [index, item] of entries.entries()) assert.ok(writer.add(item, item.name, index, index === 2 ? 'NICOD~1.TXT' : ''))
    const list = target.subarray(8, 8 + writer.lengthBytes)
    const items = decodeDirectory(layout, list)
    assert.deepEqual(
      items.map(item => item.name),
      entries.map(item => item.name),
    )
    assert.deepEqual(
      items.map(item => item.fileIndex),
      [0, 1, 2, 3],
    )
    if (layout.hasInfo)
      assert.deepEqual(
        items.map(item => item.sizeBytes),
        [0, 5_000_000_000, 5_000_000_000, 5_000_000_000],
      )
    if (layout.eaSizeAt >= 0) assert.equal(items[2].reparseTag, 0xa000000c, layout.name)
    if (layout.shortNameAt >= 0)
      assert.deepEqual(
        items.map(item => item.shortName),
        ['', '', 'NICOD~1.TXT', ''],
        layout.name,
      )
    if (layout.id64At >= 0 || layout.id128At >= 0) assert.equal(items[1].id, file.id, layout.name)
    assert.equal(target[8 + writer.lengthBytes], 0xee, `${layout.name} (${fileClass}) writes beyond its end`)
    assert.equal(writer.count, entries.length)
  }
})

test('an entry that does not fit is not begun; a first one may be cut (MS-FSA 2.1.5.6.3)', () => {
  const layout = directoryLayouts.get(FileClass.idBothDirectory)
  assert.ok(layout)
  const target = Buffer.alloc(300, 0xee)
  const writer = new DirectoryWriter({ layout, target, at: 0, end: 220 })
  assert.equal(writer.add(file, 'first', 0, ''), true)
  assert.equal(writer.add(file, 'second', 1, ''), false)
  assert.equal(writer.lengthBytes, 114)
  assert.equal(target[114], 0xee)
  const small = new DirectoryWriter({ layout, target: Buffer.alloc(109), at: 0, end: 109 })
  assert.equal(small.add(file, 'first', 0, ''), false)
  small.addTruncated(file, 'first', 0, '')
  assert.equal(small.lengthBytes, 108)
})

test('a FileBothDirectoryInformation entry on the wire (MS-FSCC 2.4.8)', () => {
  const layout = directoryLayouts.get(FileClass.bothDirectory)
  assert.ok(layout)
  const target = Buffer.alloc(96, 0xee)
  const writer = new DirectoryWriter({ layout, target, at: 0, end: 96 })
  assert.ok(writer.add(entry('a', { sizeBytes: 1, allocationBytes: 4096 }), 'a', 3, ''))
  assert.equal(
    toHex(target),
    [
      '00000000',
      '03000000',
      '01000000',
      '0000d001',
      '02000000',
      '0000d001',
      '03000000',
      '0000d001',
      '04000000',
      '0000d001',
      '01000000',
      '00000000',
      '00100000',
      '00000000',
      '20000000',
      '02000000',
      '1f000000',
      '00000000',
      '00000000',
      '00000000',
      '00000000',
      '00000000',
      '00000000',
      '00006100',
    ].join(' '),
  )
})

test('extended attributes round-trip, 4-byte aligned (MS-FSCC 2.4.16)', () => {
  const names = fc.stringMatching(/^[A-Za-z][A-Za-z0-9 ._-]{0,30}$/)
  const eas = fc.array(fc.record({ name: names, value: fc.uint8Array({ maxLength: 40 }), flags: fc.constantFrom(0, 0x80) }), { maxLength: 5 })
  fc.assert(
    fc.property(eas, list => {
      const target = Buffer.alloc(eaListLengthBytes(list))
      assert.deepEqual(encodeEaList(list, target, 0, target.length), { end: target.length, count: list.length })
      assert.deepEqual(
        decodeEaList(target).map(ea => [ea.name, [...ea.value], ea.flags]),
        list.map(ea => [ea.name, [...ea.value], ea.flags]),
      )
      assert.deepEqual(
        decodeGetEaList(encodeGetEaList(list.map(ea => ea.name))),
        list.map(ea => ea.name),
      )
    }),
  )
})

test('a bad list of extended attributes says where (EA_LIST_INCONSISTENT)', () => {
  const target = Buffer.alloc(eaListLengthBytes(query.extendedAttributes ?? []))
  encodeEaList(query.extendedAttributes ?? [], target, 0, target.length)
  const broken = (change: (bytes: Buffer) => void) => {
    const copy = Buffer.from(target)
    change(copy)
    return copy
  }
  const cases: readonly (readonly [Buffer, string, number])[] = [
    [broken(list => list.writeUInt16LE(500, 24 - 4 + 6)), 'EA_LIST_INCONSISTENT', 20],
    [broken(list => list.writeUInt32LE(21, 0)), 'EA_LIST_INCONSISTENT', 0],
    [broken(list => list.writeUInt32LE(4, 0)), 'EA_LIST_INCONSISTENT', 0],
    [broken(list => void (list[8] = 0x2a)), 'INVALID_EA_NAME', 0],
    [broken(list => void (list[4] = 1)), 'INVALID_EA_FLAG', 0],
    [target.subarray(0, 6), 'EA_LIST_INCONSISTENT', 0],
  ]
  for (const [list, code, offsetBytes] of cases) assert.throws(() => decodeEaList(list), { code, offsetBytes })
})

test('hard links, streams, notifications and quotas are chained lists', () => {
  const links = [
    { parentId: 5n, name: 'one' },
    { parentId: 6n, name: 'two and a half' },
  ]
  const target = Buffer.alloc(hardLinksLengthBytes(links))
  assert.equal(encodeHardLinks(links, target, 0, target.length), target.length)
  assert.deepEqual([target.readUInt32LE(0), target.readUInt32LE(4), target.readUInt32LE(8)], [target.length, 2, 32])
  const one = Buffer.alloc(target.length)
  assert.equal(encodeHardLinks(links, one, 0, 40), 34)
  assert.deepEqual([one.readUInt32LE(0), one.readUInt32LE(4)], [target.length, 1])

  const streams = [{ name: '::$DATA', sizeBytes: 1, allocationBytes: 2 }]
  const list = Buffer.alloc(38)
  encodeStreamList(streams, list)
  assert.deepEqual(decodeStreamList(list), streams)

  const changes = [
    { action: NotifyAction.renamedOldName, name: 'dir\\old' },
    { action: NotifyAction.renamedNewName, name: 'dir\\newer' },
  ]
  const notify = Buffer.alloc(100)
  const end = encodeNotifyList(changes, notify, 0, 100)
  assert.equal(end, 28 + 12 + 18)
  assert.deepEqual(decodeNotifyList(notify.subarray(0, end)), changes)
  assert.equal(encodeNotifyList(changes, notify, 0, 57), undefined)

  const quotas = [
    { sid: 'S-1-5-32-544', changedAt: 1n, usedBytes: 2n, thresholdBytes: 3n, limitBytes: 4n },
    { sid: 'S-1-1-0', changedAt: 1n, usedBytes: 2n, thresholdBytes: 3n, limitBytes: 4n },
  ]
  assert.deepEqual(decodeQuotas(encodeQuotas(quotas)), quotas)
})

test('FileRenameInformation as SMB2 has it (MS-FSCC 2.4.43.2)', () => {
  const bytes = RenameInformation.toBytes({ replace: true, name: 'b' })
  assert.equal(toHex(bytes), '01000000 00000000 00000000 00000000 02000000 6200')
  assert.deepEqual(fileSetRows[FileClass.rename].decode(Buffer.concat([bytes, Buffer.alloc(2)])), { replace: true, rootDirectory: 0n, name: 'b' })
  assert.throws(() => fileSetRows[FileClass.rename].decode(bytes.subarray(0, 19)), { code: 'INFO_LENGTH_MISMATCH' })
  assert.equal(isSettable(FileClass.rename), true)
  assert.equal(isSettable(FileClass.internal), false)
})

test('times that are not times: 0 keeps, -1 stops and -2 resumes updating (MS-FSCC 2.4.7)', () => {
  const meanings = [0n, 1n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_fffdn].map(timeMeaning)
  assert.deepEqual(meanings, ['keep', 'set', 'stop-updating', 'resume-updating', undefined])
})

test('filesystem attributes follow the features', () => {
  const none = { readOnly: false, namedStreams: false, extendedAttributes: false, securityDescriptors: false, sparseFiles: false }
  const features = { ...none, symlinks: false, hardLinks: false, blockCloning: false, watch: false }
  assert.equal(fileSystemAttributes(features), 0x7)
  assert.equal(fileSystemAttributes({ ...features, namedStreams: true, securityDescriptors: true }), 0x4000f)
  assert.equal(fileSystemAttributes({ ...features, compression: true }), 0x17)
  assert.equal(fileSystemQueryRows.get(FileSystemClass.label), undefined)
})

test('arbitrary bytes make nothing but MalformedError', () => {
  const settable = Object.values(fileSetRows)
  const decoders: readonly ((bytes: Buffer) => unknown)[] = [
    ...settable.map(row => (bytes: Buffer) => row.decode(bytes)),
    ...[...directoryLayouts.values()].map(layout => (bytes: Buffer) => decodeDirectory(layout, bytes)),
    decodeEaList,
    decodeGetEaList,
    decodeStreamList,
    decodeNotifyList,
    decodeQuotas,
    decodeQuotaSids,
  ]
  const chainy = fc.array(fc.constantFrom(0, 0, 0, 1, 4, 8, 16, 64, 104, 255), { maxLength: 240 }).map(bytes => Uint8Array.from(bytes))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), chainy), bytes => {
      for (const decode of decoders) {
        try {
          decode(Buffer.from(bytes))
        } catch (error) {
          assert.ok(error instanceof MalformedError, String(error))
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('FileBasicInformation keeps all 64 bits of its times', () => {
  const value = { createdAt: 1n, accessedAt: 0xffff_ffff_ffff_ffffn, writtenAt: 0n, changedAt: 0x8000_0000_0000_0000n, attributes: 0xffff_ffff }
  assert.deepEqual(BasicInformation.decode(BasicInformation.toBytes(value)), value)
})
