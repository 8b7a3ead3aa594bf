/** Text of login and text PDUs: `key=value` pairs, each with a zero byte behind it (RFC 7143 6.1, 6.2). */
import { MalformedError, UsageError } from '@holdfast/wire'
import { textKeyOf } from './keys.ts'
import { valueBytesMax } from './values.ts'

/** A key and its value. */
export type TextPair = readonly [key: string, value: string]

/** The most bytes of a key (6.1: standard-label). */
export const keyBytesMax = 63

/** The most bytes of one side's turn in a negotiation that are taken: what authentication may need (6.2). */
export const textBytesMax = 65_536

const keyPattern = /^[A-Z][A-Za-z0-9.+@_-]{0,62}$/
// Private extensions of the old form, X-reversed.domain, and of the registered one, X#name (13.22).
const extensionPattern = /^X[#-][A-Za-z0-9.+@_#-]{1,61}$/

// A standard-label begins with a capital letter; iSCSIProtocolLevel has its name nevertheless.
const isKey = (text: string): boolean => keyPattern.test(text) || textKeyOf(text) !== undefined || extensionPattern.test(text)
const mostBytes = (key: string): number => textKeyOf(key)?.valueBytesMax ?? valueBytesMax

/**
 * The pairs of a whole text, in order; a key may come again (TargetName in an answer to SendTargets does). Throws MalformedError `bad-text` for
 * what is no pair, `bad-key` and `bad-value` for one that is too long or has characters it must not have.
 *
 * @example
 * parseText(Buffer.from('InitialR2T=Yes\0MaxConnections=4\0')) // => [['InitialR2T', 'Yes'], ['MaxConnections', '4']]
 */
export function parseText(text: Buffer): TextPair[] {
  const pairs: TextPair[] = []
  for (let at = 0; at < text.length;) {
    const zero = text.indexOf(0, at)
    const end = zero < 0 ? text.length : zero
    // Padding that somebody counted in, or an empty pair: nothing was said.
    if (end > at) pairs.push(parsePair(text, at, end))
    at = end + 1
  }
  return pairs
}

function parsePair(text: Buffer, at: number, end: number): TextPair {
  const equals = text.indexOf(0x3d, at)
  if (equals < 0 || equals >= end) throw new MalformedError('bad-text', 'text without a = is no pair')
  const key = text.toString('latin1', at, Math.min(equals, at + keyBytesMax + 1))
  if (!isKey(key)) throw new MalformedError('bad-key', `not a key: ${JSON.stringify(key)}`)
  if (end - equals - 1 > mostBytes(key)) throw new MalformedError('bad-value', `the value of ${key} has ${end - equals - 1} bytes`)
  return [key, text.toString('utf8', equals + 1, end)]
}

/** Pairs as text. Throws UsageError `bad-key` or `bad-value` for what could not be read again. */
export function formatText(pairs: Iterable<TextPair>): Buffer {
  const parts: string[] = []
  for (const [key, value] of pairs) {
    if (!isKey(key)) throw new UsageError('bad-key', `not a key: ${JSON.stringify(key)}`)
    if (value.includes('\0') || Buffer.byteLength(value) > mostBytes(key)) throw new UsageError('bad-value', `not a value of ${key}`)
    parts.push(key, '=', value, '\0')
  }
  return Buffer.from(parts.join(''))
}

/** Pairs by key. Throws MalformedError `duplicate-key`: a key comes once in a negotiation (6.2). */
export function textMap(pairs: Iterable<TextPair>): Map<string, string> {
  const map = new Map<string, string>()
  for (const [key, value] of pairs) {
    if (map.has(key)) throw new MalformedError('duplicate-key', `${key} comes twice`)
    map.set(key, value)
  }
  return map
}

/** Cuts text for data segments of at most `segmentBytesMax`; all but the last are sent with the C bit. One empty piece for no text. */
export function splitText(text: Buffer, segmentBytesMax: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < text.length || pieces.length === 0; at += segmentBytesMax) pieces.push(text.subarray(at, at + segmentBytesMax))
  return pieces
}

/** Puts text together that comes in several PDUs. */
export class TextAssembler {
  readonly #pieces: Buffer[] = []
  #bytes = 0

  /** Takes a data segment; gives the whole text when `continues` (the C bit) is not set. Throws MalformedError `text-too-long`. */
  add(segment: Buffer, continues: boolean): Buffer | undefined {
    this.#bytes += segment.length
    if (this.#bytes > textBytesMax) throw new MalformedError('text-too-long', `more than ${textBytesMax} bytes of text`)
    // A copy, as the segment lies in memory that the connection uses again.
    this.#pieces.push(Buffer.from(segment))
    if (continues) return undefined
    const whole = Buffer.concat(this.#pieces.splice(0))
    this.#bytes = 0
    return whole
  }
}
