import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import { Status } from '../../status.ts'
import { cdb10, cdb12, cdb16, cdb32, patternBlocks, ProbeDevice, smallDisk, TestDisk } from './test-disk.ts'

const verifies: Readonly<Record<string, (flags: number, lba: number, length: number) => Buffer>> = {
  'VERIFY (10)': (flags, lba, length) => cdb10(0x2f, flags, lba, length),
  'VERIFY (12)': (flags, lba, length) => cdb12(0xaf, flags, lba, length),
  'VERIFY (16)': (flags, lba, length) => cdb16(0x8f, flags, lba, length),
  'VERIFY (32)': (flags, lba, length) => cdb32(0x000a, flags, lba, length),
}
const everyBlock = 0x02
const oneBlock = 0x06

for (const [name, cdbOf] of Object.entries(verifies)) {
  test(`${name} with BYTCHK 01b compares the medium with the data, and tells where they differ`, async () => {
    const disk = smallDisk()
    await disk.device.write([patternBlocks(0, 2048)], 0)
    const blocks = patternBlocks(3, 5)
    for (const pieceBytes of [1 << 30, 700]) {
      const { result } = await disk.run({ cdb: cdbOf(everyBlock, 3, 5), dataOut: blocks, pieceBytes })
      assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 2560 })
    }
    for (const at of [0, 511, 1300, 2559]) {
      const wrong = Buffer.from(blocks)
      wrong[at] ^= 0x10
      await disk.fails({ cdb: cdbOf(everyBlock, 3, 5), dataOut: wrong }, 'MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: at })
    }
  })

  test(`${name} with BYTCHK 11b compares each block with the one given`, async () => {
    const disk = smallDisk()
    const block = patternBlocks(9, 1)
    await disk.device.write([Buffer.concat([block, block, block])], 0)
    await disk.good(cdbOf(oneBlock, 0, 3), block)
    await disk.device.write([Buffer.alloc(512, 7)], 1024)
    await disk.good(cdbOf(oneBlock, 0, 2), block)
    await disk.fails({ cdb: cdbOf(oneBlock, 0, 3), dataOut: block }, 'MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: 0 })
    const { sense } = await disk.run({ cdb: cdbOf(oneBlock, 0, 3), dataOut: Buffer.alloc(511) })
    assert.equal(sense?.code, 0x0e03)
  })

  test(`${name} with BYTCHK 00b takes no data and compares none`, async () => {
    const disk = smallDisk()
    assert.equal(disk.unit.dataOutBytes(cdbOf(0, 0, 8)), 0)
    const { result } = await disk.run({ cdb: cdbOf(0, 0, 8), dataOut: Buffer.alloc(4096, 1) })
    assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 0 })
  })

  test(`${name}: what is refused`, async () => {
    const disk = smallDisk()
    const flagsAt = name.endsWith('(32)') ? 10 : 1
    await disk.refuses(cdbOf(0x04, 0, 1), flagsAt, 2)
    for (let protect = 1; protect < 8; protect++) await disk.refuses(cdbOf(protect << 5, 0, 1), flagsAt, 36 - Math.clz32(protect))
    await disk.good(cdbOf(0x10, 0, 1))
    await disk.outOfRange(cdbOf(everyBlock, 2049, 0), 2049)
    await disk.outOfRange({ cdb: cdbOf(everyBlock, 2047, 2), dataOut: Buffer.alloc(1024) }, 2048)
  })

  test(`${name} asks for its data by BYTCHK`, () => {
    const disk = smallDisk()
    assert.deepEqual(
      [0, everyBlock, oneBlock].map(flags => disk.unit.dataOutBytes(cdbOf(flags, 0, 3))),
      [0, 1536, 512],
    )
    assert.equal(disk.unit.dataOutBytes(cdbOf(oneBlock, 0, 0)), 0)
  })
}

test('VERIFY looks at the medium, not the cache: what is cached is flushed first', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(cdb10(0x2f, 0, 16, 4))
  assert.deepEqual(disk.device.calls, ['flush', 'read 8192'])
})

test('VERIFY of more than is read at a time finds the difference in each chunk', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 4 << 20 }))
  const blocks = patternBlocks(0, 8192)
  await disk.device.write([blocks], 0)
  await disk.good(cdb10(0x2f, everyBlock, 0, 8192), blocks)
  for (const at of [(1 << 20) - 1, 1 << 20, (3 << 20) + 77]) {
    const wrong = Buffer.from(blocks)
    wrong[at] ^= 1
    const cdb = cdb10(0x2f, everyBlock, 0, 8192)
    await disk.fails({ cdb, dataOut: wrong }, 'MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: at })
  }
})

test('VERIFY is let through to a disk that takes no writes', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 1 << 20, isReadOnly: true }))
  await disk.good(cdb10(0x2f, 0, 0, 1))
})
