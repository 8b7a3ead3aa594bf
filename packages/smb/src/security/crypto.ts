/**
 * The two shapes of keyed cryptography that SMB needs per message, independent of who computes them:
 * OpenSSL called in place through FFI (`openssl-crypto.ts`) or node:crypto (`node-crypto.ts`).
 */

export type AeadAlgorithm = 'AES-128-CCM' | 'AES-128-GCM' | 'AES-256-CCM' | 'AES-256-GCM'
export type MacAlgorithm = 'HMAC-SHA256' | 'AES-CMAC'

export const tagLengthBytes = 16

/** Facts of the algorithms (MS-SMB2 2.2.41: CCM nonces have 11 bytes, GCM nonces 12). */
export const aeadAlgorithms = Object.freeze({
  'AES-128-CCM': { keyLengthBytes: 16, nonceLengthBytes: 11 },
  'AES-128-GCM': { keyLengthBytes: 16, nonceLengthBytes: 12 },
  'AES-256-CCM': { keyLengthBytes: 32, nonceLengthBytes: 11 },
  'AES-256-GCM': { keyLengthBytes: 32, nonceLengthBytes: 12 },
} as const satisfies Record<AeadAlgorithm, unknown>)

export type Direction = 'encrypt' | 'decrypt'

/**
 * One key and direction of an AEAD. Not re-entrant; belongs to the thread that made it. Every view may lie in shared memory.
 * All ranges are checked by the caller.
 */
export interface AeadContext {
  /**
   * Encrypts or decrypts `bytes` in place. `nonce` and `tag` have exactly the algorithm's lengths; encrypting fills `tag`, decrypting
   * compares it (constant time). Answers false when the tag does not match; the bytes are worthless then.
   */
  run(nonce: Buffer, aad: Buffer, bytes: Buffer, tag: Buffer): boolean
  /** GMAC: fills `tag` for `first` and `rest`, one after the other, with nothing encrypted. Only of a GCM context that encrypts. */
  authenticate(nonce: Buffer, first: Buffer, rest: Buffer, tag: Buffer): void
  close(): void
}

/** One key of a MAC. Not re-entrant; belongs to the thread that made it. */
export interface MacContext {
  /** Writes the first 16 bytes of the MAC of `first` and `rest`, one after the other, into `tag`. */
  compute(first: Buffer, rest: Buffer, tag: Buffer): void
  close(): void
}

/** Who computes. */
export interface CryptoProvider {
  readonly name: string
  createAead(algorithm: AeadAlgorithm, direction: Direction, key: Uint8Array): AeadContext
  createMac(algorithm: MacAlgorithm, key: Uint8Array): MacContext
}
