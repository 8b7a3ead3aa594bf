/** Puts `Connection: close` into the head of a request (RFC 9112 9.6), in place of what it says about the connection. */
import type { RequestHead } from '@holdfast/http'

const field = Buffer.from('Connection: close\r\n', 'latin1')
const connection = Buffer.from('connection')
const lf = 10
const colon = 58

/** Bytes that a head may grow by. */
export const closeHeaderBytes = field.length

/**
 * Copies `bytes[from, end)`, which begins with the head that was scanned there, to `into`, and has the head ask for the connection's end. Returns the length. Fields of the name
 * Connection are left out: what they say is about the connection that ends here (RFC 9110 7.6.1).
 */
export function copyWithClose(bytes: Buffer, from: number, end: number, head: RequestHead, into: Buffer): number {
  const fieldsFrom = from + head.lineBytes
  const headEnd = from + head.headBytes
  let length = bytes.copy(into, 0, from, fieldsFrom)
  length += field.copy(into, length)
  for (let at = fieldsFrom; at < headEnd;) {
    const next = bytes.indexOf(lf, at) + 1
    if (!isConnection(bytes, at)) length += bytes.copy(into, length, at, next)
    at = next
  }
  return length + bytes.copy(into, length, headEnd, end)
}

function isConnection(bytes: Buffer, at: number): boolean {
  if (bytes[at + connection.length] !== colon) return false
  for (let i = 0; i < connection.length; i++) if ((bytes[at + i] | 0x20) !== connection[i]) return false
  return true
}
