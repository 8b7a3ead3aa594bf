import { aeadAlgorithms, tagLengthBytes } from './crypto.ts'
import type { AeadAlgorithm, CryptoProvider } from './crypto.ts'
import { nodeCrypto } from './node-crypto.ts'
import { openSslCrypto } from './openssl-crypto.ts'

let chosen: CryptoProvider | undefined

/** The fastest provider that works in this process: OpenSSL through FFI, or else node:crypto. Chosen once per thread. */
export function cryptoProvider(): CryptoProvider {
  chosen ??= nativeCrypto() ?? nodeCrypto
  return chosen
}

/** OpenSSL through FFI, when it can be loaded and computes the same as node:crypto; undefined otherwise. */
export function nativeCrypto(): CryptoProvider | undefined {
  try {
    const provider = openSslCrypto()
    return agrees(provider) ? provider : undefined
  } catch {
    return undefined
  }
}

/** Two messages with one context each: what is wrong with re-initialisation shows in the second. */
function agrees(provider: CryptoProvider): boolean {
  const key = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')
  const aad = Buffer.alloc(32, 0xa5)
  for (const algorithm of Object.keys(aeadAlgorithms) as AeadAlgorithm[]) {
    const { keyLengthBytes, nonceLengthBytes } = aeadAlgorithms[algorithm]
    const aeadKey = key.subarray(0, keyLengthBytes)
    const encrypts = provider.createAead(algorithm, 'encrypt', aeadKey)
    const decrypts = provider.createAead(algorithm, 'decrypt', aeadKey)
    const expects = nodeCrypto.createAead(algorithm, 'encrypt', aeadKey)
    for (const [index, lengthBytes] of [100, 33].entries()) {
      const nonce = Buffer.alloc(nonceLengthBytes, index)
      const plain = Buffer.alloc(lengthBytes, 0x5a)
      const [ours, theirs] = [Buffer.from(plain), Buffer.from(plain)]
      const [ourTag, theirTag] = [Buffer.alloc(tagLengthBytes), Buffer.alloc(tagLengthBytes)]
      encrypts.run(nonce, aad, ours, ourTag)
      expects.run(nonce, aad, theirs, theirTag)
      if (!ours.equals(theirs) || !ourTag.equals(theirTag)) return false
      if (!decrypts.run(nonce, aad, ours, ourTag) || !ours.equals(plain)) return false
      ourTag[0] ^= 1
      if (decrypts.run(nonce, aad, theirs, ourTag)) return false
    }
    encrypts.close()
    decrypts.close()
  }
  if (!authenticatesAlike(provider)) return false
  for (const algorithm of ['HMAC-SHA256', 'AES-CMAC'] as const) {
    const mac = provider.createMac(algorithm, key.subarray(0, 16))
    const expects = nodeCrypto.createMac(algorithm, key.subarray(0, 16))
    const [ours, theirs] = [Buffer.alloc(tagLengthBytes), Buffer.alloc(tagLengthBytes)]
    for (const lengthBytes of [100, 64]) {
      mac.compute(Buffer.alloc(lengthBytes, 7), aad, ours)
      expects.compute(Buffer.alloc(lengthBytes, 7), aad, theirs)
      if (!ours.equals(theirs)) return false
    }
    mac.close()
  }
  return true
}

/** GMAC in one part and in two. */
function authenticatesAlike(provider: CryptoProvider): boolean {
  const key = Buffer.alloc(16, 9)
  const nonce = Buffer.alloc(12, 4)
  const message = Buffer.alloc(300, 0x5a)
  const tags = [provider, nodeCrypto].flatMap(each => {
    const context = each.createAead('AES-128-GCM', 'encrypt', key)
    const ofCut = (at: number): string => {
      const tag = Buffer.alloc(tagLengthBytes)
      context.authenticate(nonce, message.subarray(0, at), message.subarray(at), tag)
      return tag.toString('hex')
    }
    const both = [ofCut(256), ofCut(300)]
    context.close()
    return both
  })
  return new Set(tags).size === 1
}
