import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testUnit } from '../test-support/initiator.ts'

const cdb = (lba: number, more = 0): Buffer => {
  const bytes = Buffer.from('9e130000000000000000000000ff0000', 'hex')
  bytes.writeBigUInt64BE(BigInt(lba), 2)
  bytes[14] = more
  return bytes
}

test('REPORT REFERRALS tells which groups lead to which blocks (SBC-4 5.27)', async () => {
  const { unit, initiators } = await testUnit(1)
  const { data } = await initiators[0].send(cdb(5, 1))
  assert.equal(data.toString('hex'), `0000001800000001${'0'.repeat(16)}${(unit.blocks - 1).toString(16).padStart(16, '0')}00000001`)
  assert.equal((await initiators[0].send(cdb(unit.blocks))).text, 'ILLEGAL REQUEST: LOGICAL BLOCK ADDRESS OUT OF RANGE')
})

test('the Referrals VPD page leaves the segments to the command, and Extended INQUIRY says that there are some', async () => {
  const { initiators } = await testUnit(1)
  assert.equal((await initiators[0].send('1201b300ff00')).data.toString('hex'), `00b3000c${'0'.repeat(24)}`)
  assert.equal((await initiators[0].send('12018600ff00')).data[8] & 0x10, 0x10)
})
