/** WRITE (MS-SMB2 2.2.21, 2.2.22). */
import { data, emptyBytes, fixed, lengthOf, offsetOf, reserved, struct, u16, u32, u64, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'
import { oddBody } from './header.ts'

/** Where the data begins in a WRITE request that is encoded here, counted from the header's start. */
export const writeDataOffset = 0x70

/** WRITE request (2.2.21). Encode with `inPlace(length)` when the data is (or will be) at `writeDataOffset` already. */
export const WriteRequest = struct(
  'SMB2 WRITE request',
  {
    structureSize: fixed(u16, 49),
    dataOffset: offsetOf('data', u16),
    length: lengthOf('data', u32),
    offset: u64,
    fileId: FileId,
    /** `Channel`. */
    channel: withDefault(u32, 0),
    remainingBytes: withDefault(u32, 0),
    writeChannelInfoOffset: offsetOf('writeChannelInfo', u16),
    writeChannelInfoLength: lengthOf('writeChannelInfo', u16),
    /** `WriteFlags`. */
    flags: withDefault(u32, 0),
    data: data(),
    /** `BufferDescriptorV1` elements when `channel` says so. */
    writeChannelInfo: withDefault(data({ emptyOffset: 'zero' }), emptyBytes),
  },
  oddBody,
)
export type WriteRequest = Infer<typeof WriteRequest>

/** WRITE response (2.2.22). */
export const WriteResponse = struct('SMB2 WRITE response', {
  structureSize: fixed(u16, 17),
  reserved: reserved(u16),
  /** Bytes written. */
  count: u32,
  remaining: reserved(u32),
  writeChannelInfoOffset: reserved(u16),
  writeChannelInfoLength: reserved(u16),
})
export type WriteResponse = Infer<typeof WriteResponse>
