import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataIn, DataInFlags, NopIn, ScsiResponse } from '../pdu/index.ts'
import { Retention } from './retention.ts'

const serials = { expCmdSn: 1, maxCmdSn: 9 }
const dataIn = (tag: number, dataSn: number, statSn?: number): Buffer =>
  DataIn.toBytes({
    flags: statSn === undefined ? 0 : DataInFlags.final | DataInFlags.status,
    initiatorTaskTag: tag,
    statSn: statSn ?? 0,
    ...serials,
    dataSn,
    bufferOffset: dataSn * 4,
  })
const response = (tag: number, statSn: number): Buffer => ScsiResponse.toBytes({ status: 0, initiatorTaskTag: tag, statSn, ...serials })

function keep(retention: Retention, header: Buffer, data = ''): void {
  retention.keep(Buffer.concat([header, Buffer.from(data)]), header.length, data.length)
}

const texts = (found: ReturnType<Retention['numbered']>): string[] | undefined => found?.map(({ data }) => data.toString())

test('data and responses can be had again until their StatSN is acknowledged (RFC 7143 11.16)', () => {
  const retention = new Retention(1000)
  keep(retention, dataIn(1, 0), 'aaaa')
  keep(retention, dataIn(1, 1), 'bbbb')
  keep(retention, dataIn(1, 2, 20), 'cccc')
  keep(retention, response(2, 21))
  assert.deepEqual(texts(retention.numbered(1, 1, 0)), ['bbbb', 'cccc'])
  assert.deepEqual(texts(retention.numbered(1, 0, 1)), ['aaaa'])
  assert.equal(retention.numbered(1, 2, 2), undefined)
  assert.equal(retention.statuses(20, 2)?.length, 2)
  assert.deepEqual(texts(retention.response(1, 1)), ['bbbb', 'cccc'])
  retention.acknowledge(21)
  assert.equal(retention.numbered(1, 0, 0), undefined)
  assert.equal(retention.statuses(20, 2), undefined)
  assert.equal(retention.response(2, 0)?.length, 1)
})

test('data beyond the limit is not kept, and memory comes back with acknowledgements', () => {
  const retention = new Retention(8)
  keep(retention, dataIn(1, 0), 'aaaa')
  keep(retention, dataIn(1, 1, 5), 'bbbb')
  keep(retention, dataIn(2, 0, 6), 'cccc')
  assert.equal(retention.numbered(2, 0, 1), undefined)
  retention.acknowledge(6)
  keep(retention, dataIn(3, 0, 7), 'dddd')
  assert.deepEqual(texts(retention.numbered(3, 0, 1)), ['dddd'])
})

test("a ping of the target's own has no StatSN to be had again", () => {
  const retention = new Retention(8)
  keep(retention, NopIn.toBytes({ statSn: 4, targetTransferTag: 1, ...serials }))
  assert.equal(retention.statuses(4, 0), undefined)
})
