/** What sense data says of the errors of a block device. */
import { BlockDeviceError } from '@holdfast/storage/block'
import type { BlockDeviceErrorCode } from '@holdfast/storage/block'
import { CheckCondition } from './sense.ts'
import type { AdditionalSenseName, SenseKeyName } from './additional-sense.ts'

/** An owner that has gone comes back, as a rule: initiators try again when they are told that. */
const conditions: Readonly<Record<BlockDeviceErrorCode, readonly [SenseKeyName, AdditionalSenseName]>> = {
  NO_SPACE: ['DATA PROTECT', 'SPACE ALLOCATION FAILED WRITE PROTECT'],
  READ_FAILED: ['MEDIUM ERROR', 'UNRECOVERED READ ERROR'],
  WRITE_FAILED: ['MEDIUM ERROR', 'WRITE ERROR'],
  READ_ONLY: ['DATA PROTECT', 'WRITE PROTECTED'],
  GONE: ['NOT READY', 'LOGICAL UNIT IS IN PROCESS OF BECOMING READY'],
  CORRUPT: ['MEDIUM ERROR', 'UNRECOVERED READ ERROR'],
}

/** Undefined for what is no error of a device. INFORMATION is the logical block (SBC-4 4.18.1). */
export function blockDeviceSense(error: unknown, blockBytes: number): CheckCondition | undefined {
  if (!(error instanceof BlockDeviceError)) return undefined
  const [key, additional] = conditions[error.code]
  return new CheckCondition(key, additional, error.offset === undefined ? {} : { information: Math.floor(error.offset / blockBytes) })
}
