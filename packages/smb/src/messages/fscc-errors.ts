/** What the client is told when bytes of these rooms were malformed (`MalformedError.code`); every other code is INVALID_PARAMETER. */
import { NtStatus } from './nt-status.ts'

/** NT_STATUS by `MalformedError.code`. */
export const statusOfMalformed: Readonly<Record<string, number>> = Object.freeze({
  INFO_LENGTH_MISMATCH: NtStatus.INFO_LENGTH_MISMATCH,
  EA_LIST_INCONSISTENT: NtStatus.EA_LIST_INCONSISTENT,
  INVALID_EA_NAME: NtStatus.INVALID_EA_NAME,
  INVALID_EA_FLAG: NtStatus.INVALID_EA_FLAG,
  INVALID_ACL: NtStatus.INVALID_ACL,
  INVALID_SID: NtStatus.INVALID_SID,
  INVALID_SECURITY_DESCR: NtStatus.INVALID_SECURITY_DESCR,
})
