import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { serialize } from 'node:v8'
import type { OpenRecord } from '@holdfast/smb/server'
import { decodeOpenRecord, encodeOpenRecord } from './open-record.ts'

const least: OpenRecord = {
  openId: 4_294_967_298n,
  worker: 0,
  volumeId: 27n,
  fileId: 2_728_265n,
  path: 'folder/file',
  stream: '',
  isFolder: false,
  access: 0x12019f,
  shareAccess: 7,
  deleteOnClose: false,
  deletePending: 'none',
  clientGuid: 'b2417cb8824a471089b69e436b9cdd87',
  locks: [],
}

const usual: OpenRecord = {
  ...least,
  createGuid: 'a000a7967fbe42d68c4ffc77244d178a',
  caching: { kind: 'lease', state: 7, key: '8a7d4941-ced5-43da-9cb3-09d74fc483e3', version: 2, epoch: 1 },
  durable: { version: 2, persistent: true, timeoutMs: 30_000, owner: 'S-1-5-21-1-2-3-1000', face: { createOptions: 64, action: 2 } },
}

const most: OpenRecord = {
  ...usual,
  otherPath: 'folder/before',
  hasLinks: true,
  deleteOnClose: true,
  deletePending: 'file',
  caching: { ...usual.caching!, parentKey: '00000000-0000-0000-0000-000000000001', breakingTo: 0 },
  durable: { ...usual.durable!, resilient: true, seat: { session: 1n, treeId: 2, volatileId: 3n } },
  locks: [{ openId: 4_294_967_298n, offset: 0n, length: 0xffff_ffff_ffff_ffffn, exclusive: true }],
  lockSequences: new Uint8Array(64).fill(0xff),
  appInstance: { id: '00112233445566778899aabbccddeeff', version: 1n },
  parked: true,
  parkedAt: 1_795_270_000_000,
}

describe('records of persistent opens in the store', () => {
  for (const [name, record] of Object.entries({ least, usual, most })) {
    test(`a record is the same when it is read: ${name}`, () => {
      assert.deepEqual(decodeOpenRecord(encodeOpenRecord(record)), record)
    })
  }

  test('a record takes less than two thirds of the room that it takes with the names of its properties', () => {
    assert.ok(encodeOpenRecord(usual).length < (serialize(usual).length * 2) / 3)
  })
})
