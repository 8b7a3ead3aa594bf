/** An open file. */
import { UsageError } from '@holdfast/wire'
import {
  access,
  AllInformationFixed,
  BasicInformation,
  EndOfFileInformation,
  FileAllocatedRange,
  FileClass,
  FileSetSparse,
  FileZeroDataInformation,
  Fsctl,
  InfoType,
  LockFlags,
  NtStatus,
  QueryAllocatedRangesReply,
} from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { isGone, receiveInfo } from './handle.ts'
import { fileTimeOf, sizeOf, statOfAll } from './info.ts'
import type { SmbStat } from './info.ts'
import { ioctl, noOutput } from './ioctl.ts'
import { closeOpen } from './opening.ts'
import type { Opened } from './opening.ts'
import { nameOf } from './path.ts'
import type { TransferOptions } from './pipeline.ts'
import { checkBytes, readChunks, readInto } from './reading.ts'
import type { FileRange, OpenFile } from './reading.ts'
import type { Durability, RemoteOpen } from './remote-open.ts'
import { operations } from './requests.ts'
import { serverCopy } from './server-copy.ts'
import type { ServerCopyOptions } from './server-copy.ts'
import type { Tree } from './tree.ts'
import { Writer } from './writing.ts'

/** How a range is locked. */
export interface LockOptions extends CallOptions {
  readonly offset: number
  readonly lengthBytes: number
  /** Default true; false: others may read. */
  readonly exclusive?: boolean
  /** Waits until the lock is granted; default false: `EAGAIN`. */
  readonly wait?: boolean
}

/** What can be changed about a file; what is left out stays. */
export interface AttributeChanges {
  readonly createdAt?: Date
  readonly accessedAt?: Date
  readonly writtenAt?: Date
  readonly changedAt?: Date
  /** `FileAttribute` bits; `normal` for none. */
  readonly attributes?: number
}

/** Room for FileAllInformation and a name. */
const statBytes = 4096

/**
 * An open file; closed by `await using`. All calls reject with SmbError: by the server's status, `CONNECTION_LOST`, or `HANDLE_LOST` when
 * the server did not keep it through a loss of the connection; with the signal's reason when it aborts.
 *
 * @example
 * await using file = await share.open('folder/film.mkv')
 * const head = Buffer.alloc(4096)
 * const lengthBytes = await file.read(head, 0)
 */
export class SmbFile implements OpenFile, AsyncDisposable {
  readonly tree: Tree
  readonly fileId: RemoteOpen
  /** In the share, with `/`. */
  readonly path: string
  /** Bytes when it was opened. */
  readonly sizeBytes: number
  /** `CreateAction`: opened, created, overwritten. */
  readonly createAction: number
  /** It was opened for reading as well. */
  readonly isReadable: boolean
  #isOpen = true

  /** Not for users: `share.open`. */
  constructor(tree: Tree, { open, response }: Opened) {
    this.tree = tree
    this.fileId = open
    this.path = open.path
    this.sizeBytes = sizeOf(response)
    this.createAction = response.createAction
    this.isReadable = (open.request.desiredAccess & access.readData) !== 0
  }

  /** What the server does for it when the connection is lost. The client has it again by itself; see `SmbClientOptions.reconnectMs`. */
  get durability(): Durability {
    return this.fileId.durability
  }

  /**
   * Reads into `target` from byte `offset` on, with many READs at a time where it is large. Resolves with the number of bytes: fewer than
   * `target` has only at the file's end.
   */
  read(target: Uint8Array, offset: number, options: TransferOptions = {}): Promise<number> {
    return readInto(this, target, offset, options)
  }

  /**
   * The content in order, read ahead, without a copy: a chunk is valid only until the next one is asked for.
   *
   * @example
   * import { createHash } from 'node:crypto'
   *
   * const hash = createHash('sha256')
   * for await (const chunk of file.chunks()) hash.update(chunk)
   */
  async *chunks(range: FileRange = {}, options: TransferOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of readChunks(this, range, options)) {
      try {
        yield chunk.bytes
      } finally {
        chunk.release()
      }
    }
  }

  /** The same as a web stream, whose chunks are the reader's to keep. For node: `Readable.fromWeb(file.readable())`. */
  readable(range: FileRange = {}, options: TransferOptions = {}): ReadableStream<Uint8Array> {
    const chunks = readChunks(this, range, options)
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await chunks.next()
          // The buffer is not released: it is the reader's now, and the garbage collector's in the end.
          if (done === true) controller.close()
          else controller.enqueue(value.bytes)
        },
        async cancel() {
          await chunks.return()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** Writes all of `data` from byte `offset` on, with many WRITEs at a time where it is large. */
  async write(data: Uint8Array, offset: number, options: TransferOptions = {}): Promise<void> {
    const writer = new Writer(this, offset, options)
    await writer.writeAll(data)
    await writer.finish()
  }

  /** A web stream that writes from byte `offset` on (default 0); its end means that all is written, and leaves the file open. */
  writable(options: TransferOptions & { readonly offset?: number } = {}): WritableStream<Uint8Array> {
    const writer = new Writer(this, options.offset ?? 0, options)
    return new WritableStream<Uint8Array>({
      write: chunk => writer.write(chunk),
      close: () => writer.finish(),
      abort: () => writer.abandon(),
    })
  }

  /** What the file is like now (MS-FSCC 2.4.2). */
  async stat(options?: CallOptions): Promise<SmbStat> {
    const { value } = await this.tree.exchange(
      {
        operation: operations.queryInfo,
        value: { infoType: InfoType.file, fileInfoClass: FileClass.all, outputBufferLength: statBytes, fileId: this.fileId },
        scope: this.tree,
        path: this.path,
        receive: receiveInfo(AllInformationFixed),
      },
      options,
    )
    return statOfAll(nameOf(this.path.replaceAll('/', '\\')), value!)
  }

  /** Makes the file `sizeBytes` long; what is new is zero. */
  async truncate(sizeBytes = 0, options?: CallOptions): Promise<void> {
    checkBytes(sizeBytes, 'sizeBytes')
    await this.#setInfo(FileClass.endOfFile, EndOfFileInformation.toBytes({ sizeBytes: BigInt(sizeBytes) }), options)
  }

  /** Changes times and attributes (MS-FSCC 2.4.7). The file must be open for writing. */
  async setAttributes(changes: AttributeChanges, options?: CallOptions): Promise<void> {
    const time = (date: Date | undefined): bigint => (date === undefined ? 0n : fileTimeOf(date))
    const value = {
      createdAt: time(changes.createdAt),
      accessedAt: time(changes.accessedAt),
      writtenAt: time(changes.writtenAt),
      changedAt: time(changes.changedAt),
      attributes: changes.attributes ?? 0,
    }
    await this.#setInfo(FileClass.basic, BasicInformation.toBytes(value), options)
  }

  /** What was written is on stable storage. */
  async flush(options?: CallOptions): Promise<void> {
    await this.tree.exchange({ operation: operations.flush, value: { fileId: this.fileId }, scope: this.tree, path: this.path }, options)
  }

  /** Locks a range for this open (MS-SMB2 3.2.4.19). Rejects with `EAGAIN` when somebody else has it and `wait` is not set. */
  async lock(options: LockOptions): Promise<void> {
    const { exclusive = true, wait = false } = options
    const how = exclusive ? LockFlags.exclusiveLock : LockFlags.sharedLock
    await this.#lock(options, wait ? how : how | LockFlags.failImmediately)
  }

  /** Takes back a lock of the same range. */
  async unlock(options: Pick<LockOptions, 'offset' | 'lengthBytes' | 'signal'>): Promise<void> {
    await this.#lock(options, LockFlags.unlock)
  }

  /** Copies from another file of the same server, on the server (MS-SMB2 2.2.31.1). Rejects with `ENOTSUP` where it cannot. */
  async copyFrom(source: SmbFile, options: Partial<ServerCopyOptions> = {}): Promise<void> {
    if (source.tree.session !== this.tree.session) throw new UsageError('session', 'both files must be open in the same session')
    const sourceOffset = checkBytes(options.sourceOffset ?? 0, 'sourceOffset')
    checkBytes(options.offset ?? 0, 'offset')
    const lengthBytes = options.lengthBytes ?? (await source.stat({ signal: options.signal })).sizeBytes - sourceOffset
    await serverCopy(source, this, { ...options, sourceOffset, lengthBytes })
  }

  /** Says that ranges of zeros need no space (FSCTL_SET_SPARSE, MS-FSCC 2.3.69). */
  async setSparse(sparse = true, options?: CallOptions): Promise<void> {
    await ioctl(this, { ctlCode: Fsctl.setSparse, input: FileSetSparse.toBytes({ setSparse: sparse }), maxOutputBytes: 0, decode: noOutput }, options)
  }

  /** Makes a range zero, without space where the file is sparse (FSCTL_SET_ZERO_DATA, MS-FSCC 2.3.71). */
  async zero(range: { readonly offset: number; readonly lengthBytes: number }, options?: CallOptions): Promise<void> {
    const fileOffset = BigInt(checkBytes(range.offset, 'offset'))
    const beyondFinalZero = fileOffset + BigInt(checkBytes(range.lengthBytes, 'lengthBytes'))
    const input = FileZeroDataInformation.toBytes({ fileOffset, beyondFinalZero })
    await ioctl(this, { ctlCode: Fsctl.setZeroData, input, maxOutputBytes: 0, decode: noOutput }, options)
  }

  /** Where there may be something else than zeros (FSCTL_QUERY_ALLOCATED_RANGES, MS-FSCC 2.3.55). */
  async allocatedRanges(range: FileRange = {}, options?: CallOptions): Promise<{ readonly offset: number; readonly lengthBytes: number }[]> {
    let offset = checkBytes(range.offset ?? 0, 'offset')
    const end = range.lengthBytes === undefined ? Number.MAX_SAFE_INTEGER : offset + checkBytes(range.lengthBytes, 'lengthBytes')
    const ranges: { readonly offset: number; readonly lengthBytes: number }[] = []
    for (;;) {
      const input = FileAllocatedRange.toBytes({ fileOffset: BigInt(offset), length: BigInt(end - offset) })
      const decode = (output: Buffer) => QueryAllocatedRangesReply.decode(output).ranges
      const { status, value = [] } = await ioctl(this, { ctlCode: Fsctl.queryAllocatedRanges, input, maxOutputBytes: 65_536, decode }, options)
      for (const one of value) ranges.push({ offset: Number(one.fileOffset), lengthBytes: Number(one.length) })
      const last = ranges.at(-1)
      // There was no room for more: on from where it ended.
      if (status !== NtStatus.BUFFER_OVERFLOW || last === undefined || last.offset + last.lengthBytes <= offset) return ranges
      offset = last.offset + last.lengthBytes
    }
  }

  /** Closes; again: nothing. What a lost connection closed already is closed. */
  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    try {
      await closeOpen(this.fileId)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }

  /** Closes, and never rejects: what went wrong with the content was told by the call that wrote it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => undefined)
  }

  async #setInfo(fileInfoClass: number, buffer: Buffer, options?: CallOptions): Promise<void> {
    const value = { infoType: InfoType.file, fileInfoClass, fileId: this.fileId, buffer }
    await this.tree.exchange({ operation: operations.setInfo, value, scope: this.tree, path: this.path }, options)
  }

  async #lock({ offset, lengthBytes, signal }: Pick<LockOptions, 'offset' | 'lengthBytes' | 'signal'>, flags: number): Promise<void> {
    const locks = [{ offset: BigInt(checkBytes(offset, 'offset')), length: BigInt(checkBytes(lengthBytes, 'lengthBytes')), flags }]
    const open = this.fileId
    // By the sequence a server knows a replay (3.3.5.14).
    const { lockSequence, release } = open.takeLockSequence()
    open.hasLocked = true
    try {
      const value = { fileId: open, locks, lockSequence }
      await this.tree.exchange({ operation: operations.lock, value, scope: this.tree, path: this.path }, { signal })
    } finally {
      release()
    }
  }
}
