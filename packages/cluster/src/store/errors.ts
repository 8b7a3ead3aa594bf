/** What a store may answer instead of what it was asked for, by `code`. A code says whether the thing may have happened all the same. */
export const storeErrorCodes = {
  'too-many-operations': 'more than 100 compares or operations in a transaction; nothing happened',
  'too-large': 'keys and values of a transaction are over 1 MiB; nothing happened',
  'duplicate-key': 'a transaction changes a key twice; nothing happened',
  'invalid-key': 'a key is empty or no well-formed Unicode, or a range ends before it begins; nothing happened',
  'lease-not-found': 'the lease has run out, was revoked, or never was; nothing happened',
  compacted: 'history so old is gone; `compactRevision` is the oldest revision that can be read',
  'future-revision': 'the store has not come to that revision yet',
  'no-space': 'no room on the disk, or `maxBytes` reached; nothing happened, and it may be tried again when there is room',
  unavailable: 'no answer, or an I/O error: THE OUTCOME IS UNKNOWN, it may have happened or may yet happen',
  closed: 'this store was closed before the call',
  'not-owner': 'the partition has another owner or epoch; nothing happened',
  locked: 'another process has the store open',
  'folder-missing': 'the folder of the store does not exist',
  'no-permission': 'the store may not be opened by this user',
  'not-a-store': 'the file is something else',
  'newer-schema': 'the file was written by a newer version',
  corrupt: 'the file is damaged',
} as const

/** A stable word for what went wrong: a key of `storeErrorCodes`. */
export type StoreErrorCode = keyof typeof storeErrorCodes

/** A store says no. What each `code` means, and whether anything happened, is in `storeErrorCodes`. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  /** With `compacted`: the oldest revision that can still be read; watches can begin one later. */
  readonly compactRevision: number | undefined

  constructor(code: StoreErrorCode, message: string = storeErrorCodes[code], options: ErrorOptions & { readonly compactRevision?: number } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'StoreError'
    this.code = code
    this.compactRevision = options.compactRevision
  }
}

/** The error for history that is gone. */
export function compactedError(compactRevision: number): StoreError {
  return new StoreError('compacted', `history up to revision ${compactRevision} is compacted`, { compactRevision })
}
