import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import type { CipherCCM, DecipherCCM } from 'node:crypto'
import { createCmac } from './cmac.ts'
import { tagLengthBytes } from './crypto.ts'
import type { AeadAlgorithm, AeadContext, CryptoProvider, Direction } from './crypto.ts'

const cipherNames = {
  'AES-128-CCM': 'aes-128-ccm',
  'AES-128-GCM': 'aes-128-gcm',
  'AES-256-CCM': 'aes-256-ccm',
  'AES-256-GCM': 'aes-256-gcm',
} as const

/** node:crypto does not work in place: its output is copied back. */
function createAead(algorithm: AeadAlgorithm, direction: Direction, key: Uint8Array): AeadContext {
  // The types know CCM and GCM as different functions; the calls are the same.
  const name = cipherNames[algorithm] as 'aes-128-ccm'
  const options = { authTagLength: tagLengthBytes }
  const keyCopy = Buffer.from(key)
  return {
    run(nonce, aad, bytes, tag) {
      if (direction === 'encrypt') {
        const cipher: CipherCCM = createCipheriv(name, keyCopy, nonce, options)
        cipher.setAAD(aad, { plaintextLength: bytes.length })
        bytes.set(cipher.update(bytes))
        cipher.final()
        tag.set(cipher.getAuthTag())
        return true
      }
      const decipher: DecipherCCM = createDecipheriv(name, keyCopy, nonce, options)
      decipher.setAuthTag(tag)
      decipher.setAAD(aad, { plaintextLength: bytes.length })
      try {
        const plain = decipher.update(bytes)
        decipher.final()
        bytes.set(plain)
        return true
      } catch {
        return false
      }
    },
    authenticate(nonce, first, rest, tag) {
      const cipher = createCipheriv(name, keyCopy, nonce, options)
      cipher.setAAD(Buffer.concat([first, rest]), { plaintextLength: 0 })
      cipher.final()
      tag.set(cipher.getAuthTag())
    },
    close() {},
  }
}

/** The provider that works wherever Node does. */
export const nodeCrypto: CryptoProvider = {
  name: 'node',
  createAead,
  createMac(algorithm, key) {
    const keyCopy = Buffer.from(key)
    const cmac = algorithm === 'AES-CMAC' ? createCmac(keyCopy) : undefined
    return {
      compute(first, rest, tag) {
        const mac = cmac ? cmac(Buffer.concat([first, rest])) : createHmac('sha256', keyCopy).update(first).update(rest).digest()
        mac.copy(tag, 0, 0, tagLengthBytes)
      },
      close() {},
    }
  },
}
