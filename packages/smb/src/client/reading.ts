/** READ, pipelined: into a buffer of the caller, or as chunks without a copy (MS-SMB2 3.2.4.6). */
import { MalformedError, UsageError } from '@holdfast/wire'
import { headerSize, NtStatus, ReadResponse } from '../messages/index.ts'
import type { FileId } from '../messages/index.ts'
import type { Incoming, OwnedBytes } from './incoming.ts'
import { defaultChunkBytes, defaultConcurrency, inOrder } from './pipeline.ts'
import type { TransferOptions } from './pipeline.ts'
import { operations } from './requests.ts'
import type { Reply } from './requests.ts'
import type { Tree } from './tree.ts'

/** An open, as far as READ and WRITE need it. */
export interface OpenFile {
  readonly tree: Tree
  readonly fileId: FileId
  /** For errors. */
  readonly path: string
}

/** A part of a file, in bytes. */
export interface FileRange {
  /** Default 0. */
  readonly offset?: number
  /** Default: to the end. */
  readonly lengthBytes?: number
}

/** A chunk of a file. */
export interface Chunk extends OwnedBytes {
  readonly offset: number
}

const endOfFile = [NtStatus.END_OF_FILE]

/** Throws UsageError `range` for what is no offset or length in bytes. */
export function checkBytes(value: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new UsageError('range', `${name} is a whole number of bytes`)
  return value
}

/** Throws UsageError for options that make no sense; default values, within what the server allows. */
export function transferSizes({ concurrency = defaultConcurrency, chunkBytes = defaultChunkBytes }: TransferOptions, maxBytes: number) {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 1024) throw new UsageError('concurrency', 'concurrency is 1 to 1024')
  if (!Number.isInteger(chunkBytes) || chunkBytes < 1) throw new UsageError('chunkBytes', 'chunkBytes is a whole number from 1')
  return { concurrency, chunkBytes: Math.min(chunkBytes, maxBytes) }
}

function dataOf(incoming: Incoming, lengthBytes: number): Buffer {
  const { data } = ReadResponse.decode(incoming.message, headerSize)
  if (data.length > lengthBytes) throw new MalformedError('bad-length', `READ of ${lengthBytes} bytes answered with ${data.length}`)
  return data
}

function sendRead<Out>(
  { tree, fileId, path }: OpenFile,
  part: { readonly offset: number; readonly lengthBytes: number },
  how: { readonly signal: AbortSignal | undefined; readonly receive: (data: Buffer, incoming: Incoming) => Out },
): Promise<Reply<Out>> {
  const { offset, lengthBytes } = part
  return tree.exchange(
    {
      operation: operations.read,
      value: { length: lengthBytes, offset: BigInt(offset), fileId },
      scope: tree,
      payloadBytes: lengthBytes,
      allows: endOfFile,
      path,
      receive: incoming => how.receive(dataOf(incoming, lengthBytes), incoming),
    },
    { signal: how.signal },
  )
}

/** Reads into `target` from `offset` on; resolves with the number of bytes, fewer than asked for only at the file's end. */
export async function readInto(file: OpenFile, target: Uint8Array, offset: number, options: TransferOptions = {}): Promise<number> {
  checkBytes(offset, 'offset')
  const { concurrency, chunkBytes } = transferSizes(options, file.tree.session.negotiated.maxReadBytes)
  const readPart = (begin: number, end: number): Promise<Reply<number>> =>
    sendRead(
      file,
      { offset: offset + begin, lengthBytes: end - begin },
      {
        signal: options.signal,
        receive(data) {
          target.set(data, begin)
          return data.length
        },
      },
    )
  if (target.length === 0) return 0
  if (target.length <= chunkBytes) return (await readPart(0, target.length)).value ?? 0
  const parts = inOrder({
    concurrency,
    read(index) {
      const begin = index * chunkBytes
      if (begin >= target.length) return undefined
      const end = Math.min(begin + chunkBytes, target.length)
      return readPart(begin, end).then(({ value = 0 }) => ({ count: value, isLast: value < end - begin }))
    },
    discard() {},
  })
  let total = 0
  for await (const { count } of parts) total += count
  return total
}

/** A file's chunks in order, read ahead. Each must be released. */
export async function* readChunks(file: OpenFile, range: FileRange, options: TransferOptions = {}): AsyncGenerator<Chunk, void, undefined> {
  const offset = checkBytes(range.offset ?? 0, 'offset')
  const end = range.lengthBytes === undefined ? Infinity : offset + checkBytes(range.lengthBytes, 'lengthBytes')
  const { concurrency, chunkBytes } = transferSizes(options, file.tree.session.negotiated.maxReadBytes)
  const chunks = inOrder({
    concurrency,
    read(index) {
      const begin = offset + index * chunkBytes
      if (begin >= end) return undefined
      const lengthBytes = Math.min(chunkBytes, end - begin)
      const how = { signal: options.signal, receive: (data: Buffer, incoming: Incoming) => incoming.take(data) }
      return sendRead(file, { offset: begin, lengthBytes }, how).then(({ value }) => ({
        offset: begin,
        owned: value,
        isLast: value === undefined || value.bytes.length < lengthBytes,
      }))
    },
    discard: ({ owned }) => owned?.release(),
  })
  for await (const { offset: at, owned } of chunks) if (owned !== undefined) yield { offset: at, bytes: owned.bytes, release: owned.release }
}
