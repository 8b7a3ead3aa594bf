/** OPLOCK_BREAK: notifications of the server, acknowledgements of the client, and their responses (MS-SMB2 2.2.23 to 2.2.25). */
import { fixed, guid, reserved, struct, u16, u32, u64, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { FileId } from './file-id.ts'

const oplockBreak = {
  structureSize: fixed(u16, 24),
  /** `OplockLevel` to go (or gone) to. */
  oplockLevel: u8,
  reserved: reserved(u8),
  reserved2: reserved(u32),
  fileId: FileId,
}

/** Oplock break notification (2.2.23.1). */
export const OplockBreakNotification = struct('SMB2 oplock break notification', oplockBreak)
export type OplockBreakNotification = Infer<typeof OplockBreakNotification>

/** Oplock break acknowledgement (2.2.24.1). */
export const OplockBreakAcknowledgment = struct('SMB2 oplock break acknowledgment', oplockBreak)
export type OplockBreakAcknowledgment = Infer<typeof OplockBreakAcknowledgment>

/** Oplock break response (2.2.25.1). */
export const OplockBreakResponse = struct('SMB2 oplock break response', oplockBreak)
export type OplockBreakResponse = Infer<typeof OplockBreakResponse>

/** SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED (2.2.23.2). */
export const leaseBreakAckRequired = 0x01

/** Lease break notification (2.2.23.2). */
export const LeaseBreakNotification = struct('SMB2 lease break notification', {
  structureSize: fixed(u16, 44),
  /** 0 for a lease of version 1. */
  newEpoch: withDefault(u16, 0),
  /** 0 or `leaseBreakAckRequired`. */
  flags: withDefault(u32, 0),
  leaseKey: guid,
  currentLeaseState: u32,
  newLeaseState: u32,
  breakReason: reserved(u32),
  accessMaskHint: reserved(u32),
  shareMaskHint: reserved(u32),
})
export type LeaseBreakNotification = Infer<typeof LeaseBreakNotification>

const leaseBreak = {
  structureSize: fixed(u16, 36),
  reserved: reserved(u16),
  flags: reserved(u32),
  leaseKey: guid,
  leaseState: u32,
  leaseDuration: reserved(u64),
}

/** Lease break acknowledgement (2.2.24.2); told from the oplock form by its StructureSize. */
export const LeaseBreakAcknowledgment = struct('SMB2 lease break acknowledgment', leaseBreak)
export type LeaseBreakAcknowledgment = Infer<typeof LeaseBreakAcknowledgment>

/** Lease break response (2.2.25.2). */
export const LeaseBreakResponse = struct('SMB2 lease break response', leaseBreak)
export type LeaseBreakResponse = Infer<typeof LeaseBreakResponse>
