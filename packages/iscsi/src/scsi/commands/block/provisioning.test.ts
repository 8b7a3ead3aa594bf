import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import { Status } from '../../status.ts'
import { cdb10, cdb16, cdb32, patternBlocks, ProbeDevice, smallDisk, TestDisk } from './test-disk.ts'
import { inBlocks } from './get-lba-status.ts'
import { unmapDescriptors } from './unmap.ts'

const ANCHOR = 0x10
const UNMAP = 0x08
const NDOB = 0x01

const writeSames: Readonly<Record<string, (flags: number, lba: number, length: number) => Buffer>> = {
  'WRITE SAME (10)': (flags, lba, length) => cdb10(0x41, flags, lba, length),
  'WRITE SAME (16)': (flags, lba, length) => cdb16(0x93, flags, lba, length),
  'WRITE SAME (32)': (flags, lba, length) => cdb32(0x000d, flags, lba, length),
}

/** A disk that is full of a pattern. */
async function fullDisk(): Promise<ReturnType<typeof smallDisk>> {
  const disk = smallDisk()
  await disk.device.write([patternBlocks(0, 2048)], 0)
  return disk
}

const usedBytes = async (disk: Awaited<ReturnType<typeof fullDisk>>): Promise<number> => (await disk.device.usage()).usedBytes

for (const [name, cdbOf] of Object.entries(writeSames)) {
  const flagsAt = name.endsWith('(32)') ? 10 : 1
  const lengthAt = { '(10)': 7, '(16)': 10, '(32)': 28 }[name.slice(-4)] ?? 0

  test(`${name} writes one block again and again`, async () => {
    const disk = await fullDisk()
    const block = patternBlocks(77, 1)
    const { result } = await disk.run({ cdb: cdbOf(0, 3, 5), dataOut: block, pieceBytes: 100 })
    assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 512 })
    const expected = Buffer.concat([patternBlocks(2, 1), ...Array.from({ length: 5 }, () => block), patternBlocks(8, 1)])
    assert.ok((await disk.good(cdb10(0x28, 0, 2, 7))).equals(expected))
  })

  test(`${name} of zeros: with UNMAP the space goes back, with ANCHOR too it stays, without it as well`, async () => {
    for (const [flags, freed] of [
      [UNMAP, 4096],
      [UNMAP | ANCHOR, 0],
      [0, 0],
    ]) {
      const disk = await fullDisk()
      await disk.good(cdbOf(flags, 8, 8), Buffer.alloc(512))
      assert.ok((await disk.good(cdb10(0x28, 0, 7, 10))).equals(Buffer.concat([patternBlocks(7, 1), Buffer.alloc(4096), patternBlocks(16, 1)])))
      assert.equal(await usedBytes(disk), (1 << 20) - freed)
    }
  })

  test(`${name} with UNMAP of a block that is not zero writes it: that is what it has to read as`, async () => {
    const disk = await fullDisk()
    await disk.good(cdbOf(UNMAP, 8, 8), Buffer.alloc(512, 1))
    assert.ok((await disk.good(cdb10(0x28, 0, 8, 8))).equals(Buffer.alloc(4096, 1)))
  })

  test(`${name}: what is refused`, async () => {
    const disk = await fullDisk()
    const dataOut = Buffer.alloc(512)
    await disk.refuses({ cdb: cdbOf(ANCHOR, 0, 1), dataOut }, flagsAt, 4)
    await disk.refuses({ cdb: cdbOf(0x20, 0, 1), dataOut }, flagsAt, 5)
    await disk.refuses({ cdb: cdbOf(0x02, 0, 1), dataOut }, flagsAt, 1)
    await disk.outOfRange({ cdb: cdbOf(0, 2047, 2), dataOut }, 2048)
    await disk.refuses({ cdb: cdbOf(0, 0, 0), dataOut }, lengthAt)
    for (const bytes of [0, 256, 1024])
      await disk.fails({ cdb: cdbOf(0, 0, 1), dataOut: Buffer.alloc(bytes) }, 'ILLEGAL REQUEST', 'INVALID FIELD IN COMMAND INFORMATION UNIT')
    assert.ok((await disk.good(cdb10(0x28, 0, 0, 4))).equals(patternBlocks(0, 4)))
  })

  test(`${name} above MAXIMUM WRITE SAME LENGTH is refused`, async () => {
    const disk = new TestDisk(memoryDevice({ sizeBytes: 1 << 30 }))
    const most = disk.unit.limits.maximumWriteSameBlocks
    const dataOut = Buffer.alloc(512)
    await disk.refuses({ cdb: cdbOf(UNMAP, 0, most + 1), dataOut }, lengthAt)
    await disk.good(cdbOf(UNMAP, 0, most), dataOut)
  })
}

test('WRITE SAME (16) and (32) with NDOB write zeros without data', async () => {
  for (const [cdb, bytes] of [
    [cdb16(0x93, NDOB, 8, 8), 0],
    [cdb32(0x000d, NDOB | UNMAP, 8, 8), 4096],
  ] as const) {
    const disk = await fullDisk()
    assert.equal(disk.unit.dataOutBytes(cdb), 0)
    await disk.good(cdb)
    assert.ok((await disk.good(cdb10(0x28, 0, 8, 8))).equals(Buffer.alloc(4096)))
    assert.equal(await usedBytes(disk), (1 << 20) - bytes)
  }
})

test('a device that is not thin has no UNMAP bit, and no UNMAP', async () => {
  const device = new ProbeDevice()
  device.isThin = false
  const disk = new TestDisk(device)
  await disk.refuses({ cdb: cdb16(0x93, UNMAP, 0, 1), dataOut: Buffer.alloc(512) }, 1, 3)
  await disk.good(cdb16(0x93, 0, 0, 1), Buffer.alloc(512))
  await disk.fails(unmapCdb(24), 'ILLEGAL REQUEST', 'INVALID COMMAND OPERATION CODE')
})

test('WRITE SAME that is aborted stops between its chunks', async () => {
  const disk = new TestDisk(new ProbeDevice(4 << 20))
  const gate = Promise.withResolvers<void>()
  disk.device.gates.set('write', gate.promise)
  const task = disk.task({ cdb: cdb16(0x93, 0, 0, 8192), dataOut: Buffer.alloc(512, 1) })
  const ended = disk.unit.execute(task)
  const aborted = disk.unit.abortTask(task)
  gate.resolve()
  await Promise.all([ended, aborted])
  assert.deepEqual(disk.device.calls, ['write 0'])
})

function unmapCdb(lengthBytes: number, flags = 0): Buffer {
  const cdb = Buffer.alloc(10)
  cdb.set([0x42, flags])
  cdb.writeUInt16BE(lengthBytes, 7)
  return cdb
}

function unmapList(...ranges: readonly (readonly [lba: number, blocks: number])[]): Buffer {
  const list = Buffer.alloc(8 + 16 * ranges.length)
  list.writeUInt16BE(list.length - 2, 0)
  list.writeUInt16BE(list.length - 8, 2)
  for (const [index, [lba, blocks]] of ranges.entries()) {
    list.writeBigUInt64BE(BigInt(lba), 8 + index * 16)
    list.writeUInt32BE(blocks, 16 + index * 16)
  }
  return list
}

test('UNMAP: what is unmapped reads as zeros, and whole physical blocks give their space back', async () => {
  const disk = await fullDisk()
  const list = unmapList([8, 8], [17, 1], [2040, 8], [3, 0])
  const { result } = await disk.run({ cdb: unmapCdb(list.length), dataOut: list, pieceBytes: 9 })
  assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: list.length })
  const expected = Buffer.concat([patternBlocks(7, 1), Buffer.alloc(4096), patternBlocks(16, 1), Buffer.alloc(512), patternBlocks(18, 1)])
  assert.ok((await disk.good(cdb10(0x28, 0, 7, 12))).equals(expected))
  assert.equal(await usedBytes(disk), (1 << 20) - 8192)
})

test('UNMAP with ANCHOR keeps the space', async () => {
  const disk = await fullDisk()
  const list = unmapList([8, 8])
  await disk.good(unmapCdb(list.length, 1), list)
  assert.ok((await disk.good(cdb10(0x28, 0, 8, 8))).equals(Buffer.alloc(4096)))
  assert.equal(await usedBytes(disk), 1 << 20)
})

test('UNMAP: nothing to do is no error', async () => {
  const disk = await fullDisk()
  await disk.good(unmapCdb(0))
  await disk.good(unmapCdb(8), unmapList())
  const atTheEnd = unmapList([2048, 0], [1 << 30, 0])
  await disk.good(unmapCdb(atTheEnd.length), atTheEnd)
  assert.equal(await usedBytes(disk), 1 << 20)
})

test('UNMAP: what is refused is refused whole', async () => {
  const disk = await fullDisk()
  const list = unmapList([0, 8], [2047, 2])
  await disk.outOfRange({ cdb: unmapCdb(list.length), dataOut: list }, 2048)
  await disk.fails({ cdb: unmapCdb(7), dataOut: list }, 'ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  await disk.fails({ cdb: unmapCdb(list.length), dataOut: list.subarray(0, 20) }, 'ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
  const many = unmapList(...Array.from({ length: 257 }, () => [0, 1] as const))
  await disk.fails({ cdb: unmapCdb(many.length), dataOut: many }, 'ILLEGAL REQUEST', 'INVALID FIELD IN PARAMETER LIST', {
    field: { in: 'parameters', byte: 2 },
  })
  const long = unmapList([0, 8], [0, 0xffffffff])
  await disk.fails({ cdb: unmapCdb(long.length), dataOut: long }, 'ILLEGAL REQUEST', 'INVALID FIELD IN PARAMETER LIST', {
    field: { in: 'parameters', byte: 32 },
  })
  assert.equal(await usedBytes(disk), 1 << 20)
})

test('UNMAP on a disk without a write cache is durable', async () => {
  const disk = new TestDisk(new ProbeDevice())
  disk.unit.isWriteCacheEnabled = false
  const list = unmapList([0, 8])
  await disk.good(unmapCdb(list.length), list)
  assert.deepEqual(disk.device.calls, ['unmap 0 4096', 'flush'])
})

test('UNMAP parameter lists: lengths that promise more, or less, than there is (SBC-4 5.35.2)', () => {
  const list = unmapList([1, 2], [3, 4])
  const descriptors = [
    { lba: 1, blocks: 2 },
    { lba: 3, blocks: 4 },
  ]
  assert.deepEqual(unmapDescriptors(list), descriptors)
  assert.deepEqual(unmapDescriptors(list.subarray(0, 39)), descriptors.slice(0, 1))
  list.writeUInt16BE(0xffff, 0)
  list.writeUInt16BE(0xffff, 2)
  assert.deepEqual(unmapDescriptors(list), descriptors)
  list.writeUInt16BE(31, 2)
  assert.deepEqual(unmapDescriptors(list), descriptors.slice(0, 1))
})

/** What the descriptors say. */
function lbaStatus(data: Buffer): { condition: number; runs: [lba: number, blocks: number, status: number][] } {
  assert.equal(data.readUInt32BE(0), data.length - 4)
  const runs = Array.from({ length: (data.length - 8) / 16 }, (_, index): [number, number, number] => {
    const at = 8 + index * 16
    return [Number(data.readBigUInt64BE(at)), data.readUInt32BE(at + 8), data[at + 12]]
  })
  return { condition: data[7] >> 1, runs }
}

const getLbaStatus16 = (lba: number | bigint, allocationLength: number): Buffer => {
  const cdb = cdb16(0x9e, 0x12, lba, allocationLength)
  return cdb
}
const getLbaStatus32 = (lba: number, scanLength: number, allocationLength: number): Buffer => {
  const cdb = cdb32(0x0012, 0, lba, allocationLength)
  cdb.writeUInt32BE(scanLength, 20)
  return cdb
}

test('GET LBA STATUS tells mapped from deallocated, and why it stops', async () => {
  const disk = smallDisk()
  await disk.device.write([Buffer.alloc(8192, 1)], 4096)
  await disk.device.write([Buffer.alloc(512, 1)], 65536)
  const all: [number, number, number][] = [
    [0, 8, 1],
    [8, 16, 0],
    [24, 104, 1],
    [128, 8, 0],
    [136, 1912, 1],
  ]
  assert.deepEqual(lbaStatus(await disk.good(getLbaStatus16(0, 4096))), { condition: 3, runs: all })
  assert.deepEqual(lbaStatus(await disk.good(getLbaStatus16(0, 8 + 32))), { condition: 1, runs: all.slice(0, 2) })
  assert.deepEqual(lbaStatus(await disk.good(getLbaStatus16(10, 24))), { condition: 1, runs: [[10, 14, 0]] })
  assert.deepEqual(lbaStatus(await disk.good(getLbaStatus32(4, 10, 4096))), {
    condition: 2,
    runs: [
      [4, 4, 1],
      [8, 6, 0],
    ],
  })
  assert.deepEqual(lbaStatus(await disk.good(getLbaStatus32(0, 0, 4096))), { condition: 3, runs: all })
})

test('GET LBA STATUS cut by its allocation length, and beyond the end', async () => {
  const disk = smallDisk()
  const whole = await disk.good(getLbaStatus16(0, 24))
  for (const length of [0, 4, 8, 23]) assert.ok((await disk.good(getLbaStatus16(0, length))).equals(whole.subarray(0, length)))
  await disk.outOfRange(getLbaStatus16(2048, 24), 2048)
  await disk.outOfRange(getLbaStatus16((1n << 64n) - 1n, 24), 2 ** 64)
  const reportType = getLbaStatus16(0, 24)
  reportType[14] = 1
  await disk.refuses(reportType, 14, 0)
})

test('runs that share a block: it is mapped', () => {
  const run = (offset: number, lengthBytes: number, isMapped: boolean): Parameters<typeof inBlocks>[0][number] => ({ offset, lengthBytes, isMapped })
  assert.deepEqual(inBlocks([run(0, 4096, false), run(4096, 512, true), run(4608, 7680, false)], 4096), [
    { lba: 0, blocks: 1, isMapped: false },
    { lba: 1, blocks: 1, isMapped: true },
    { lba: 2, blocks: 1, isMapped: false },
  ])
  assert.deepEqual(inBlocks([run(0, 512, false), run(512, 512, true), run(1024, 3072, false)], 4096), [{ lba: 0, blocks: 1, isMapped: true }])
})
