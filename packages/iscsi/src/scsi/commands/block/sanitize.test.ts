import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockDeviceError, memoryDevice } from '@holdfast/storage/block'
import { AdditionalSense, SenseKey } from '../../additional-sense.ts'
import { decodeSense } from '../../sense.ts'
import { Status } from '../../status.ts'
import { blockOfPass, decodeOverwrite } from './sanitize.ts'
import { cdb10, cdb16, cdb6, patternBlocks, ProbeDevice, smallDisk, TestDisk, testNexus } from './test-disk.ts'

const OVERWRITE = 0x01
const BLOCK_ERASE = 0x02
const CRYPTOGRAPHIC_ERASE = 0x03
const EXIT_FAILURE_MODE = 0x1f
const IMMED = 0x80
const AUSE = 0x20

const sanitizeCdb = (serviceAction: number, lengthBytes = 0, flags = 0): Buffer => {
  const cdb = cdb10(0x48, serviceAction | flags, 0, lengthBytes)
  return cdb
}
const overwriteList = (pattern: Buffer, { count = 1, invert = false } = {}): Buffer =>
  Buffer.concat([Buffer.from([(invert ? 0x80 : 0) | count, 0, pattern.length >> 8, pattern.length & 0xff]), pattern])
const testUnitReady = Buffer.alloc(6)

test('SANITIZE OVERWRITE repeats its pattern from the beginning of each block (SBC-4 5.30.2.2)', async () => {
  for (const patternBytes of [1, 3, 4, 256, 512]) {
    const disk = smallDisk()
    await disk.device.write([patternBlocks(0, 2048)], 0)
    const pattern = patternBlocks(9, 1).subarray(0, patternBytes)
    const list = overwriteList(pattern)
    await disk.good(sanitizeCdb(OVERWRITE, list.length), list)
    const read = Buffer.alloc(1 << 20)
    disk.device.readNow([read], 0)
    for (let at = 0; at < read.length; at += 512) assert.ok(read.subarray(at, at + 512).equals(Buffer.alloc(512, pattern)))
  }
})

test('the passes of an inverting overwrite end with the pattern (SBC-4 5.30.2.2)', () => {
  const pattern = Buffer.from([0x0f])
  const passes = (count: number): number[] =>
    Array.from({ length: count }, (_, pass) => blockOfPass({ isInverting: true, passes: count, pattern }, pass, 512)[100])
  assert.deepEqual(passes(1), [0x0f])
  assert.deepEqual(passes(2), [0xf0, 0x0f])
  assert.deepEqual(passes(3), [0x0f, 0xf0, 0x0f])
  assert.equal(blockOfPass({ isInverting: false, passes: 2, pattern }, 0, 512)[0], 0x0f)
})

test('SANITIZE OVERWRITE writes as often as it is told, and flushes each time', async () => {
  const disk = new TestDisk(new ProbeDevice())
  const list = overwriteList(Buffer.from([1]), { count: 3 })
  await disk.good(sanitizeCdb(OVERWRITE, list.length), list)
  assert.deepEqual(disk.device.calls, ['write 0', 'flush', 'write 0', 'flush', 'write 0', 'flush'])
})

test('SANITIZE OVERWRITE: what is refused', async () => {
  const disk = smallDisk()
  const list = Buffer.concat([overwriteList(Buffer.alloc(512)), Buffer.alloc(8)])
  for (const length of [0, 1, 2, 3, 4, 517]) await disk.refuses({ cdb: sanitizeCdb(OVERWRITE, length), dataOut: list }, 7)
  const inList = async (bytes: Buffer, byte: number, bit?: number): Promise<void> =>
    disk.fails({ cdb: sanitizeCdb(OVERWRITE, bytes.length), dataOut: bytes }, 'ILLEGAL REQUEST', 'INVALID FIELD IN PARAMETER LIST', {
      field: { in: 'parameters', byte, ...(bit === undefined ? {} : { bit }) },
    })
  await inList(overwriteList(Buffer.alloc(512), { count: 0 }), 0, 4)
  await inList(Buffer.from([0x21, 0, 0, 1, 0]), 0, 6)
  await inList(Buffer.from([1, 0, 0, 0, 0, 0]), 2)
  await inList(Buffer.from([1, 0, 0x02, 0x01, 0, 0]), 2)
  assert.throws(() => decodeOverwrite(Buffer.from([1, 0, 0, 9, 0]), 512), { additionalSense: 'PARAMETER LIST LENGTH ERROR' })
  assert.equal(disk.unit.operation, undefined)
})

test('SANITIZE BLOCK ERASE leaves nothing mapped', async () => {
  const disk = smallDisk()
  await disk.device.write([patternBlocks(0, 2048)], 0)
  await disk.good(sanitizeCdb(BLOCK_ERASE))
  assert.equal((await disk.device.usage()).usedBytes, 0)
  await disk.refuses({ cdb: sanitizeCdb(BLOCK_ERASE, 8), dataOut: Buffer.alloc(8) }, 7)
})

test('SANITIZE: service actions and bits that are not there', async () => {
  const disk = smallDisk()
  for (let action = 0; action < 0x20; action++)
    if (![OVERWRITE, BLOCK_ERASE, EXIT_FAILURE_MODE].includes(action)) await disk.refuses(sanitizeCdb(action), 1, 4)
  await disk.refuses(sanitizeCdb(CRYPTOGRAPHIC_ERASE), 1, 4)
  await disk.refuses(sanitizeCdb(BLOCK_ERASE, 0, 0x40), 1, 6)
  for (let at = 2; at < 7; at++) {
    const cdb = sanitizeCdb(BLOCK_ERASE)
    cdb[at] = 0x04
    await disk.refuses(cdb, at, 2)
  }
})

test('SANITIZE of a disk that takes no writes', async () => {
  const disk = new TestDisk(memoryDevice({ sizeBytes: 1 << 20, isReadOnly: true }))
  const list = overwriteList(Buffer.alloc(512))
  await disk.fails({ cdb: sanitizeCdb(OVERWRITE, list.length), dataOut: list }, 'DATA PROTECT', 'WRITE PROTECTED')
  await disk.fails(sanitizeCdb(BLOCK_ERASE), 'DATA PROTECT', 'WRITE PROTECTED')
  await disk.fails(sanitizeCdb(EXIT_FAILURE_MODE), 'DATA PROTECT', 'WRITE PROTECTED')
})

/** A disk of four chunks whose sanitize operation waits after the first. */
async function busyDisk(): Promise<{ disk: TestDisk<ProbeDevice>; goOn: () => void; list: Buffer }> {
  const disk = new TestDisk(new ProbeDevice(4 << 20))
  const list = overwriteList(Buffer.from([7]))
  const [first, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  disk.device.gates.set('write', first.promise)
  await disk.good(sanitizeCdb(OVERWRITE, list.length, IMMED), list)
  disk.device.gates.set('write', others.promise)
  first.resolve()
  while (disk.device.calls.length < 2) await new Promise(resolve => setTimeout(resolve, 1))
  return { disk, goOn: () => others.resolve(), list }
}

/** Until the unit is ready again. */
async function settled(disk: TestDisk<ProbeDevice>): Promise<void> {
  while (disk.unit.operation !== undefined && !disk.unit.operation.hasFailed) await new Promise(resolve => setTimeout(resolve, 1))
}

test('while a sanitize operation runs, the medium is not ready, with the progress (SBC-4 4.11.2)', async () => {
  const { disk, goOn, list } = await busyDisk()
  const progress = 0x4000
  for (const cdb of [testUnitReady, cdb10(0x28, 0, 0, 1), cdb16(0x9e, 0x12, 0, 24), cdb6(0x1b, 0, 1), sanitizeCdb(BLOCK_ERASE)])
    await disk.fails(cdb, 'NOT READY', 'LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS', { progress })
  const writing = { cdb: cdb10(0x2a, 0, 0, 1), dataOut: Buffer.alloc(512) }
  await disk.fails(writing, 'NOT READY', 'LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS', { progress })
  await disk.good(Buffer.from([0x12, 0, 0, 0, 96, 0]))
  await disk.good(cdb10(0x25, 0, 0, 0))
  await disk.good(cdb16(0x9e, 0x10, 0, 32))
  const sense = decodeSense(await disk.good(Buffer.from([0x03, 0, 0, 0, 252, 0])))
  assert.deepEqual([sense.code, sense.progress], [AdditionalSense['LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS'], progress])
  goOn()
  await settled(disk)
  assert.ok((await disk.good(cdb10(0x28, 0, 8191, 1))).equals(Buffer.alloc(512, 7)))
  await disk.good(sanitizeCdb(OVERWRITE, list.length), list)
})

test('a sanitize operation outlives its task, its session, and a reset (SBC-4 4.11.1)', async () => {
  const disk = new TestDisk(new ProbeDevice(4 << 20))
  const list = overwriteList(Buffer.from([7]))
  const [first, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  disk.device.gates.set('write', first.promise)
  const task = disk.task({ cdb: sanitizeCdb(OVERWRITE, list.length), dataOut: list })
  const ended = disk.unit.execute(task)
  while (disk.device.calls.length < 1) await new Promise(setImmediate)
  disk.device.gates.set('write', others.promise)
  const aborted = disk.unit.abortTask(task)
  first.resolve()
  await Promise.all([aborted, ended])
  await disk.unit.logicalUnitReset()
  await disk.unit.nexusLoss(disk.nexus)
  const other = testNexus(2)
  disk.login(other)
  const inProgress = { key: SenseKey['NOT READY'], code: 0x041b, isDeferred: false, progress: 0x4000 }
  assert.deepEqual((await disk.run({ cdb: testUnitReady, nexus: other })).sense, inProgress)
  others.resolve()
  await settled(disk)
  const { dataIn } = await disk.run({ cdb: cdb10(0x28, 0, 8191, 1), nexus: other })
  assert.ok(dataIn.equals(Buffer.alloc(512, 7)))
})

test('a sanitize operation that failed: restricted mode needs another that succeeds (SBC-4 4.11.4)', async () => {
  const disk = new TestDisk(new ProbeDevice())
  disk.device.failures.set('unmap', new BlockDeviceError('WRITE_FAILED'))
  await disk.fails(sanitizeCdb(BLOCK_ERASE), 'MEDIUM ERROR', 'WRITE ERROR')
  await disk.fails(testUnitReady, 'MEDIUM ERROR', 'SANITIZE COMMAND FAILED')
  await disk.fails(cdb10(0x28, 0, 0, 1), 'MEDIUM ERROR', 'SANITIZE COMMAND FAILED')
  await disk.refuses(sanitizeCdb(EXIT_FAILURE_MODE), 1, 4)
  await disk.refuses(sanitizeCdb(BLOCK_ERASE, 0, AUSE), 1, 5)
  await disk.good(sanitizeCdb(BLOCK_ERASE))
  await disk.good(testUnitReady)
})

test('a sanitize operation that failed: unrestricted mode may be left (AUSE)', async () => {
  const disk = new TestDisk(new ProbeDevice())
  disk.device.failures.set('unmap', new BlockDeviceError('WRITE_FAILED'))
  await disk.good(sanitizeCdb(BLOCK_ERASE, 0, AUSE | IMMED))
  await settled(disk)
  await disk.fails(testUnitReady, 'MEDIUM ERROR', 'SANITIZE COMMAND FAILED')
  await disk.refuses({ cdb: sanitizeCdb(EXIT_FAILURE_MODE, 8), dataOut: Buffer.alloc(8) }, 7)
  await disk.good(sanitizeCdb(EXIT_FAILURE_MODE))
  await disk.good(testUnitReady)
  await disk.good(sanitizeCdb(EXIT_FAILURE_MODE))
})

const formatCdb = (flags: number): Buffer => Buffer.from([0x04, flags, 0, 0, 0, 0])
const FMTDATA = 0x10
const LONGLIST = 0x20

test('FORMAT UNIT leaves nothing stored, with a parameter list or without', async () => {
  for (const [flags, list] of [
    [0, Buffer.alloc(0)],
    [FMTDATA, Buffer.alloc(4)],
    [FMTDATA | LONGLIST, Buffer.alloc(8)],
  ] as const) {
    const disk = smallDisk()
    await disk.device.write([patternBlocks(0, 2048)], 0)
    assert.equal(disk.unit.dataOutBytes(formatCdb(flags)), list.length)
    await disk.good(formatCdb(flags), list)
    assert.equal((await disk.device.usage()).usedBytes, 0)
  }
})

test('FORMAT UNIT of a device that is not thin writes zeros', async () => {
  const device = new ProbeDevice()
  device.isThin = false
  const disk = new TestDisk(device)
  await disk.good(formatCdb(0))
  assert.deepEqual(device.calls, ['zero 0 1048576', 'flush'])
})

test('FORMAT UNIT with IMMED: not ready until it is done', async () => {
  const disk = new TestDisk(new ProbeDevice())
  const gate = Promise.withResolvers<void>()
  disk.device.gates.set('unmap', gate.promise)
  await disk.good(formatCdb(FMTDATA), Buffer.from([0, 0x02, 0, 0]))
  const { result, sense } = await disk.run({ cdb: testUnitReady })
  assert.equal(result.status, Status.checkCondition)
  assert.deepEqual([sense?.key, sense?.code, sense?.progress], [SenseKey['NOT READY'], 0x0404, 0])
  gate.resolve()
  await settled(disk)
  await disk.good(testUnitReady)
})

test('FORMAT UNIT: what is refused', async () => {
  const disk = smallDisk()
  await disk.refuses(formatCdb(0x80), 1, 7)
  for (const [list, byte, bit] of [
    [[1, 0, 0, 0], 0, 2],
    [[0, 0x08, 0, 0], 1, 3],
    [[0, 0, 0, 8], 2, undefined],
    [[0, 0, 0, 0x10, 0, 0, 0, 0], 3, undefined],
    [[0, 0, 0, 0, 0, 0, 0, 4], 4, undefined],
  ] as const)
    await disk.fails(
      { cdb: formatCdb(list.length === 8 ? FMTDATA | LONGLIST : FMTDATA), dataOut: Buffer.from(list) },
      'ILLEGAL REQUEST',
      'INVALID FIELD IN PARAMETER LIST',
      { field: { in: 'parameters', byte, ...(bit === undefined ? {} : { bit }) } },
    )
  await disk.fails({ cdb: formatCdb(FMTDATA), dataOut: Buffer.alloc(3) }, 'ILLEGAL REQUEST', 'PARAMETER LIST LENGTH ERROR')
})
