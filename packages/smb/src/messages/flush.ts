/** FLUSH (MS-SMB2 2.2.17, 2.2.18). */
import { fixed, reserved, struct, u16, u32 } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'

/** FLUSH request (2.2.17). */
export const FlushRequest = struct('SMB2 FLUSH request', {
  structureSize: fixed(u16, 24),
  reserved1: reserved(u16),
  reserved2: reserved(u32),
  fileId: FileId,
})
export type FlushRequest = Infer<typeof FlushRequest>

/** FLUSH response (2.2.18). */
export const FlushResponse = struct('SMB2 FLUSH response', { structureSize: fixed(u16, 4), reserved: reserved(u16) })
