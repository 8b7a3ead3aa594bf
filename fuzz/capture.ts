/**
 * Recorded conversations between real clients and a server.
 *
 * A file is a sequence of records: direction (0: from the client, 1: from the server), connection (counted from 0), then the frame
 * as it was on the wire: four bytes of length, big-endian, and the message (MS-SMB2 2.1).
 */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One message of a conversation, without the transport's length. */
export interface CapturedMessage {
  readonly fromClient: boolean
  readonly bytes: Buffer
}

/** All messages of one connection, in order. */
export interface Conversation {
  readonly name: string
  readonly messages: readonly CapturedMessage[]
}

const recordHeaderBytes = 6

/** One record for a capture file. `frame` is with its four bytes of length. */
export function encodeRecord(record: { readonly fromClient: boolean; readonly connection: number; readonly frame: Buffer }): Buffer {
  return Buffer.concat([Buffer.from([record.fromClient ? 0 : 1, record.connection & 0xff]), record.frame])
}

/** The conversations in a capture file. */
export function decodeCapture(name: string, file: Buffer): Conversation[] {
  const connections = new Map<number, CapturedMessage[]>()
  for (let at = 0; at + recordHeaderBytes <= file.length;) {
    const end = at + recordHeaderBytes + (file.readUInt32BE(at + 2) & 0xffffff)
    const connection = file.readUInt8(at + 1)
    const messages = connections.get(connection) ?? []
    connections.set(connection, messages)
    messages.push({ fromClient: file[at] === 0, bytes: file.subarray(at + recordHeaderBytes, end) })
    at = end
  }
  return [...connections].map(([connection, messages]) => ({ name: `${name}#${connection}`, messages }))
}

/** Everything in `fuzz/corpus/`. */
export function readCorpus(): Conversation[] {
  const folder = fileURLToPath(new URL('./corpus/', import.meta.url))
  return globSync('*.bin', { cwd: folder })
    .sort()
    .flatMap(file => decodeCapture(file.replace(/\.bin$/, ''), readFileSync(folder + file)))
}
