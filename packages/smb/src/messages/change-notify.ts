/** CHANGE_NOTIFY (MS-SMB2 2.2.35, 2.2.36). */
import { data, fixed, lengthOf, offsetOf, reserved, struct, u16, u32, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'
import { body } from './header.ts'

/** CHANGE_NOTIFY request (2.2.35). */
export const ChangeNotifyRequest = struct('SMB2 CHANGE_NOTIFY request', {
  structureSize: fixed(u16, 32),
  /** `ChangeNotifyFlags`. */
  flags: withDefault(u16, 0),
  outputBufferLength: u32,
  fileId: FileId,
  /** `CompletionFilter` bits. */
  completionFilter: u32,
  reserved: reserved(u32),
})
export type ChangeNotifyRequest = Infer<typeof ChangeNotifyRequest>

/** CHANGE_NOTIFY response (2.2.36). */
export const ChangeNotifyResponse = struct(
  'SMB2 CHANGE_NOTIFY response',
  {
    structureSize: fixed(u16, 9),
    outputBufferOffset: offsetOf('buffer', u16),
    outputBufferLength: lengthOf('buffer', u32),
    /** FILE_NOTIFY_INFORMATION list (MS-FSCC 2.7.1). */
    buffer: data(),
  },
  body,
)
export type ChangeNotifyResponse = Infer<typeof ChangeNotifyResponse>
