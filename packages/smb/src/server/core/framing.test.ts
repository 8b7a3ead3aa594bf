import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedError } from '@holdfast/wire'
import { smbFraming } from './framing.ts'

test('frames are cut by a zero byte and three of length (MS-SMB2 2.1)', () => {
  const framing = smbFraming({ lengthMax: 100_000 })
  const header = Buffer.alloc(8)
  framing.writeHeader(header, 2, 0x012345)
  assert.equal(header.toString('hex', 2, 6), '00012345')
  assert.equal(framing.frameBytes(header, 2, 8), 4 + 0x012345)
  assert.equal(framing.frameBytes(header, 2, 5), 0)
  assert.equal(framing.frameBytes(Buffer.from('85000000', 'hex'), 0, 4), 4)
  for (const wrong of ['00000000', '00ffffff', '81000044', '47455420']) {
    assert.throws(() => framing.frameBytes(Buffer.from(wrong, 'hex'), 0, 4), MalformedError)
  }
})
