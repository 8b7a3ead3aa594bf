import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogicalUnit } from '../logical-unit.ts'
import { testUnit } from '../test-support/initiator.ts'
import type { TestInitiator } from '../test-support/initiator.ts'

interface Descriptor {
  readonly opcode: number
  readonly serviceAction: number
  readonly hasServiceAction: boolean
  readonly hasTimeouts: boolean
  readonly cdbLength: number
}

/** SPC-4 6.35.2. */
function descriptorsOf(data: Buffer): Descriptor[] {
  assert.equal(data.readUInt32BE(0), data.length - 4)
  const result: Descriptor[] = []
  for (let at = 4; at < data.length;) {
    const flags = data[at + 5]
    const hasTimeouts = (flags & 2) !== 0
    result.push({
      opcode: data[at],
      serviceAction: data.readUInt16BE(at + 2),
      hasServiceAction: (flags & 1) !== 0,
      hasTimeouts,
      cdbLength: data.readUInt16BE(at + 6),
    })
    if (hasTimeouts) assert.equal(data.readUInt16BE(at + 8), 0x0a)
    at += hasTimeouts ? 20 : 8
  }
  return result
}

const report = (options: number, opcode = 0, serviceAction = 0): Buffer =>
  Buffer.from([0xa3, 0x0c, options, opcode, serviceAction >> 8, serviceAction & 0xff, 0, 0, 0xff, 0xff, 0, 0])

async function all(initiator: TestInitiator, options = 0): Promise<Descriptor[]> {
  return descriptorsOf((await initiator.send(report(options))).data)
}

const sorted = (unit: LogicalUnit): Descriptor[] =>
  unit.commands.entries.map(({ command: { opcode, serviceAction }, usage }) => ({
    opcode,
    serviceAction: serviceAction ?? 0,
    hasServiceAction: serviceAction !== undefined,
    hasTimeouts: false,
    cdbLength: usage.length,
  }))

test('all commands are reported, with timeouts where they are asked for (SPC-4 6.35.2, RCTD)', async () => {
  const { unit, initiators } = await testUnit(1)
  const expected = sorted(unit)
  assert.ok(expected.length > 60, `${expected.length} commands`)
  assert.deepEqual(await all(initiators[0]), expected)
  assert.deepEqual(
    await all(initiators[0], 0x80),
    expected.map(descriptor => ({ ...descriptor, hasTimeouts: true })),
  )
})

test('one command is reported by opcode, or by opcode and service action, each kind in its own way (SPC-4 6.35.3)', async () => {
  const { unit, initiators } = await testUnit(1)
  const [initiator] = initiators
  for (const { opcode, serviceAction, hasServiceAction } of await all(initiator)) {
    const byOpcode = await initiator.send(report(1, opcode, serviceAction))
    const byAction = await initiator.send(report(2, opcode, serviceAction))
    const [works, fails] = hasServiceAction ? [byAction, byOpcode] : [byOpcode, byAction]
    assert.equal(fails.text, 'ILLEGAL REQUEST: INVALID FIELD IN CDB')
    const entry = unit.commands.get(opcode, hasServiceAction ? serviceAction : undefined)
    assert.equal(works.data[1], 0x03)
    assert.deepEqual(works.data.subarray(4), entry?.usage)
    assert.equal(works.data.readUInt16BE(2), entry?.usage.length)
    assert.deepEqual((await initiator.send(report(3, opcode, serviceAction))).data, works.data)
  }
})

test('what is not supported is said to be so (SUPPORT 001b)', async () => {
  const { initiators } = await testUnit(1)
  const [initiator] = initiators
  assert.equal((await initiator.send(report(1, 0xfe))).data.toString('hex'), '00010000')
  assert.equal((await initiator.send(report(2, 0xa3, 0x1f))).data.toString('hex'), '00010000')
  assert.equal((await initiator.send(report(3, 0x28, 1))).data.toString('hex'), '00010000')
  assert.equal((await initiator.send(report(4))).text, 'ILLEGAL REQUEST: INVALID FIELD IN CDB')
})

test('a list is cut to the allocation length', async () => {
  const { initiators } = await testUnit(1)
  const cdb = report(0)
  cdb.writeUInt32BE(7, 6)
  const { data, dataInBytes } = await initiators[0].send(cdb)
  assert.equal(data.length, 7)
  assert.equal(dataInBytes, 7)
})

test('task management functions: those of SAM-5 that there are, in both formats (SPC-4 6.36)', async () => {
  const { initiators } = await testUnit(1)
  assert.equal((await initiators[0].send('a30d00000000000000ff0000')).data.toString('hex'), 'd8000000')
  assert.equal((await initiators[0].send('a30d80000000000000ff0000')).data.toString('hex'), `d800000c${'00'.repeat(12)}`)
})

test('the timestamp is in milliseconds since 1970 (SPC-4 6.38)', async () => {
  const { initiators } = await testUnit(1, { now: () => 0x123456789abc })
  assert.equal((await initiators[0].send('a30f00000000000000ff0000')).data.toString('hex'), '000a0300123456789abc0000')
})
