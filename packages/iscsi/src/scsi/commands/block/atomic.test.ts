import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import { Status } from '../../status.ts'
import { cdb10, cdb16, cdb32, patternBlocks, ProbeDevice, smallDisk, TestDisk } from './test-disk.ts'

function compareAndWriteCdb(lba: number, blocks: number, flags = 0): Buffer {
  const cdb = cdb16(0x89, flags, lba, 0)
  cdb[13] = blocks
  return cdb
}

test('COMPARE AND WRITE writes where the medium is as expected, one block or many', async () => {
  const disk = smallDisk()
  for (const blocks of [1, 2, 8, 255])
    for (const pieceBytes of [1 << 30, 1000]) {
      await disk.device.write([patternBlocks(5, blocks)], 5 * 512)
      const written = patternBlocks(1000, blocks)
      const dataOut = Buffer.concat([patternBlocks(5, blocks), written])
      const { result } = await disk.run({ cdb: compareAndWriteCdb(5, blocks), dataOut, pieceBytes })
      assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 2 * blocks * 512 })
      assert.ok((await disk.good(cdb10(0x28, 0, 5, blocks))).equals(written))
    }
})

test('COMPARE AND WRITE: MISCOMPARE with the offset of the first byte that differs, and nothing is written (SBC-4 5.3)', async () => {
  const disk = smallDisk()
  await disk.device.write([patternBlocks(0, 8)], 0)
  for (const at of [0, 1, 511, 512, 4095]) {
    const expected = patternBlocks(0, 8)
    expected[at] ^= 0x80
    const dataOut = Buffer.concat([expected, Buffer.alloc(4096)])
    await disk.fails({ cdb: compareAndWriteCdb(0, 8), dataOut }, 'MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: at })
    assert.ok((await disk.good(cdb10(0x28, 0, 0, 8))).equals(patternBlocks(0, 8)))
  }
})

test('COMPARE AND WRITE: what is refused', async () => {
  const disk = smallDisk()
  await disk.good(compareAndWriteCdb(0, 0))
  await disk.outOfRange(compareAndWriteCdb(2049, 0), 2049)
  await disk.outOfRange({ cdb: compareAndWriteCdb(2047, 2), dataOut: Buffer.alloc(2048) }, 2048)
  await disk.refuses({ cdb: compareAndWriteCdb(0, 1, 0x20), dataOut: Buffer.alloc(1024) }, 1, 5)
  for (const bytes of [512, 1023, 2048]) await disk.refuses({ cdb: compareAndWriteCdb(0, 1), dataOut: Buffer.alloc(bytes) }, 13)
  await disk.refuses({ cdb: compareAndWriteCdb(0, 0), dataOut: Buffer.alloc(512) }, 13)
  await disk.refuses({ cdb: compareAndWriteCdb(0, 1), dataOut: Buffer.alloc(1024), dataOutOfferedBytes: 2048 }, 13)
  const reader = new TestDisk(memoryDevice({ sizeBytes: 1 << 20, isReadOnly: true }))
  await reader.fails({ cdb: compareAndWriteCdb(0, 1), dataOut: Buffer.alloc(1024) }, 'DATA PROTECT', 'WRITE PROTECTED')
})

test('COMPARE AND WRITE asks for twice its blocks, and is durable with FUA', async () => {
  const disk = new TestDisk(new ProbeDevice())
  assert.equal(disk.unit.dataOutBytes(compareAndWriteCdb(0, 255)), 2 * 255 * 512)
  await disk.good(compareAndWriteCdb(0, 1), Buffer.alloc(1024))
  await disk.good(compareAndWriteCdb(1, 1, 0x08), Buffer.alloc(1024))
  assert.deepEqual(disk.device.calls, ['compareAndWrite 0', 'compareAndWrite 512 durable'])
})

const orWrites: Readonly<Record<string, (flags: number, lba: number, length: number) => Buffer>> = {
  'ORWRITE (16)': (flags, lba, length) => cdb16(0x8b, flags, lba, length),
  'ORWRITE (32)': (flags, lba, length) => cdb32(0x000e, flags, lba, length),
}

for (const [name, cdbOf] of Object.entries(orWrites)) {
  test(`${name} sets bits`, async () => {
    const disk = smallDisk()
    await disk.device.write([Buffer.alloc(1024, 0xa5)], 512)
    const { result } = await disk.run({ cdb: cdbOf(0, 1, 3), dataOut: Buffer.alloc(1536, 0x5a), pieceBytes: 600 })
    assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 1536 })
    assert.ok((await disk.good(cdb10(0x28, 0, 0, 4))).equals(Buffer.concat([Buffer.alloc(512), Buffer.alloc(1024, 0xff), Buffer.alloc(512, 0x5a)])))
  })

  test(`${name}: what is refused, and what is durable`, async () => {
    const disk = new TestDisk(new ProbeDevice())
    const flagsAt = name.endsWith('(32)') ? 10 : 1
    await disk.good(cdbOf(0, 0, 0))
    await disk.outOfRange(cdbOf(0, 2049, 0), 2049)
    await disk.outOfRange({ cdb: cdbOf(0, 2048, 1), dataOut: Buffer.alloc(512) }, 2048)
    await disk.refuses({ cdb: cdbOf(0xe0, 0, 1), dataOut: Buffer.alloc(512) }, flagsAt, 7)
    assert.deepEqual(disk.device.calls, [])
    await disk.good(cdbOf(0x18, 0, 1), Buffer.alloc(512))
    assert.deepEqual(disk.device.calls, ['orWrite 0 durable'])
  })
}

test('ORWRITE (32) with a generation that is not ours (SBC-4 4.27)', async () => {
  const disk = smallDisk()
  const cdb = cdb32(0x000e, 0, 0, 1)
  cdb.writeUInt32BE(1, 20)
  await disk.fails({ cdb, dataOut: Buffer.alloc(512) }, 'ILLEGAL REQUEST', 'ORWRITE GENERATION DOES NOT MATCH', { information: 0 })
  const changing = cdb32(0x000e, 0, 0, 1)
  changing[2] = 1
  await disk.refuses({ cdb: changing, dataOut: Buffer.alloc(512) }, 2, 0)
})

function writeAtomicCdb(lba: number | bigint, blocks: number, { flags = 0, boundary = 0 } = {}): Buffer {
  const cdb = cdb16(0x9c, flags, lba, 0)
  cdb.writeUInt16BE(boundary, 10)
  cdb.writeUInt16BE(blocks, 12)
  return cdb
}

test('WRITE ATOMIC (16) is one write of the device, whatever its boundary', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(writeAtomicCdb(8, 8), Buffer.alloc(4096, 1))
  await disk.good(writeAtomicCdb(8, 8, { boundary: 4, flags: 0x08 }), Buffer.alloc(4096, 2))
  assert.deepEqual(disk.device.calls, ['write 4096 atomic', 'write 4096 atomic durable'])
  assert.ok((await disk.good(cdb10(0x28, 0, 8, 8))).equals(Buffer.alloc(4096, 2)))
})

test('WRITE ATOMIC (16) writes as much as the device says, anywhere', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 8 << 20 }))
  const most = disk.unit.limits.maximumAtomicBlocks
  assert.equal(most * 512, disk.device.maximumAtomicBytes)
  for (const lba of [0, 1, 7, disk.unit.blocks - most]) {
    await disk.good(writeAtomicCdb(lba, most), patternBlocks(lba + 3, most))
    assert.ok((await disk.good(cdb10(0x28, 0, lba, most))).equals(patternBlocks(lba + 3, most)))
  }
  const page = await disk.good(Buffer.from([0x12, 1, 0xb0, 0, 64, 0]))
  const [maximum, alignment, granularity, withBoundary, boundary] = [44, 48, 52, 56, 60].map(at => page.readUInt32BE(at))
  assert.deepEqual(
    { maximum, alignment, granularity, withBoundary, boundary },
    { maximum: most, alignment: 0, granularity: 0, withBoundary: most, boundary: most },
  )
})

test('WRITE ATOMIC (16) to a device that does not say writes within one physical block, from its beginning', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(writeAtomicCdb(16, 8), Buffer.alloc(4096))
  await disk.refuses({ cdb: writeAtomicCdb(7, 2), dataOut: Buffer.alloc(1024) }, 2)
  await disk.refuses({ cdb: writeAtomicCdb(0, 9), dataOut: Buffer.alloc(9 * 512) }, 12)
})

test('WRITE ATOMIC (16) to a device that takes no writes', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 1 << 20, isReadOnly: true }))
  await disk.fails({ cdb: writeAtomicCdb(0, 1), dataOut: Buffer.alloc(512) }, 'DATA PROTECT', 'WRITE PROTECTED')
})

test('WRITE ATOMIC (16): what is refused', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 8 << 20 }))
  const most = disk.unit.limits.maximumAtomicBlocks
  await disk.good(writeAtomicCdb(0, 0))
  await disk.refuses({ cdb: writeAtomicCdb(0, most + 1), dataOut: Buffer.alloc((most + 1) * 512) }, 12)
  await disk.refuses({ cdb: writeAtomicCdb(0, 1, { boundary: most + 1 }), dataOut: Buffer.alloc(512) }, 10)
  await disk.refuses({ cdb: writeAtomicCdb(0, 1, { flags: 0x20 }), dataOut: Buffer.alloc(512) }, 1, 5)
  await disk.outOfRange(writeAtomicCdb(disk.unit.blocks + 1, 0), disk.unit.blocks + 1)
  await disk.outOfRange({ cdb: writeAtomicCdb(disk.unit.blocks, 2), dataOut: Buffer.alloc(1024) }, disk.unit.blocks)
  await disk.outOfRange(writeAtomicCdb(1n << 63n, 1), 2 ** 63)
})

test('WRITE ATOMIC (16) with less data than it says writes nothing', async () => {
  const disk = smallDisk()
  await disk.fails({ cdb: writeAtomicCdb(0, 2), dataOut: Buffer.alloc(512, 1) }, 'ILLEGAL REQUEST', 'INVALID FIELD IN COMMAND INFORMATION UNIT')
  assert.ok((await disk.good(cdb10(0x28, 0, 0, 2))).equals(Buffer.alloc(1024)))
})
