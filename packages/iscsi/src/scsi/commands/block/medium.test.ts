import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockDeviceError, memoryDevice } from '@holdfast/storage/block'
import { Status } from '../../status.ts'
import { readCapacity10Data, readCapacity16Data } from './read-capacity.ts'
import { cdb10, cdb12, cdb16, ProbeDevice, smallDisk, TestDisk } from './test-disk.ts'

const synchronizes: Readonly<Record<string, (flags: number, lba: number, length: number) => Buffer>> = {
  'SYNCHRONIZE CACHE (10)': (flags, lba, length) => cdb10(0x35, flags, lba, length),
  'SYNCHRONIZE CACHE (16)': (flags, lba, length) => cdb16(0x91, flags, lba, length),
}
const IMMED = 0x02

for (const [name, cdbOf] of Object.entries(synchronizes)) {
  test(`${name} ends when the device has flushed`, async () => {
    const disk = new TestDisk(new ProbeDevice())
    const gate = Promise.withResolvers<void>()
    disk.device.gates.set('flush', gate.promise)
    let hasEnded = false
    const ended = disk.run({ cdb: cdbOf(0, 0, 0) }).then(answer => {
      hasEnded = true
      return answer
    })
    await new Promise(setImmediate)
    assert.deepEqual([disk.device.calls, hasEnded], [['flush'], false])
    gate.resolve()
    assert.equal((await ended).result.status, Status.good)
  })

  test(`${name} with IMMED ends at once; what fails afterwards is told to the next`, async () => {
    const disk = new TestDisk(new ProbeDevice())
    disk.device.failures.set('flush', new BlockDeviceError('WRITE_FAILED'))
    const result = disk.unit.execute(disk.task({ cdb: cdbOf(IMMED, 0, 8) }))
    assert.deepEqual(result, { status: Status.good, dataInBytes: 0, dataOutBytes: 0 })
    await new Promise(setImmediate)
    await disk.fails(cdbOf(0, 0, 0), 'MEDIUM ERROR', 'WRITE ERROR')
    await disk.good(cdbOf(0, 0, 0))
  })

  test(`${name}: what is out of range`, async () => {
    const disk = smallDisk()
    await disk.good(cdbOf(0, 2048, 0))
    await disk.outOfRange(cdbOf(0, 2047, 2), 2048)
    await disk.outOfRange(cdbOf(0, 2049, 0), 2049)
  })
}

const prefetches: Readonly<Record<string, (flags: number, lba: number, length: number) => Buffer>> = {
  'PRE-FETCH (10)': (flags, lba, length) => cdb10(0x34, flags, lba, length),
  'PRE-FETCH (16)': (flags, lba, length) => cdb16(0x90, flags, lba, length),
}

for (const [name, cdbOf] of Object.entries(prefetches)) {
  test(`${name} reads, with IMMED in its own time; no blocks mean all that follow`, async () => {
    const disk = new TestDisk(new ProbeDevice(4 << 20))
    await disk.good(cdbOf(0, 16, 8))
    await disk.good(cdbOf(0, 4096, 0))
    assert.deepEqual(disk.device.calls.splice(0), ['read 8192', `read ${2 << 20}`, `read ${3 << 20}`])
    disk.device.failures.set('read', new BlockDeviceError('READ_FAILED'))
    assert.equal((disk.unit.execute(disk.task({ cdb: cdbOf(IMMED, 0, 1) })) as { status: number }).status, Status.good)
    const grouped = cdbOf(0, 0, 1)
    grouped[name.endsWith('(10)') ? 6 : 14] = 3
    await disk.good(grouped)
  })

  test(`${name}: what is out of range`, async () => {
    const disk = smallDisk()
    await disk.outOfRange(cdbOf(0, 2049, 0), 2049)
    await disk.outOfRange(cdbOf(0, 2047, 2), 2048)
  })
}

test('PRE-FETCH of a whole disk reads no more than a part of it', async () => {
  const disk = new TestDisk(new ProbeDevice(64 << 20))
  await disk.good(cdb10(0x34, 0, 0, 0))
  assert.equal(disk.device.calls.length, 16)
})

test('READ CAPACITY (10) and (16)', async () => {
  const disk = smallDisk()
  assert.equal((await disk.good(cdb10(0x25, 0, 0, 0))).toString('hex'), '000007ff00000200')
  const whole = `00000000000007ff000002000003c000${'00'.repeat(16)}`
  assert.equal((await disk.good(cdb16(0x9e, 0x10, 0, 32))).toString('hex'), whole)
  for (let length = 0; length < 32; length++)
    assert.equal((await disk.good(cdb16(0x9e, 0x10, 0, length))).toString('hex'), whole.slice(0, length * 2))
})

test('READ CAPACITY of disks that are large, grow, have large blocks, or are not thin', async () => {
  const large = new TestDisk(memoryDevice({ sizeBytes: 4 * 2 ** 40 }))
  assert.equal(readCapacity10Data(large.unit).toString('hex'), 'ffffffff00000200')
  assert.equal(readCapacity16Data(large.unit).toString('hex', 0, 8), '00000001ffffffff')
  const grown = smallDisk()
  grown.device.resize(2 << 20)
  assert.equal(readCapacity10Data(grown.unit).toString('hex'), '00000fff00000200')
  const coarse = smallDisk({ blockBytes: 4096 })
  assert.equal(readCapacity16Data(coarse.unit).toString('hex', 0, 16), '00000000000000ff000010000000c000')
  const device = new ProbeDevice()
  device.isThin = false
  assert.equal(readCapacity16Data(new TestDisk(device).unit)[14], 0)
})

test('READ DEFECT DATA (10) and (12) have no defects to tell', async () => {
  const disk = smallDisk()
  const ten = cdb10(0x37, 0, 0, 32)
  ten[2] = 0x1d
  assert.equal((await disk.good(ten)).toString('hex'), '001d0000')
  assert.equal((await disk.good(cdb12(0xb7, 0x18, 0, 32))).toString('hex'), '0018000000000000')
  assert.equal((await disk.good(cdb12(0xb7, 0x18, 0, 2))).toString('hex'), '0018')
})
