/** READ (MS-SMB2 2.2.19, 2.2.20). */
import { data, emptyBytes, fixed, lengthOf, offsetOf, reserved, struct, u16, u32, u64, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'
import { body, oddBody } from './header.ts'

/** READ request (2.2.19). */
export const ReadRequest = struct(
  'SMB2 READ request',
  {
    structureSize: fixed(u16, 49),
    /** Where the client would like the data in the response, counted from its header. */
    padding: withDefault(u8, 0x50),
    /** `ReadFlags`. */
    flags: withDefault(u8, 0),
    /** Bytes asked for. */
    length: u32,
    offset: u64,
    fileId: FileId,
    /** Fewer bytes than these are END_OF_FILE. */
    minimumCount: withDefault(u32, 0),
    /** `Channel`. */
    channel: withDefault(u32, 0),
    remainingBytes: withDefault(u32, 0),
    readChannelInfoOffset: offsetOf('readChannelInfo', u16),
    readChannelInfoLength: lengthOf('readChannelInfo', u16),
    /** `BufferDescriptorV1` elements when `channel` says so. */
    readChannelInfo: withDefault(data({ emptyOffset: 'zero' }), emptyBytes),
  },
  oddBody,
)
export type ReadRequest = Infer<typeof ReadRequest>

/** Where the data begins in a READ response, counted from the header's start. */
export const readDataOffset = 0x50

/** READ response (2.2.20). Encode with `inPlace(length)` when the data was read straight into its place, `readDataOffset`. */
export const ReadResponse = struct(
  'SMB2 READ response',
  {
    structureSize: fixed(u16, 17),
    dataOffset: offsetOf('data', u8),
    reserved: reserved(u8),
    dataLength: lengthOf('data', u32),
    /** Bytes sent by RDMA, not here. */
    dataRemaining: withDefault(u32, 0),
    flags: withDefault(u32, 0),
    data: data(),
  },
  body,
)
export type ReadResponse = Infer<typeof ReadResponse>

/** SMB_DIRECT_BUFFER_DESCRIPTOR_1 (MS-SMBD 2.2.3.1), 16 bytes. */
export const BufferDescriptorV1 = struct('SMB_DIRECT_BUFFER_DESCRIPTOR_1', { offset: u64, token: u32, length: u32 })
export type BufferDescriptorV1 = Infer<typeof BufferDescriptorV1>
