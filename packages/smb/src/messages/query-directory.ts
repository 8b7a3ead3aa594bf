/** QUERY_DIRECTORY (MS-SMB2 2.2.33, 2.2.34). */
import { data, fixed, lengthOf, offsetOf, struct, u16, u32, u8, utf16, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'
import { body, oddBody } from './header.ts'

/** QUERY_DIRECTORY request (2.2.33). */
export const QueryDirectoryRequest = struct(
  'SMB2 QUERY_DIRECTORY request',
  {
    structureSize: fixed(u16, 33),
    /** MS-FSCC 2.4. */
    fileInformationClass: u8,
    /** `QueryDirectoryFlags`. */
    flags: withDefault(u8, 0),
    fileIndex: withDefault(u32, 0),
    fileId: FileId,
    fileNameOffset: offsetOf('fileName', u16),
    fileNameLength: lengthOf('fileName', u16),
    outputBufferLength: u32,
    /** Search pattern. */
    fileName: utf16(),
  },
  oddBody,
)
export type QueryDirectoryRequest = Infer<typeof QueryDirectoryRequest>

/** QUERY_DIRECTORY response (2.2.34). */
export const QueryDirectoryResponse = struct(
  'SMB2 QUERY_DIRECTORY response',
  {
    structureSize: fixed(u16, 9),
    outputBufferOffset: offsetOf('buffer', u16),
    outputBufferLength: lengthOf('buffer', u32),
    /** A list of entries as MS-FSCC 2.4 has it for the class asked for. */
    buffer: data(),
  },
  body,
)
export type QueryDirectoryResponse = Infer<typeof QueryDirectoryResponse>
