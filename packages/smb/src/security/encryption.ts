import { randomBytes, timingSafeEqual } from 'node:crypto'
import { MalformedError, UsageError } from '@holdfast/wire'
import { aeadAlgorithms, tagLengthBytes } from './crypto.ts'
import type { AeadAlgorithm, AeadContext, CryptoProvider } from './crypto.ts'
import { cryptoProvider } from './native-crypto.ts'

export type { AeadAlgorithm } from './crypto.ts'

/** Length of SMB2 TRANSFORM_HEADER (MS-SMB2 2.2.41). */
export const transformHeaderLengthBytes = 52

// Offsets in the TRANSFORM_HEADER. What is authenticated beside the message is everything after the signature.
const signatureAt = 4
const nonceAt = 20
const originalMessageSizeAt = 36
const flagsAt = 42
const sessionIdAt = 44
const protocolId = 0x424d53fd // 0xFD 'S' 'M' 'B', little-endian
const flagEncrypted = 1
// 48 bits of counter: nobody sends 2^48 messages in a session. The other 5 (CCM) or 6 (GCM) bytes of the nonce are random per cipher, so that
// the ciphers which several channels' workers make of the same key do not meet.
const counterLengthBytes = 6
const counterMax = 2 ** 48 - 1

/** True when bytes begin with a TRANSFORM_HEADER's protocol id. */
export const isTransformed = (frame: Buffer): boolean => frame.length >= 4 && frame.readUInt32LE(0) === protocolId

/** The SessionId that a frame with a TRANSFORM_HEADER says it belongs to. Throws MalformedError `transform_short`. */
export function transformSessionId(frame: Buffer): bigint {
  if (frame.length < transformHeaderLengthBytes) throw new MalformedError('transform_short')
  return frame.readBigUInt64LE(sessionIdAt)
}

/**
 * Encrypts and decrypts messages with one key (MS-SMB2 3.1.4.3, 3.1.5.2). A session has one cipher per direction.
 * Not shared between threads; what it works on may be shared memory.
 */
export interface Cipher {
  readonly algorithm: AeadAlgorithm
  /**
   * Encrypts in place what follows the first 52 bytes of `frame` (one message or compound), and fills these with its TRANSFORM_HEADER.
   * Throws UsageError `message_short`, `nonces_exhausted`.
   */
  encrypt(frame: Buffer, sessionId: bigint): void
  /**
   * Decrypts in place. Answers the view of `frame` that holds the message.
   * Throws MalformedError: `transform_short`, `transform_protocol_id`, `transform_flags`, `transform_size`, `transform_signature`.
   */
  decrypt(frame: Buffer): Buffer
  /**
   * `decrypt`, of a frame that may have been decrypted in place before, wholly or not at all: by a thread that died with it. Costs three
   * times as much. Throws the same.
   */
  decryptAgain(frame: Buffer): Buffer
  /** Frees native memory. The cipher is of no use afterwards. */
  close(): void
}

/**
 * Makes the cipher of one key.
 *
 * @param options.key 16 or 32 bytes as the algorithm needs. Throws UsageError `key_length`.
 * @param options.noncePrefix 5 (CCM) or 6 (GCM) bytes that no other cipher of this key encrypts with; random by default.
 * @example
 * const key = Buffer.alloc(16, 1) // of a session: `deriveKeys`
 * const [encrypts, decrypts] = [createCipher({ algorithm: 'AES-128-GCM', key }), createCipher({ algorithm: 'AES-128-GCM', key })]
 * const frame = Buffer.concat([Buffer.alloc(transformHeaderLengthBytes), Buffer.from('an SMB2 message')])
 * encrypts.encrypt(frame, 1n)
 * decrypts.decrypt(frame).toString() // => 'an SMB2 message'
 */
export function createCipher(options: { algorithm: AeadAlgorithm; key: Uint8Array; noncePrefix?: Uint8Array; provider?: CryptoProvider }): Cipher {
  const { algorithm, key, provider = cryptoProvider() } = options
  const { keyLengthBytes, nonceLengthBytes } = aeadAlgorithms[algorithm]
  if (key.length !== keyLengthBytes) throw new UsageError('key_length', `${algorithm} needs a key of ${keyLengthBytes} bytes`)
  const prefix = options.noncePrefix ?? randomBytes(nonceLengthBytes - counterLengthBytes)
  if (prefix.length !== nonceLengthBytes - counterLengthBytes) throw new UsageError('nonce_prefix_length')
  // Contexts are made when they are first needed: a session's cipher is used in one direction only.
  let encrypting: AeadContext | undefined
  let decrypting: AeadContext | undefined
  let closed = false
  const context = (direction: 'encrypt' | 'decrypt') => {
    if (closed) throw new UsageError('cipher_closed')
    return provider.createAead(algorithm, direction, key)
  }
  let counter = 0
  // Scratch: what goes to the provider, so that no message needs new views of header fields.
  // Encrypting, the additional data is the rest of the header as it will be: only the counter, the size and the SessionId change.
  const sendNonce = Buffer.alloc(nonceLengthBytes)
  const sendAad = Buffer.alloc(transformHeaderLengthBytes - nonceAt)
  const nonce = Buffer.alloc(nonceLengthBytes)
  const aad = Buffer.alloc(transformHeaderLengthBytes - nonceAt)
  const tag = Buffer.alloc(tagLengthBytes)

  /** Checks a received frame, and takes `nonce`, `aad` and `tag` out of it. Answers the view that holds the message. */
  const read = (frame: Buffer): Buffer => {
    if (frame.length <= transformHeaderLengthBytes) throw new MalformedError('transform_short')
    if (frame.readUInt32LE(0) !== protocolId) throw new MalformedError('transform_protocol_id')
    // The same value means "AES-128-CCM" in 3.0 and "encrypted" in 3.1.1.
    if (frame.readUInt16LE(flagsAt) !== flagEncrypted) throw new MalformedError('transform_flags')
    const sizeBytes = frame.readUInt32LE(originalMessageSizeAt)
    if (sizeBytes === 0 || sizeBytes > frame.length - transformHeaderLengthBytes) throw new MalformedError('transform_size')
    frame.copy(nonce, 0, nonceAt, nonceAt + nonceLengthBytes)
    frame.copy(aad, 0, nonceAt, transformHeaderLengthBytes)
    frame.copy(tag, 0, signatureAt, nonceAt)
    return frame.subarray(transformHeaderLengthBytes, transformHeaderLengthBytes + sizeBytes)
  }
  /** Decrypts what has been read. */
  const open = (message: Buffer): Buffer => {
    decrypting ??= context('decrypt')
    if (!decrypting.run(nonce, aad, message, tag)) throw new MalformedError('transform_signature')
    return message
  }

  return {
    algorithm,
    encrypt(frame, sessionId) {
      if (frame.length <= transformHeaderLengthBytes) throw new UsageError('message_short', 'nothing follows the TRANSFORM_HEADER')
      if (counter >= counterMax) throw new UsageError('nonces_exhausted', 'the session needs new keys')
      counter += 1
      if (encrypting === undefined) {
        encrypting = context('encrypt')
        sendNonce.set(prefix)
        sendAad.set(prefix)
        sendAad.writeUInt16LE(flagEncrypted, flagsAt - nonceAt)
      }
      sendNonce.writeUIntLE(counter, prefix.length, counterLengthBytes)
      sendAad.writeUIntLE(counter, prefix.length, counterLengthBytes)
      sendAad.writeUInt32LE(frame.length - transformHeaderLengthBytes, originalMessageSizeAt - nonceAt)
      sendAad.writeBigUInt64LE(sessionId, sessionIdAt - nonceAt)
      frame.writeUInt32LE(protocolId, 0)
      frame.set(sendAad, nonceAt)
      encrypting.run(sendNonce, sendAad, frame.subarray(transformHeaderLengthBytes), tag)
      frame.set(tag, signatureAt)
    },
    decrypt: frame => open(read(frame)),
    decryptAgain(frame) {
      const message = read(frame)
      const encrypts = context('encrypt')
      const computed = Buffer.alloc(tagLengthBytes)
      // Both modes xor the message with what nonce and key give: encrypted once more, a message is what was received, with the tag that
      // came with it; and what was received is itself again after two times.
      encrypts.run(nonce, aad, message, computed)
      if (!timingSafeEqual(computed, tag)) encrypts.run(nonce, aad, message, computed)
      encrypts.close()
      return open(message)
    },
    close() {
      closed = true
      encrypting?.close()
      decrypting?.close()
      encrypting = decrypting = undefined
    },
  }
}
