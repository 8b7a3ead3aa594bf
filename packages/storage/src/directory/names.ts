/**
 * Names on the wire (UTF-16 code units) and on disk (bytes), one to one.
 *
 * - On disk names are UTF-8; an unpaired surrogate is its three bytes (WTF-8), so that it comes back.
 * - Characters that SMB gives another meaning are shown in the private-use area, in the mapping that macOS, the Linux
 *   client (`mapposix`) and Samba's catia share ("SFM"): 01-1F -> U+F001-U+F01F, then the table below, and a
 *   space or dot at the end -> U+F028, U+F029.
 * - Bytes that are not UTF-8, and characters that would be taken for the above, are shown byte by byte as
 *   U+F080-U+F0FF.
 *
 * `decodeName` knows every byte string; `encodeName` refuses (`invalid-name`) what `decodeName` never gives,
 * but for a plain space or dot at the end, which is another way to write U+F028, U+F029.
 */
import { FsError } from '../filesystem.ts'

const mapped = { '"': 0xf020, '*': 0xf021, ':': 0xf022, '<': 0xf023, '>': 0xf024, '?': 0xf025, '\\': 0xf026, '|': 0xf027 } as const
const space = 0x20
const dot = 0x2e
const endSpace = 0xf028
const endDot = 0xf029
const firstRaw = 0xf080
const lastRaw = 0xf0ff

/** Private-use unit of a byte < 0x80 that SMB cannot have in a name, or 0. */
const shownAs = new Uint16Array(0x80)
/** The byte that a unit U+F000 + index stands for, or 0. */
const storedAs = new Uint8Array(0x28)
for (let code = 1; code < 0x20; code++) shownAs[code] = 0xf000 + code
for (const [character, unit] of Object.entries(mapped)) shownAs[character.charCodeAt(0)] = unit
for (let code = 1; code < 0x80; code++) if (shownAs[code] !== 0) storedAs[shownAs[code] - 0xf000] = code

/** Printable ASCII without what is mapped, and no space or dot at the end: the same on disk and on the wire. */
const plain = /^[ !#-)+-.0-9;=@-[\]-{}~]*[!#-)+,\-0-9;=@-[\]-{}~]$/

/** Length of the well-formed UTF-8 sequence at `at` (1 … 4), surrogates of WTF-8 included; 0 where there is none. */
const sequenceLength = (bytes: Uint8Array, at: number, end: number): number => {
  const first = bytes[at]
  if (first < 0x80) return 1
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > end) return 0
  for (let i = 1; i < length; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0
  const second = bytes[at + 1]
  if ((first === 0xe0 && second < 0xa0) || (first === 0xf0 && second < 0x90) || (first === 0xf4 && second >= 0x90)) return 0
  return length
}

const codePoint = (bytes: Uint8Array, at: number, length: number): number => {
  const first = bytes[at]
  if (length === 1) return first
  let code = length === 2 ? first & 0x1f : length === 3 ? first & 0x0f : first & 0x07
  for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i] & 0x3f)
  return code
}

/** A high surrogate (ED A0-AF xx) at `at`. */
const isHigh = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0xed && bytes[at + 1] >= 0xa0 && bytes[at + 1] < 0xb0
/** A low surrogate (ED B0-BF xx) at `at`. */
const isLow = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0xed && bytes[at + 1] >= 0xb0

/** Node's own, a third cheaper than `toString('latin1', start, end)`. */
type Latin1Buffer = Buffer & { latin1Slice(start: number, end: number): string }

/** The name that bytes on disk are shown as. `raw`: no mapping of characters (names of streams). */
export const decodeName = (bytes: Buffer, start = 0, end: number = bytes.length, raw = false): string => {
  let simple = true
  for (let i = start; i < end; i++) {
    const byte = bytes[i]
    if (byte >= 0x80 || (shownAs[byte] !== 0 && !raw)) {
      simple = false
      break
    }
  }
  const last = bytes[end - 1]
  if (simple && (raw || (last !== space && last !== dot))) return (bytes as Latin1Buffer).latin1Slice(start, end)
  const units: number[] = []
  const escape = (from: number, to: number): void => {
    for (let i = from; i < to; i++) units.push(0xf000 + bytes[i])
  }
  for (let at = start; at < end;) {
    const length = sequenceLength(bytes, at, end)
    if (length === 0) {
      escape(at, ++at)
      continue
    }
    const next = at + length
    const code = codePoint(bytes, at, length)
    const atEnd = next === end
    if (code < 0x80) {
      units.push(raw ? code : atEnd && code === space ? endSpace : atEnd && code === dot ? endDot : shownAs[code] || code)
    } else if (code >= 0x10000) {
      units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff))
    } else if (code >= 0xd800 && code < 0xe000) {
      // Two halves in a row on disk would come back as one character of four bytes: not ours, so byte by byte.
      const pair = (isHigh(bytes, at) && sequenceLength(bytes, next, end) === 3 && isLow(bytes, next)) || (isLow(bytes, at) && endsInHigh(units))
      if (pair) escape(at, next)
      else units.push(code)
    } else if (code >= firstRaw && code <= lastRaw) {
      escape(at, next)
    } else if (!raw && code >= 0xf000 && code <= endDot && isMapping(code, atEnd)) {
      escape(at, next)
    } else units.push(code)
    at = next
  }
  return String.fromCharCode(...units)
}

/** Whether a unit would be taken for a mapped character when it comes back. */
const isMapping = (unit: number, atEnd: boolean): boolean =>
  unit === endSpace || unit === endDot ? atEnd : unit < 0xf028 && storedAs[unit - 0xf000] !== 0

const endsInHigh = (units: number[]): boolean => {
  const last = units.at(-1)
  return last !== undefined && last >= 0xd800 && last < 0xdc00
}

/** Bytes of a string as WTF-8, with the mapping undone unless `raw`. */
const toBytes = (name: string, raw: boolean): Buffer => {
  const bytes = Buffer.allocUnsafe(name.length * 3)
  let at = 0
  for (let i = 0; i < name.length; i++) {
    let code = name.charCodeAt(i)
    const following = name.charCodeAt(i + 1)
    if (code >= 0xd800 && code < 0xdc00 && following >= 0xdc00 && following < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (following - 0xdc00)
      i++
    }
    if (code >= firstRaw && code <= lastRaw) {
      bytes[at++] = code - 0xf000
      continue
    }
    const atEnd = i === name.length - 1
    if (!raw && code >= 0xf000 && code <= endDot && isMapping(code, atEnd)) {
      code = code === endSpace ? space : code === endDot ? dot : storedAs[code - 0xf000]
    }
    if (code < 0x80) bytes[at++] = code
    else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6)
      bytes[at++] = 0x80 | (code & 0x3f)
    } else if (code < 0x10000) {
      bytes[at++] = 0xe0 | (code >> 12)
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f)
      bytes[at++] = 0x80 | (code & 0x3f)
    } else {
      bytes[at++] = 0xf0 | (code >> 18)
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f)
      bytes[at++] = 0x80 | (code & 0x3f)
    }
  }
  return bytes.subarray(0, at)
}

/** The units a name is shown as when it comes back, for a plain space or dot at the end. */
const canonical = (name: string): string => {
  const last = name.charCodeAt(name.length - 1)
  if (last === space) return name.slice(0, -1) + String.fromCharCode(endSpace)
  return last === dot ? name.slice(0, -1) + String.fromCharCode(endDot) : name
}

/**
 * The bytes on disk of one component, or the string itself where it is plain ASCII (and so good for a system call as it is).
 * Throws `invalid-name`, and `name-too-long` above 255 bytes.
 */
export const encodeName = (name: string): string | Buffer => {
  if (name.length > 255) throw new FsError('name-too-long')
  if (plain.test(name)) return name
  const bytes = toBytes(name, false)
  const isDots = bytes.length <= 2 && bytes.every(byte => byte === dot)
  if (isDots || bytes.includes(0x2f) || bytes.includes(0) || decodeName(bytes) !== canonical(name)) {
    throw new FsError('invalid-name', `cannot be stored as a name: ${JSON.stringify(name)}`)
  }
  if (bytes.length > 255) throw new FsError('name-too-long')
  return bytes
}

/** A component or path for a system call: plain as it is, else NUL-terminated bytes. */
export const diskPath = (path: string): string | Buffer => {
  if (path === '') return '.'
  if (!path.includes('/')) return terminated(encodeName(path))
  const components = path.split('/').map(encodeName)
  if (components.every(component => typeof component === 'string')) return path
  const parts: Uint8Array[] = []
  for (const component of components) parts.push(typeof component === 'string' ? Buffer.from(component) : component, slash)
  parts[parts.length - 1] = nul
  return Buffer.concat(parts)
}

/** The same as bytes that can be kept: made once for many system calls. */
export const terminatedPath = (path: string): Buffer => {
  const onDisk = diskPath(path)
  return typeof onDisk === 'string' ? Buffer.from(`${onDisk}\0`) : onDisk
}

const slash = Buffer.from('/')
const nul = Buffer.from([0])
const terminated = (name: string | Buffer): string | Buffer => (typeof name === 'string' ? name : Buffer.concat([name, nul]))

/** A stream's name as a file name: `=` and WTF-8 (streams' names may have characters that files' names may not). */
export const encodeStreamName = (name: string): Buffer => {
  const bytes = toBytes(name, true)
  if (decodeName(bytes, 0, bytes.length, true) !== name)
    throw new FsError('invalid-name', `cannot be stored as a stream name: ${JSON.stringify(name)}`)
  if (bytes.length > 254) throw new FsError('name-too-long')
  return Buffer.concat([Buffer.from('='), bytes, nul])
}

/** Any text for a system call (a symbolic link's target): WTF-8, NUL-terminated. */
export const encodeText = (text: string): Buffer => Buffer.concat([toBytes(text, true), nul])
