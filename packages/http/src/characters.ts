/** Which bytes may stand where in a head: a set of bits for each byte. */

/** Of a method or a field's name (`token`, RFC 9110 5.6.2). */
export const isName = 1
/** Of a request target: visible ASCII, and no `#`, which begins what is never sent (RFC 9112 3.2). */
export const isTarget = 2
/** Of a field's value (RFC 9110 5.5). */
export const isValue = 4
/** Of a host with its port (RFC 3986 3.2.2), without the comma, which would join two. */
export const isHost = 8

const bitsOf = (byte: number): number => {
  const character = String.fromCharCode(byte)
  return (
    (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? isName : 0) |
    (/[!-~]/.test(character) && character !== '#' ? isTarget : 0) |
    (byte === 9 || (byte >= 32 && byte !== 127) ? isValue : 0) |
    (/[A-Za-z0-9\-._~%!$&'()*+;=:[\]]/.test(character) ? isHost : 0)
  )
}

/** The bits of each byte. */
export const of: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => bitsOf(byte))

/** Each byte in lower case. */
export const lowered: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte))
