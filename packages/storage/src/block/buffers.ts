/** Ranges that are several buffers, one after the other. */

/** Bytes of all of them. */
export const bytesOf = (buffers: readonly Uint8Array[]): number => {
  if (buffers.length === 1) return buffers[0].length
  let bytes = 0
  for (const buffer of buffers) bytes += buffer.length
  return bytes
}

/** The part of a range of buffers from byte `from` on, `lengthBytes` long. Nothing is copied. */
export const partOf = (buffers: readonly Buffer[], from: number, lengthBytes: number): Buffer[] => {
  const parts: Buffer[] = []
  let skip = from
  let rest = lengthBytes
  for (const buffer of buffers) {
    if (rest === 0) break
    if (skip >= buffer.length) {
      skip -= buffer.length
      continue
    }
    const part = buffer.subarray(skip, Math.min(buffer.length, skip + rest))
    parts.push(part)
    rest -= part.length
    skip = 0
  }
  return parts
}

/** Where two ranges of the same length differ first, in bytes; -1: nowhere. */
export const firstDifference = (first: readonly Buffer[], second: readonly Buffer[]): number => {
  let at = 0
  let [one, two] = [0, 0] // buffers
  let [inOne, inTwo] = [0, 0] // bytes within them
  while (one < first.length && two < second.length) {
    const [a, b] = [first[one], second[two]]
    const length = Math.min(a.length - inOne, b.length - inTwo)
    if (a.compare(b, inTwo, inTwo + length, inOne, inOne + length) !== 0) {
      let same = 0
      while (a[inOne + same] === b[inTwo + same]) same++
      return at + same
    }
    at += length
    if ((inOne += length) === a.length) [one, inOne] = [one + 1, 0]
    if ((inTwo += length) === b.length) [two, inTwo] = [two + 1, 0]
  }
  return -1
}

/** Or's `bits` into `target`, which is as long. */
export const orInto = (target: Buffer, bits: readonly Buffer[]): void => {
  let at = 0
  for (const part of bits) for (const byte of part) target[at++] |= byte
}
