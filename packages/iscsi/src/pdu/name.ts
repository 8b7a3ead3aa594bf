/** iSCSI names (RFC 7143 4.2.7): `iqn.`, `eui.` and `naa.`, prepared for comparison as RFC 3722 says. */

/** The most bytes of a name (4.2.7.2). */
export const nameBytesMax = 223

/** Formats (4.2.7.4 to 4.2.7.6). A naming authority is a reversed domain name that it owned in the month given. */
const formats: readonly RegExp[] = [
  /^iqn\.[0-9]{4}-(?:0[1-9]|1[0-2])\.[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}])?(?::[\p{L}\p{M}\p{N}.:-]*)?$/u,
  /^eui\.[0-9a-f]{16}$/,
  /^naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})$/,
]

/** A name as it is compared and kept: normalization form KC, in lower case. Does not say whether it is one. */
export const normalizeName = (name: string): string => name.normalize('NFKC').toLowerCase().normalize('NFKC')

/** True for a name that is well-formed once normalized. */
export function isName(name: string): boolean {
  if (name.length > nameBytesMax) return false
  const normalized = normalizeName(name)
  return Buffer.byteLength(normalized) <= nameBytesMax && formats.some(format => format.test(normalized))
}
