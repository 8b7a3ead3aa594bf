/** SET_INFO (MS-SMB2 2.2.39, 2.2.40). */
import { data, fixed, lengthOf, offsetOf, reserved, struct, u16, u32, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'
import { oddBody } from './header.ts'

/** SET_INFO request (2.2.39). */
export const SetInfoRequest = struct(
  'SMB2 SET_INFO request',
  {
    structureSize: fixed(u16, 33),
    /** `InfoType`. */
    infoType: u8,
    /** MS-FSCC 2.4 or 2.5; 0 for security. */
    fileInfoClass: u8,
    bufferLength: lengthOf('buffer', u32),
    bufferOffset: offsetOf('buffer', u16),
    reserved: reserved(u16),
    /** `securityInformation` bits. */
    additionalInformation: withDefault(u32, 0),
    fileId: FileId,
    buffer: data(),
  },
  oddBody,
)
export type SetInfoRequest = Infer<typeof SetInfoRequest>

/** SET_INFO response (2.2.40). */
export const SetInfoResponse = struct('SMB2 SET_INFO response', { structureSize: fixed(u16, 2) })
