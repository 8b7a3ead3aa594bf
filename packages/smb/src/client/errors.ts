/** What the client throws: one error with a stable `code`, made from NT_STATUS by one table (MS-ERREF 2.3.1). */
import { NtStatus, ntStatusName } from '../messages/index.ts'

/** NT_STATUS -> code, POSIX's name where there is one. What is not here is `EIO`; `statusName` tells more. */
const codeOfStatus = {
  [NtStatus.OBJECT_NAME_NOT_FOUND]: 'ENOENT',
  [NtStatus.OBJECT_PATH_NOT_FOUND]: 'ENOENT',
  [NtStatus.NO_SUCH_FILE]: 'ENOENT',
  [NtStatus.NOT_FOUND]: 'ENOENT',
  [NtStatus.FILE_DELETED]: 'ENOENT',
  [NtStatus.OBJECT_NAME_COLLISION]: 'EEXIST',
  [NtStatus.OBJECTID_EXISTS]: 'EEXIST',
  [NtStatus.FILE_IS_A_DIRECTORY]: 'EISDIR',
  [NtStatus.NOT_A_DIRECTORY]: 'ENOTDIR',
  [NtStatus.OBJECT_TYPE_MISMATCH]: 'ENOTDIR',
  [NtStatus.DIRECTORY_NOT_EMPTY]: 'ENOTEMPTY',
  [NtStatus.ACCESS_DENIED]: 'EACCES',
  [NtStatus.NETWORK_ACCESS_DENIED]: 'EACCES',
  [NtStatus.PRIVILEGE_NOT_HELD]: 'EPERM',
  [NtStatus.CANNOT_DELETE]: 'EPERM',
  [NtStatus.SHARING_VIOLATION]: 'EBUSY',
  [NtStatus.DELETE_PENDING]: 'EBUSY',
  [NtStatus.FILES_OPEN]: 'EBUSY',
  [NtStatus.LOCK_NOT_GRANTED]: 'EAGAIN',
  [NtStatus.FILE_LOCK_CONFLICT]: 'EAGAIN',
  [NtStatus.RETRY]: 'EAGAIN',
  [NtStatus.RANGE_NOT_LOCKED]: 'ENOLCK',
  [NtStatus.DISK_FULL]: 'ENOSPC',
  [NtStatus.QUOTA_EXCEEDED]: 'EDQUOT',
  [NtStatus.MEDIA_WRITE_PROTECTED]: 'EROFS',
  [NtStatus.OBJECT_NAME_INVALID]: 'EINVAL',
  [NtStatus.OBJECT_PATH_SYNTAX_BAD]: 'EINVAL',
  [NtStatus.INVALID_PARAMETER]: 'EINVAL',
  [NtStatus.NAME_TOO_LONG]: 'ENAMETOOLONG',
  [NtStatus.FILE_CLOSED]: 'EBADF',
  [NtStatus.INVALID_HANDLE]: 'EBADF',
  [NtStatus.FILE_FORCED_CLOSED]: 'EBADF',
  [NtStatus.TOO_MANY_OPENED_FILES]: 'EMFILE',
  [NtStatus.TOO_MANY_LINKS]: 'EMLINK',
  [NtStatus.NOT_SAME_DEVICE]: 'EXDEV',
  [NtStatus.STOPPED_ON_SYMLINK]: 'ELOOP',
  [NtStatus.NOT_SUPPORTED]: 'ENOTSUP',
  [NtStatus.INVALID_DEVICE_REQUEST]: 'ENOTSUP',
  [NtStatus.INVALID_INFO_CLASS]: 'ENOTSUP',
  [NtStatus.NOT_IMPLEMENTED]: 'ENOTSUP',
  [NtStatus.EAS_NOT_SUPPORTED]: 'ENOTSUP',
  [NtStatus.CANCELLED]: 'ECANCELED',
  [NtStatus.IO_TIMEOUT]: 'ETIMEDOUT',
  [NtStatus.INSUFFICIENT_RESOURCES]: 'ENOMEM',
  [NtStatus.INSUFF_SERVER_RESOURCES]: 'ENOMEM',
  [NtStatus.NO_MEMORY]: 'ENOMEM',
  [NtStatus.PIPE_BROKEN]: 'EPIPE',
  [NtStatus.PIPE_DISCONNECTED]: 'EPIPE',
  [NtStatus.LOGON_FAILURE]: 'LOGON_FAILURE',
  [NtStatus.NO_SUCH_USER]: 'LOGON_FAILURE',
  [NtStatus.WRONG_PASSWORD]: 'LOGON_FAILURE',
  [NtStatus.ACCOUNT_DISABLED]: 'LOGON_FAILURE',
  [NtStatus.ACCOUNT_EXPIRED]: 'LOGON_FAILURE',
  [NtStatus.ACCOUNT_LOCKED_OUT]: 'LOGON_FAILURE',
  [NtStatus.ACCOUNT_RESTRICTION]: 'LOGON_FAILURE',
  [NtStatus.PASSWORD_EXPIRED]: 'LOGON_FAILURE',
  [NtStatus.PASSWORD_MUST_CHANGE]: 'LOGON_FAILURE',
  [NtStatus.LOGON_TYPE_NOT_GRANTED]: 'LOGON_FAILURE',
  [NtStatus.BAD_NETWORK_NAME]: 'NO_SUCH_SHARE',
  [NtStatus.BAD_DEVICE_TYPE]: 'NO_SUCH_SHARE',
  [NtStatus.USER_SESSION_DELETED]: 'SESSION_EXPIRED',
  [NtStatus.NETWORK_SESSION_EXPIRED]: 'SESSION_EXPIRED',
  [NtStatus.NETWORK_NAME_DELETED]: 'SHARE_GONE',
} as const satisfies Record<number, string>

/**
 * What went wrong, for programs.
 *
 * Beside the codes of an answer: `CONNECTION_FAILED` (no TCP connection), `CONNECTION_LOST` (with all that was under way), `CLOSED` (by
 * ourselves), `TIMEOUT`, `NEGOTIATION_FAILED` (no dialect, or an answer that breaks the rules), `NEGOTIATION_TAMPERED` (MS-SMB2 3.2.5.5),
 * `HANDLE_LOST` (the connection was lost, and the server does not have this open any more; what was under way about it may have been
 * carried out), `OUTCOME_UNKNOWN` (the connection, or a part of the server, was lost, and it cannot be told whether this was carried out), `SIGNATURE_INVALID`, `GUEST_REFUSED`, `ENCRYPTION_NOT_SUPPORTED`, `CREDITS_EXHAUSTED`, `EFBIG` (too large to be held in memory), `MALFORMED` (the server sent nonsense), `EIO` (any other status).
 */
export type SmbErrorCode =
  | (typeof codeOfStatus)[keyof typeof codeOfStatus]
  | 'CONNECTION_FAILED'
  | 'CONNECTION_LOST'
  | 'CLOSED'
  | 'HANDLE_LOST'
  | 'OUTCOME_UNKNOWN'
  | 'TIMEOUT'
  | 'NEGOTIATION_FAILED'
  | 'NEGOTIATION_TAMPERED'
  | 'SIGNATURE_INVALID'
  | 'GUEST_REFUSED'
  | 'ENCRYPTION_NOT_SUPPORTED'
  | 'CREDITS_EXHAUSTED'
  | 'EFBIG'
  | 'MALFORMED'
  | 'EIO'

/** The code for an NT_STATUS. */
export const smbErrorCode = (status: number): SmbErrorCode => (codeOfStatus as Readonly<Record<number, SmbErrorCode>>)[status] ?? 'EIO'

/** Anything that fails. `code` is stable; `status` and `statusName` are the server's NT_STATUS where it sent one. */
export class SmbError extends Error {
  readonly code: SmbErrorCode
  /** NT_STATUS, unsigned; undefined where no server said anything. */
  readonly status: number | undefined
  /** `STATUS_ACCESS_DENIED`; undefined as `status`. */
  readonly statusName: string | undefined
  /** What was asked for: a path in the share, or the share; undefined where it is about neither. */
  readonly path: string | undefined

  constructor(
    code: SmbErrorCode,
    message: string,
    details: { readonly status?: number; readonly path?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SmbError'
    this.code = code
    this.status = details.status
    this.statusName = details.status === undefined ? undefined : ntStatusName(details.status)
    this.path = details.path
  }
}

/** The error for a server's answer. `what`: the request, e.g. `CREATE`. */
export function statusError(status: number, what: string, path?: string): SmbError {
  const subject = path === undefined ? '' : ` '${path}'`
  return new SmbError(smbErrorCode(status), `${what}${subject}: ${ntStatusName(status)}`, { status, path })
}
