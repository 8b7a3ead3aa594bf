/** CLOSE (MS-SMB2 2.2.15, 2.2.16). */
import { filetime, fixed, reserved, struct, u16, u32, u64n, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'

/** CLOSE request (2.2.15). */
export const CloseRequest = struct('SMB2 CLOSE request', {
  structureSize: fixed(u16, 24),
  /** `CloseFlags`. */
  flags: withDefault(u16, 0),
  reserved: reserved(u32),
  fileId: FileId,
})
export type CloseRequest = Infer<typeof CloseRequest>

/** CLOSE response (2.2.16); times and sizes are zero unless `CloseFlags.postqueryAttrib` was asked for and is set. */
export const CloseResponse = struct('SMB2 CLOSE response', {
  structureSize: fixed(u16, 60),
  /** `CloseFlags`. */
  flags: withDefault(u16, 0),
  reserved: reserved(u32),
  creationTime: withDefault(filetime, 0n),
  lastAccessTime: withDefault(filetime, 0n),
  lastWriteTime: withDefault(filetime, 0n),
  changeTime: withDefault(filetime, 0n),
  allocationSize: withDefault(u64n, 0),
  endOfFile: withDefault(u64n, 0),
  fileAttributes: withDefault(u32, 0),
})
export type CloseResponse = Infer<typeof CloseResponse>
