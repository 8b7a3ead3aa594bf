/**
 * The MAC of each message: HMAC-SHA-256 (RFC 2104), its first 16 bytes (RFC 2104 5 allows half of it). It covers the whole datagram, in which its own field is zero.
 */
import { createHmac } from 'node:crypto'
import type { Hmac as NodeHmac } from 'node:crypto'
import { opensslHmac } from '@holdfast/posix/hmac'
import type { Hmac } from '@holdfast/posix/hmac'
import { UsageError } from '@holdfast/wire'
import { headerBytes, macAt, macBytes } from './codec.ts'

/** Makes and checks MACs with one key. */
export interface Mac {
  /** Computes the MAC of the datagram `bytes[from, to)`, whose header begins at `from`, and writes it into the header. `tail[tailFrom, tailTo)` is what follows elsewhere. */
  seal(bytes: Buffer, from: number, to: number, tail?: Buffer, tailFrom?: number, tailTo?: number): void
  /** Whether the header's MAC is that of the datagram; its field is zero afterwards. Takes the same time wherever they differ. */
  verify(bytes: Buffer, from: number, to: number): boolean
}

/** The least key: as long as the hash (RFC 2104 3). */
export const keyBytesMin = 32

/** HMACs by Node's own API, for where OpenSSL can't be called directly. */
export function nodeHmac(key: Uint8Array): Hmac {
  let hmac: NodeHmac | undefined
  return {
    begin() {
      hmac = createHmac('sha256', key)
    },
    update: (bytes, from, to) => void hmac?.update(bytes.subarray(from, to)),
    end: (into, at) => void hmac?.digest().copy(into, at),
  }
}

const digestBytes = 32

/** A MAC with this key, of at least 32 bytes. Throws UsageError `short-key`. `hmac` is for tests. */
export function createMac(key: Uint8Array, hmac: Hmac = opensslHmac(key) ?? nodeHmac(key)): Mac {
  if (key.length < keyBytesMin) throw new UsageError('short-key', `the key has ${key.length} bytes, ${keyBytesMin} are the least`)
  const computed = Buffer.alloc(digestBytes)
  const claimed = Buffer.alloc(macBytes)
  return {
    seal(bytes, from, to, tail, tailFrom = 0, tailTo = 0) {
      checkRange(bytes, from, to)
      const at = from + macAt
      for (let i = 0; i < macBytes; i++) bytes[at + i] = 0
      hmac.begin()
      hmac.update(bytes, from, to)
      if (tail !== undefined) hmac.update(tail, tailFrom, tailTo)
      hmac.end(computed, 0)
      for (let i = 0; i < macBytes; i++) bytes[at + i] = computed[i]
    },
    verify(bytes, from, to) {
      checkRange(bytes, from, to)
      const at = from + macAt
      for (let i = 0; i < macBytes; i++) {
        claimed[i] = bytes[at + i]
        bytes[at + i] = 0
      }
      hmac.begin()
      hmac.update(bytes, from, to)
      hmac.end(computed, 0)
      let difference = 0
      for (let i = 0; i < macBytes; i++) difference |= claimed[i] ^ computed[i]
      return difference === 0
    },
  }
}

function checkRange(bytes: Buffer, from: number, to: number): void {
  if (from < 0 || to - from < headerBytes || to > bytes.length) throw new UsageError('no-message', `no message from ${from} to ${to}`)
}
