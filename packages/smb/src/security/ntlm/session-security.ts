import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Rc4 } from '../digests.ts'
import type { ContextIntegrity } from '../mechanism.ts'
import type { Role } from '../signing.ts'
import { hasFlag, ntlmFlags } from './flags.ts'

const md5 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

// MS-NLMP 3.4.5.2, 3.4.5.3: the constants include their final zero byte.
const magic = (direction: string, purpose: string) => Buffer.from(`session key to ${direction} ${purpose} key magic constant\0`, 'latin1')
const directions = { client: 'client-to-server', server: 'server-to-client' } as const

/** SIGNKEY: what `sender` signs with. */
export const signingKeyOf = (sessionKey: Buffer, sender: Role): Buffer => md5(sessionKey, magic(directions[sender], 'signing'))

/** SEALKEY: what `sender` seals with; weakened where 128 bits were not negotiated. */
export function sealingKeyOf(sessionKey: Buffer, sender: Role, flags: number): Buffer {
  const lengthBytes = hasFlag(flags, ntlmFlags.key128) ? 16 : hasFlag(flags, ntlmFlags.key56) ? 7 : 5
  return md5(sessionKey.subarray(0, lengthBytes), magic(directions[sender], 'sealing'))
}

interface Side {
  readonly signingKey: Buffer
  readonly sealingKey: Buffer
  handle: Rc4
  sequenceNumber: number
}

const signatureLengthBytes = 16

/**
 * NTLM session security with extended session security (MS-NLMP 3.4.4.2): protects messages in the order they are sent.
 * Without key exchange the checksum in a signature is not encrypted.
 */
export class NtlmSessionSecurity implements ContextIntegrity {
  readonly #encryptsChecksum: boolean
  readonly #sending: Side
  readonly #receiving: Side

  /** @param options.sessionKey ExportedSessionKey, 16 bytes; `flags` are the negotiated ones, with EXTENDED_SESSIONSECURITY. */
  constructor(options: { sessionKey: Buffer; flags: number; role: Role }) {
    const { sessionKey, flags, role } = options
    const side = (sender: Role): Side => {
      const sealingKey = sealingKeyOf(sessionKey, sender, flags)
      return { signingKey: signingKeyOf(sessionKey, sender), sealingKey, handle: new Rc4(sealingKey), sequenceNumber: 0 }
    }
    this.#encryptsChecksum = hasFlag(flags, ntlmFlags.keyExchange)
    this.#sending = side(role)
    this.#receiving = side(role === 'client' ? 'server' : 'client')
  }

  /** GSS_GetMIC: NTLMSSP_MESSAGE_SIGNATURE, 16 bytes (MS-NLMP 2.2.2.9.2). */
  getMic(bytes: Uint8Array): Buffer {
    return this.#signature(this.#sending, bytes)
  }

  /** GSS_VerifyMIC. After a false one nothing more can be verified. */
  verifyMic(bytes: Uint8Array, mic: Uint8Array): boolean {
    const expected = this.#signature(this.#receiving, bytes)
    return mic.length === signatureLengthBytes && timingSafeEqual(expected, mic)
  }

  /** GSS_Wrap: encrypts, and signs what was encrypted. */
  seal(bytes: Uint8Array): { sealed: Buffer; signature: Buffer } {
    const sealed = this.#sending.handle.process(bytes)
    return { sealed, signature: this.#signature(this.#sending, bytes) }
  }

  /** GSS_Unwrap. Undefined when the signature is wrong. */
  unseal(sealed: Uint8Array, signature: Uint8Array): Buffer | undefined {
    const bytes = this.#receiving.handle.process(sealed)
    return this.verifyMic(bytes, signature) ? bytes : undefined
  }

  /** SPNEGO's mechListMIC leaves no trace in the key streams (MS-SPNG 3.3.5.1), only in the sequence numbers. */
  negotiationDone(): void {
    for (const side of [this.#sending, this.#receiving]) side.handle = new Rc4(side.sealingKey)
  }

  #signature(side: Side, bytes: Uint8Array): Buffer {
    const signature = Buffer.allocUnsafe(signatureLengthBytes)
    signature.writeUInt32LE(1, 0)
    signature.writeUInt32LE(side.sequenceNumber, 12)
    side.sequenceNumber = (side.sequenceNumber + 1) >>> 0
    const checksum = createHmac('md5', side.signingKey).update(signature.subarray(12)).update(bytes).digest().subarray(0, 8)
    signature.set(this.#encryptsChecksum ? side.handle.process(checksum) : checksum, 4)
    return signature
  }
}
