/**
 * Direct TCP transport (MS-SMB2 2.1; RFC 1002 4.3 for the session service on port 139): four bytes, the first zero, then the length of the
 * SMB2 message, big-endian. For the side that owns the sockets.
 */
import type { Framing } from '@holdfast/engine'
import { MalformedError } from '@holdfast/wire'

/** Length of what stands before each message. */
export const frameHeaderLengthBytes = 4
/** What a message may have at most: 8 MiB of payload and what surrounds it. */
export const frameLengthMaxDefault = 9 * 1024 * 1024

const sessionMessage = 0x00
const keepAlive = 0x85

/**
 * How SMB is cut out of a TCP stream. `frameBytes` throws MalformedError `frame_type` (not a session message; a NetBIOS keep-alive passes,
 * as an empty message) and `frame_length` (empty, or longer than `lengthMax` bytes).
 */
export function smbFraming(options: { readonly lengthMax?: number } = {}): Framing {
  const lengthMax = options.lengthMax ?? frameLengthMaxDefault
  return {
    headerBytes: frameHeaderLengthBytes,
    leadBytes: frameHeaderLengthBytes,
    frameBytes(bytes, at, end) {
      if (end - at < frameHeaderLengthBytes) return 0
      const type = bytes[at]
      const lengthBytes = (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
      if (type === keepAlive && lengthBytes === 0) return frameHeaderLengthBytes
      if (type !== sessionMessage) throw new MalformedError('frame_type')
      if (lengthBytes === 0 || lengthBytes > lengthMax) throw new MalformedError('frame_length')
      return frameHeaderLengthBytes + lengthBytes
    },
    writeHeader(into, at, lengthBytes) {
      into[at] = sessionMessage
      into[at + 1] = lengthBytes >>> 16
      into[at + 2] = lengthBytes >>> 8
      into[at + 3] = lengthBytes
    },
  }
}
