/** The shares for whoever reads them by another protocol: the same files, under the same rules. */
import type { FileSystem } from '@holdfast/storage'
import { access } from '../messages/fscc-access-mask.ts'
import { createToken, effectiveAccess, mayList } from './access/index.ts'
import type { Token } from './access/index.ts'
import type { ShareFiles } from './files/index.ts'
import type { SharesOnWorker } from './shares-on-worker.ts'

/** Who reads, for `ShareReader`: made by `readerToken`. */
export type ReaderToken = Token

/** The token of a user who has logged in by another protocol. Backup privileges are for those who ask for them, which reading does not. */
export const readerToken = (user: { readonly sid: string; readonly groupSids: readonly string[] }): ReaderToken =>
  createToken({ user: user.sid, groups: user.groupSids })

/** A disk share of this worker, to be read. */
export class ShareReader {
  readonly fileSystem: FileSystem
  readonly #files: ShareFiles

  constructor(files: ShareFiles) {
    this.#files = files
    this.fileSystem = files.fileSystem
  }

  /** Whether somebody may read the file, or list the folder, that has this descriptor stored (MS-FSA 2.1.5.1.2.1: FILE_READ_DATA, FILE_LIST_DIRECTORY). */
  mayRead(security: Uint8Array | undefined, token: ReaderToken): boolean {
    return (this.#rights(security, token) & access.readData) !== 0
  }

  /** Whether access-based enumeration, where the share has it, shows somebody the file (MS-SMB2 2.2.10). */
  mayList(security: Uint8Array | undefined, token: ReaderToken): boolean {
    return mayList(this.#rights(security, token))
  }

  #rights(security: Uint8Array | undefined, token: ReaderToken): number {
    return effectiveAccess({ descriptor: this.#files.descriptor(security), token })
  }
}

/** By name, without regard to case. */
export class ShareReaders {
  readonly #shares: SharesOnWorker
  readonly #readers = new WeakMap<ShareFiles, ShareReader>()

  constructor(shares: SharesOnWorker) {
    this.#shares = shares
  }

  /** Undefined where there is no such share (any more). */
  find(name: string): ShareReader | undefined {
    const files = this.#shares.get(name)?.files
    if (files === undefined) return undefined
    const known = this.#readers.get(files)
    if (known !== undefined) return known
    const reader = new ShareReader(files)
    this.#readers.set(files, reader)
    return reader
  }
}
