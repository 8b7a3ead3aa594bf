import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockDeviceError, memoryDevice } from '@holdfast/storage/block'
import { hex } from '@holdfast/wire'
import { decodeSense } from '../../../sense.ts'
import { Status } from '../../../status.ts'
import { cdb10, cdb16, patternBlocks, ProbeDevice, smallDisk, TestDisk, testIdentity, testNexus } from '../test-disk.ts'
import { copyLimits } from './limits.ts'

/** A block to block segment descriptor; with `bytes`, one with offset. */
interface Segment {
  readonly source?: number
  readonly destination?: number
  readonly from: number
  readonly to: number
  readonly blocks?: number
  readonly countsDestination?: boolean
  readonly bytes?: number
  readonly fromOffset?: number
  readonly toOffset?: number
}

function segmentBytes({
  source = 0,
  destination = 0,
  from,
  to,
  blocks = 0,
  countsDestination = false,
  bytes,
  fromOffset = 0,
  toOffset = 0,
}: Segment): Buffer {
  const hasOffset = bytes !== undefined
  const result = Buffer.alloc(hasOffset ? 32 : 28)
  result.set([hasOffset ? 0x0a : 0x02, countsDestination ? 2 : 0, 0, result.length - 4])
  result.writeUInt16BE(source, 4)
  result.writeUInt16BE(destination, 6)
  if (hasOffset) result.writeUInt32BE(bytes, 8)
  else result.writeUInt16BE(blocks, 10)
  result.writeBigUInt64BE(BigInt(from), 12)
  result.writeBigUInt64BE(BigInt(to), 20)
  if (hasOffset) {
    result.writeUInt16BE(fromOffset, 28)
    result.writeUInt16BE(toOffset, 30)
  }
  return result
}

function cscdBytes(designator: Buffer, blockBytes = 512): Buffer {
  const result = Buffer.alloc(32)
  result.set([0xe4, 0, 0, 0, 1, 3, 0, designator.length])
  designator.copy(result, 8)
  result.writeUIntBE(blockBytes, 29, 3)
  return result
}

interface List {
  readonly cscds?: readonly Buffer[]
  readonly segments: readonly (Segment | Buffer)[]
  readonly listId?: number
  readonly usage?: number
  readonly inlineBytes?: number
  /** LID4: byte 15. */
  readonly flags?: number
}

const own = cscdBytes(testIdentity.naa)

function bodyOf({ cscds = [own], segments }: List): { cscd: Buffer; segment: Buffer } {
  return { cscd: Buffer.concat(cscds), segment: Buffer.concat(segments.map(segment => (Buffer.isBuffer(segment) ? segment : segmentBytes(segment)))) }
}

function lid1(list: List): Buffer {
  const { cscd, segment } = bodyOf(list)
  const header = Buffer.alloc(16)
  header.set([list.listId ?? 1, (list.usage ?? 0) << 3])
  header.writeUInt16BE(cscd.length, 2)
  header.writeUInt32BE(segment.length, 8)
  header.writeUInt32BE(list.inlineBytes ?? 0, 12)
  return Buffer.concat([header, cscd, segment, Buffer.alloc(list.inlineBytes ?? 0)])
}

function lid4(list: List): Buffer {
  const { cscd, segment } = bodyOf(list)
  const header = Buffer.alloc(48)
  header.set([1, (list.usage ?? 0) << 3, 0, 0x20])
  header[15] = list.flags ?? 0
  header[16] = 0xff
  header.writeUInt32BE(list.listId ?? 1, 20)
  header.writeUInt16BE(cscd.length, 42)
  header.writeUInt16BE(segment.length, 44)
  return Buffer.concat([header, cscd, segment])
}

const copyCdb = (serviceAction: number, lengthBytes: number): Buffer => cdb16(0x83, serviceAction, 0, lengthBytes)
const copy1 = (list: List): { cdb: Buffer; dataOut: Buffer } => ({ cdb: copyCdb(0, lid1(list).length), dataOut: lid1(list) })
const copy4 = (list: List): { cdb: Buffer; dataOut: Buffer } => ({ cdb: copyCdb(1, lid4(list).length), dataOut: lid4(list) })

function receiveCdb(serviceAction: number, listId: number, allocationLength = 1024): Buffer {
  const cdb = cdb16(0x84, serviceAction, 0, allocationLength)
  if (serviceAction === 5) cdb.writeUInt32BE(listId, 2)
  else cdb[2] = listId
  return cdb
}
const abortCdb = (listId: number): Buffer => {
  const cdb = cdb16(0x83, 0x1c, 0, 0)
  cdb.writeUInt32BE(listId, 2)
  return cdb
}

const filled = async (): Promise<ReturnType<typeof smallDisk>> => {
  const disk = smallDisk()
  await disk.device.write([patternBlocks(0, 1024)], 0)
  return disk
}

for (const [name, copy] of [
  ['LID1', copy1],
  ['LID4', copy4],
] as const) {
  test(`EXTENDED COPY (${name}) copies blocks within the unit, segment after segment`, async () => {
    const disk = await filled()
    const command = copy({
      segments: [
        { from: 0, to: 1024, blocks: 3 },
        { from: 1025, to: 1100, blocks: 1 },
        { from: 8, to: 1200, bytes: 1536 },
        { from: 8, to: 1300, bytes: 0 },
      ],
    })
    assert.equal(disk.unit.dataOutBytes(command.cdb), command.dataOut.length)
    const { result } = await disk.run({ ...command, pieceBytes: 33 })
    assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: command.dataOut.length })
    assert.ok((await disk.good(cdb10(0x28, 0, 1024, 3))).equals(patternBlocks(0, 3)))
    assert.ok((await disk.good(cdb10(0x28, 0, 1100, 1))).equals(patternBlocks(1, 1)))
    assert.ok((await disk.good(cdb10(0x28, 0, 1200, 4))).equals(Buffer.concat([patternBlocks(8, 3), Buffer.alloc(512)])))
  })
}

test('EXTENDED COPY between units that the owner knows, with other block lengths, by count of either', async () => {
  const other = memoryDevice({ sizeBytes: 1 << 20 })
  const name = Buffer.from('0123456789abcdef', 'hex')
  const disk = smallDisk({ copyTargets: async ({ designator }) => (designator.equals(name) ? other : undefined) })
  await disk.device.write([patternBlocks(0, 64)], 0)
  const cscds = [own, cscdBytes(name, 4096)]
  await disk.good(
    ...commandOf(
      copy1({
        cscds,
        segments: [
          { source: 0, destination: 1, from: 8, to: 2, blocks: 9 },
          { source: 0xffff, destination: 1, from: 0, to: 10, blocks: 1, countsDestination: true },
        ],
      }),
    ),
  )
  const read = Buffer.alloc(9 * 512)
  other.readNow([read], 2 * 4096)
  assert.ok(read.equals(patternBlocks(8, 9)))
  other.readNow([read.subarray(0, 4096)], 10 * 4096)
  assert.ok(read.subarray(0, 4096).equals(patternBlocks(0, 8)))
})

const commandOf = ({ cdb, dataOut }: { cdb: Buffer; dataOut: Buffer }): [Buffer, Buffer] => [cdb, dataOut]

test('EXTENDED COPY with offsets within blocks, as far as the granularity goes', async () => {
  const disk = smallDisk({ blockBytes: 4096 })
  await disk.device.write([patternBlocks(0, 64)], 0)
  const cscds = [cscdBytes(testIdentity.naa, 4096)]
  await disk.good(...commandOf(copy1({ cscds, segments: [{ from: 0, to: 100, bytes: 1024, fromOffset: 512, toOffset: 3584 }] })))
  const read = Buffer.alloc(1024)
  disk.device.readNow([read], 100 * 4096 + 3584)
  assert.ok(read.equals(patternBlocks(1, 2)))
  await disk.fails(copy1({ cscds, segments: [{ from: 0, to: 100, bytes: 100 }] }), 'COPY ABORTED', 'COPY SEGMENT GRANULARITY VIOLATION')
})

test('EXTENDED COPY of ranges that overlap is as if they did not', async () => {
  for (const [from, to] of [
    [0, 100],
    [100, 0],
    [0, 0],
    [0, 4000],
    [4000, 0],
  ]) {
    const disk = new TestDisk(memoryDevice({ sizeBytes: 6 << 20 }))
    await disk.device.write([patternBlocks(0, 12288)], 0)
    await disk.good(...commandOf(copy1({ segments: [{ from, to, blocks: 8000 }] })))
    const read = Buffer.alloc(8000 * 512)
    disk.device.readNow([read], to * 512)
    assert.ok(read.equals(patternBlocks(from, 8000)))
  }
})

test('EXTENDED COPY of what is not stored stores nothing', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 16 << 20 }))
  await disk.device.write([Buffer.alloc(4 << 20, 1)], 8 << 20)
  await disk.good(...commandOf(copy1({ segments: [{ from: 0, to: 16384, blocks: 8192 }] })))
  assert.equal((await disk.device.usage()).usedBytes, 0)
})

test('EXTENDED COPY: parameter lists that are refused (SPC-4 6.4.3)', async () => {
  const disk = await filled()
  const segment: Segment = { from: 0, to: 1024, blocks: 1 }
  const illegal = async (
    command: { cdb: Buffer; dataOut: Buffer },
    code: Parameters<typeof disk.fails>[2],
    byte?: number,
    bit?: number,
  ): Promise<void> =>
    disk.fails(
      command,
      'ILLEGAL REQUEST',
      code,
      byte === undefined ? {} : { field: { in: 'parameters', byte, ...(bit === undefined ? {} : { bit }) } },
    )
  const cut = (list: Buffer, length: number): { cdb: Buffer; dataOut: Buffer } => ({ cdb: copyCdb(0, length), dataOut: list.subarray(0, length) })
  await disk.good(copyCdb(0, 0))
  for (const length of [1, 15, 47, 75]) await illegal(cut(lid1({ segments: [segment] }), length), 'PARAMETER LIST LENGTH ERROR')
  const times = <Value>(count: number, value: Value): Value[] => Array.from({ length: count }, () => value)
  const { maxCscdDescriptors, maxSegmentDescriptors } = copyLimits
  await illegal(copy1({ cscds: times(maxCscdDescriptors + 1, own), segments: [segment] }), 'TOO MANY TARGET DESCRIPTORS')
  await illegal(copy1({ segments: times(maxSegmentDescriptors + 1, segment) }), 'TOO MANY SEGMENT DESCRIPTORS')
  await illegal(copy1({ cscds: times(maxCscdDescriptors + 1, own), segments: times(80, segment) }), 'PARAMETER LIST LENGTH ERROR')
  const fibreChannel = Buffer.from(own)
  fibreChannel[0] = 0xe0
  await illegal(copy1({ cscds: [fibreChannel], segments: [segment] }), 'UNSUPPORTED TARGET DESCRIPTOR TYPE CODE')
  const longName = Buffer.from(own)
  longName[7] = 21
  await illegal(copy1({ cscds: [longName], segments: [segment] }), 'INVALID FIELD IN PARAMETER LIST', 16 + 7)
  const stream = Buffer.alloc(20)
  stream.set([0x03, 0, 0, 0x10])
  await illegal(copy1({ segments: [stream] }), 'UNSUPPORTED SEGMENT DESCRIPTOR TYPE CODE')
  const wrongLength = segmentBytes(segment)
  wrongLength[3] = 0x17
  await illegal(copy1({ segments: [wrongLength] }), 'INVALID FIELD IN PARAMETER LIST', 50)
  await illegal(copy1({ segments: [segmentBytes(segment).subarray(0, 20)] }), 'PARAMETER LIST LENGTH ERROR')
  await illegal(copy1({ segments: [segment], inlineBytes: 4 }), 'INLINE DATA LENGTH EXCEEDED')
  await illegal(copy1({ segments: [segment], usage: 1 }), 'INVALID FIELD IN PARAMETER LIST', 1, 4)
  await illegal(copy1({ segments: [segment], usage: 3, listId: 7 }), 'INVALID FIELD IN PARAMETER LIST', 0)
  await disk.good(...commandOf(copy1({ segments: [segment], usage: 3, listId: 0 })))
  await illegal(copy4({ segments: [segment], usage: 3, listId: 7 }), 'INVALID FIELD IN PARAMETER LIST', 20)
  await illegal(copy4({ segments: [segment], usage: 3, listId: 0, flags: 1 }), 'INVALID FIELD IN CDB')
  await illegal(copy4({ segments: [segment], flags: 2 }), 'INVALID FIELD IN PARAMETER LIST', 15, 1)
  await illegal(copy4({ segments: [segment], flags: 3 }), 'INVALID FIELD IN CDB')
  for (const byte of [0, 2, 16]) {
    const { cdb, dataOut } = copy4({ segments: [segment] })
    dataOut[byte] = 0x02
    await illegal({ cdb, dataOut }, 'INVALID FIELD IN PARAMETER LIST', byte)
  }
})

/** What sense data in fixed format says of a copy that failed: the number of the segment. */
async function copyFails(
  disk: ReturnType<typeof smallDisk> | TestDisk<ProbeDevice>,
  list: List,
  code: Parameters<typeof disk.fails>[2],
  segment = 0,
): Promise<void> {
  await disk.fails(copy1(list), 'COPY ABORTED', code, segment === 0 ? {} : { commandSpecific: segment })
}

test('EXTENDED COPY: segments that fail end it with COPY ABORTED; those before are copied (SPC-4 5.17.7.4)', async () => {
  const disk = await filled()
  const segment: Segment = { from: 0, to: 1024, blocks: 1 }
  await copyFails(disk, { segments: [{ ...segment, destination: 1 }] }, 'UNREACHABLE COPY TARGET')
  await copyFails(disk, { segments: [segment, { ...segment, source: 9 }] }, 'UNREACHABLE COPY TARGET', 1)
  assert.ok((await disk.good(cdb10(0x28, 0, 1024, 1))).equals(patternBlocks(0, 1)))
  await copyFails(disk, { cscds: [cscdBytes(Buffer.alloc(8, 1))], segments: [segment] }, 'UNREACHABLE COPY TARGET')
  await copyFails(disk, { segments: [{ from: 0, to: 2047, blocks: 2 }] }, 'NO ADDITIONAL SENSE INFORMATION')
  await copyFails(disk, { segments: [{ from: 2047, to: 0, blocks: 2 }] }, 'NO ADDITIONAL SENSE INFORMATION')
  await copyFails(disk, { segments: [{ from: 0, to: 0, bytes: copyLimits.maxSegmentBytes + 512 }] }, 'COPY SEGMENT GRANULARITY VIOLATION')
  disk.unit.isReadOnly = true
  await copyFails(disk, { segments: [segment] }, 'INVALID OPERATION FOR COPY SOURCE OR DESTINATION')
  const broken = new TestDisk(new ProbeDevice())
  await broken.good(cdb10(0x2a, 0, 0, 1), Buffer.alloc(512, 1))
  broken.device.failures.set('read', new BlockDeviceError('READ_FAILED'))
  await copyFails(broken, { segments: [segment] }, 'THIRD PARTY DEVICE FAILURE')
})

test('RECEIVE COPY STATUS and FAILURE DETAILS tell of a copy what it did, once (SPC-4 6.23 to 6.25)', async () => {
  const disk = await filled()
  await disk.refuses(receiveCdb(0, 1), 2)
  await disk.good(...commandOf(copy1({ segments: [{ from: 0, to: 1024, blocks: 3 }] })))
  assert.equal((await disk.good(receiveCdb(0, 1, 8))).toString('hex'), '0000000881000100')
  await disk.refuses(receiveCdb(0, 1), 2)
  await copyFails(
    disk,
    {
      listId: 2,
      segments: [
        { from: 0, to: 1024, blocks: 3 },
        { from: 2047, to: 0, blocks: 2 },
      ],
    },
    'NO ADDITIONAL SENSE INFORMATION',
    1,
  )
  assert.equal((await disk.good(receiveCdb(0, 2))).toString('hex'), '000000088200020000000600')
  const details = await disk.good(receiveCdb(4, 2))
  assert.deepEqual([details.readUInt32BE(0), details[56], details.readUInt16BE(58)], [details.length - 4, Status.checkCondition, details.length - 60])
  assert.equal(decodeSense(details.subarray(60)).key, 0x0a)
  await disk.refuses(receiveCdb(4, 2), 2)
  await disk.good(...commandOf(copy1({ listId: 3, segments: [] })))
  assert.equal((await disk.good(receiveCdb(4, 3))).toString('hex'), '00000000')
})

test('RECEIVE COPY STATUS (LID4) tells of foreground, background, success and failure (SPC-4 6.24)', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(cdb10(0x2a, 0, 0, 1), Buffer.alloc(512, 1))
  const gate = Promise.withResolvers<void>()
  disk.device.gates.set('read', gate.promise)
  const segments = [{ from: 0, to: 1024, blocks: 1 }]
  await disk.good(...commandOf(copy4({ listId: 0x10001, segments, flags: 1 })))
  const foreground = disk.run(copy4({ listId: 0x10002, segments }))
  const status = async (listId: number): Promise<string> => (await disk.good(receiveCdb(5, listId))).toString('hex', 0, 26)
  const running = (code: string): string => `0000001c01${code}0000000003e80000000000000000000000000001`
  assert.equal(await status(0x10001), running('12'))
  assert.equal(await status(0x10002), running('11'))
  await disk.fails(copy4({ listId: 0x10001, segments }), 'ILLEGAL REQUEST', 'OPERATION IN PROGRESS')
  gate.resolve()
  assert.equal((await foreground).result.status, Status.good)
  assert.equal(await status(0x10002), '0000001c01010000fffffffe0000000000000000000002000001')
  disk.device.failures.set('write', new BlockDeviceError('WRITE_FAILED'))
  assert.equal((await disk.run(copy4({ listId: 5, segments }))).result.status, Status.checkCondition)
  const failed = await disk.good(receiveCdb(5, 5))
  assert.deepEqual([failed[5], failed[12], failed[13], failed[14], failed.length], [0x02, Status.checkCondition, 20, 18, 52])
  assert.equal(decodeSense(failed.subarray(32, 50)).code, 0x0d01)
  await disk.refuses(receiveCdb(5, 77), 2)
})

test('a list identifier is in use once, in whichever format (SPC-4 6.4.3.2)', async () => {
  const disk = new TestDisk(new ProbeDevice())
  const gate = Promise.withResolvers<void>()
  disk.device.gates.set('unmap', gate.promise)
  const segments = [{ from: 0, to: 1024, blocks: 1 }]
  const first = disk.run(copy1({ listId: 9, segments }))
  await disk.fails(copy1({ listId: 9, segments }), 'ILLEGAL REQUEST', 'OPERATION IN PROGRESS')
  await disk.fails(copy4({ listId: 9, segments }), 'ILLEGAL REQUEST', 'INVALID FIELD IN PARAMETER LIST', { field: { in: 'parameters', byte: 20 } })
  await disk.refuses(receiveCdb(4, 9), 2)
  const other = testNexus(2)
  disk.login(other)
  const second = disk.run({ ...copy1({ listId: 9, segments }), nexus: other })
  gate.resolve()
  for (const { result } of await Promise.all([first, second])) assert.equal(result.status, Status.good)
})

test('COPY OPERATION ABORT ends a copy with TASK ABORTED, and its status tells so (SPC-4 6.3)', async () => {
  const disk = new TestDisk(new ProbeDevice(16 << 20))
  const gate = Promise.withResolvers<void>()
  disk.device.gates.set('unmap', gate.promise)
  const copying = disk.run(copy4({ listId: 7, segments: [{ from: 0, to: 16384, blocks: 16384 }] }))
  await disk.refuses(abortCdb(8), 2)
  const aborting = disk.run({ cdb: abortCdb(7) })
  gate.resolve()
  assert.equal((await aborting).result.status, Status.good)
  assert.equal((await copying).result.status, Status.taskAborted)
  assert.equal(disk.device.calls.filter(call => call.startsWith('unmap')).length, 4)
  const status = await disk.good(receiveCdb(5, 7))
  assert.deepEqual([status[5], status[12], status.length], [0x60, Status.taskAborted, 32])
})

test('ABORT TASK ends a copy in the foreground; nexus loss ends one in the background, and forgets it', async () => {
  const disk = new TestDisk(new ProbeDevice(16 << 20))
  const segments = [{ from: 0, to: 16384, blocks: 16384 }]
  for (const isImmediate of [false, true]) {
    const gate = Promise.withResolvers<void>()
    disk.device.gates.set('unmap', gate.promise)
    const task = disk.task(copy4({ listId: 7, segments, flags: isImmediate ? 1 : 0 }))
    const ended = disk.unit.execute(task)
    while (disk.device.calls.length === 0) await new Promise(setImmediate)
    const lost = isImmediate ? disk.unit.nexusLoss(disk.nexus) : disk.unit.abortTask(task)
    gate.resolve()
    await Promise.all([ended, lost])
    assert.equal(disk.device.calls.splice(0).length, 4)
  }
  disk.unit.addNexus(disk.nexus)
  await disk.run({ cdb: Buffer.alloc(6) })
  await disk.refuses(receiveCdb(5, 7), 2)
})

test('more copies at once than there may be get BUSY', async () => {
  const disk = new TestDisk(new ProbeDevice())
  const gate = Promise.withResolvers<void>()
  disk.device.gates.set('unmap', gate.promise)
  const segments = [{ from: 0, to: 1024, blocks: 1 }]
  const copies = Array.from({ length: copyLimits.maxConcurrentCopies }, async (_, index) => disk.run(copy1({ listId: index, segments })))
  const { result } = await disk.run(copy1({ listId: 200, segments }))
  assert.equal(result.status, Status.busy)
  gate.resolve()
  for (const copy of await Promise.all(copies)) assert.equal(copy.result.status, Status.good)
})

test('RECEIVE COPY OPERATING PARAMETERS and the Third-party Copy VPD page tell the same limits', async () => {
  const disk = smallDisk()
  const parameters = hex(`
    0000002b 01000000 0040 0040 00001000 10000000 00000000 00000000 00000000 0000
    0040 40 09 00 00 000000 03 02 0a e4`)
  assert.deepEqual(await disk.good(receiveCdb(3, 0)), parameters)
  const page = hex(`
    00 8f 0064
    0001 000c 0b 83 03 00 01 1c 84 04 00 03 04 05
    0004 001c 00000000 0040 0040 00001000 00000000 000000000000000000000000
    0008 0004 03 02 0a e4
    000c 0004 0002 ffff
    8001 0020 00000040 00000040 10000000 09 00 0000 00000000000000000000000000000000`)
  assert.deepEqual(await disk.good(Buffer.from([0x12, 1, 0x8f, 1, 0, 0])), page)
})
