import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockDeviceError, memoryDevice } from '@holdfast/storage/block'
import { Status } from '../../status.ts'
import { cdb10, cdb12, cdb16, cdb32, cdb6, patternBlocks, ProbeDevice, smallDisk, TestDisk } from './test-disk.ts'

/** The same command in all its sizes. */
type Sizes = Readonly<Record<string, (flags: number, lba: number, length: number) => Buffer>>

const reads: Sizes = {
  'READ (10)': (flags, lba, length) => cdb10(0x28, flags, lba, length),
  'READ (12)': (flags, lba, length) => cdb12(0xa8, flags, lba, length),
  'READ (16)': (flags, lba, length) => cdb16(0x88, flags, lba, length),
  'READ (32)': (flags, lba, length) => cdb32(0x0009, flags, lba, length),
}
const writes: Sizes = {
  'WRITE (10)': (flags, lba, length) => cdb10(0x2a, flags, lba, length),
  'WRITE (12)': (flags, lba, length) => cdb12(0xaa, flags, lba, length),
  'WRITE (16)': (flags, lba, length) => cdb16(0x8a, flags, lba, length),
  'WRITE (32)': (flags, lba, length) => cdb32(0x000b, flags, lba, length),
  'WRITE AND VERIFY (10)': (flags, lba, length) => cdb10(0x2e, flags, lba, length),
  'WRITE AND VERIFY (12)': (flags, lba, length) => cdb12(0xae, flags, lba, length),
  'WRITE AND VERIFY (16)': (flags, lba, length) => cdb16(0x8e, flags, lba, length),
  'WRITE AND VERIFY (32)': (flags, lba, length) => cdb32(0x000c, flags, lba, length),
}
const flagsAt = (name: string): number => (name.endsWith('(32)') ? 10 : 1)
const lengthAt = (name: string): number => ({ '(10)': 7, '(12)': 6, '(16)': 10, '(32)': 28 })[name.slice(-4)] ?? 4

for (const [name, cdbOf] of Object.entries(reads)) {
  test(`${name} reads blocks, also in pieces`, async () => {
    const disk = smallDisk()
    await disk.device.write([patternBlocks(0, 2048)], 0)
    for (const [lba, blocks] of [
      [0, 1],
      [7, 9],
      [2047, 1],
      [0, 2048],
    ])
      for (const pieceBytes of [1 << 30, 1000]) {
        const { dataIn } = await disk.run({ cdb: cdbOf(0, lba, blocks), pieceBytes })
        assert.ok(dataIn.equals(patternBlocks(lba, blocks)))
      }
  })

  test(`${name}: no blocks are no error, blocks beyond the end are`, async () => {
    const disk = smallDisk()
    assert.equal((await disk.good(cdbOf(0, 0, 0))).length, 0)
    assert.equal((await disk.good(cdbOf(0, 2048, 0))).length, 0)
    await disk.outOfRange(cdbOf(0, 2049, 0), 2049)
    await disk.outOfRange(cdbOf(0, 2048, 1), 2048)
    await disk.outOfRange(cdbOf(0, 2047, 2), 2048)
    await disk.outOfRange(cdbOf(0, 0xffffffff, 1), 0xffffffff)
  })

  test(`${name}: RDPROTECT is refused, DPO and FUA are not`, async () => {
    const disk = smallDisk()
    for (let protect = 1; protect < 8; protect++) await disk.refuses(cdbOf(protect << 5, 0, 1), flagsAt(name), 36 - Math.clz32(protect))
    for (const flags of [0x08, 0x10, 0x18]) await disk.good(cdbOf(flags, 0, 1))
  })
}

test('READ (6) and WRITE (6) have 21 bits of address, and a length of 0 that means 256', async () => {
  const disk = smallDisk()
  const blocks = patternBlocks(3, 256)
  await disk.good(cdb6(0x0a, 100, 0), blocks)
  assert.ok((await disk.good(cdb6(0x08, 100, 0))).equals(blocks))
  assert.ok((await disk.good(cdb6(0x08, 101, 2))).equals(blocks.subarray(512, 1536)))
  await disk.outOfRange(cdb6(0x08, 0x1fffff, 1), 0x1fffff)
  await disk.outOfRange({ cdb: cdb6(0x0a, 2047, 2), dataOut: Buffer.alloc(1024) }, 2048)
})

test('READ (16): addresses of 64 bits are out of range, with an INFORMATION that fixed format cannot hold', async () => {
  const disk = smallDisk()
  await disk.outOfRange(cdb16(0x88, 0, 1n << 63n, 1), 2 ** 63)
  await disk.outOfRange(cdb16(0x88, 0, (1n << 64n) - 1n, 256), 2 ** 64)
})

test('READ: the initiator takes less than it asks for; the rest is residual (RFC 7143 11.4.5)', async () => {
  const disk = smallDisk()
  await disk.device.write([patternBlocks(0, 8)], 0)
  for (const dataInLimitBytes of [0, 200, 512, 700, 1024]) {
    const task = disk.task({ cdb: cdb10(0x28, 0, 1, 2), dataInLimitBytes, pieceBytes: 150 })
    const result = await disk.unit.execute(task)
    assert.deepEqual(result, { status: Status.good, dataInBytes: 1024, dataOutBytes: 0 })
    assert.ok(task.received.equals(patternBlocks(1, 2).subarray(0, dataInLimitBytes)))
  }
})

test('READ and WRITE that the device can do at once have their result at once', () => {
  const disk = smallDisk()
  const write = disk.unit.execute(disk.task({ cdb: cdb10(0x2a, 0, 5, 1), dataOut: patternBlocks(5, 1) }))
  assert.deepEqual(write, { status: Status.good, dataInBytes: 0, dataOutBytes: 512 })
  const task = disk.task({ cdb: cdb10(0x28, 0, 5, 1) })
  assert.deepEqual(disk.unit.execute(task), { status: Status.good, dataInBytes: 512, dataOutBytes: 0 })
  assert.ok(task.received.equals(patternBlocks(5, 1)))
})

test('READ and WRITE above MAXIMUM TRANSFER LENGTH are refused, with where the length is', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 1 << 30 }))
  const blocks = disk.unit.limits.maximumTransferBlocks
  for (const [name, cdbOf] of Object.entries({ ...reads, ...writes }))
    if (!name.endsWith('(10)')) await disk.refuses({ cdb: cdbOf(0, 0, blocks + 1) }, lengthAt(name))
  const { result } = await disk.run({ cdb: cdb12(0xa8, 0, 0, blocks), dataInLimitBytes: 0 })
  assert.equal(result.dataInBytes, blocks * 512)
})

test('READ with FUA flushes first, so that it reads what is on the medium (SBC-4 4.15)', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(cdb10(0x28, 0x08, 8, 1))
  assert.deepEqual(disk.device.calls, ['flush', 'read 4096'])
})

for (const [name, cdbOf] of Object.entries(writes)) {
  test(`${name} writes blocks, also in pieces`, async () => {
    for (const pieceBytes of [1 << 30, 1000]) {
      const disk = smallDisk()
      for (const [lba, blocks] of [
        [0, 1],
        [7, 9],
        [2047, 1],
      ]) {
        const { result } = await disk.run({ cdb: cdbOf(0, lba, blocks), dataOut: patternBlocks(lba, blocks), pieceBytes })
        assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: blocks * 512 })
        assert.ok((await disk.good(cdb10(0x28, 0, lba, blocks))).equals(patternBlocks(lba, blocks)))
      }
    }
  })

  test(`${name}: no blocks are no error, blocks beyond the end are`, async () => {
    const disk = smallDisk()
    await disk.good(cdbOf(0, 0, 0))
    await disk.outOfRange(cdbOf(0, 2049, 0), 2049)
    await disk.outOfRange({ cdb: cdbOf(0, 2047, 2), dataOut: Buffer.alloc(1024, 1) }, 2048)
    assert.ok((await disk.good(cdb10(0x28, 0, 2047, 1))).equals(Buffer.alloc(512)))
  })

  test(`${name}: WRPROTECT is refused`, async () => {
    const disk = smallDisk()
    for (let protect = 1; protect < 8; protect++)
      await disk.refuses({ cdb: cdbOf(protect << 5, 0, 1), dataOut: Buffer.alloc(512) }, flagsAt(name), 36 - Math.clz32(protect))
    await disk.good(cdbOf(0x10, 0, 1), Buffer.alloc(512))
  })

  test(`${name}: less data than the CDB says is written, more is left alone`, async () => {
    const disk = smallDisk()
    const read = async (): Promise<Buffer> => disk.good(cdb10(0x28, 0, 0, 3))
    const { result: short } = await disk.run({ cdb: cdbOf(0, 0, 2), dataOut: Buffer.alloc(512, 1) })
    assert.deepEqual(short, { status: Status.good, dataInBytes: 0, dataOutBytes: 1024 })
    assert.ok((await read()).equals(Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(1024)])))
    const { result: none } = await disk.run({ cdb: cdbOf(0, 0, 1) })
    assert.deepEqual(none, { status: Status.good, dataInBytes: 0, dataOutBytes: 512 })
    const { result: more } = await disk.run({ cdb: cdbOf(0, 1, 1), dataOut: Buffer.alloc(1000, 2), pieceBytes: 300 })
    assert.deepEqual(more, { status: Status.good, dataInBytes: 0, dataOutBytes: 512 })
    assert.ok((await read()).equals(Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(512, 2), Buffer.alloc(512)])))
  })

  test(`${name}: data that ends within a sector is refused whole, and its residual told`, async () => {
    const disk = smallDisk()
    const { result, sense } = await disk.run({ cdb: cdbOf(0, 0, 2), dataOut: Buffer.alloc(712, 1) })
    assert.deepEqual([result.status, result.dataOutBytes, sense?.key, sense?.code], [Status.checkCondition, 1024, 0x5, 0x0e03])
    assert.ok((await disk.good(cdb10(0x28, 0, 0, 2))).equals(Buffer.alloc(1024)))
  })

  test(`${name} to a disk that takes no writes`, async () => {
    const disk = new TestDisk(memoryDevice({ sizeBytes: 1 << 20, isReadOnly: true }))
    await disk.fails({ cdb: cdbOf(0, 0, 1), dataOut: Buffer.alloc(512) }, 'DATA PROTECT', 'WRITE PROTECTED')
  })

  test(`${name} asks for its data`, () => {
    const disk = smallDisk()
    assert.equal(disk.unit.dataOutBytes(cdbOf(0, 0, 3)), 1536)
  })
}

test('WRITE is durable with FUA, and without a write cache', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(cdb10(0x2a, 0, 0, 1), Buffer.alloc(512))
  await disk.good(cdb10(0x2a, 0x08, 1, 1), Buffer.alloc(512))
  await disk.good(cdb32(0x000b, 0x08, 2, 1), Buffer.alloc(512))
  disk.unit.isWriteCacheEnabled = false
  await disk.good(cdb10(0x2a, 0, 3, 1), Buffer.alloc(512))
  assert.deepEqual(disk.device.calls, ['write 0', 'write 512 durable', 'write 1024 durable', 'write 1536 durable'])
})

test('FUA_NV of older standards is let pass (SBC-3)', async () => {
  const disk = smallDisk()
  await disk.good(cdb10(0x2a, 0x02, 0, 1), Buffer.alloc(512))
  await disk.good(cdb10(0x28, 0x02, 0, 1))
})

test('blocks of 4096 bytes, of which a part may come', async () => {
  const partly = smallDisk({ blockBytes: 4096 })
  const { result } = await partly.run({ cdb: cdb10(0x2a, 0, 1, 1), dataOut: Buffer.alloc(512, 1) })
  assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 4096 })
  assert.ok((await partly.good(cdb10(0x28, 0, 1, 1))).equals(Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(3584)])))

  const disk = smallDisk({ blockBytes: 4096 })
  await disk.good(cdb10(0x2a, 0, 255, 1), patternBlocks(255, 1, 4096))
  assert.ok((await disk.good(cdb10(0x28, 0, 255, 1))).equals(patternBlocks(255, 1, 4096)))
  await disk.outOfRange(cdb10(0x28, 0, 255, 2), 256)
})

test('what a device fails with becomes sense data', async () => {
  const disk = new TestDisk(new ProbeDevice())
  disk.device.failures.set('read', new BlockDeviceError('READ_FAILED', { offset: 1024 }))
  await disk.fails(cdb10(0x28, 0, 0, 8), 'MEDIUM ERROR', 'UNRECOVERED READ ERROR', { information: 2 })
  disk.device.failures.set('write', new BlockDeviceError('NO_SPACE'))
  await disk.fails({ cdb: cdb10(0x2a, 0, 0, 1), dataOut: Buffer.alloc(512) }, 'DATA PROTECT', 'SPACE ALLOCATION FAILED WRITE PROTECT')
})

test('WRITE AND VERIFY goes past the cache and reads back; BYTCHK compares', async () => {
  const disk = new TestDisk(new ProbeDevice())
  await disk.good(cdb10(0x2e, 0x00, 0, 1), Buffer.alloc(512, 1))
  await disk.good(cdb10(0x2e, 0x02, 0, 1), Buffer.alloc(512, 2))
  assert.deepEqual(disk.device.calls, ['write 0 durable', 'read 0', 'write 0 durable', 'read 0'])
  await disk.refuses({ cdb: cdb10(0x2e, 0x04, 0, 1), dataOut: Buffer.alloc(512) }, 1, 2)
})
