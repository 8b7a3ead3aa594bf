import { UsageError } from '@holdfast/wire'
import { tagLengthBytes } from './crypto.ts'
import type { CryptoProvider } from './crypto.ts'
import { cryptoProvider } from './native-crypto.ts'

/** MS-SMB2 2.2.3.1.7; HMAC-SHA256 is what SMB 2.x signs with, AES-CMAC what 3.x does unless something else was negotiated. */
export type SigningAlgorithm = 'HMAC-SHA256' | 'AES-CMAC' | 'AES-GMAC'
/** Who sent the message. */
export type Role = 'client' | 'server'

/** Signs and verifies the messages of one session or channel (MS-SMB2 3.1.4.1, 3.1.5.1). Not shared between threads. */
export interface Signer {
  readonly algorithm: SigningAlgorithm
  /**
   * Signs one SMB2 message, header first (of a compound: one element, with its padding). Sets SMB2_FLAGS_SIGNED, and writes the Signature field.
   * Throws UsageError `message_short`.
   */
  sign(message: Buffer, role: Role): void
  /** True when the signature is right. Writes nothing into the message. Compares in constant time. */
  verify(message: Buffer, role: Role): boolean
  /** Frees native memory. The signer is of no use afterwards. */
  close(): void
}

// Offsets in the SMB2 header (MS-SMB2 2.2.1.2).
const headerLengthBytes = 64
const commandAt = 12
const flagsAt = 16
const messageIdAt = 24
const signatureAt = 48
const signatureEnd = 64
const flagSigned = 0x08
const commandCancel = 0x000c
// What is copied to be verified: all of most requests but WRITE, so that these take one call into OpenSSL; whole blocks of both MACs.
const headLengthBytes = 256

// Loops of 16 are faster than a call into C++.
function clearSignature(message: Buffer): void {
  for (let i = signatureAt; i < signatureEnd; i++) message[i] = 0
}

/** Compares with the Signature field; looks at every byte, whatever the first ones say. */
function isSignature(tag: Buffer, message: Buffer): boolean {
  let difference = 0
  for (let i = 0; i < tagLengthBytes; i++) difference |= tag[i] ^ message[signatureAt + i]
  return difference === 0
}

/** Computes the 16 bytes of a signature over a message in two parts whose signature field is zero. The first has the header. */
interface Computation {
  compute(first: Buffer, rest: Buffer, role: Role, tag: Buffer): void
  close(): void
}

const nothing = Buffer.alloc(0)

/** AES-128-GMAC: GCM with the whole message as additional data and nothing to encrypt (MS-SMB2 3.1.4.1). */
function gmac(provider: CryptoProvider, key: Uint8Array): Computation {
  const context = provider.createAead('AES-128-GCM', 'encrypt', key)
  const nonce = Buffer.alloc(12)
  return {
    compute(first, rest, role, tag) {
      // The nonce is MessageId, then 32 bits: bit 0 is set by the server, bit 1 for an SMB2 CANCEL request.
      for (let i = 0; i < 8; i++) nonce[i] = first[messageIdAt + i]!
      nonce[8] = (role === 'server' ? 1 : 0) | (first[commandAt] === commandCancel && first[commandAt + 1] === 0 ? 2 : 0)
      context.authenticate(nonce, first, rest, tag)
    },
    close: () => context.close(),
  }
}

const computations: Record<SigningAlgorithm, (provider: CryptoProvider, key: Uint8Array) => Computation> = {
  'HMAC-SHA256': (provider, key) => mac(provider, 'HMAC-SHA256', key),
  'AES-CMAC': (provider, key) => mac(provider, 'AES-CMAC', key),
  'AES-GMAC': gmac,
}

function mac(provider: CryptoProvider, algorithm: 'HMAC-SHA256' | 'AES-CMAC', key: Uint8Array): Computation {
  const context = provider.createMac(algorithm, key)
  return { compute: (first, rest, _role, tag) => context.compute(first, rest, tag), close: () => context.close() }
}

/**
 * Makes the signer of one key.
 *
 * @param options.key 16 bytes. Throws UsageError `key_length`.
 * @example
 * const signer = createSigner({ algorithm: 'AES-GMAC', key: Buffer.alloc(16, 1) }) // a session's key: `deriveKeys`
 * const message = Buffer.alloc(64 + 4) // an SMB2 message, header first
 * signer.sign(message, 'server')
 * signer.verify(message, 'server') // => true
 * signer.close()
 */
export function createSigner(options: { algorithm: SigningAlgorithm; key: Uint8Array; provider?: CryptoProvider }): Signer {
  const { algorithm, key, provider = cryptoProvider() } = options
  if (key.length !== 16) throw new UsageError('key_length', 'a signing key has 16 bytes')
  const computation = computations[algorithm](provider, key)
  const computed = Buffer.alloc(tagLengthBytes)
  const head = Buffer.alloc(headLengthBytes)
  return {
    algorithm,
    sign(message, role) {
      if (message.length < headerLengthBytes) throw new UsageError('message_short', 'an SMB2 message begins with a 64-byte header')
      message[flagsAt] |= flagSigned
      clearSignature(message)
      computation.compute(message, nothing, role, computed)
      message.set(computed, signatureAt)
    },
    verify(message, role) {
      if (message.length < headerLengthBytes) return false
      // Not in place: who dies in the middle would leave a message that nobody can verify again.
      const copied = message.copy(head)
      clearSignature(head)
      if (copied === message.length) computation.compute(head.subarray(0, copied), nothing, role, computed)
      else computation.compute(head, message.subarray(copied), role, computed)
      return isSignature(computed, message)
    },
    close: () => computation.close(),
  }
}
