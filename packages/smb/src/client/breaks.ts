/** Breaks of leases and oplocks (MS-SMB2 3.2.5.19): the client caches nothing, so it agrees at once. */
import { headerSize, LeaseBreakNotification, leaseBreakAckRequired, OplockBreakNotification } from '../messages/index.ts'
import type { RemoteOpen } from './remote-open.ts'
import { operations } from './requests.ts'

/** StructureSize tells the two forms apart (2.2.23). */
const leaseBreakSize = 44

/** Takes in a notification, for the opens there are. Throws MalformedError. */
export function onBreak(message: Buffer, opens: Iterable<RemoteOpen>): void {
  if (message.length >= headerSize + 2 && message.readUInt16LE(headerSize) === leaseBreakSize) onLeaseBreak(message, opens)
  else onOplockBreak(message, opens)
}

function onLeaseBreak(message: Buffer, opens: Iterable<RemoteOpen>): void {
  const { leaseKey, newLeaseState, newEpoch, flags } = LeaseBreakNotification.decode(message, headerSize)
  for (const open of opens) {
    const { lease, tree } = open
    if (lease?.key !== leaseKey.toLowerCase()) continue
    // 16 bits: what is older by the difference was overtaken (3.2.5.19.2).
    if (((newEpoch - lease.epoch) & 0xffff) < 0x8000) Object.assign(lease, { state: newLeaseState, epoch: newEpoch })
    if ((flags & leaseBreakAckRequired) === 0) continue
    // A failure is of no consequence: then the lease is gone, or the connection.
    tree.exchange({ operation: operations.leaseBreak, value: { leaseKey, leaseState: newLeaseState }, scope: tree }).catch(() => undefined)
  }
}

function onOplockBreak(message: Buffer, opens: Iterable<RemoteOpen>): void {
  const { fileId, oplockLevel } = OplockBreakNotification.decode(message, headerSize)
  for (const { tree, persistent, volatile } of opens) {
    if (persistent !== fileId.persistent || volatile !== fileId.volatile) continue
    tree.exchange({ operation: operations.oplockBreak, value: { fileId, oplockLevel }, scope: tree }).catch(() => undefined)
  }
}
