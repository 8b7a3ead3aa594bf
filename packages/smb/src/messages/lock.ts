/** LOCK (MS-SMB2 2.2.26, 2.2.27). */
import { array, countOf, fixed, reserved, struct, u16, u32, u64, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'

/** SMB2_LOCK_ELEMENT (2.2.26.1), 24 bytes. */
export const LockElement = struct('SMB2_LOCK_ELEMENT', {
  offset: u64,
  length: u64,
  /** `LockFlags`. */
  flags: u32,
  reserved: reserved(u32),
})
export type LockElement = Infer<typeof LockElement>

/** LOCK request (2.2.26). */
export const LockRequest = struct('SMB2 LOCK request', {
  structureSize: fixed(u16, 48),
  lockCount: countOf('locks', u16),
  /** LockSequenceNumber and LockSequenceIndex: see `lockSequenceOf`. */
  lockSequence: withDefault(u32, 0),
  fileId: FileId,
  locks: array(LockElement),
})
export type LockRequest = Infer<typeof LockRequest>

/** LockSequenceNumber (the low 4 bits) and LockSequenceIndex (the other 28; 1 to 64 when it is used). */
export const lockSequenceOf = ({ lockSequence }: { readonly lockSequence: number }): { readonly number: number; readonly index: number } => ({
  number: lockSequence & 0xf,
  index: lockSequence >>> 4,
})

/** LOCK response (2.2.27). */
export const LockResponse = struct('SMB2 LOCK response', { structureSize: fixed(u16, 4), reserved: reserved(u16) })
