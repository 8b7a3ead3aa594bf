import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex } from '@holdfast/wire'
import { Status } from '../../scsi/status.ts'
import { CheckCondition, encodeSense } from '../../scsi/sense.ts'
import type { CommandResult } from '../task.ts'
import * as cdbs from './cdbs.ts'
import { inspectDisk, readCapacity } from './inspect.ts'
import { withRetries } from './retry.ts'
import { ScsiError, scsiError } from './scsi-error.ts'

describe('CDBs (SBC-4 5, SPC-4 6)', () => {
  const blocks = { lba: 0x1_2345_6789, count: 0x100 }
  for (const [name, cdb, expected] of [
    ['READ (16)', cdbs.read16(blocks), '88 00 0000000123456789 00000100 00 00'],
    ['WRITE (16)', cdbs.write16(blocks), '8a 00 0000000123456789 00000100 00 00'],
    ['WRITE (16) with FUA', cdbs.write16(blocks, { fua: true }), '8a 08 0000000123456789 00000100 00 00'],
    ['SYNCHRONIZE CACHE (16)', cdbs.synchronizeCache16(), '91 00 0000000000000000 00000000 00 00'],
    ['READ CAPACITY (16)', cdbs.readCapacity16(), '9e 10 0000000000000000 00000020 00 00'],
    ['WRITE SAME (16) with UNMAP', cdbs.writeSame16(blocks, { unmap: true }), '93 08 0000000123456789 00000100 00 00'],
    ['COMPARE AND WRITE', cdbs.compareAndWrite({ lba: 1, count: 2 }), '89 00 0000000000000001 00000002 00 00'],
    ['INQUIRY of a page', cdbs.inquiry(0x0400, 0xb0), '12 01 b0 0400 00'],
    ['UNMAP', cdbs.unmap(24), '42 00 00000000 00 0018 00'],
    ['REPORT LUNS', cdbs.reportLuns(256), 'a0 00 00 000000 00000100 00 00'],
  ] as const) {
    test(name, () => assert.deepEqual(cdb, hex(expected)))
  }

  test('UNMAP parameter list', () => {
    const ranges = [
      { lba: 1, count: 2 },
      { lba: 0x1_0000_0000, count: 3 },
    ]
    assert.deepEqual(cdbs.unmapParameters(ranges), hex('0026 0020 00000000  0000000000000001 00000002 00000000  0000000100000000 00000003 00000000'))
  })
})

const result = (status: number, condition?: CheckCondition): CommandResult => ({
  status,
  sense: condition === undefined ? Buffer.alloc(0) : encodeSense(condition, false),
  dataInBytes: 0,
  residualBytes: 0,
})

describe('errors', () => {
  for (const [code, condition] of [
    ['LBA_OUT_OF_RANGE', new CheckCondition('ILLEGAL REQUEST', 'LOGICAL BLOCK ADDRESS OUT OF RANGE')],
    ['ILLEGAL_REQUEST', new CheckCondition('ILLEGAL REQUEST', 'INVALID FIELD IN CDB')],
    ['MISCOMPARE', new CheckCondition('MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: 7 })],
    ['MEDIUM_ERROR', new CheckCondition('MEDIUM ERROR', 'UNRECOVERED READ ERROR')],
  ] as const) {
    test(code, () => {
      const error = scsiError('READ (16)', Status.checkCondition, encodeSense(condition, true))
      assert.ok(error instanceof ScsiError)
      assert.equal(error.code, code)
      assert.equal(error.message, `READ (16): ${condition.message}`)
      assert.equal(error.sense?.information, condition.details.information)
    })
  }

  test('a status without sense data', () => {
    assert.equal(scsiError('READ (16)', Status.reservationConflict, Buffer.alloc(0)).code, 'RESERVATION_CONFLICT')
    assert.equal(scsiError('READ (16)', 0x77, Buffer.alloc(0)).code, 'SCSI')
    assert.equal(scsiError('READ (16)', Status.checkCondition, Buffer.from([1, 2])).sense, undefined)
  })
})

describe('what is tried once more', () => {
  const attention = (): CommandResult => result(Status.checkCondition, new CheckCondition('UNIT ATTENTION', 'CAPACITY DATA HAS CHANGED'))
  const run = async (results: CommandResult[]): Promise<{ last: CommandResult; attempts: number; attentions: number }> => {
    let attempts = 0
    let attentions = 0
    const last = await withRetries(async () => results[Math.min(attempts++, results.length - 1)], { onUnitAttention: () => void attentions++ })
    return { last, attempts, attentions }
  }

  test('unit attentions, each told', async () => {
    const { last, attempts, attentions } = await run([attention(), attention(), result(Status.good)])
    assert.equal(last.status, Status.good)
    assert.deepEqual([attempts, attentions], [3, 2])
  })

  test('not without end', async () => {
    const { last, attempts } = await run([attention()])
    assert.equal(last.status, Status.checkCondition)
    assert.equal(attempts, 17)
  })

  test('a full task set, a busy disk, an aborted command', async () => {
    const aborted = result(Status.checkCondition, new CheckCondition('ABORTED COMMAND', 'NO ADDITIONAL SENSE INFORMATION'))
    const { last, attempts } = await run([result(Status.taskSetFull), result(Status.taskSetFull), aborted, result(Status.busy), result(Status.good)])
    assert.equal(last.status, Status.good)
    assert.equal(attempts, 5)
  })

  test('an aborted command only where it may be repeated', async () => {
    const aborted = result(Status.checkCondition, new CheckCondition('ABORTED COMMAND', 'INTERNAL TARGET FAILURE'))
    const attempts: CommandResult[] = []
    const last = await withRetries(async () => (attempts.push(aborted), attempts.length > 1 ? result(Status.good) : aborted), { isRepeatable: false })
    assert.deepEqual([last, attempts.length], [aborted, 1])
  })

  test('nothing that would end the same way', async () => {
    const wrong = result(Status.checkCondition, new CheckCondition('ILLEGAL REQUEST', 'INVALID FIELD IN CDB'))
    assert.equal((await run([wrong, result(Status.good)])).attempts, 1)
    assert.equal((await run([result(Status.reservationConflict)])).attempts, 1)
  })
})

describe('what a disk says of itself', () => {
  const standard = Buffer.concat([hex('00000602 5b000000'), Buffer.from('HOLDFASTVOLUME          0001')])
  const pages: Readonly<Record<number, Buffer>> = {
    0x00: hex('0000 0004 00 80 83 b0'),
    0x80: Buffer.concat([hex('0080 0005'), Buffer.from('  abc')]),
    // A target port's name first, which is not the unit's.
    0x83: hex('0083 0018  0113 0008 1111111111111111  0103 0008 6001405aaaaaaaaa'),
    0xb0: hex(`00b0 003c 00 ff 0080 00004000 00000800 00000000 00100000 00000100 00000000 00000000 0000000000008000 ${'00'.repeat(20)}`),
  }
  const read = async (cdb: Buffer): Promise<Buffer> => {
    if ((cdb[1] & 1) === 0) return standard
    if (pages[cdb[2]] === undefined) throw new ScsiError('ILLEGAL_REQUEST', 'no such page', { status: 2, sense: undefined })
    return pages[cdb[2]]
  }

  test('identity and limits', async () => {
    assert.deepEqual(await inspectDisk(read), {
      identity: { vendor: 'HOLDFAST', product: 'VOLUME', revision: '0001', serial: 'abc', designator: 'naa.6001405aaaaaaaaa' },
      limits: {
        transferBlocks: 0x4000,
        optimalTransferBlocks: 0x800,
        unmapBlocks: 0x10_0000,
        unmapRanges: 0x100,
        writeSameBlocks: 0x8000,
        compareAndWriteBlocks: 0xff,
      },
    })
  })

  test('a disk that says nothing has no limits', async () => {
    const { identity, limits } = await inspectDisk(async cdb => {
      if ((cdb[1] & 1) === 0) return standard
      throw new ScsiError('ILLEGAL_REQUEST', 'no such page', { status: 2, sense: undefined })
    })
    assert.equal(identity.serial, '')
    assert.equal(identity.designator, '')
    assert.equal(limits.transferBlocks, Infinity)
    assert.equal(limits.compareAndWriteBlocks, 0)
  })

  test('READ CAPACITY (16)', async () => {
    const data = hex('000000000001ffff 00000200 00 03 c000 00000000 00000000 00000000 00000000')
    assert.deepEqual(await readCapacity(async () => data), {
      blocks: 0x2_0000,
      blockBytes: 512,
      physicalBlockBytes: 4096,
      isThin: true,
      readsZeros: true,
    })
    await assert.rejects(
      readCapacity(async () => data.subarray(0, 8)),
      (error: unknown) => error instanceof ScsiError && error.code === 'SCSI',
    )
  })
})
