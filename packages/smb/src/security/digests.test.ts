import assert from 'node:assert/strict'
import { test } from 'node:test'
import { md4, Rc4, rc4 } from './digests.ts'

test("MD4 computes RFC 1320's digests (A.5)", () => {
  const digests: Record<string, string> = {
    '': '31d6cfe0d16ae931b73c59d7e0c089c0',
    a: 'bde52cb31de33e46245e05fbdbd6fb24',
    abc: 'a448017aaf21d8525fc10ae87aa6729d',
    'message digest': 'd9130a8164549fe818874806e1c7014b',
    abcdefghijklmnopqrstuvwxyz: 'd79e1c308aa5bbcdeea8ed63df412da9',
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: '043f8582f241db351ce627e153e7f0e4',
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890': 'e33b4ddc9c38f2199c3e7b164fcc0536',
  }
  for (const [text, digest] of Object.entries(digests)) assert.equal(md4(Buffer.from(text)).toString('hex'), digest)
})

test("RC4 gives RFC 6229's key streams", () => {
  const streams: Record<string, string> = {
    '0102030405': 'b2396305f03dc027ccc3524a0a1118a8',
    '0102030405060708090a0b0c0d0e0f10': '9ac7cc9a609d1ef7b2932899cde41b97',
  }
  for (const [key, stream] of Object.entries(streams)) {
    assert.equal(rc4(Buffer.from(key, 'hex'), Buffer.alloc(16)).toString('hex'), stream)
  }
})

test('RC4 in pieces is RC4 in one', () => {
  const key = Buffer.from('key')
  const text = Buffer.from('a text of some length')
  const stream = new Rc4(key)
  assert.deepEqual(Buffer.concat([stream.process(text.subarray(0, 5)), stream.process(text.subarray(5))]), rc4(key, text))
})
