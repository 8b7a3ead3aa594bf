/** QUERY_INFO (MS-SMB2 2.2.37, 2.2.38). */
import { bool8, data, emptyBytes, fixed, lengthOf, offsetOf, reserved, rest, struct, u16, u32, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'
import { body, oddBody } from './header.ts'

/** QUERY_INFO request (2.2.37). */
export const QueryInfoRequest = struct(
  'SMB2 QUERY_INFO request',
  {
    structureSize: fixed(u16, 41),
    /** `InfoType`. */
    infoType: u8,
    /** MS-FSCC 2.4 or 2.5; 0 for security. */
    fileInfoClass: u8,
    outputBufferLength: u32,
    inputBufferOffset: offsetOf('input', u16),
    reserved: reserved(u16),
    inputBufferLength: lengthOf('input', u32),
    /** `securityInformation` bits; for FileFullEaInformation the index of the first entry. */
    additionalInformation: withDefault(u32, 0),
    /** `QueryInfoFlags`. */
    flags: withDefault(u32, 0),
    fileId: FileId,
    /** `QueryQuotaInfo`, or a FILE_GET_EA_INFORMATION list. */
    input: withDefault(data({ emptyOffset: 'zero' }), emptyBytes),
  },
  oddBody,
)
export type QueryInfoRequest = Infer<typeof QueryInfoRequest>

/** QUERY_INFO response (2.2.38). */
export const QueryInfoResponse = struct(
  'SMB2 QUERY_INFO response',
  {
    structureSize: fixed(u16, 9),
    outputBufferOffset: offsetOf('buffer', u16),
    outputBufferLength: lengthOf('buffer', u32),
    buffer: data(),
  },
  body,
)
export type QueryInfoResponse = Infer<typeof QueryInfoResponse>

/** SMB2_QUERY_QUOTA_INFO (2.2.37.1). */
export const QueryQuotaInfo = struct('SMB2_QUERY_QUOTA_INFO', {
  returnSingle: bool8,
  restartScan: bool8,
  reserved: reserved(u16),
  sidListLength: u32,
  startSidLength: u32,
  /** Counts from the start of `sidBuffer`. */
  startSidOffset: u32,
  sidBuffer: rest(),
})
export type QueryQuotaInfo = Infer<typeof QueryQuotaInfo>
