import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedError } from '@holdfast/wire'
import * as fc from 'fast-check'
import { aeadAlgorithms } from './crypto.ts'
import type { AeadAlgorithm } from './crypto.ts'
import { createCipher, isTransformed, transformHeaderLengthBytes, transformSessionId } from './encryption.ts'
import { nativeCrypto } from './native-crypto.ts'
import { nodeCrypto } from './node-crypto.ts'
import { encryptedExchanges } from './vectors/microsoft.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const algorithms = Object.keys(aeadAlgorithms) as AeadAlgorithm[]
const keyFor = (algorithm: AeadAlgorithm): Buffer => Buffer.alloc(aeadAlgorithms[algorithm].keyLengthBytes, 3)

function frameOf(text: string): Buffer {
  const frame = Buffer.from(new SharedArrayBuffer(transformHeaderLengthBytes + text.length))
  frame.write(text, transformHeaderLengthBytes)
  return frame
}

for (const provider of [nativeCrypto() ?? nodeCrypto, nodeCrypto]) {
  test(`${provider.name}: decrypts Microsoft's examples for 3.0 and 3.1.1 in both directions (MS-SMB2 3.1.4.3)`, () => {
    for (const example of encryptedExchanges) {
      const { algorithm } = example
      const request = createCipher({ algorithm, key: hex(example.clientToServerKey), provider })
      assert.equal(request.decrypt(hex(example.encryptedRequest)).toString('hex'), example.request)
      const response = createCipher({ algorithm, key: hex(example.serverToClientKey), provider })
      assert.equal(response.decrypt(hex(example.encryptedResponse)).toString('hex'), example.response)
    }
  })

  for (const algorithm of algorithms) {
    test(`${provider.name}: ${algorithm} reads what it wrote, and nothing else`, () => {
      const [sender, receiver] = [
        createCipher({ algorithm, key: keyFor(algorithm), provider }),
        createCipher({ algorithm, key: keyFor(algorithm), provider }),
      ]
      const nonces = new Set<string>()
      for (let i = 0; i < 20; i++) {
        const frame = frameOf(`message ${i}`)
        sender.encrypt(frame, 0x1122_3344_5566_7788n)
        nonces.add(frame.toString('hex', 20, 36))
        assert.ok(isTransformed(frame))
        assert.equal(transformSessionId(frame), 0x1122_3344_5566_7788n)
        assert.equal(frame.includes('message'), false)
        // Every byte counts: those of the header as well.
        const changed = Buffer.from(frame)
        changed[(i * 13) % changed.length] ^= 1
        assert.throws(() => receiver.decrypt(changed), MalformedError)
        const message = receiver.decrypt(frame)
        assert.equal(message.toString(), `message ${i}`)
        assert.equal(message.buffer, frame.buffer, 'in place')
      }
      assert.equal(nonces.size, 20, 'no nonce twice')
      sender.close()
      assert.throws(() => sender.encrypt(frameOf('x'), 1n), { code: 'cipher_closed' })
      receiver.close()
    })
  }
}

for (const provider of [nativeCrypto() ?? nodeCrypto, nodeCrypto]) {
  for (const algorithm of algorithms) {
    test(`${provider.name}: ${algorithm} reads a frame that was, or was not, decrypted in place by who died with it`, () => {
      const cipher = createCipher({ algorithm, key: keyFor(algorithm), provider })
      const frame = frameOf('a message of some length, which is no multiple of a block')
      cipher.encrypt(frame, 7n)
      const received = Buffer.from(frame)
      for (let times = 0; times < 3; times++) {
        assert.equal(cipher.decryptAgain(frame).toString(), 'a message of some length, which is no multiple of a block')
      }
      for (const at of [4, 25, transformHeaderLengthBytes + 3]) {
        for (const state of [frame, received]) {
          const changed = Buffer.from(state)
          changed[at] ^= 1
          assert.throws(() => cipher.decryptAgain(changed), { code: 'transform_signature' }, `byte ${at}`)
        }
      }
      cipher.close()
      assert.throws(() => cipher.decryptAgain(received), { code: 'cipher_closed' })
    })
  }
}

test('two ciphers of one key do not share nonces', () => {
  const nonces = [0, 1].map(() => {
    const frame = frameOf('text')
    createCipher({ algorithm: 'AES-128-GCM', key: Buffer.alloc(16) }).encrypt(frame, 1n)
    return frame.toString('hex', 20, 36)
  })
  assert.notEqual(nonces[0], nonces[1])
})

test('bytes behind OriginalMessageSize are not part of the message', () => {
  const frame = frameOf('text')
  createCipher({ algorithm: 'AES-128-CCM', key: Buffer.alloc(16) }).encrypt(frame, 1n)
  const longer = Buffer.concat([frame, Buffer.from('and more')])
  assert.equal(
    createCipher({ algorithm: 'AES-128-CCM', key: Buffer.alloc(16) })
      .decrypt(longer)
      .toString(),
    'text',
  )
})

test('whatever is not an encrypted message is malformed', () => {
  const cipher = createCipher({ algorithm: 'AES-128-GCM', key: Buffer.alloc(16) })
  const good = frameOf('some text')
  cipher.encrypt(good, 1n)
  const changes: readonly (readonly [string, (frame: Buffer) => Buffer])[] = [
    ['transform_short', frame => frame.subarray(0, 52)],
    ['transform_protocol_id', frame => (frame.write('x'), frame)],
    ['transform_flags', frame => (frame.writeUInt16LE(0, 42), frame)],
    ['transform_size', frame => (frame.writeUInt32LE(0, 36), frame)],
    ['transform_size', frame => (frame.writeUInt32LE(10, 36), frame)],
    ['transform_size', frame => (frame.writeUInt32LE(0xffff_ffff, 36), frame)],
    ['transform_signature', frame => (frame.writeUInt32LE(8, 36), frame)],
  ]
  for (const [code, change] of changes) assert.throws(() => cipher.decrypt(change(Buffer.from(good))), { name: 'MalformedError', code })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => assert.throws(() => cipher.decrypt(Buffer.from(bytes)), MalformedError)))
})

test('a cipher wants a key of its length', () => {
  assert.throws(() => createCipher({ algorithm: 'AES-256-GCM', key: Buffer.alloc(16) }), { code: 'key_length' })
})
