import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex, MalformedError } from '@holdfast/wire'
import { captured } from './captured.ts'
import * as pdu from './index.ts'

const malformed = (code: string) => (error: unknown) => error instanceof MalformedError && error.code === code
const bytesOf = (title: string): Buffer => captured.find(found => found.title === title)!.bytes

describe('recorded PDUs', () => {
  for (const { title, bytes } of captured) {
    test(`${title}: the header comes back byte for byte, and the length is right (RFC 7143 11.2)`, () => {
      const opcode = pdu.opcodeOf(bytes)
      const layout = pdu.layoutOf(opcode)!
      const header = layout.toBytes(layout.decode(bytes) as never)
      assert.deepEqual(header, bytes.subarray(0, pdu.basicHeaderBytes))
      assert.equal(pdu.pduLengthBytes(bytes, 0, pdu.noDigests), bytes.length)
    })
  }
})

test('every opcode has a layout of 48 bytes (11.2.1)', () => {
  const opcodes = Object.values(pdu.Opcode)
  assert.equal(Object.keys(pdu.layouts).length, opcodes.length)
  for (const opcode of opcodes) {
    const layout = pdu.layouts[opcode]
    assert.equal(layout.fixedSize, pdu.basicHeaderBytes, layout.name)
  }
  assert.equal(pdu.BasicHeader.fixedSize, pdu.basicHeaderBytes)
  assert.equal(pdu.layoutOf(0x3e), undefined)
})

test('a SCSI Command of a write (11.3)', () => {
  assert.deepEqual(pdu.ScsiCommand.decode(bytesOf('SCSI Command, WRITE (10)')), {
    opcode: pdu.Opcode.scsiCommand,
    flags: pdu.ScsiCommandFlags.final | pdu.ScsiCommandFlags.write | 1,
    totalAhsLength: 0,
    dataSegmentLength: 512,
    lun: 1n << 48n,
    initiatorTaskTag: 1_017_356_576,
    expectedDataTransferLength: 512,
    cmdSn: 2_098_793_535,
    expStatSn: 3,
    cdb: hex('2a000000 00000000 01000000 00000000'),
  })
})

test('a Login Request (11.12)', () => {
  const { isid, ...rest } = pdu.LoginRequest.decode(bytesOf('Login Request, CHAP_A'))
  assert.deepEqual(rest, {
    opcode: pdu.Opcode.loginRequest | pdu.immediateBit,
    flags: pdu.loginStages(pdu.LoginStage.security, pdu.LoginStage.operational),
    versionMax: 0,
    versionMin: 0,
    totalAhsLength: 0,
    dataSegmentLength: 9,
    tsih: 0,
    initiatorTaskTag: 1_261_585_529,
    cid: 0,
    cmdSn: 1_571_516_134,
    expStatSn: 1,
  })
  assert.equal(pdu.formatIsid(isid), '0x808cccde0000')
  assert.equal(pdu.currentStageOf(rest.flags), pdu.LoginStage.security)
  assert.equal(pdu.nextStageOf(rest.flags), pdu.LoginStage.operational)
})

/** PDUs that no peer at hand sends, with every field set, as the sections draw them. */
const drawn = [
  {
    title: 'Asynchronous Message (11.9)',
    layout: pdu.AsyncMessage,
    bytes: '32800000 00000000 0001000000000000 ffffffff 00000000 00000005 00000006 00000007 03000001 0002 0014 00000000',
    value: {
      flags: 0x80,
      totalAhsLength: 0,
      dataSegmentLength: 0,
      lun: 1n << 48n,
      initiatorTaskTag: pdu.reservedTag,
      statSn: 5,
      expCmdSn: 6,
      maxCmdSn: 7,
      event: pdu.AsyncEvent.sessionDrop,
      vendorCode: 0,
      parameter1: 1,
      parameter2: 2,
      parameter3: 20,
    },
  },
  {
    title: 'Reject (11.17)',
    layout: pdu.Reject,
    bytes: '3f800200 00000030 0000000000000000 ffffffff 00000000 00000005 00000006 00000007 00000009 00000000 00000000',
    value: {
      flags: 0x80,
      reason: pdu.RejectReason.dataDigestError,
      totalAhsLength: 0,
      dataSegmentLength: 48,
      statSn: 5,
      expCmdSn: 6,
      maxCmdSn: 7,
      dataSn: 9,
    },
  },
  {
    title: 'SNACK Request (11.16)',
    layout: pdu.SnackRequest,
    bytes: '10810000 00000000 0000000000000000 ffffffff ffffffff 00000000 00000008 00000000 00000000 00000003 00000002',
    value: {
      opcode: pdu.Opcode.snackRequest,
      flags: pdu.finalBit | pdu.SnackType.status,
      totalAhsLength: 0,
      dataSegmentLength: 0,
      lun: 0n,
      initiatorTaskTag: pdu.reservedTag,
      targetTransferTag: pdu.reservedTag,
      expStatSn: 8,
      begRun: 3,
      runLength: 2,
    },
  },
  {
    title: 'NOP-Out (11.18)',
    layout: pdu.NopOut,
    bytes: '40800000 00000004 0001000000000000 ffffffff 0000000a 00000002 00000003 00000000 00000000 00000000 00000000',
    value: {
      opcode: pdu.Opcode.nopOut | pdu.immediateBit,
      flags: 0x80,
      totalAhsLength: 0,
      dataSegmentLength: 4,
      lun: 1n << 48n,
      initiatorTaskTag: pdu.reservedTag,
      targetTransferTag: 10,
      cmdSn: 2,
      expStatSn: 3,
    },
  },
  {
    title: 'NOP-In (11.19)',
    layout: pdu.NopIn,
    bytes: '20800000 00000000 0001000000000000 ffffffff 0000000a 00000005 00000006 00000007 00000000 00000000 00000000',
    value: {
      flags: 0x80,
      totalAhsLength: 0,
      dataSegmentLength: 0,
      lun: 1n << 48n,
      initiatorTaskTag: pdu.reservedTag,
      targetTransferTag: 10,
      statSn: 5,
      expCmdSn: 6,
      maxCmdSn: 7,
    },
  },
  {
    title: 'SCSI Response of a bidirectional command (11.4)',
    layout: pdu.ScsiResponse,
    bytes: '21920002 00000014 0000000000000000 00000001 00000004 00000005 00000006 00000007 00000008 00000009 0000000a',
    value: {
      flags: pdu.ScsiResponseFlags.final | pdu.ScsiResponseFlags.bidirectionalReadOverflow | pdu.ScsiResponseFlags.underflow,
      response: 0,
      status: 2,
      totalAhsLength: 0,
      dataSegmentLength: 20,
      initiatorTaskTag: 1,
      snackTag: 4,
      statSn: 5,
      expCmdSn: 6,
      maxCmdSn: 7,
      expDataSn: 8,
      bidirectionalReadResidualCount: 9,
      residualCount: 10,
    },
  },
] as const

for (const { title, layout, bytes, value } of drawn) {
  test(`${title}: each field has its place`, () => {
    assert.deepEqual(layout.decode(hex(bytes)), value)
    assert.deepEqual(layout.toBytes(value as never), hex(bytes))
  })
}

test('sense data lies behind its length (11.4.7.2)', () => {
  const response = bytesOf('SCSI Response, CHECK CONDITION')
  const { sense, responseData } = pdu.SenseData.decode(response, 48, 48 + pdu.dataSegmentBytes(response))
  assert.equal(sense.length, 18)
  assert.equal(sense[2] & 0x0f, 6, 'unit attention')
  assert.equal(responseData.length, 0)
})

describe('additional header segments (11.2.2)', () => {
  const cdb = Buffer.from(Array.from({ length: 32 }, (_, i) => i + 1))
  const additional = pdu.AdditionalHeaders.toBytes({ cdbRest: cdb.subarray(16), bidirectionalReadLength: 0x1234 })
  const command = Buffer.concat([
    pdu.ScsiCommand.toBytes({ flags: 0xe1, totalAhsLength: additional.length / 4, lun: 0n, initiatorTaskTag: 1, cmdSn: 2, expStatSn: 3, cdb }),
    additional,
  ])

  test('an extended CDB counts its reserved byte: AHSLength is CDBLength - 15 (11.2.2.3)', () => {
    assert.deepEqual(additional, hex('0011 01 00 1112131415161718191a1b1c1d1e1f20  0005 02 00 00001234'))
  })

  test('a command is put together from header and segments', () => {
    assert.deepEqual(pdu.cdbOf(command), cdb)
    assert.deepEqual(pdu.additionalHeadersOf(command), { cdbRest: cdb.subarray(16), bidirectionalReadLength: 0x1234 })
    assert.equal(pdu.pduLengthBytes(command, 0, pdu.noDigests), 48 + 28)
  })

  test('a CDB whose rest is no whole number of words is padded', () => {
    const bytes = pdu.AdditionalHeaders.toBytes({ cdbRest: hex('aabbccddee') })
    assert.deepEqual(bytes, hex('0006 01 00 aabbccddee 000000'))
    assert.deepEqual(pdu.AdditionalHeaders.decode(bytes), { cdbRest: hex('aabbccddee') })
  })

  test('a short CDB needs none', () => {
    assert.deepEqual(pdu.cdbOf(bytesOf('SCSI Command, INQUIRY')).subarray(0, 6), hex('12000000 4000'))
  })

  for (const [title, bytes] of [
    ['longer than the header', '0020 01 00 00000000'],
    ['an unknown type', '0005 03 00 00000000'],
    ['an empty one', '0000 01 00'],
    ['two CDBs', '0001 01 00 0001 01 00'],
    ['a read length of two bytes', '0003 02 00 0000 0000'],
  ] as const) {
    test(`${title} is malformed`, () => {
      assert.throws(() => pdu.AdditionalHeaders.decode(hex(bytes)), malformed('bad-ahs'))
    })
  }
})

test('the length of a PDU counts segments, padding and digests (11.2.1, 11.2.3)', () => {
  const header = Buffer.alloc(48)
  header[4] = 2
  header[7] = 5
  for (const [digests, lengthBytes] of [
    [{ header: false, data: false }, 48 + 8 + 8],
    [{ header: true, data: false }, 48 + 8 + 4 + 8],
    [{ header: true, data: true }, 48 + 8 + 4 + 8 + 4],
  ] as const) {
    assert.equal(pdu.pduLengthBytes(header, 0, digests), lengthBytes)
    assert.equal(pdu.pduLengthBytes(Buffer.concat([Buffer.alloc(3), header]), 3, digests), lengthBytes)
  }
  header[7] = 0
  assert.equal(pdu.pduLengthBytes(header, 0, { header: true, data: true }), 48 + 8 + 4, 'no data, no data digest')
})
