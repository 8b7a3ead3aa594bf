import { StoreError } from './errors.ts'
import type { KeyRange } from './store.ts'

/** A range as bounds: `from` and up to, without, `to` (undefined: no end). */
export interface Bounds {
  readonly from: string
  readonly to: string | undefined
}

const firstSurrogate = 0xd800
const afterSurrogates = 0xe000

/** A code unit's place in the order of UTF-8: surrogates, which stand for what is above U+FFFF, come after all others. */
const rank = (unit: number): number => (unit >= afterSurrogates ? unit - 0x800 : unit >= firstSurrogate ? unit + 0x2000 : unit)

/** Orders keys as their UTF-8 bytes are ordered: negative, 0 or positive. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/**
 * The first key after all that begin with a prefix; undefined when there is none.
 *
 * @example
 * prefixEnd('h/7/') // => 'h/70'
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix)
  while (points.length > 0) {
    const last = points.pop()?.codePointAt(0) ?? 0
    if (last < 0x10_ffff) return points.join('') + String.fromCodePoint(last + 1 === firstSurrogate ? afterSurrogates : last + 1)
  }
  return undefined
}

/** A key that a store takes: not empty, and text that UTF-8 can carry. Throws `invalid-key`. */
export function checkKey(key: string): void {
  if (key === '' || !key.isWellFormed()) throw new StoreError('invalid-key', `not a key: ${JSON.stringify(key)}`)
}

/** A range's bounds. Throws `invalid-key`. */
export function boundsOf(range: KeyRange): Bounds {
  if ('key' in range) {
    checkKey(range.key)
    return { from: range.key, to: `${range.key}\0` }
  }
  if ('prefix' in range) {
    if (!range.prefix.isWellFormed()) throw new StoreError('invalid-key', `not a prefix: ${JSON.stringify(range.prefix)}`)
    return { from: range.prefix, to: prefixEnd(range.prefix) }
  }
  const { from, to } = range
  if (!from.isWellFormed() || to?.isWellFormed() === false || (to !== undefined && compareKeys(from, to) > 0)) {
    throw new StoreError('invalid-key', `not a range: from ${JSON.stringify(from)} to ${JSON.stringify(to)}`)
  }
  return { from, to }
}

/** Is the key within the bounds? */
export const isInside = (key: string, { from, to }: Bounds): boolean => compareKeys(key, from) >= 0 && (to === undefined || compareKeys(key, to) < 0)
