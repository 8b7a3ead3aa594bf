/** Watching a folder (MS-SMB2 3.2.4.18): there is always a request under way, so that the server notes what happens. */
import {
  ChangeNotifyFlags,
  ChangeNotifyResponse,
  CompletionFilter,
  CreateOptions,
  decodeNotifyList,
  headerSize,
  NotifyAction,
  NtStatus,
} from '../messages/index.ts'
import type { NotifyEntry } from '../messages/index.ts'
import type { CallOptions } from './connection.ts'
import { folderAccess } from './folder.ts'
import { isInterruption } from './interruption.ts'
import { closeOpen, openBriefly } from './opening.ts'
import { friendlyPath } from './path.ts'
import type { RemoteOpen } from './remote-open.ts'
import { operations } from './requests.ts'
import type { Reply } from './requests.ts'
import type { Tree } from './tree.ts'

/** What is watched. */
export interface WatchOptions extends CallOptions {
  /** All folders below as well. */
  readonly recursive?: boolean
  /** `CompletionFilter` bits; default: names, sizes, times of writing and attributes. */
  readonly filter?: number
  /** Room for changes that happen at a time, in bytes; default 64 KiB. */
  readonly bufferBytes?: number
}

const kinds = {
  [NotifyAction.added]: 'added',
  [NotifyAction.removed]: 'removed',
  [NotifyAction.modified]: 'modified',
  [NotifyAction.renamedOldName]: 'renamed-from',
  [NotifyAction.renamedNewName]: 'renamed-to',
  [NotifyAction.addedStream]: 'stream-added',
  [NotifyAction.removedStream]: 'stream-removed',
  [NotifyAction.modifiedStream]: 'stream-modified',
  [NotifyAction.removedByDelete]: 'removed',
} as const

/** One change. `renamed-from` is followed by its `renamed-to`; `overflow`: more happened than there was room for, list again. */
export interface SmbChange {
  readonly kind: (typeof kinds)[keyof typeof kinds] | 'overflow'
  /** Relative to the folder, with `/`; `''` for `overflow`. */
  readonly path: string
}

const defaultFilter =
  CompletionFilter.fileName | CompletionFilter.dirName | CompletionFilter.attributes | CompletionFilter.size | CompletionFilter.lastWrite
const overflows: readonly number[] = [NtStatus.NOTIFY_ENUM_DIR]
const overflow: SmbChange = Object.freeze({ kind: 'overflow', path: '' })

const changeOf = ({ action, name }: NotifyEntry): SmbChange => ({
  kind: (kinds as Readonly<Partial<Record<number, SmbChange['kind']>>>)[action] ?? 'modified',
  path: friendlyPath(name),
})

/**
 * Changes as they happen, until the caller stops or the signal aborts. Nothing is missed from when `ready` resolves; what happens while the
 * connection is lost is told as `overflow`.
 *
 * @example
 * await using changes = share.watch('inbox', { recursive: true })
 * await changes.ready
 * await share.writeFile('inbox/note.txt', 'remember the milk')
 * for await (const { kind, path } of changes) {
 *   console.log(kind, path) // added note.txt
 *   break
 * }
 */
export class FolderWatch implements AsyncIterableIterator<SmbChange, void, undefined>, AsyncDisposable {
  /** Resolves when the server watches. */
  readonly ready: Promise<void>
  readonly #tree: Tree
  readonly #path: string
  readonly #options: WatchOptions
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #changes: SmbChange[] = []
  #watched: RemoteOpen | undefined
  #underWay: Promise<Reply<NotifyEntry[]>> | undefined

  /** Not for users: `share.watch`. */
  constructor(tree: Tree, name: string, options: WatchOptions) {
    this.#tree = tree
    this.#path = friendlyPath(name)
    this.#options = options
    this.#signal = options.signal === undefined ? this.#stop.signal : AbortSignal.any([options.signal, this.#stop.signal])
    this.ready = this.#open(name)
    this.ready.catch(() => undefined)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next change. Rejects with SmbError, or the signal's reason; it is over then. */
  async next(): Promise<IteratorResult<SmbChange, void>> {
    try {
      await this.ready
      while (this.#changes.length === 0) {
        if (this.#stop.signal.aborted) return { done: true, value: undefined }
        const value = await this.#answer()
        // Nothing in it means the same as NOTIFY_ENUM_DIR: too much for the buffer.
        if (value === undefined || value.length === 0) this.#changes.push(overflow)
        else for (const entry of value) this.#changes.push(changeOf(entry))
      }
      return { done: false, value: this.#changes.shift()! }
    } catch (error) {
      const isOver = this.#stop.signal.aborted
      await this.#close()
      if (isOver) return { done: true, value: undefined }
      throw error
    }
  }

  /** Stops watching. */
  async return(): Promise<IteratorResult<SmbChange, void>> {
    await this.#close()
    return { done: true, value: undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  /** Changes, or undefined where there are some that nobody knows, as after a loss of the connection. */
  async #answer(): Promise<NotifyEntry[] | undefined> {
    try {
      const { value } = await this.#underWay!
      this.#ask()
      return value
    } catch (error) {
      if (!isInterruption(error)) throw error
      await closeOpen(this.#watched!).catch(() => undefined)
      await this.#open(this.#path.replaceAll('/', '\\'))
      return undefined
    }
  }

  async #open(name: string): Promise<void> {
    const request = { name, desiredAccess: folderAccess, createOptions: CreateOptions.directoryFile }
    this.#watched = await openBriefly(this.#tree, request, { signal: this.#signal })
    this.#ask()
  }

  #ask(): void {
    const { recursive = false, filter = defaultFilter, bufferBytes = 65_536 } = this.#options
    const tree = this.#tree
    const outputBufferLength = Math.min(bufferBytes, tree.session.negotiated.maxTransactBytes)
    const flags = recursive ? ChangeNotifyFlags.watchTree : 0
    this.#underWay = tree.exchange(
      {
        operation: operations.changeNotify,
        value: { flags, outputBufferLength, fileId: this.#watched!, completionFilter: filter },
        scope: tree,
        payloadBytes: outputBufferLength,
        allows: overflows,
        path: this.#path,
        receive: ({ message }) => decodeNotifyList(ChangeNotifyResponse.decode(message, headerSize).buffer),
      },
      { signal: this.#signal },
    )
    this.#underWay.catch(() => undefined)
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    await this.ready.catch(() => undefined)
    const watched = this.#watched
    this.#watched = undefined
    if (watched !== undefined) await closeOpen(watched).catch(() => undefined)
  }
}
