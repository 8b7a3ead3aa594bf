/** MD4 and RC4: broken, but part of NTLM; OpenSSL 3 has them in no default provider. For NTLM only. */

const md4Rounds = [
  { add: 0, order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], shifts: [3, 7, 11, 19] },
  { add: 0x5a827999, order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], shifts: [3, 5, 9, 13] },
  { add: 0x6ed9eba1, order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], shifts: [3, 9, 11, 15] },
] as const

const md4Functions = [
  (x: number, y: number, z: number) => (x & y) | (~x & z),
  (x: number, y: number, z: number) => (x & y) | (x & z) | (y & z),
  (x: number, y: number, z: number) => x ^ y ^ z,
] as const

/** MD4 (RFC 1320). */
export function md4(message: Uint8Array): Buffer {
  const padded = Buffer.alloc((Math.floor((message.length + 8) / 64) + 1) * 64)
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8)
  let state: [number, number, number, number] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  for (let at = 0; at < padded.length; at += 64) {
    let [a, b, c, d] = state
    for (let round = 0; round < 3; round++) {
      const { add, order, shifts } = md4Rounds[round]
      const f = md4Functions[round]
      for (let step = 0; step < 16; step++) {
        const sum = (a + f(b, c, d) + padded.readUInt32LE(at + order[step] * 4) + add) | 0
        const shift = shifts[step % 4]
        // Each step computes one register; then they change places.
        ;[a, b, c, d] = [d, (sum << shift) | (sum >>> (32 - shift)), b, c]
      }
    }
    state = [(state[0] + a) | 0, (state[1] + b) | 0, (state[2] + c) | 0, (state[3] + d) | 0]
  }
  const digest = Buffer.allocUnsafe(16)
  for (let i = 0; i < 4; i++) digest.writeInt32LE(state[i] | 0, i * 4)
  return digest
}

/** An RC4 key stream (RFC 6229 has its vectors). */
export class Rc4 {
  readonly #state = new Uint8Array(256)
  #i = 0
  #j = 0

  /** @param key 1 to 256 bytes. */
  constructor(key: Uint8Array) {
    const state = this.#state
    for (let i = 0; i < 256; i++) state[i] = i
    for (let i = 0, j = 0; i < 256; i++) {
      j = (j + state[i] + key[i % key.length]) & 0xff
      const swapped = state[i]
      state[i] = state[j]!
      state[j] = swapped
    }
  }

  /** Encrypts or decrypts the next bytes; the argument stays as it is. */
  process(bytes: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(bytes.length)
    const state = this.#state
    for (let at = 0; at < bytes.length; at++) {
      this.#i = (this.#i + 1) & 0xff
      const x = state[this.#i]
      this.#j = (this.#j + x) & 0xff
      const y = state[this.#j]
      state[this.#i] = y
      state[this.#j] = x
      out[at] = bytes[at] ^ state[(x + y) & 0xff]
    }
    return out
  }
}

/** RC4 of one message with a key of its own: MS-NLMP's RC4K(K, D). */
export const rc4 = (key: Uint8Array, bytes: Uint8Array): Buffer => new Rc4(key).process(bytes)
