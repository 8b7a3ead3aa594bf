/** Numbers that nobody can guess. */
import { randomFillSync } from 'node:crypto'

const bytes = Buffer.alloc(8)

/** A random number from 1 to 2^53-1: a session, a director, a nonce. */
export function randomNumber(): number {
  randomFillSync(bytes)
  const number = (bytes.readUInt32BE(0) & 0x1f_ffff) * 2 ** 32 + bytes.readUInt32BE(4)
  return number === 0 ? randomNumber() : number
}
