import { createHash } from 'node:crypto'
import { UsageError } from '@holdfast/wire'

const valueLengthBytes = 64

/**
 * The pre-authentication integrity hash value of a connection or session (MS-SMB2 3.1.4.4.1 "Preauth integrity", SHA-512):
 * value = SHA-512(value || message), beginning with 64 zero bytes.
 *
 * @example
 * const connectionHash = new PreauthHash()
 * connectionHash.update(Buffer.from('NEGOTIATE request')) // whole SMB2 messages exactly as sent, without the transport's 4 bytes
 * connectionHash.update(Buffer.from('NEGOTIATE response'))
 * const sessionHash = connectionHash.clone() // per session being set up: then each SESSION_SETUP request and response
 * sessionHash.value.length // => 64
 */
export class PreauthHash {
  #value: Buffer

  /** @param value 64 bytes to go on from (default: zeros). Throws UsageError `preauth_length`. */
  constructor(value: Uint8Array = Buffer.alloc(valueLengthBytes)) {
    if (value.length !== valueLengthBytes) throw new UsageError('preauth_length', 'a pre-authentication integrity hash value has 64 bytes')
    this.#value = Buffer.from(value)
  }

  /** The current value, 64 bytes. Never changed in place: an `update` replaces it. */
  get value(): Buffer {
    return this.#value
  }

  /** Takes in one whole SMB2 message, given in one or more pieces. */
  update(...pieces: readonly Uint8Array[]): void {
    const hash = createHash('sha512').update(this.#value)
    for (const piece of pieces) hash.update(piece)
    this.#value = hash.digest()
  }

  clone(): PreauthHash {
    return new PreauthHash(this.#value)
  }
}
