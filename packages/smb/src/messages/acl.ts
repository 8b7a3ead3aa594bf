/** Access control entries (MS-DTYP 2.4.4) and lists (2.4.5). */
import { MalformedError } from '@holdfast/wire'
import { readSid, sidHeaderBytes, sidLengthBytes, writeSid, type Sid } from './sid.ts'

/** ACE_HEADER.AceType (MS-DTYP 2.4.4.1). */
export const aceType = {
  accessAllowed: 0x00,
  accessDenied: 0x01,
  systemAudit: 0x02,
  systemAlarm: 0x03,
  accessAllowedCompound: 0x04,
  accessAllowedObject: 0x05,
  accessDeniedObject: 0x06,
  systemAuditObject: 0x07,
  systemAlarmObject: 0x08,
  accessAllowedCallback: 0x09,
  accessDeniedCallback: 0x0a,
  accessAllowedCallbackObject: 0x0b,
  accessDeniedCallbackObject: 0x0c,
  systemAuditCallback: 0x0d,
  systemAlarmCallback: 0x0e,
  systemAuditCallbackObject: 0x0f,
  systemAlarmCallbackObject: 0x10,
  systemMandatoryLabel: 0x11,
  systemResourceAttribute: 0x12,
  systemScopedPolicyId: 0x13,
} as const

/** ACE_HEADER.AceFlags (MS-DTYP 2.4.4.1). */
export const aceFlags = {
  objectInherit: 0x01,
  containerInherit: 0x02,
  noPropagateInherit: 0x04,
  inheritOnly: 0x08,
  inherited: 0x10,
  successfulAccess: 0x40,
  failedAccess: 0x80,
} as const

/** The flags that say how an ACE is inherited. */
export const inheritanceFlags = aceFlags.objectInherit | aceFlags.containerInherit | aceFlags.noPropagateInherit | aceFlags.inheritOnly

/** An access control entry (MS-DTYP 2.4.4). */
export interface Ace {
  /** `aceType`. */
  readonly type: number
  /** `aceFlags`. */
  readonly flags: number
  /** Access mask, unsigned; 0 for a type whose layout is unknown. */
  readonly mask: number
  /** Undefined for a type whose layout is unknown: `data` then holds all that follows the ACE header. */
  readonly sid: Sid | undefined
  /** GUIDs of object ACEs (MS-DTYP 2.4.4.3), 16 bytes each. */
  readonly objectType?: Uint8Array
  readonly inheritedObjectType?: Uint8Array
  /** What follows the SID: the condition of a callback ACE, the claim of a resource attribute (opaque here). */
  readonly data?: Uint8Array
}

/** An access control list (MS-DTYP 2.4.5), entries in the order in which they are evaluated. */
export interface Acl {
  /** 2, or 4 (ACL_REVISION_DS) when there are object ACEs. */
  readonly revision: number
  readonly aces: readonly Ace[]
}

/** Entries in a list at most: what fits into its 16-bit length. */
export const maxAces = 4096

const aceHeaderBytes = 4
const aclHeaderBytes = 8
const guidBytes = 16
const objectTypePresent = 1
const inheritedObjectTypePresent = 2

type Layout = 'simple' | 'object' | 'opaque'
const layouts: readonly Layout[] = Object.values(aceType).map(type => {
  if (type === aceType.accessAllowedCompound) return 'opaque'
  return [0x05, 0x06, 0x07, 0x08, 0x0b, 0x0c, 0x0f, 0x10].includes(type) ? 'object' : 'simple'
})

/** Is the layout "ACE header, mask, flags, up to two GUIDs, SID" (MS-DTYP 2.4.4.3)? */
export function isObjectAce(type: number): boolean {
  return layouts[type] === 'object'
}

/** Makes an ACCESS_ALLOWED entry. */
export function allow(sid: Sid, mask: number, flags = 0): Ace {
  return { type: aceType.accessAllowed, flags, mask: mask >>> 0, sid }
}

/** Makes an ACCESS_DENIED entry. */
export function deny(sid: Sid, mask: number, flags = 0): Ace {
  return { type: aceType.accessDenied, flags, mask: mask >>> 0, sid }
}

function bad(message: string): MalformedError {
  return new MalformedError('INVALID_ACL', message)
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8)
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

function readAce(bytes: Uint8Array, at: number, end: number): Ace {
  const type = bytes[at]
  const flags = bytes[at + 1]
  const layout = layouts[type] ?? 'opaque'
  if (layout === 'opaque') return { type, flags, mask: 0, sid: undefined, data: bytes.subarray(at + aceHeaderBytes, end) }
  let position = at + aceHeaderBytes + 4
  if (position + sidHeaderBytes > end) throw bad('an ACE is too short')
  const mask = u32(bytes, at + aceHeaderBytes)
  let guids: { objectType?: Uint8Array; inheritedObjectType?: Uint8Array } | undefined
  if (layout === 'object') {
    const present = u32(bytes, position)
    position += 4
    guids = {}
    if ((present & objectTypePresent) !== 0) guids.objectType = bytes.subarray(position, (position += guidBytes))
    if ((present & inheritedObjectTypePresent) !== 0) guids.inheritedObjectType = bytes.subarray(position, (position += guidBytes))
    if (position > end) throw bad('an object ACE is too short')
  }
  const { sid, end: sidEnd } = readSid(bytes, position, end)
  const data = sidEnd < end ? { data: bytes.subarray(sidEnd, end) } : undefined
  return guids === undefined && data === undefined ? { type, flags, mask, sid } : { type, flags, mask, sid, ...guids, ...data }
}

/**
 * Reads the ACL at `at`, which must end at or before `end`. Opaque parts of entries are views of `bytes`.
 * Throws `MalformedError` with code `INVALID_ACL` or `INVALID_SID`.
 */
export function readAcl(bytes: Uint8Array, at: number, end: number): Acl {
  if (end > bytes.length || at < 0 || at + aclHeaderBytes > end) throw bad('an ACL is cut short')
  const revision = bytes[at]
  const aclEnd = at + u16(bytes, at + 2)
  const count = u16(bytes, at + 4)
  if (revision < 2 || revision > 4) throw bad(`unknown ACL revision ${revision}`)
  if (aclEnd > end || aclEnd < at + aclHeaderBytes || count > maxAces) throw bad('size or count of an ACL is wrong')
  const aces: Ace[] = []
  let position = at + aclHeaderBytes
  for (let index = 0; index < count; index++) {
    if (position + aceHeaderBytes > aclEnd) throw bad('more ACEs announced than there are')
    const aceEnd = position + u16(bytes, position + 2)
    if (aceEnd < position + aceHeaderBytes || aceEnd > aclEnd) throw bad('size of an ACE is wrong')
    aces.push(readAce(bytes, position, aceEnd))
    position = aceEnd
  }
  return { revision, aces }
}

function aceLengthBytes(ace: Ace): number {
  const data = ace.data?.length ?? 0
  if (ace.sid === undefined) return (aceHeaderBytes + data + 3) & ~3
  const guids = isObjectAce(ace.type)
    ? 4 + (ace.objectType === undefined ? 0 : guidBytes) + (ace.inheritedObjectType === undefined ? 0 : guidBytes)
    : 0
  return (aceHeaderBytes + 4 + guids + sidLengthBytes(ace.sid) + data + 3) & ~3
}

/** Length of the list as `writeAcl` writes it, in bytes. */
export function aclLengthBytes(acl: Acl): number {
  let length = aclHeaderBytes
  for (const ace of acl.aces) length += aceLengthBytes(ace)
  return length
}

function writeAce(target: Buffer, at: number, ace: Ace): number {
  const end = at + aceLengthBytes(ace)
  target[at] = ace.type
  target[at + 1] = ace.flags
  target.writeUInt16LE(end - at, at + 2)
  let position = at + aceHeaderBytes
  if (ace.sid !== undefined) {
    position = target.writeUInt32LE(ace.mask >>> 0, position)
    if (isObjectAce(ace.type)) {
      const present =
        (ace.objectType === undefined ? 0 : objectTypePresent) | (ace.inheritedObjectType === undefined ? 0 : inheritedObjectTypePresent)
      position = target.writeUInt32LE(present, position)
      for (const guid of [ace.objectType, ace.inheritedObjectType]) {
        if (guid === undefined) continue
        target.set(guid.subarray(0, guidBytes), position)
        position += guidBytes
      }
    }
    position = writeSid(target, position, ace.sid)
  }
  if (ace.data !== undefined) {
    target.set(ace.data, position)
    position += ace.data.length
  }
  target.fill(0, position, end)
  return end
}

/**
 * Writes the list at `at`; returns the position after it. Every ACE is padded to 4 bytes.
 * Throws `MalformedError` with code `INVALID_ACL` when it would be longer than the 65,535 bytes an ACL can have
 * (a merge or an inheritance of what peers sent may come to that).
 */
export function writeAcl(target: Buffer, at: number, acl: Acl): number {
  const length = aclLengthBytes(acl)
  if (length > 0xffff) throw bad('an ACL is longer than 65,535 bytes')
  target[at] = acl.aces.some(ace => isObjectAce(ace.type)) ? 4 : acl.revision
  target[at + 1] = 0
  target.writeUInt16LE(length, at + 2)
  target.writeUInt16LE(acl.aces.length, at + 4)
  target.writeUInt16LE(0, at + 6)
  let position = at + aclHeaderBytes
  for (const ace of acl.aces) position = writeAce(target, position, ace)
  return position
}
