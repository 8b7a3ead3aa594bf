/** Quota lists: FILE_QUOTA_INFORMATION (MS-FSCC 2.4.39) and FILE_GET_QUOTA_INFORMATION (2.4.39.1). */
import { chainLength, data, decodeChain, encodeChain, filetime, lengthOf, reserved, struct, u32, u64 } from '@holdfast/wire'
import { decodeSid, encodeSid, type Sid } from './sid.ts'

const QuotaEntry = struct('FILE_QUOTA_INFORMATION', {
  nextEntryOffset: reserved(u32),
  sidLengthBytes: lengthOf('sid', u32),
  changedAt: filetime,
  usedBytes: u64,
  thresholdBytes: u64,
  limitBytes: u64,
  sid: data(),
})

const GetQuotaEntry = struct('FILE_GET_QUOTA_INFORMATION', { nextEntryOffset: reserved(u32), sidLengthBytes: lengthOf('sid', u32), sid: data() })

/** What one user takes of a volume and may take (MS-FSCC 2.4.39); `changedAt` in 100 ns units since 1601. */
export interface Quota {
  readonly sid: Sid
  readonly changedAt: bigint
  readonly usedBytes: bigint
  /** 0xffff_ffff_ffff_ffff: none. */
  readonly thresholdBytes: bigint
  readonly limitBytes: bigint
}

/** Encodes a list, entries at multiples of 8 bytes. */
export function encodeQuotas(quotas: readonly Quota[]): Buffer {
  const entries = quotas.map(quota => ({ ...quota, sid: encodeSid(quota.sid) }))
  const target = Buffer.alloc(chainLength(QuotaEntry, entries, 8))
  encodeChain(QuotaEntry, entries, target, 0, 8)
  return target
}

/** Reads a list. Throws `MalformedError`. */
export function decodeQuotas(list: Buffer): Quota[] {
  return decodeChain(QuotaEntry, list).map(entry => ({ ...entry, sid: decodeSid(entry.sid) }))
}

/** Reads the SIDs that a query asks for. Throws `MalformedError`. */
export function decodeQuotaSids(list: Buffer): Sid[] {
  return decodeChain(GetQuotaEntry, list).map(entry => decodeSid(entry.sid))
}
