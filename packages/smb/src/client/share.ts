/** A share: files and folders by their paths. */
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '@holdfast/wire'
import {
  access,
  AllInformationFixed,
  anyFileId,
  CreateDisposition,
  CreateOptions,
  DispositionInformation,
  FileAttribute,
  FileClass,
  FileSystemClass,
  FullSizeInformation,
  InfoType,
  NtStatus,
} from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { download, upload } from './copy.ts'
import type { CopyOptions } from './copy.ts'
import { SmbError, statusError } from './errors.ts'
import { SmbFile } from './file.ts'
import { listFolder, listOnce } from './folder.ts'
import type { ListOptions } from './folder.ts'
import { notThroughLinks, openFlags, receiveInfo, shareAll, touch, withHandle } from './handle.ts'
import type { OpenFlag } from './handle.ts'
import { statOfAll } from './info.ts'
import type { SmbEntry, SmbStat } from './info.ts'
import { acrossInterruptions } from './interruption.ts'
import { openFile } from './opening.ts'
import { friendlyPath, nameOf, parentOf, wirePath } from './path.ts'
import type { TransferOptions } from './pipeline.ts'
import { rename } from './rename.ts'
import { operations } from './requests.ts'
import type { Tree } from './tree.ts'
import { FolderWatch } from './watch.ts'
import type { WatchOptions } from './watch.ts'
import { Writer } from './writing.ts'

/** How a file is opened. */
export interface OpenOptions extends CallOptions {
  /** Default `r`. */
  readonly flags?: OpenFlag
  /** What others may do meanwhile, as `ShareAccess` bits; default: all. */
  readonly shareAccess?: number
  /** Every write is on stable storage before it is answered. */
  readonly writeThrough?: boolean
  /** The file is removed when this handle is closed. */
  readonly deleteOnClose?: boolean
  /** `FileAttribute` bits of a file that is made. */
  readonly attributes?: number
}

/** Space of a share, in bytes. */
export interface SmbSpace {
  readonly totalBytes: number
  /** Free, also what this user may not use. */
  readonly freeBytes: number
  /** What this user may use. */
  readonly availableBytes: number
}

/** What writeFile takes. */
export type WriteSource = Uint8Array | string | AsyncIterable<Uint8Array> | Iterable<Uint8Array>

const { nonDirectoryFile, directoryFile } = CreateOptions
const statBytes = 4096
/** As fs.readFile of Node. */
const readFileBytesMax = 2 * 1024 ** 3
/** What is no larger is written once more as fast as its open is had again. */
const briefBytesMax = 1024 * 1024
/** A file that is no larger needs no second READ. */
const firstReadBytes = 65_536

/**
 * A share, disconnected by `await using`. Paths are relative to it; components are separated by `/` (or `\`), `''` is its root. All calls
 * reject with SmbError (`ENOENT`, `EACCES`, …, `CONNECTION_LOST`), with UsageError `path` for a path that leads upwards, and with the signal's
 * reason when it aborts.
 *
 * @example
 * await using share = await client.share('docs')
 * for await (const { name, kind, sizeBytes } of share.list('folder')) console.log(kind, sizeBytes, name)
 * await share.writeFile('folder/note.txt', 'remember the milk')
 */
export class SmbShare implements AsyncDisposable {
  readonly tree: Tree

  /** Not for users: `client.share`. */
  constructor(tree: Tree) {
    this.tree = tree
  }

  get name(): string {
    return this.tree.share
  }

  /** Opens or makes a file; see `OpenFlag` for the flags. */
  open(path: string, options: OpenOptions = {}): Promise<SmbFile> {
    return this.#open(path, options, false)
  }

  async #open(path: string, options: OpenOptions, isBrief: boolean): Promise<SmbFile> {
    const { flags = 'r', shareAccess = shareAll, writeThrough = false, deleteOnClose = false, attributes = FileAttribute.normal, signal } = options
    const row = openFlags[flags]
    if (row === undefined) throw new UsageError('flags', `flags is one of ${Object.keys(openFlags).join(', ')}`)
    const name = wirePath(path)
    const desiredAccess = deleteOnClose ? row.desiredAccess | access.delete : row.desiredAccess
    const createOptions = nonDirectoryFile | (writeThrough ? CreateOptions.writeThrough : 0) | (deleteOnClose ? CreateOptions.deleteOnClose : 0)
    const { createDisposition } = row
    const request = { name, desiredAccess, shareAccess, createDisposition, createOptions, fileAttributes: attributes, isBrief }
    return new SmbFile(this.tree, await openFile(this.tree, request, { signal }))
  }

  /** All of a file of at most 2 GiB. Rejects with `EFBIG` for a larger one: that is for `open` and `chunks`. */
  async readFile(path: string, options: TransferOptions = {}): Promise<Buffer> {
    return acrossInterruptions(() => this.#readFile(path, options))
  }

  /**
   * Makes or replaces a file. Text is written as UTF-8; chunks are asked for as fast as they can be sent, and each may be used again. Chunks
   * cannot be asked for once more: with them it rejects with `HANDLE_LOST` where the server did not keep the file open.
   */
  async writeFile(path: string, content: WriteSource, options: TransferOptions = {}): Promise<void> {
    if (typeof content !== 'string' && !(content instanceof Uint8Array)) return this.#writeChunks(path, content, options)
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    await acrossInterruptions(async () => {
      await using file = await this.#open(path, { flags: 'w', signal: options.signal }, bytes.length <= briefBytesMax)
      await file.write(bytes, 0, options)
    })
  }

  /**
   * Copies a file of the share to a local one. The local file is replaced.
   *
   * @example
   * await share.download('folder/film.mkv', 'film.mkv', { onProgress: ({ copiedBytes, totalBytes }) => console.log(copiedBytes / totalBytes) })
   */
  async download(path: string, localPath: string, options: CopyOptions = {}): Promise<void> {
    await download(() => this.open(path, { signal: options.signal }), localPath, options)
  }

  /** Copies a local file to the share. The file there is replaced. */
  async upload(localPath: string, path: string, options: CopyOptions = {}): Promise<void> {
    await upload(localPath, () => this.open(path, { flags: 'w', signal: options.signal }), options)
  }

  /** The entries of a folder, without `.` and `..`, as they come. */
  list(path = '', options: ListOptions = {}): AsyncGenerator<SmbEntry, void, undefined> {
    return listFolder(this.tree, wirePath(path), options)
  }

  /** Changes in a folder as they happen. */
  watch(path = '', options: WatchOptions = {}): FolderWatch {
    return new FolderWatch(this.tree, wirePath(path), options)
  }

  /** What a path stands for. Rejects with `ENOENT` where there is nothing. */
  async stat(path: string, options?: CallOptions): Promise<SmbStat> {
    const name = wirePath(path)
    const { value } = await withHandle(
      this.tree,
      { name, desiredAccess: access.readAttributes },
      {
        operation: operations.queryInfo,
        value: { infoType: InfoType.file, fileInfoClass: FileClass.all, outputBufferLength: statBytes + 2 * name.length, fileId: anyFileId },
        payloadBytes: statBytes + 2 * name.length,
        receive: receiveInfo(AllInformationFixed),
      },
      options,
    )
    return statOfAll(nameOf(name), value)
  }

  /** True when there is a file or folder. Rejects when that cannot be told. */
  async exists(path: string, options?: CallOptions): Promise<boolean> {
    try {
      await touch(this.tree, { name: wirePath(path), desiredAccess: access.readAttributes, createOptions: notThroughLinks }, options)
      return true
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }

  /** Makes a folder. `recursive`: with the folders above it, and it may be there. */
  async mkdir(path: string, options: CallOptions & { readonly recursive?: boolean } = {}): Promise<void> {
    const name = wirePath(path)
    try {
      await this.#makeFolder(name, options)
    } catch (error) {
      if (options.recursive !== true) throw error
      if (hasCode(error, 'EEXIST', 'OUTCOME_UNKNOWN') && (await this.stat(path, options)).kind === 'folder') return
      if (!(error instanceof SmbError && error.status === NtStatus.OBJECT_PATH_NOT_FOUND) || name === '') throw error
      await this.mkdir(parentOf(name), options)
      await this.mkdir(path, options)
    }
  }

  /**
   * Removes a file or a symbolic link. Rejects with `EISDIR` for a folder. When the connection is lost before the answer comes, what is gone
   * then counts as removed.
   */
  async remove(path: string, options?: CallOptions): Promise<void> {
    await this.#delete(wirePath(path), nonDirectoryFile, options)
  }

  /** Removes an empty folder; `recursive`: with all that is in it. Rejects with `ENOTEMPTY`, `ENOTDIR`. */
  async removeFolder(path: string, options: CallOptions & { readonly recursive?: boolean } = {}): Promise<void> {
    const name = wirePath(path)
    if (options.recursive === true) {
      await acrossInterruptions(repeats => this.#clear(name, options, repeats > 0))
    }
    if (name !== '') await this.#delete(name, directoryFile, options)
  }

  /** Gives a file or folder another path. `replace`: a file that is there goes; else `EEXIST`. */
  async rename(from: string, to: string, options: CallOptions & { readonly replace?: boolean } = {}): Promise<void> {
    await rename(this.tree, { from: wirePath(from), to: wirePath(to), replace: options.replace ?? false }, options)
  }

  /** Space of the filesystem the share is on (MS-FSCC 2.5.4). */
  async statfs(options?: CallOptions): Promise<SmbSpace> {
    const lengthBytes = FullSizeInformation.fixedSize
    const { value } = await withHandle(
      this.tree,
      { name: '', desiredAccess: access.readAttributes },
      {
        operation: operations.queryInfo,
        value: { infoType: InfoType.fileSystem, fileInfoClass: FileSystemClass.fullSize, outputBufferLength: lengthBytes, fileId: anyFileId },
        receive: receiveInfo(FullSizeInformation),
      },
      options,
    )
    const { totalUnits, freeUnits, callerAvailableUnits, sectorsPerUnit, sectorBytes } = value
    const unitBytes = sectorsPerUnit * sectorBytes
    return { totalBytes: totalUnits * unitBytes, freeBytes: freeUnits * unitBytes, availableBytes: callerAvailableUnits * unitBytes }
  }

  /** Disconnects from the share; its files are closed by that. */
  async close(): Promise<void> {
    await this.tree.disconnect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #readFile(path: string, options: TransferOptions): Promise<Buffer> {
    await using file = await this.#open(path, { signal: options.signal }, true)
    if (file.sizeBytes > readFileBytesMax) throw new SmbError('EFBIG', `'${path}' has ${file.sizeBytes} bytes`, { path })
    let content: Buffer = Buffer.allocUnsafe(Math.max(file.sizeBytes, firstReadBytes))
    let lengthBytes = 0
    for (;;) {
      const count = await file.read(lengthBytes === 0 ? content : content.subarray(lengthBytes), lengthBytes, options)
      lengthBytes += count
      if (lengthBytes < content.length || lengthBytes === file.sizeBytes) return content.subarray(0, lengthBytes)
      // It grew meanwhile, or says nothing of its size.
      if (lengthBytes >= readFileBytesMax) throw new SmbError('EFBIG', `'${path}' has more than ${readFileBytesMax} bytes`, { path })
      content = Buffer.concat([content], content.length * 2)
    }
  }

  async #writeChunks(path: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: TransferOptions): Promise<void> {
    await using file = await this.open(path, { flags: 'w', signal: options.signal })
    const writer = new Writer(file, 0, options)
    try {
      for await (const chunk of content) await writer.write(chunk)
    } catch (error) {
      await writer.abandon()
      throw error
    }
    await writer.finish()
  }

  /** Removes all that is in a folder; what is gone already where it is done again. */
  async #clear(name: string, options: CallOptions, isAgain: boolean): Promise<void> {
    for await (const entry of listOnce(this.tree, name, { signal: options.signal })) {
      const child = name === '' ? entry.name : `${name}\\${entry.name}`
      if (entry.kind === 'folder') await this.removeFolder(child, { ...options, recursive: true })
      else await this.#delete(child, 0, options, isAgain)
    }
  }

  async #makeFolder(name: string, options: CallOptions): Promise<void> {
    const request = {
      name,
      desiredAccess: access.readAttributes,
      createDisposition: CreateDisposition.create,
      createOptions: directoryFile,
      fileAttributes: FileAttribute.directory,
    }
    // The root is always there; its name is not one that could be made.
    if (name === '') throw statusError(NtStatus.OBJECT_NAME_COLLISION, 'CREATE', '')
    let isRepeated = false
    const onRepeat = async (): Promise<void> => void (isRepeated = true)
    try {
      await touch(this.tree, request, { ...options, onRepeat })
    } catch (cause) {
      // FILE_NOT_AVAILABLE: the server lost a part of itself while it was at this.
      const isUnknown = (isRepeated && hasCode(cause, 'EEXIST')) || (cause instanceof SmbError && cause.status === NtStatus.FILE_NOT_AVAILABLE)
      if (!isUnknown) throw cause
      const path = friendlyPath(name)
      throw new SmbError('OUTCOME_UNKNOWN', `the folder '${path}' is there, and it cannot be told who made it`, { path, cause })
    }
  }

  /** By disposition and not by DELETE_ON_CLOSE: that one does not say when it fails (MS-FSCC 2.4.11). */
  async #delete(name: string, createOptions: number, options?: CallOptions, isAgain = false): Promise<void> {
    const request = { name, desiredAccess: access.delete | access.readAttributes, createOptions: createOptions | notThroughLinks }
    const value = { infoType: InfoType.file, fileInfoClass: FileClass.disposition, fileId: anyFileId, buffer: deletePending }
    let isRepeated = isAgain
    const onRepeat = async (): Promise<void> => void (isRepeated = true)
    for (let waits = 0; ; waits++) {
      try {
        return void (await withHandle(this.tree, request, { operation: operations.setInfo, value }, { ...options, onRepeat }))
      } catch (error) {
        if (!isRepeated || !(error instanceof SmbError)) throw error
        if (error.code === 'ENOENT') return
        // The lost connection has it open yet.
        if (error.status !== NtStatus.DELETE_PENDING || waits === deleteWaits) throw error
        await sleep(deleteWaitMs, undefined, { signal: options?.signal })
      }
    }
  }
}

const deleteWaitMs = 100
const deleteWaits = 50
const deletePending = DispositionInformation.toBytes({ deletePending: true })
const hasCode = (error: unknown, ...codes: readonly string[]): boolean => error instanceof SmbError && codes.includes(error.code)
