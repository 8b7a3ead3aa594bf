/**
 * Lists whose entries begin with the 32-bit offset of the next one, 0 in the last (MS-FSCC 2.4: NextEntryOffset).
 * An entry's struct has `reserved(u32)` in that place; the functions here fill it in.
 */
import { MalformedError } from './errors.ts'
import { u32 } from './kinds.ts'
import { pad } from './runtime.ts'
import type { Struct } from './struct.ts'

const roundUp = (n: number, align: number): number => Math.ceil(n / align) * align

/**
 * Calls `visit` with begin and end of each entry. Every step is forward by at least `minEntryBytes`, so the
 * number of entries is bounded by the bytes there are. Throws MalformedError `bad-chain`.
 */
export function eachChained(
  bytes: Buffer,
  range: { at: number; end: number; minEntryBytes: number },
  visit: (at: number, end: number) => void,
): void {
  let { at } = range
  const { end, minEntryBytes } = range
  for (;;) {
    if (end - at < Math.max(4, minEntryBytes)) throw new MalformedError('bad-chain', 'an entry is cut off')
    const next = u32.read(bytes, at)
    if (next === 0) return visit(at, end)
    if (next < Math.max(4, minEntryBytes) || next > end - at) throw new MalformedError('bad-chain', `the next entry is ${next} bytes on`)
    visit(at, at + next)
    at += next
  }
}

/** All entries of a list; none for no bytes. */
export function decodeChain<Out, In>(entry: Struct<Out, In>, bytes: Buffer, at = 0, end: number = bytes.length): Out[] {
  const values: Out[] = []
  if (end > at) eachChained(bytes, { at, end, minEntryBytes: entry.fixedSize }, (from, to) => values.push(entry.decode(bytes, from, to)))
  return values
}

/** Bytes that `encodeChain` will write. */
export function chainLength<Out, In>(entry: Struct<Out, In>, values: readonly In[], align = 8): number {
  let total = 0
  for (const value of values) total = roundUp(total, align) + entry.encodedLength(value)
  return total
}

/** Writes a list whose entries begin at multiples of `align` bytes from `at`; returns where the last ends (not padded). */
export function encodeChain<Out, In>(entry: Struct<Out, In>, values: readonly In[], into: Buffer, at = 0, align = 8): number {
  let end = at
  let previous = -1
  for (const value of values) {
    const start = at + roundUp(end - at, align)
    if (previous >= 0) {
      pad(into, end, start)
      u32.write(into, previous, start - previous)
    }
    end = entry.encode(value, into, start)
    u32.write(into, start, 0)
    previous = start
  }
  return end
}
