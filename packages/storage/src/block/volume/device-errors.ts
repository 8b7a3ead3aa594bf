/** What the kernel's refusals mean to the user of a disk. */
import { PosixError, errno } from '@holdfast/posix'
import { BlockDeviceError } from '../block-device.ts'
import type { BlockDeviceErrorCode } from '../block-device.ts'

const noSpace: ReadonlySet<number> = new Set([errno.ENOSPC, errno.EDQUOT, errno.EFBIG])

/** The error for `-errno`, at a place of the device. */
export const deviceError = (
  result: number,
  otherwise: BlockDeviceErrorCode,
  { call, offset }: { call: string; offset?: number },
): BlockDeviceError => {
  const code = noSpace.has(-result) ? 'NO_SPACE' : otherwise
  return new BlockDeviceError(code, { cause: new PosixError(-result, call), ...(offset !== undefined && { offset }) })
}
