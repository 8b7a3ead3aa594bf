/** Ranges of bytes (RFC 9110 14). */

/** Part of a representation. */
export interface ByteRange {
  readonly offset: number
  readonly lengthBytes: number
}

/** More than anybody needs at once: such a Range is ignored, as RFC 9110 14.2 allows for what looks like an attack. */
const rangesMax = 32
/** What a part of multipart/byteranges costs besides its bytes: closer ranges are sent as one (RFC 9110 14.2). */
const partOverheadBytes = 80

/**
 * What the value of Range asks of a representation of `sizeBytes`: `'all'` where the field has to be ignored (14.2: another unit, malformed, or far too many),
 * or the ranges that there are: `'unsatisfiable'` where that is none. Ranges that overlap become one, and so do close ones: what is sent is never much
 * more than the whole.
 *
 * @example
 * readRanges('bytes=0-99,-1', 1000) // => [{ offset: 0, lengthBytes: 100 }, { offset: 999, lengthBytes: 1 }]
 */
export function readRanges(value: string, sizeBytes: number): readonly ByteRange[] | 'all' | 'unsatisfiable' {
  const set = /^bytes=(.*)$/i.exec(value)?.[1]
  if (set === undefined) return 'all'
  const specs = set
    .split(',', 4 * rangesMax)
    .map(spec => spec.replace(/^[\t ]+|[\t ]+$/g, ''))
    .filter(spec => spec !== '')
  if (specs.length === 0 || specs.length > rangesMax) return 'all'
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const range = rangeOf(spec, sizeBytes)
    if (range === 'malformed') return 'all'
    if (range !== 'unsatisfiable') ranges.push(range)
  }
  return ranges.length === 0 ? 'unsatisfiable' : merged(ranges)
}

function rangeOf(spec: string, sizeBytes: number): ByteRange | 'malformed' | 'unsatisfiable' {
  const [, first = '', last = ''] = /^(\d*)-(\d*)$/.exec(spec) ?? []
  if (first === '') {
    if (last === '') return 'malformed'
    const lengthBytes = Math.min(Number(last), sizeBytes)
    return lengthBytes === 0 ? 'unsatisfiable' : { offset: sizeBytes - lengthBytes, lengthBytes }
  }
  const offset = Number(first)
  if (last !== '' && Number(last) < offset) return 'malformed'
  if (offset >= sizeBytes) return 'unsatisfiable'
  return { offset, lengthBytes: (last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes)) - offset }
}

/** In the order in which they were asked for; those that touch another one, in the order of their bytes. */
function merged(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const sorted = ranges.toSorted((a, b) => a.offset - b.offset)
  const joined: ByteRange[] = []
  for (const range of sorted) {
    const before = joined.at(-1)
    if (before === undefined || range.offset > before.offset + before.lengthBytes + partOverheadBytes) joined.push(range)
    else {
      const end = Math.max(before.offset + before.lengthBytes, range.offset + range.lengthBytes)
      joined[joined.length - 1] = { offset: before.offset, lengthBytes: end - before.offset }
    }
  }
  return joined.length === ranges.length ? ranges : joined
}

/** The value of Content-Range (RFC 9110 14.4): of a part, or of a representation that has none of what was asked for. */
export const contentRange = (range: ByteRange | undefined, sizeBytes: number): string =>
  range === undefined ? `bytes */${sizeBytes}` : `bytes ${range.offset}-${range.offset + range.lengthBytes - 1}/${sizeBytes}`
