/** Test vectors as text. */

/** Bytes from hex digits; white space, and on each line all from `//` or `#` on, is ignored. */
export function hex(text: string): Buffer {
  const digits = text.replaceAll(/(?:\/\/|#).*$/gm, '').replaceAll(/\s+/g, '')
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new TypeError(`not hex: ${digits.slice(0, 60)}`)
  return Buffer.from(digits, 'hex')
}

/** Hex digits of bytes, in groups of four bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('hex')
    .replaceAll(/(.{8})(?=.)/g, '$1 ')
}
