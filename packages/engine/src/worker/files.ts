/** Writes that have pieces of files in them. */
import { pread, sendFileNow } from '@holdfast/posix'
import { sendMoreNow, sendNow } from '@holdfast/posix/socket'
import type { FilePiece } from '../worker-api.ts'

/** Bytes from `offset` on; the pieces, in their order, are within. */
interface Place {
  readonly offset: number
  readonly length: number
  readonly files?: readonly FilePiece[] | undefined
}

/** Sends what the socket takes at once: memory, and pieces of files in its place. Returns how many bytes that were. */
export function sendWithFiles(socket: number, memory: Buffer, { offset, length, files = [] }: Place): number {
  const end = offset + length
  let at = offset
  for (const piece of files) {
    const lead = piece.at - at
    if (lead > 0) {
      const sent = sendMoreNow(socket, memory.subarray(at, piece.at), lead)
      at += sent
      if (sent < lead) return at - offset
    }
    const sent = sendFileNow(socket, piece.descriptor, piece.offset, piece.lengthBytes)
    at += sent
    if (sent < piece.lengthBytes) return at - offset
  }
  return at === end ? length : at - offset + sendNow(socket, memory.subarray(at, end), end - at)
}

/**
 * Reads the pieces, from `at` in memory on, to where they belong: for who cannot send them now. False where a file has less, or cannot be read.
 *
 * @example
 * readRest(Buffer.alloc(10), [], 0) // => true
 */
export function readRest(memory: Buffer, files: readonly FilePiece[], at: number): boolean {
  return files.every(piece => {
    const sent = Math.max(0, at - piece.at)
    return sent >= piece.lengthBytes || isRead(piece, memory.subarray(piece.at + sent, piece.at + piece.lengthBytes), piece.offset + sent)
  })
}

function isRead({ descriptor }: FilePiece, into: Buffer, offset: number): boolean {
  let done = 0
  while (done < into.length) {
    const count = pread(descriptor, into.subarray(done), offset + done)
    if (count <= 0) return false
    done += count
  }
  return true
}
