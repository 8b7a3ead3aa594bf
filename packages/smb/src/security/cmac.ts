import { createCipheriv } from 'node:crypto'

const block = 16
const zeroBlock = Buffer.alloc(block)

/** Doubles in GF(2^128) (RFC 4493 2.3). */
function double(from: Buffer): Buffer {
  const to = Buffer.alloc(block)
  for (let i = 0; i < block; i++) to[i] = (from[i] << 1) | (i + 1 < block ? from[i + 1] >> 7 : 0)
  if (from[0] & 0x80) to[block - 1] ^= 0x87
  return to
}

/**
 * AES-128-CMAC or AES-256-CMAC (RFC 4493) on node:crypto: the CBC-MAC of all blocks but the last is the last block of an
 * AES-CBC encryption, the last block is masked with a subkey first.
 */
export function createCmac(key: Uint8Array): (bytes: Uint8Array) => Buffer {
  const mode = `aes-${key.length * 8}` as 'aes-128'
  const whole = double(createCipheriv(`${mode}-ecb`, key, null).setAutoPadding(false).update(zeroBlock))
  const partial = double(whole)
  return bytes => {
    const lastAt = bytes.length === 0 ? 0 : Math.floor((bytes.length - 1) / block) * block
    const lastLength = bytes.length - lastAt
    const last = Buffer.alloc(block)
    last.set(bytes.subarray(lastAt))
    if (lastLength < block) last[lastLength] = 0x80
    const mask = lastLength === block ? whole : partial
    for (let i = 0; i < block; i++) last[i] ^= mask[i]
    const cipher = createCipheriv(`${mode}-cbc`, key, zeroBlock).setAutoPadding(false)
    if (lastAt > 0) cipher.update(bytes.subarray(0, lastAt))
    return cipher.update(last)
  }
}
