import { StoreError } from '../errors.ts'
import type { StoreErrorCode } from '../errors.ts'

/** SQLite's primary result codes (sqlite.org/rescode.html) as ours. */
const codes: Readonly<Record<number, StoreErrorCode>> = {
  3: 'no-permission', // PERM
  5: 'locked', // BUSY
  6: 'locked', // LOCKED
  8: 'no-permission', // READONLY
  10: 'unavailable', // IOERR
  11: 'corrupt', // CORRUPT
  13: 'no-space', // FULL
  14: 'no-permission', // CANTOPEN
  26: 'not-a-store', // NOTADB
}

const systemCodes: Readonly<Record<string, StoreErrorCode>> = {
  ENOENT: 'folder-missing',
  ENOTDIR: 'folder-missing',
  EACCES: 'no-permission',
  EPERM: 'no-permission',
  EROFS: 'no-permission',
  EISDIR: 'not-a-store',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
}

/** What a code means to whoever starts a server, and what can be done. */
const advice: Partial<Readonly<Record<StoreErrorCode, string>>> = {
  locked: 'is in use by another process; stop that one, or give this one a path of its own',
  'folder-missing': 'lies in a folder that does not exist; make the folder, or correct the path',
  'no-permission': 'may not be written by this user; correct owner and mode of the file and of its folder',
  'not-a-store': 'is not a store of ours; give another path, or move the file away',
  corrupt: 'is damaged; restore it from a backup, or move it and its -wal file away to begin with an empty store',
  'no-space': 'cannot be opened, as the disk is full; make room',
}

/** An error of SQLite or of the system as StoreError, `unavailable` where nothing better is known. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { errcode, code, message } = error as { readonly errcode?: number; readonly code?: string; readonly message?: string }
  const ours = (errcode === undefined ? systemCodes[code ?? ''] : codes[errcode & 0xff]) ?? 'unavailable'
  return new StoreError(ours, `the store's disk: ${message ?? String(error)}`, { cause: error })
}

/** Why a store at this path cannot be opened, and what to do. */
export function openErrorOf(error: unknown, path: string): StoreError {
  const found = storeErrorOf(error)
  const what = advice[found.code]
  return error instanceof StoreError || what === undefined
    ? found
    : new StoreError(found.code, `${path} ${what} (${found.message})`, { cause: error })
}
