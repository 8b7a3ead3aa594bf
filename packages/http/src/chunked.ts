/** The chunked transfer coding (RFC 9112 7.1), as requests have it. */

/** Longest chunk-size line, with its extensions, which nobody here knows. */
const sizeLineBytesMax = 256
/** Longest trailer section; it is skipped. */
const trailerBytesMax = 4096

/** Where a chunked content ends, and its data; `more` while it has not ended, `malformed`, or `too-long`. */
export type Chunked = { readonly end: number; readonly data: readonly Buffer[] } | 'more' | 'malformed' | 'too-long'

/** Walks the chunks in `bytes` from `at` to `end`. At most `dataBytesMax` of data are taken, in an encoding of at most twice that and a trailer. */
export function readChunked(bytes: Buffer, { at, end, dataBytesMax }: { at: number; end: number; dataBytesMax: number }): Chunked {
  const encodedEnd = at + 2 * dataBytesMax + trailerBytesMax
  const data: Buffer[] = []
  let dataBytes = 0
  for (let next = at; ;) {
    if (next > encodedEnd) return 'too-long'
    const line = lineAt(bytes, next, end, sizeLineBytesMax)
    if (typeof line === 'string') return line
    const size = chunkSizeOf(bytes.toString('latin1', next, line))
    if (size === undefined) return 'malformed'
    if (size === 0) return afterTrailer(bytes, line + 2, end, data)
    dataBytes += size
    if (dataBytes > dataBytesMax) return 'too-long'
    const after = line + 2 + size
    if (after + 2 > end) return 'more'
    if (bytes[after] !== 13 || bytes[after + 1] !== 10) return 'malformed'
    data.push(bytes.subarray(line + 2, after))
    next = after + 2
  }
}

/** Where the CR LF of a line is that is not longer than allowed. */
function lineAt(bytes: Buffer, at: number, end: number, lengthMax: number): number | 'more' | 'malformed' {
  const found = bytes.subarray(at, Math.min(end, at + lengthMax)).indexOf('\r\n')
  if (found !== -1) return at + found
  return end - at >= lengthMax ? 'malformed' : 'more'
}

const chunkSizeOf = (line: string): number | undefined => {
  const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?$/.exec(line)?.[1]
  return size === undefined ? undefined : Number.parseInt(size, 16)
}

function afterTrailer(bytes: Buffer, from: number, end: number, data: readonly Buffer[]): Chunked {
  for (let at = from; ;) {
    const line = lineAt(bytes, at, end, trailerBytesMax - (at - from))
    if (typeof line === 'string') return line
    if (line === at) return { end: at + 2, data }
    at = line + 2
  }
}
