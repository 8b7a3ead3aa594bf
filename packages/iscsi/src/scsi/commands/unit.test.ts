import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockDeviceError, memoryDevice } from '@holdfast/storage/block'
import { testNexus, testUnit, TestInitiator } from '../test-support/initiator.ts'

test('REQUEST SENSE tells a unit attention, and by that it is told (SPC-4 6.39)', async () => {
  const { unit, initiators } = await testUnit(1)
  const [a] = initiators
  unit.nexuses.tellAll('CAPACITY DATA HAS CHANGED')
  const { data, status } = await a.send('0300 0000 ff00')
  assert.equal(status, 0)
  assert.equal(data.toString('hex'), '70000600 0000000a 00000000 2a090000 0000'.replaceAll(' ', ''))
  assert.deepEqual(await a.attentions(), [])
  assert.equal((await a.send('0301 0000 ff00')).data.toString('hex'), '7200000000000000')
})

test('REPORT LUNS lists the units, the well-known one, or both, and knows no other selection (SPC-4 6.33)', async () => {
  const { initiators } = await testUnit(1)
  const list = async (select: string): Promise<string> => (await initiators[0].send(`a000 ${select} 000000 00001000 0000`)).data.toString('hex')
  assert.equal(await list('00'), '00000008000000000000000000000000')
  assert.equal(await list('01'), '0000000800000000c101000000000000')
  assert.equal(await list('02'), '00000010000000000000000000000000c101000000000000')
  assert.equal(await list('10'), '0000000000000000')
  assert.equal((await initiators[0].send('a00003000000000010000000')).error?.field?.byte, 2)
})

test('a unit that is stopped is not ready for its medium, until it is started (SBC-4 5.32)', async () => {
  const { initiators } = await testUnit(2)
  const [a, b] = initiators
  assert.equal((await a.send('1b0000000000')).status, 0)
  const stopped = 'NOT READY: LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED'
  assert.equal((await b.send('000000000000')).text, stopped)
  assert.equal((await b.send('28000000000000000100')).text, stopped)
  assert.equal((await b.send('12000000ff00')).status, 0)
  assert.equal((await b.send('1a0008 00ff00')).status, 0)
  assert.equal((await b.send('0300 0000 ff00')).data[2], 0x02)
  assert.equal((await b.send('1b0000000100')).status, 0)
  assert.equal((await a.send('000000000000')).status, 0)
})

test('a disk that cannot be taken out has no LOEJ, and no power conditions of its own', async () => {
  const { initiators } = await testUnit(1)
  assert.deepEqual((await initiators[0].send('1b0000000200')).error?.field, { in: 'cdb', byte: 4, bit: 1 })
  assert.deepEqual((await initiators[0].send('1b0000007000')).error?.field, { in: 'cdb', byte: 4, bit: 7 })
  assert.equal((await initiators[0].send('1b0000003000')).status, 0)
})

test('the pages of LOG SENSE: what there is, and how much is used (SPC-4 7.3, SBC-4 6.4.5)', async () => {
  const { initiators } = await testUnit(1, { device: memoryDevice({ sizeBytes: 64 * 1024 * 1024, capacityBytes: 8 * 1024 * 1024 }) })
  const [a] = initiators
  const log = async (cdb: string): Promise<string> => (await a.send(cdb)).data.toString('hex')
  assert.equal(await log('4d00 40 00 00 0000 ffff 00'), '80000003000c2f')
  assert.equal(await log('4d00 40 ff 00 0000 ffff 00'), 'c0ff0008000000ff0c002f00')
  await a.send('2a000000000000100000', Buffer.alloc(4096 * 512, 1))
  assert.equal(await log('4d00 4c 00 00 0000 ffff 00'), '8c000018 000103080000000601000000 000203080000000201000000'.replaceAll(' ', ''))
  assert.equal(await log('4d00 4c 00 00 0002 ffff 00'), '8c00000c000203080000000201000000')
  assert.equal((await a.send('4d00 4c 00 00 0003 ffff 00')).error?.field?.byte, 5)
  assert.equal(await log('4d00 6f 00 00 0000 ffff 00'), 'af000008000003040000ffff')
  assert.deepEqual((await a.send('4d00 7e 00 00 0000 ffff 00')).error?.field, { in: 'cdb', byte: 2, bit: 5 })
  assert.equal((await a.send('4d00 4c 01 00 0000 ffff 00')).error?.field?.byte, 3)
})

test('LOG SELECT resets what can be reset, which is nothing, and sets nothing', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  assert.equal((await a.send('4c02 c0 00 000000 0000 00')).status, 0)
  assert.deepEqual((await a.send('4c01 c0 00 000000 0000 00')).error?.field, { in: 'cdb', byte: 1, bit: 0 })
  assert.deepEqual((await a.send('4c00 c0 00 000000 0008 00', Buffer.alloc(8))).error?.field, { in: 'parameters', byte: 0 })
})

test('the self-test passes; the only diagnostic page is the list of them', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  assert.equal((await a.send('1d0400000000')).status, 0)
  for (const code of [0x20, 0x40, 0x80, 0xa0, 0xc0]) assert.equal((await a.send(Buffer.from([0x1d, code, 0, 0, 0, 0]))).status, 0)
  assert.equal((await a.send('1d6000000000')).error?.field?.byte, 1)
  assert.equal((await a.send('1d10 00 0004 00', '00000000')).status, 0)
  assert.deepEqual((await a.send('1d10 00 0004 00', '01000000')).error?.field, { in: 'parameters', byte: 0 })
  assert.equal((await a.send('1c01 00 00ff 00')).data.toString('hex'), '0000000100')
  assert.equal((await a.send('1c01 01 00ff 00')).error?.field?.byte, 2)
})

const deviceErrors: readonly (readonly [code: ConstructorParameters<typeof BlockDeviceError>[0], text: string])[] = [
  ['NO_SPACE', 'DATA PROTECT: SPACE ALLOCATION FAILED WRITE PROTECT'],
  ['READ_FAILED', 'MEDIUM ERROR: UNRECOVERED READ ERROR'],
  ['WRITE_FAILED', 'MEDIUM ERROR: WRITE ERROR'],
  ['READ_ONLY', 'DATA PROTECT: WRITE PROTECTED'],
  ['GONE', 'NOT READY: LOGICAL UNIT IS IN PROCESS OF BECOMING READY'],
  ['CORRUPT', 'MEDIUM ERROR: UNRECOVERED READ ERROR'],
]
for (const [code, text] of deviceErrors) {
  test(`${code} of the device becomes ${text}, with the block`, async () => {
    const device = memoryDevice({ sizeBytes: 1024 * 1024 })
    device.readNow = () => false
    device.read = () => Promise.reject(new BlockDeviceError(code, { offset: 5 * 512 + 17 }))
    const { initiators } = await testUnit(1, { device })
    const reply = await initiators[0].send('28000000000000000800')
    assert.equal(reply.text, text)
    assert.equal(reply.error?.information, 5)
  })
}

test('an error that is no error of a device ends with INTERNAL TARGET FAILURE, and is told', async () => {
  const faults: unknown[] = []
  const device = memoryDevice({ sizeBytes: 1024 * 1024 })
  const bug = new TypeError('a mistake')
  device.readNow = () => {
    throw bug
  }
  const { initiators } = await testUnit(1, { device, onFault: error => faults.push(error) })
  assert.equal((await initiators[0].send('28000000000000000800')).text, 'HARDWARE ERROR: INTERNAL TARGET FAILURE')
  assert.deepEqual(faults, [bug])
})

test('a device that grows changes the capacity, and everybody is told CAPACITY DATA HAS CHANGED', async () => {
  const device = memoryDevice({ sizeBytes: 1024 * 1024 })
  const { unit, initiators } = await testUnit(2, { device })
  device.resize(2 * 1024 * 1024)
  assert.equal(unit.blocks, 4096)
  for (const initiator of initiators) assert.deepEqual(await initiator.attentions(), ['CAPACITY DATA HAS CHANGED'])
  assert.equal((await initiators[0].send('2800 000fff00 00 0001 00')).text, 'ILLEGAL REQUEST: LOGICAL BLOCK ADDRESS OUT OF RANGE')
  assert.equal((await initiators[0].send('2800 00000fff 00 0001 00')).status, 0)
  unit.close()
  device.resize(4 * 1024 * 1024)
  assert.equal(unit.blocks, 4096)
})

test('an initiator that nobody announced is answered as one that is new', async () => {
  const { unit } = await testUnit(1)
  const stranger = new TestInitiator(unit, testNexus(9))
  assert.deepEqual(await stranger.attentions(), ['POWER ON, RESET, OR BUS DEVICE RESET OCCURRED'])
})
