import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { opensslHmac } from '@holdfast/posix/hmac'
import type { Hmac } from '@holdfast/posix/hmac'
import { hex } from '@holdfast/wire'
import * as fc from 'fast-check'
import { headerBytes, macAt } from './codec.ts'
import { createMac, nodeHmac } from './mac.ts'

/** RFC 4231 4: key, data, HMAC-SHA-256. Case 5 is cut to 16 bytes there, and so here. */
const cases: readonly { readonly key: Buffer; readonly data: Buffer; readonly mac: Buffer }[] = [
  {
    key: Buffer.alloc(20, 0x0b),
    data: Buffer.from('Hi There'),
    mac: hex('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'),
  },
  {
    key: Buffer.from('Jefe'),
    data: Buffer.from('what do ya want for nothing?'),
    mac: hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
  },
  { key: Buffer.alloc(20, 0xaa), data: Buffer.alloc(50, 0xdd), mac: hex('773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe') },
  {
    key: hex('0102030405060708090a0b0c0d0e0f10111213141516171819'),
    data: Buffer.alloc(50, 0xcd),
    mac: hex('82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b'),
  },
  { key: Buffer.alloc(20, 0x0c), data: Buffer.from('Test With Truncation'), mac: hex('a3b6167473100ee06e0c796c2955552b') },
  {
    key: Buffer.alloc(131, 0xaa),
    data: Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    mac: hex('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54'),
  },
  {
    key: Buffer.alloc(131, 0xaa),
    data: Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    mac: hex('9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2'),
  },
]

const makers: Readonly<Record<string, (key: Uint8Array) => Hmac | undefined>> = { openssl: opensslHmac, node: nodeHmac }

function digestOf(hmac: Hmac, ...pieces: readonly Buffer[]): Buffer {
  const digest = Buffer.alloc(32)
  hmac.begin()
  for (const piece of pieces) hmac.update(piece, 0, piece.length)
  hmac.end(digest, 0)
  return digest
}

function need(hmac: Hmac | undefined): Hmac {
  assert.ok(hmac !== undefined, 'OpenSSL of this Node can be called')
  return hmac
}

describe('HMAC-SHA-256', () => {
  for (const [name, make] of Object.entries(makers)) {
    test(`gives what RFC 4231 4 says (${name})`, () => {
      for (const { key, data, mac } of cases) {
        const hmac = need(make(key))
        assert.deepEqual(digestOf(hmac, data).subarray(0, mac.length), mac)
        assert.deepEqual(digestOf(hmac, data).subarray(0, mac.length), mac, 'with a key that has been used')
        assert.deepEqual(digestOf(hmac, data.subarray(0, 3), data.subarray(3)).subarray(0, mac.length), mac, 'in two pieces')
      }
    })
  }

  test('OpenSSL called directly and Node agree on any key and data, whatever was computed before', () => {
    const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength }).map(given => Buffer.from(given))
    fc.assert(
      fc.property(bytes(1, 200), fc.array(bytes(0, 2000), { minLength: 1, maxLength: 4 }), (key, texts) => {
        const hmac = need(opensslHmac(key))
        for (const text of texts) assert.deepEqual(digestOf(hmac, text), createHmac('sha256', key).update(text).digest())
      }),
      { numRuns: 200, seed: 20_261_121 },
    )
  })

  test('a computation that was left in the middle leaves nothing behind', () => {
    const key = Buffer.alloc(32, 7)
    const hmac = need(opensslHmac(key))
    hmac.begin()
    hmac.update(Buffer.from('of something else'), 0, 17)
    assert.deepEqual(digestOf(hmac, Buffer.from('text')), createHmac('sha256', key).update('text').digest())
  })

  test('bytes outside of the buffer are refused before OpenSSL sees their address', () => {
    const hmac = need(opensslHmac(Buffer.alloc(32)))
    hmac.begin()
    for (const [from, to] of [
      [-1, 4],
      [0, 9],
      [5, 4],
    ] as const)
      assert.throws(() => hmac.update(Buffer.alloc(8), from, to), RangeError)
    assert.throws(() => hmac.end(Buffer.alloc(31), 0), RangeError)
  })
})

describe('the MAC of a message', () => {
  const key = Buffer.alloc(32, 1)
  const message = (): Buffer => Buffer.from(Array.from({ length: headerBytes + 20 }, (_, i) => i))

  test('is the first half of the HMAC over the datagram with zeros in its place', () => {
    const bytes = message()
    createMac(key).seal(bytes, 0, bytes.length)
    const zeroed = message().fill(0, macAt, macAt + 16)
    assert.deepEqual(bytes.subarray(macAt, macAt + 16), createHmac('sha256', key).update(zeroed).digest().subarray(0, 16))
    assert.deepEqual(bytes.subarray(headerBytes), message().subarray(headerBytes))
  })

  test('is the same for one in two pieces, and in the middle of a buffer', () => {
    const mac = createMac(key)
    const whole = message()
    mac.seal(whole, 0, whole.length)
    const head = message()
    mac.seal(head, 0, headerBytes + 5, message(), headerBytes + 5, headerBytes + 20)
    assert.deepEqual(head.subarray(0, headerBytes), whole.subarray(0, headerBytes))
    const within = Buffer.concat([Buffer.alloc(9, 9), message(), Buffer.alloc(9, 9)])
    mac.seal(within, 9, 9 + whole.length)
    assert.deepEqual(within.subarray(9, 9 + whole.length), whole)
    assert.equal(mac.verify(within, 9, 9 + whole.length), true)
  })

  test('is right for the datagram as it was sealed, with either implementation, and for no other', () => {
    const sealed = message()
    createMac(key).seal(sealed, 0, sealed.length)
    for (const mac of [createMac(key), createMac(key, nodeHmac(key))]) {
      assert.equal(mac.verify(Buffer.from(sealed), 0, sealed.length), true)
      assert.equal(mac.verify(Buffer.from(sealed), 0, sealed.length - 1), false)
      for (let i = 0; i < 8 * sealed.length; i++) {
        const changed = Buffer.from(sealed)
        changed[i >> 3] ^= 1 << (i & 7)
        assert.equal(mac.verify(changed, 0, changed.length), false, `bit ${i}`)
      }
    }
    assert.equal(createMac(Buffer.alloc(32, 2)).verify(Buffer.from(sealed), 0, sealed.length), false)
  })

  test('needs a key as long as the hash (RFC 2104 3)', () => {
    assert.throws(() => createMac(Buffer.alloc(31)), { code: 'short-key' })
  })
})
