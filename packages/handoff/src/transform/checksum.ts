/** The internet checksum (RFC 1071), whole and incremental (RFC 1624). Sums are not complemented, so that they can be added to; checksums are. */

/** Adds the 16-bit words of bytes `from` to `end` to a sum; an odd byte counts as the high one of a word. The result has 16 bits. */
export function sumOf(bytes: Uint8Array, from: number, end: number, seed = 0): number {
  // Neither 2^21 words nor a seed of 32 bits take it beyond what a double holds exactly.
  let sum = seed
  const even = end - ((end - from) & 1)
  for (let i = from; i < even; i += 2) sum += (bytes[i] << 8) | bytes[i + 1]
  if (even !== end) sum += bytes[even] << 8
  return fold(sum)
}

/** A sum in 16 bits. It is 0 only if all that was added is. */
export function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000)
  return folded
}

/** What is written of a sum. */
export const checksumOf = (sum: number): number => ~fold(sum) & 0xffff

/** The sum of the pseudo header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1) but for the addresses. */
export const pseudoHeaderSum = (protocol: number, lengthBytes: number): number => protocol + (lengthBytes >>> 16) + (lengthBytes & 0xffff)

/**
 * A checksum after what it covers has changed (RFC 1624, equation 3): `removed` and `added` are sums of what was and what is. As the kernel does it, the result is never 0xffff.
 */
export const updated = (checksum: number, removed: number, added: number): number =>
  checksumOf((~checksum & 0xffff) + 0xffff + (~removed & 0xffff) + added)
