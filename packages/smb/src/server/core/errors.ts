/** THE table from what went wrong to the NT_STATUS that the client is told. */
import { FsError } from '@holdfast/storage'
import type { FsErrorCode } from '@holdfast/storage'
import { MalformedError } from '@holdfast/wire'
import { AuthError } from '../../security/errors.ts'
import { StatusError } from './handler-api.ts'
import { statusOfMalformed } from '../../messages/fscc-errors.ts'
import { NtStatus } from '../../messages/nt-status.ts'

/** A filesystem's failure as MS-FSA and Windows name it. */
export const statusOfFsError: Readonly<Record<FsErrorCode, number>> = Object.freeze({
  'not-found': NtStatus.OBJECT_NAME_NOT_FOUND,
  'path-not-found': NtStatus.OBJECT_PATH_NOT_FOUND,
  exists: NtStatus.OBJECT_NAME_COLLISION,
  'not-empty': NtStatus.DIRECTORY_NOT_EMPTY,
  'is-folder': NtStatus.FILE_IS_A_DIRECTORY,
  'not-folder': NtStatus.NOT_A_DIRECTORY,
  'access-denied': NtStatus.ACCESS_DENIED,
  'read-only': NtStatus.MEDIA_WRITE_PROTECTED,
  'no-space': NtStatus.DISK_FULL,
  quota: NtStatus.QUOTA_EXCEEDED,
  'invalid-name': NtStatus.OBJECT_NAME_INVALID,
  'name-too-long': NtStatus.OBJECT_NAME_INVALID,
  'too-many-open': NtStatus.TOO_MANY_OPENED_FILES,
  'not-supported': NtStatus.NOT_SUPPORTED,
  'cross-device': NtStatus.NOT_SAME_DEVICE,
  // A symbolic link that leads out of the share: the client must not learn whether its target exists.
  escapes: NtStatus.ACCESS_DENIED,
  symlink: NtStatus.STOPPED_ON_SYMLINK,
  stale: NtStatus.FILE_CLOSED,
  busy: NtStatus.SHARING_VIOLATION,
  invalid: NtStatus.INVALID_PARAMETER,
  'too-large': NtStatus.DISK_FULL,
  io: NtStatus.IO_DEVICE_ERROR,
})

/** Codes of errors of other rooms (`error.code`), that are neither FsError nor StatusError. */
export const statusOfCode: Readonly<Record<string, number>> = Object.freeze({
  // The worker that owned the arbitration of the share died while it was asked; the client may try again.
  WORKER_LOST: NtStatus.FILE_NOT_AVAILABLE,
  // The engine: a response found no room in shared memory.
  OUT_OF_SHARED_MEMORY: NtStatus.INSUFFICIENT_RESOURCES,
})

/** What an exception means to the client; `expected` is false for what is our own bug: it is to be logged. */
export interface Failure {
  readonly status: number
  readonly data: Uint8Array | undefined
  readonly expected: boolean
}

interface HasStatus {
  readonly status: number
}

const hasStatus = (error: unknown): error is HasStatus =>
  typeof error === 'object' && error !== null && 'status' in error && Number.isInteger(error.status) && (error as HasStatus).status >>> 30 >= 2

/** Finds the NT_STATUS of anything thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StatusError) return { status: error.status, data: error.data, expected: true }
  if (error instanceof FsError) return { status: statusOfFsError[error.code], data: undefined, expected: true }
  if (error instanceof MalformedError) return { status: statusOfMalformed[error.code] ?? NtStatus.INVALID_PARAMETER, data: undefined, expected: true }
  if (error instanceof AuthError) return { status: error.status, data: undefined, expected: true }
  // Other rooms' errors that carry an NT_STATUS of their own (arbitration results).
  if (error instanceof Error && hasStatus(error)) return { status: error.status, data: undefined, expected: true }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const status = statusOfCode[code]
  if (status !== undefined) return { status, data: undefined, expected: true }
  return { status: NtStatus.INTERNAL_ERROR, data: undefined, expected: false }
}
