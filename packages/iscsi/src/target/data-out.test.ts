import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reservedTag } from '../pdu/index.ts'
import { DataOutTransfer } from './data-out.ts'
import type { DataOutParameters } from './data-out.ts'

const parameters: DataOutParameters = { initialR2T: false, immediateData: true, firstBurstBytes: 4096, maxBurstBytes: 8192, maxOutstandingR2T: 1 }

const transferOf = (bytes: number, more: { isFinal?: boolean; wanted?: number; parameters?: Partial<DataOutParameters> } = {}): DataOutTransfer =>
  new DataOutTransfer({
    wantedBytes: more.wanted ?? bytes,
    expectedBytes: bytes,
    isFinal: more.isFinal ?? true,
    parameters: { ...parameters, ...more.parameters },
  })

const piece = (transferTag: number, dataSn: number, offset: number, lengthBytes: number, isFinal: boolean) => ({
  transferTag,
  dataSn,
  offset,
  bytes: Buffer.alloc(lengthBytes, offset >> 9),
  isFinal,
})

test('immediate, unsolicited and solicited data make one buffer (RFC 7143 4.2.5.3)', () => {
  const transfer = transferOf(16_384, { isFinal: false })
  assert.equal(transfer.immediate(Buffer.alloc(1024)), undefined)
  assert.equal(transfer.needsSolicitation, false)
  assert.equal(transfer.receive(piece(reservedTag, 0, 1024, 3072, true)), undefined)
  assert.deepEqual(transfer.solicit(7), { tag: 7, sn: 0, offset: 4096, lengthBytes: 8192 })
  assert.equal(transfer.needsSolicitation, false)
  assert.equal(transfer.receive(piece(7, 0, 4096, 4096, false)), undefined)
  assert.equal(transfer.receive(piece(7, 1, 8192, 4096, true)), undefined)
  assert.deepEqual(transfer.solicit(8), { tag: 8, sn: 1, offset: 12_288, lengthBytes: 4096 })
  assert.equal(transfer.isComplete, false)
  assert.equal(transfer.receive(piece(8, 0, 12_288, 4096, true)), undefined)
  assert.equal(transfer.isComplete, true)
  assert.equal(Buffer.concat(transfer.buffers).length, 16_384)
})

test('several R2Ts may be outstanding, and are answered in order (13.17, 13.19)', () => {
  const transfer = transferOf(20_000, { parameters: { maxOutstandingR2T: 2 } })
  assert.equal(transfer.solicit(1).offset, 0)
  assert.equal(transfer.solicit(2).offset, 8192)
  assert.equal(transfer.needsSolicitation, false)
  assert.equal(transfer.receive(piece(2, 0, 8192, 8192, true)), 'unexpected')
  assert.equal(transfer.receive(piece(1, 0, 0, 8192, true)), undefined)
  assert.deepEqual(transfer.solicit(3), { tag: 3, sn: 2, offset: 16_384, lengthBytes: 3616 })
})

test('what the initiator brings beyond what the command needs is dropped', () => {
  const transfer = transferOf(4096, { wanted: 512, isFinal: false })
  assert.equal(transfer.immediate(Buffer.alloc(1024)), undefined)
  assert.equal(transfer.receive(piece(reservedTag, 0, 1024, 3072, true)), undefined)
  assert.equal(transfer.isComplete, true)
  assert.deepEqual([transfer.lengthBytes, Buffer.concat(transfer.buffers).length], [512, 512])
})

test('data that is not as agreed is told apart', () => {
  const solicited = (): DataOutTransfer => {
    const transfer = transferOf(8192)
    transfer.solicit(5)
    return transfer
  }
  assert.equal(transferOf(8192, { parameters: { immediateData: false } }).immediate(Buffer.alloc(1)), 'unexpected')
  assert.equal(transferOf(8192).immediate(Buffer.alloc(4097)), 'too-much')
  assert.equal(solicited().receive(piece(6, 0, 0, 512, false)), 'unexpected')
  assert.equal(solicited().receive(piece(5, 1, 0, 512, false)), 'out-of-order')
  assert.equal(solicited().receive(piece(5, 0, 512, 512, false)), 'out-of-order')
  assert.equal(solicited().receive(piece(5, 0, 0, 8193, true)), 'too-much')
  assert.equal(solicited().receive(piece(5, 0, 0, 512, true)), 'out-of-order')
  assert.equal(solicited().receive(piece(5, 0, 0, 8192, false)), 'out-of-order')
})

test('what was lost is asked for again from where it is missing (7.4)', () => {
  const transfer = transferOf(8192)
  transfer.solicit(1)
  assert.equal(transfer.receive(piece(1, 0, 0, 2048, false)), undefined)
  assert.equal(transfer.receive(piece(1, 2, 4096, 2048, false)), 'out-of-order')
  transfer.recover()
  assert.deepEqual(transfer.solicit(2), { tag: 2, sn: 1, offset: 2048, lengthBytes: 6144 })
  assert.equal(transfer.receive(piece(1, 3, 6144, 2048, true)), 'unexpected')
  assert.equal(transfer.receive(piece(2, 0, 2048, 6144, true)), undefined)
  assert.equal(transfer.isComplete, true)
})
