/** An open of a file, folder or named stream (MS-SMB2 3.3.1.10). */
import { FsError } from '@holdfast/storage'
import type { FileHandle, FileTime } from '@holdfast/storage'
import { OpenChannelState } from '../core/channel-sequence.ts'
import type { OpenCloseReason, ServerOpen, TreeContext } from '../core/handler-api.ts'
import type { DeleteOrder, OpenGrant, OpenReference } from '../opens/index.ts'
import { DelayedWriteTime, settleAtClose } from './delayed-write-time.ts'
import { publishPending, publishRemoval } from './notices.ts'
import type { FolderSearch } from './search.ts'
import type { ShareFiles } from './share-files.ts'

/** Ends of a connection or session that durable opens outlive (MS-SMB2 3.3.5.6, 3.3.7.1). */
const outlived: ReadonlySet<OpenCloseReason> = new Set(['connection-lost', 'logoff'])

export interface FileOpenOptions {
  readonly tree: TreeContext
  readonly files: ShareFiles
  readonly handle: FileHandle
  readonly grant: OpenGrant
  readonly stream: string
  readonly isFolder: boolean
  readonly access: number
  readonly createOptions: number
}

/** Create options that FileModeInformation shows (MS-FSCC 2.4.31). */
const modeOptions = 0x0000_103e

/** Times that a client has frozen with -1 (MS-FSCC 2.4.7): operations through this open leave them alone. */
export interface FrozenTimes {
  accessedAt?: FileTime
  writtenAt?: FileTime
  changedAt?: FileTime
}

export class FileOpen implements ServerOpen {
  readonly persistentId: bigint
  volatileId = 0n
  readonly tree: TreeContext
  readonly channel = new OpenChannelState()
  readonly files: ShareFiles
  handle: FileHandle
  grant: OpenGrant
  readonly isFolder: boolean
  /** Granted access mask. */
  readonly access: number
  readonly createOptions: number
  /** When it was opened, in milliseconds since 1970. */
  sinceMs = Date.now()
  /** FilePositionInformation. */
  position = 0n
  /** FileModeInformation. */
  mode = 0
  search: FolderSearch | undefined
  frozen: FrozenTimes | undefined
  /** On a share with delayed write times. */
  readonly delayed: DelayedWriteTime | undefined
  /** Set by the first resume key request (2.2.32.3). */
  hasResumeKey = false
  /** Content was written through it. */
  hasWritten = false
  /** Of a file whose name it has changed: the ChangeTime that this made, and what shows in its place until it is closed or something else changes. */
  renamed: { readonly changedAt: FileTime; readonly shown: FileTime } | undefined
  /** Where the next query of extended attributes goes on. */
  eaIndex = 0
  /** Its client is gone and may come back; nobody serves it. */
  isWaiting = false
  #stream: string
  #onUse: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(options: FileOpenOptions) {
    this.persistentId = options.grant.openId
    this.tree = options.tree
    this.files = options.files
    this.handle = options.handle
    this.grant = options.grant
    this.#stream = options.stream
    this.isFolder = options.isFolder
    this.access = options.access
    this.createOptions = options.createOptions
    this.mode = options.createOptions & modeOptions
    this.delayed = options.files.options.delayedWriteTimes && !options.isFolder ? new DelayedWriteTime(options.files) : undefined
    this.files.byId.set(this.persistentId, this)
  }

  /** Calls back when a request uses the open for the first time, or when it ends before. */
  onUse(listener: () => void): void {
    this.#onUse = listener
  }

  used(): void {
    const listener = this.#onUse
    if (listener === undefined) return
    this.#onUse = undefined
    listener()
  }

  /** Path in the share as of now: renames through other opens are followed. */
  get path(): string {
    return this.files.opens.pathOf(this.grant)?.path ?? ''
  }

  /** Named stream, `''` for the data stream; follows renames as well. */
  get stream(): string {
    if (this.#stream !== '') this.#stream = this.files.opens.pathOf(this.grant)?.stream ?? this.#stream
    return this.#stream
  }

  /** Key of the lease on the parent folder that changes through this open do not break (MS-SMB2 2.2.13.2.10). */
  get parentLeaseKey(): string | undefined {
    return this.grant.lease?.parentKey
  }

  /** Throws StatusError ACCESS_DENIED by way of the caller when none of `mask` was granted. */
  may(mask: number): boolean {
    return (this.access & mask) !== 0
  }

  /** The file became something else: a symbolic link. */
  async replaceHandle(handle: FileHandle): Promise<void> {
    const former = this.handle
    this.handle = handle
    await former.close()
  }

  async onGone(reason: OpenCloseReason): Promise<void> {
    // The store keeps it for the next process.
    if (reason === 'shutdown' && this.grant.persistent === true) return this.letGo()
    return this.grant.durable === true && outlived.has(reason) ? this.#park() : this.close()
  }

  /** It is to outlive its connection, though its CREATE did not ask for that (MS-SMB2 3.3.5.15.9). */
  outlives(): void {
    this.grant = { ...this.grant, durable: true }
  }

  /** Waits for the client to come back, if the open table says that it may (MS-SMB2 3.3.7.1). */
  async #park(): Promise<void> {
    const isReplayEligible = this.#onUse !== undefined
    this.used()
    this.search = undefined
    if (this.delayed !== undefined) await settleAtClose(this)
    if (await this.files.opens.park(this.grant, isReplayEligible)) this.isWaiting = true
    else await this.close()
  }

  /** Goes on where another object for the same open was. */
  resume({ sinceMs, position, mode, frozen, hasWritten, renamed }: FileOpen): void {
    this.sinceMs = sinceMs
    this.position = position
    this.mode = mode
    this.frozen = frozen
    this.hasWritten = hasWritten
    this.renamed = renamed
  }

  /** The client has come back: its new open goes on with the file. Undefined where that has been closed. */
  takeHandle(): FileHandle | undefined {
    if (this.#closing !== undefined) return undefined
    this.#closing = Promise.resolve()
    this.files.byId.delete(this.persistentId)
    return this.handle
  }

  /** It is not this worker's any more; whoever it belongs to now, or its end, is the open table's business. */
  letGo(): void {
    this.used()
    this.tree.session.opens.remove(this)
    const handle = this.takeHandle()
    if (handle !== undefined) void this.#giveUp(handle)
  }

  /** Nobody is left to be told what fails. */
  async #giveUp(handle: FileHandle): Promise<void> {
    try {
      await settleAtClose(this)
    } catch {
      // The file has gone behind our back.
    }
    const closed = handle.close()
    if (closed instanceof Promise) await closed.catch(() => undefined)
  }

  /** Gives everything up; deletes the file when it was the last open of one marked for deletion. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.used()
    this.files.byId.delete(this.persistentId)
    this.search = undefined
    publishPending(this)
    const result = this.files.opens.close(this.grant)
    const { deleteNow } = result instanceof Promise ? await result.catch((error: unknown) => this.#abandon(error)) : result
    if (deleteNow === undefined) {
      const closed = this.handle.close()
      if (closed instanceof Promise) await closed
      return
    }
    await this.#remove(deleteNow)
  }

  /** The share is going, and its owner with it. */
  async #abandon(error: unknown): Promise<never> {
    await this.handle.close()
    throw error
  }

  async #remove(order: DeleteOrder): Promise<void> {
    try {
      // This open may be of a stream while the whole file goes.
      if (order.stream === this.stream) await this.handle.remove()
      else await removeByPath(this.files, order)
    } catch (error) {
      // Something came into the folder after it was marked, or goes itself when it is closed: it stays, and CLOSE succeeds (MS-FSA 2.1.5.5).
      if (order.isFolder && error instanceof FsError && error.code === 'not-empty') return
      throw error
    } finally {
      try {
        await this.files.opens.deleteFinished(order)
      } finally {
        await this.handle.close()
      }
    }
    publishRemoval(this.files, order)
  }
}

/** Closes an open that no object here stands for, as its file could not be opened again. */
export async function closeWithoutFile(files: ShareFiles, open: OpenReference): Promise<void> {
  const { deleteNow } = await files.opens.close(open)
  if (deleteNow === undefined) return
  try {
    await removeByPath(files, deleteNow)
  } catch (error) {
    // Usually that has been done already.
    if (!(error instanceof FsError)) throw error
  } finally {
    await files.opens.deleteFinished(deleteNow)
  }
}

/** Removes what a delete order names when no open of ours is of it. */
export async function removeByPath(files: ShareFiles, order: DeleteOrder): Promise<void> {
  const handle = await files.fileSystem.open(order.path, order.stream, { read: false, write: false, noFollow: true })
  try {
    if (handle.id === order.fileId) await handle.remove()
  } finally {
    await handle.close()
  }
}
