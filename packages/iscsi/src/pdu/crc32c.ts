/** The digest of headers and of data: CRC32C (RFC 7143 13.1). */
export { crc32c, crc32cOf } from '@holdfast/wire'

/** Writes a digest to its place; its bytes go out from the lowest (13.1). Returns where it ends. */
export function putDigest(into: Uint8Array, at: number, crc: number): number {
  into[at] = crc
  into[at + 1] = crc >>> 8
  into[at + 2] = crc >>> 16
  into[at + 3] = crc >>> 24
  return at + 4
}

/** The digest that lies at `at`. */
export const digestAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
