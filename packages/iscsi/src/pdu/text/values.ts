/** Values of text keys as they are written (RFC 7143 6.1). */
import { MalformedError } from '@holdfast/wire'

/** The most bytes of a value, unless a key says otherwise. */
export const valueBytesMax = 255

/** The most bytes that a large binary value stands for (RFC 7143 12.1.3: of a CHAP challenge or response). */
export const largeBinaryBytesMax = 1024

const decimal = /^(?:0|[1-9][0-9]*)$/
const hexadecimal = /^0[xX][0-9a-fA-F]+$/
const base64 = /^0[bB](?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** A boolean-value; undefined for anything but Yes and No. */
export function parseBoolean(text: string): boolean | undefined {
  return text === 'Yes' ? true : text === 'No' ? false : undefined
}

/** A boolean-value. */
export const formatBoolean = (value: boolean): string => (value ? 'Yes' : 'No')

/** A numerical-value, decimal or hexadecimal; undefined for anything else, and above 2^53-1. */
export function parseNumber(text: string): number | undefined {
  if (!decimal.test(text) && !hexadecimal.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** The items of a list-of-values. */
export const parseList = (text: string): string[] => text.split(',')

/**
 * A large-binary-value, hexadecimal (`0x…`) or base64 (`0b…`). An odd number of hexadecimal digits has a zero before it. Throws MalformedError
 * `bad-binary` for anything else, and for more than `largeBinaryBytesMax` bytes.
 */
export function parseBinary(text: string): Buffer {
  if (text.length > 2 + 2 * largeBinaryBytesMax) throw new MalformedError('bad-binary', `a binary value of ${text.length} characters`)
  const digits = text.slice(2)
  if (hexadecimal.test(text)) return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  if (!base64.test(text)) throw new MalformedError('bad-binary', 'neither 0x and hexadecimal digits nor 0b and base64')
  const bytes = Buffer.from(digits, 'base64')
  if (bytes.length > largeBinaryBytesMax) throw new MalformedError('bad-binary', `a binary value of ${bytes.length} bytes`)
  return bytes
}

/** A large-binary-value in hexadecimal, which everybody reads. */
export const formatBinary = (bytes: Uint8Array): string => `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`
