import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import type { ModeStore } from '../mode/parameters.ts'
import { testUnit } from '../test-support/initiator.ts'
import type { TestInitiator } from '../test-support/initiator.ts'

const sense6 = (page: number, { control = 0, subpage = 0, dbd = true, length = 255 } = {}): Buffer =>
  Buffer.from([0x1a, dbd ? 0x08 : 0, (control << 6) | page, subpage, length, 0])
const sense10 = (page: number, { control = 0, subpage = 0, flags = 0x08, length = 4096 } = {}): Buffer =>
  Buffer.from([0x5a, flags, (control << 6) | page, subpage, 0, 0, 0, length >> 8, length & 0xff, 0])

/** One page, of MODE SENSE (6). */
async function page(initiator: TestInitiator, code: number, control = 0, subpage = 0): Promise<Buffer> {
  const { data, text } = await initiator.send(sense6(code, { control, subpage }))
  assert.equal(text, '')
  return data.subarray(4)
}

/** MODE SELECT (6) of pages. */
const select6 = (
  initiator: TestInitiator,
  pages: Buffer,
  { saves = false, header = Buffer.alloc(4) }: { readonly saves?: boolean; readonly header?: Buffer } = {},
) => initiator.send(Buffer.from([0x15, saves ? 0x11 : 0x10, 0, 0, header.length + pages.length, 0]), Buffer.concat([header, pages]))

/** A page with bits of a byte turned. */
function turned(bytes: Buffer, at: number, mask: number): Buffer {
  const result = Buffer.from(bytes)
  result[0] &= 0x7f
  result[at] ^= mask
  return result
}

const WCE = 0x04
const D_SENSE = 0x04
const SWP = 0x08

test('all pages, in order, with and without subpages (SPC-4 6.12)', async () => {
  const { initiators } = await testUnit(1)
  const codesOf = async (subpage: number): Promise<string[]> => {
    const { data } = await initiators[0].send(sense10(0x3f, { subpage }))
    assert.equal(data.readUInt16BE(0), data.length - 2)
    const result: string[] = []
    for (let at = 8; at < data.length;) {
      const isSubpage = (data[at] & 0x40) !== 0
      result.push(`${(data[at] & 0x3f).toString(16)}.${isSubpage ? data[at + 1] : 0}`)
      at += isSubpage ? 4 + data.readUInt16BE(at + 2) : 2 + data[at + 1]
    }
    return result
  }
  assert.deepEqual(await codesOf(0), ['1.0', '7.0', '8.0', 'a.0', '1c.0'])
  assert.deepEqual(await codesOf(0xff), ['1.0', '7.0', '8.0', 'a.0', 'a.1', '1c.0'])
})

test('header and block descriptor: write protection, DPO and FUA, number and length of blocks (SBC-4 6.5)', async () => {
  const { initiators } = await testUnit(1)
  const { data } = await initiators[0].send(sense6(0x08, { dbd: false }))
  assert.equal(data.subarray(0, 12).toString('hex'), '1f001008 0000800000000200'.replace(' ', ''))
  const { data: long } = await initiators[0].send(sense10(0x08, { flags: 0x10 }))
  assert.equal(long.subarray(0, 24).toString('hex'), '002a0010010000100000000000008000000000000000020 0'.replace(' ', ''))
  const { initiators: others } = await testUnit(1, { device: memoryDevice({ sizeBytes: 1024 * 1024, isReadOnly: true }) })
  assert.equal((await others[0].send(sense6(0x08))).data[2], 0x90)
})

test('a number of blocks that does not fit 32 bits is FFFFFFFFh in the short descriptor (SBC-4 6.5.2.2)', async () => {
  const { initiators } = await testUnit(1, { device: memoryDevice({ sizeBytes: 2 ** 42 }) })
  const { data } = await initiators[0].send(sense6(0x08, { dbd: false }))
  assert.equal(data.readUInt32BE(4), 0xffffffff)
  const { data: long } = await initiators[0].send(sense10(0x08, { flags: 0x10 }))
  assert.equal(long.readBigUInt64BE(8), BigInt(2 ** 33))
})

test('a page or subpage that there is not ends with INVALID FIELD IN CDB; saved values with SAVING PARAMETERS NOT SUPPORTED', async () => {
  const { initiators } = await testUnit(1)
  assert.deepEqual((await initiators[0].send(sense6(0x02))).error?.field, { in: 'cdb', byte: 2, bit: 5 })
  assert.deepEqual((await initiators[0].send(sense6(0x08, { subpage: 1 }))).error?.field, { in: 'cdb', byte: 3 })
  assert.deepEqual((await initiators[0].send(sense6(0x3f, { subpage: 1 }))).error?.field, { in: 'cdb', byte: 3 })
  assert.equal((await initiators[0].send(sense6(0x08, { control: 3 }))).text, 'ILLEGAL REQUEST: SAVING PARAMETERS NOT SUPPORTED')
})

test('WCE can be switched off and on; others are told that MODE PARAMETERS CHANGED, and nobody when nothing did', async () => {
  const { unit, initiators } = await testUnit(2)
  const [a, b] = initiators
  const caching = await page(a, 0x08)
  assert.equal(caching[2] & WCE, WCE)
  assert.equal((await page(a, 0x08, 1))[2], WCE, 'changeable')
  assert.equal((await select6(a, caching)).status, 0)
  assert.deepEqual(await b.attentions(), [])
  const { status, dataOutBytes } = await select6(a, turned(caching, 2, WCE))
  assert.equal(status, 0)
  assert.equal(dataOutBytes, 24)
  assert.equal(unit.isWriteCacheEnabled, false)
  assert.deepEqual(await a.attentions(), [])
  assert.deepEqual(await b.attentions(), ['MODE PARAMETERS CHANGED'])
  assert.equal((await page(b, 0x08, 2))[2] & WCE, WCE, 'default')
  await unit.logicalUnitReset()
  assert.equal(unit.isWriteCacheEnabled, true, 'a reset brings the default back')
})

test('SWP protects the medium from writes, and says so', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  await select6(a, turned(await page(a, 0x0a), 4, SWP))
  assert.equal((await a.send(sense6(0x08))).data[2] & 0x80, 0x80)
  assert.equal((await a.send('2a000000000000000100', Buffer.alloc(512))).text, 'DATA PROTECT: LOGICAL UNIT SOFTWARE WRITE PROTECTED')
  assert.equal((await a.send('28000000000000000100')).status, 0)
  await select6(a, turned(await page(a, 0x0a), 4, SWP))
  assert.equal((await a.send('2a000000000000000100', Buffer.alloc(512))).status, 0)
})

test('D_SENSE chooses the format of sense data', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  assert.equal((await a.send('ff0000000000')).sense?.[0], 0x70)
  await select6(a, turned(await page(a, 0x0a), 2, D_SENSE))
  assert.equal((await a.send('ff0000000000')).sense?.[0], 0x72)
})

test('what cannot be changed has to be as it is: nothing of a list with such a change is done, and the sense data points to it', async () => {
  const { unit, initiators } = await testUnit(1)
  const [a] = initiators
  const [caching, control, recovery] = [await page(a, 0x08), await page(a, 0x0a), await page(a, 0x01)]
  const pages = Buffer.concat([turned(caching, 2, WCE), turned(control, 3, 0x10)])
  const { text, error } = await select6(a, pages)
  assert.equal(text, 'ILLEGAL REQUEST: INVALID FIELD IN PARAMETER LIST')
  assert.deepEqual(error?.field, { in: 'parameters', byte: 4 + caching.length + 3, bit: 4 })
  assert.equal(unit.isWriteCacheEnabled, true)
  for (let at = 2; at < recovery.length; at++) assert.equal((await select6(a, turned(recovery, at, 1))).error?.field?.byte, 4 + at)
})

test('a parameter list that is cut, of the wrong page length, or without the page format is refused', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  const caching = turned(await page(a, 0x08), 2, WCE)
  for (let length = 1; length < caching.length; length++)
    assert.equal((await select6(a, caching.subarray(0, length))).text, 'ILLEGAL REQUEST: PARAMETER LIST LENGTH ERROR', `${length}`)
  assert.equal((await a.send('1510 0000 0300', Buffer.alloc(3))).text, 'ILLEGAL REQUEST: PARAMETER LIST LENGTH ERROR')
  assert.equal((await a.send('1510 0000 1800', Buffer.alloc(8))).text, 'ILLEGAL REQUEST: PARAMETER LIST LENGTH ERROR')
  assert.deepEqual((await select6(a, turned(caching, 1, 1))).error?.field, { in: 'parameters', byte: 5 })
  assert.deepEqual((await select6(a, Buffer.from([0x02, 0x00]))).error?.field, { in: 'parameters', byte: 4, bit: 5 })
  assert.deepEqual((await a.send('1500 0000 0400', Buffer.alloc(4))).error?.field, { in: 'cdb', byte: 1, bit: 4 })
  assert.equal((await a.send('1510 0000 0000')).status, 0)
})

test('block descriptors have to say what is: MODE SELECT neither resizes nor formats', async () => {
  const { initiators } = await testUnit(1)
  const [a] = initiators
  const header = (descriptor: string): Buffer => Buffer.from(`00000008${descriptor}`, 'hex')
  const nothing = Buffer.alloc(0)
  assert.equal((await select6(a, nothing, { header: header('0000800000000200') })).status, 0)
  assert.equal((await select6(a, nothing, { header: header('0000000000000200') })).status, 0)
  assert.equal((await select6(a, nothing, { header: header('0000400000000200') })).error?.field?.byte, 4)
  assert.equal((await select6(a, nothing, { header: header('0000800000001000') })).error?.field?.byte, 9)
  assert.equal((await select6(a, nothing, { header: Buffer.from('00000007', 'hex') })).error?.field?.byte, 3)
})

test('MODE SELECT (10) takes long block descriptors', async () => {
  const { unit, initiators } = await testUnit(1)
  const [a] = initiators
  const { data } = await a.send(sense10(0x08, { flags: 0x10 }))
  const list = Buffer.from(data)
  list.fill(0, 0, 4)
  list[24 + 2] ^= WCE
  const { status } = await a.send(Buffer.from([0x55, 0x10, 0, 0, 0, 0, 0, 0, list.length, 0]), list)
  assert.equal(status, 0)
  assert.equal(unit.isWriteCacheEnabled, false)
})

test('with a store, parameters are saved where SP says so, and are there after a reset and in a new unit', async () => {
  let stored: Readonly<Record<string, string>> | undefined
  const modes: ModeStore = {
    load: () => stored,
    async save(pages) {
      stored = pages
    },
  }
  const { unit, initiators } = await testUnit(1, { modes })
  const [a] = initiators
  const caching = await page(a, 0x08)
  assert.equal(caching[0], 0x88, 'PS')
  await select6(a, turned(caching, 2, WCE))
  assert.equal((await page(a, 0x08, 3))[2] & WCE, WCE)
  await select6(a, turned(caching, 2, WCE), { saves: true })
  assert.equal((await page(a, 0x08, 3))[2] & WCE, 0)
  await unit.logicalUnitReset()
  assert.equal(unit.isWriteCacheEnabled, false)
  assert.equal((await testUnit(1, { modes })).unit.isWriteCacheEnabled, false)
})

test('SP without parameters saves what there is (SPC-4 6.10)', async () => {
  let stored: Readonly<Record<string, string>> | undefined
  const modes: ModeStore = {
    load: () => stored,
    async save(pages) {
      stored = pages
    },
  }
  const { initiators } = await testUnit(1, { modes })
  const [a] = initiators
  await select6(a, turned(await page(a, 0x08), 2, WCE))
  assert.equal(stored, undefined)
  assert.equal((await a.send('1511 0000 0000')).status, 0)
  assert.equal((await page(a, 0x08, 3))[2] & WCE, 0)
  assert.equal((await testUnit(1, { modes })).unit.isWriteCacheEnabled, false)
})

test('a cache is off when MODE SELECT flushes it, so that no write comes between; what cannot be flushed or saved changes nothing', async () => {
  const device = memoryDevice({ sizeBytes: 1024 * 1024 })
  const failure = new Error('no store')
  const modes: ModeStore = { load: () => undefined, save: () => Promise.reject(failure) }
  const { unit, initiators } = await testUnit(2, { device, modes, onFault: error => assert.equal(error, failure) })
  const [a, b] = initiators
  const seen: boolean[] = []
  device.flush = async () => void seen.push(unit.isWriteCacheEnabled)
  const off = turned(await page(a, 0x08), 2, WCE)
  assert.equal((await select6(a, off)).status, 0)
  assert.deepEqual(seen, [false])
  assert.deepEqual(await b.attentions(), ['MODE PARAMETERS CHANGED'])
  assert.equal((await select6(a, turned(off, 2, WCE), { saves: true })).text, 'HARDWARE ERROR: INTERNAL TARGET FAILURE')
  assert.equal(unit.isWriteCacheEnabled, false)
  assert.deepEqual(await b.attentions(), [])
})

test('without a store, SP ends with INVALID FIELD IN CDB', async () => {
  const { initiators } = await testUnit(1)
  assert.deepEqual((await select6(initiators[0], Buffer.alloc(0), { saves: true })).error?.field, { in: 'cdb', byte: 1, bit: 0 })
})
