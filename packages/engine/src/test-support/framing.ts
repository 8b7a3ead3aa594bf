import type { Framing } from '../shared/layout.ts'

/** A 4-byte big-endian length in front of each message. */
export const lengthPrefixed: Framing = {
  headerBytes: 4,
  leadBytes: 4,
  frameBytes(bytes, at) {
    if (bytes[at] !== 0) throw new Error('not a frame')
    return 4 + bytes.readUInt32BE(at)
  },
  writeHeader(into, at, lengthBytes) {
    into.writeUInt32BE(lengthBytes, at)
  },
}
