import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import type { BlockDevice } from '@holdfast/storage/block'
import { AccessState, AccessStatusCode } from '../ports.ts'
import { testIdentity, testUnit } from '../test-support/initiator.ts'
import type { TestInitiator } from '../test-support/initiator.ts'

const inquiry = (page?: number, allocationLength = 255): Buffer =>
  Buffer.from([0x12, page === undefined ? 0 : 1, page ?? 0, allocationLength >> 8, allocationLength & 0xff, 0])

/** A VPD page's content, its header checked. */
async function vpd(initiator: TestInitiator, page: number): Promise<Buffer> {
  const { data, text } = await initiator.send(inquiry(page, 4096))
  assert.equal(text, '')
  assert.deepEqual([...data.subarray(0, 4)], [0, page, (data.length - 4) >> 8, (data.length - 4) & 0xff])
  return data.subarray(4)
}

/** The disk with something else in it. */
const deviceWith = (values: Partial<BlockDevice>): BlockDevice =>
  new Proxy<BlockDevice>(memoryDevice({ sizeBytes: 1024 * 1024 }), {
    get: (target, name) => {
      if (name in values) return Reflect.get(values, name) as unknown
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })

test('standard data: a disk of SPC-4 and SBC-3, with task queuing, third-party copy and implicit access states (SPC-4 6.4.2)', async () => {
  const { initiators } = await testUnit(1)
  const { data } = await initiators[0].send(inquiry())
  assert.equal(data.length, 96)
  assert.equal(data.subarray(0, 8).toString('hex'), '000006125b180002')
  assert.equal(data.toString('latin1', 8, 36), 'HOLDFASTVOLUME          0001')
  const descriptors = Array.from({ length: 8 }, (_, index) => data.readUInt16BE(58 + 2 * index))
  assert.deepEqual(descriptors, [0x00a0, 0x0460, 0x04c0, 0x0960, 0, 0, 0, 0])
})

test('standard data are the same at every allocation length, as far as it goes', async () => {
  const { initiators } = await testUnit(1)
  const { data: whole } = await initiators[0].send(inquiry())
  for (let length = 0; length <= 512; length++) {
    const { data, dataInBytes, status } = await initiators[0].send(inquiry(undefined, length))
    assert.equal(status, 0)
    assert.equal(dataInBytes, Math.min(length, 96))
    assert.deepEqual(data, whole.subarray(0, length))
  }
})

test('a page code without EVPD, and a page that there is not, end with INVALID FIELD IN CDB', async () => {
  const { initiators } = await testUnit(1)
  assert.equal((await initiators[0].send('120001ffff00')).error?.field?.byte, 2)
  assert.equal((await initiators[0].send(inquiry(0x7f))).error?.field?.byte, 2)
})

test('the supported pages are sorted, and each of them can be read', async () => {
  const { initiators } = await testUnit(1, { identity: { ...testIdentity, managementUrl: 'https://holdfast.example:8080/' } })
  const codes = [...(await vpd(initiators[0], 0x00))]
  assert.deepEqual(codes, [0x00, 0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0x8f, 0xb0, 0xb1, 0xb2, 0xb3])
  for (const code of codes) await vpd(initiators[0], code)
})

test('a disk that is not thin says nothing of UNMAP: no page B2h, and no limits (SBC-4 6.6.4)', async () => {
  const { initiators } = await testUnit(1, { device: deviceWith({ isThin: false }) })
  assert.ok(!(await vpd(initiators[0], 0x00)).includes(0xb2))
  const limits = await vpd(initiators[0], 0xb0)
  assert.equal(limits.readUInt32BE(16), 0)
  assert.equal(limits.readUInt32BE(20), 0)
  const { data } = await initiators[0].send('a30c01420000000000ff0000')
  assert.equal(data[1], 0x01)
})

test('Unit Serial Number, and a page for management only where it is configured', async () => {
  const { initiators } = await testUnit(1)
  assert.equal((await vpd(initiators[0], 0x80)).toString(), testIdentity.serial)
  assert.equal((await initiators[0].send(inquiry(0x85))).error?.field?.byte, 2)
})

test('Device Identification names the unit, the port that was asked, its group, and the target (SPC-4 7.8.6)', async () => {
  const { initiators } = await testUnit(1)
  const page = await vpd(initiators[0], 0x83)
  const found: string[] = []
  for (let at = 0; at < page.length; at += 4 + page[at + 3]) {
    const bytes = page.subarray(at + 4, at + 4 + page[at + 3])
    const association = (page[at + 1] >> 4) & 3
    assert.equal(page[at + 1] >> 7, association === 0 ? 0 : 1)
    assert.equal(page[at] >> 4, association === 0 ? 0 : 5)
    found.push(`${association} ${page[at + 1] & 0x0f} ${(page[at] & 0x0f) === 1 ? bytes.toString('hex') : bytes.toString().replaceAll('\0', '')}`)
    if ((page[at + 1] & 0x0f) === 8) assert.equal(bytes.length % 4, 0)
  }
  assert.deepEqual(found, [
    `0 3 ${testIdentity.naa.toString('hex')}`,
    `0 1 HOLDFASTVOLUME          ${testIdentity.serial}`,
    '1 4 00000001',
    '1 5 00000001',
    '1 8 iqn.2026-11.io.holdfast:disk0,t,0x0001',
    '2 8 iqn.2026-11.io.holdfast:disk0',
  ])
})

test('SCSI Ports lists the ports of all groups, with the names that are known', async () => {
  const group = { id: 1, state: AccessState.activeOptimized, isPreferred: false, statusCode: AccessStatusCode.none }
  const groups = [
    { ...group, ports: [2, 3] },
    { ...group, id: 2, ports: [1] },
  ]
  const { initiators } = await testUnit(1, {
    ports: { groups, onChange: () => () => {}, nameOf: port => (port === 2 ? 'iqn.x,t,0x0002' : undefined) },
  })
  const page = await vpd(initiators[0], 0x88)
  const found: string[] = []
  for (let at = 0; at < page.length; at += 12 + page.readUInt16BE(at + 10)) {
    const designators = page.subarray(at + 12, at + 12 + page.readUInt16BE(at + 10))
    found.push(`${page.readUInt16BE(at + 2)} ${designators.subarray(4).toString().replaceAll('\0', '')}`)
  }
  assert.deepEqual(found, ['1 iqn.2026-11.io.holdfast:disk0,t,0x0001', '2 iqn.x,t,0x0002', '3 '])
  const { data } = await initiators[0].send(inquiry())
  assert.equal(data[6] & 0x10, 0x10, 'MULTIP')
})

test('Extended INQUIRY: attributes of tasks, a volatile cache, sense data of 252 bytes (SPC-4 7.8.7)', async () => {
  const { initiators } = await testUnit(1)
  const page = await vpd(initiators[0], 0x86)
  assert.equal(page.length, 0x3c)
  assert.deepEqual([...page.subarray(1, 4), page[9]], [0x07, 0x01, 0x01, 252])
})

for (const blockBytes of [512, 4096]) {
  test(`Block Limits and Logical Block Provisioning with blocks of ${blockBytes} bytes`, async () => {
    const { unit, initiators } = await testUnit(1, { blockBytes })
    const limits = await vpd(initiators[0], 0xb0)
    assert.equal(limits.length, 0x3c)
    assert.equal(limits.readUInt16BE(2), 4096 / blockBytes)
    assert.equal(limits.readUInt32BE(4), unit.limits.maximumTransferBlocks)
    const maximumUnmap = limits.readUInt32BE(16)
    assert.ok(maximumUnmap > 0 && maximumUnmap <= 1024 * 1024, `${maximumUnmap}`)
    assert.equal(limits.readUInt32BE(20), unit.limits.maximumUnmapDescriptors)
    const provisioning = await vpd(initiators[0], 0xb2)
    assert.equal(2 ** provisioning[0] * blockBytes, 1024 * 1024)
    assert.deepEqual([...provisioning.subarray(1)], [0xe6, 0x02, 0x00], 'LBPU, LBPWS, LBPWS10, LBPRZ, ANC_SUP; thin')
  })
}
