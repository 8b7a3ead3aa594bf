/** SECURITY_DESCRIPTOR, self-relative (MS-DTYP 2.4.6), and SECURITY_INFORMATION (2.4.7). */
import { MalformedError } from '@holdfast/wire'
import { aclLengthBytes, readAcl, writeAcl, type Acl } from './acl.ts'
import { readSid, sidLengthBytes, writeSid, type Sid } from './sid.ts'

/** SECURITY_DESCRIPTOR.Control (MS-DTYP 2.4.6). */
export const descriptorControl = {
  ownerDefaulted: 0x0001,
  groupDefaulted: 0x0002,
  daclPresent: 0x0004,
  daclDefaulted: 0x0008,
  saclPresent: 0x0010,
  saclDefaulted: 0x0020,
  daclTrusted: 0x0040,
  serverSecurity: 0x0080,
  daclAutoInheritRequest: 0x0100,
  saclAutoInheritRequest: 0x0200,
  daclAutoInherited: 0x0400,
  saclAutoInherited: 0x0800,
  daclProtected: 0x1000,
  saclProtected: 0x2000,
  resourceManagerControlValid: 0x4000,
  selfRelative: 0x8000,
} as const

/** SECURITY_INFORMATION (MS-DTYP 2.4.7), AdditionalInformation of QUERY_INFO and SET_INFO. */
export const securityInformation = {
  owner: 0x1,
  group: 0x2,
  dacl: 0x4,
  sacl: 0x8,
  label: 0x10,
  attribute: 0x20,
  scope: 0x40,
  backup: 0x1_0000,
  unprotectedSacl: 0x1000_0000,
  unprotectedDacl: 0x2000_0000,
  protectedSacl: 0x4000_0000,
  protectedDacl: 0x8000_0000,
} as const

/** Who owns an object and who may do what with it (MS-DTYP 2.4.6). */
export interface SecurityDescriptor {
  /** `descriptorControl`; the bits that say what is present (and SELF_RELATIVE) are written from the other fields. */
  readonly control: number
  readonly owner?: Sid | undefined
  readonly group?: Sid | undefined
  /** Undefined: none present; null: a NULL DACL, which grants everything to everyone. */
  readonly dacl?: Acl | null | undefined
  /** Undefined: none present; null: present and empty. */
  readonly sacl?: Acl | null | undefined
}

/** Length of the fixed part. */
export const descriptorHeaderBytes = 20

const { daclPresent, saclPresent, selfRelative, resourceManagerControlValid } = descriptorControl

function bad(message: string): MalformedError {
  return new MalformedError('INVALID_SECURITY_DESCR', message)
}

/**
 * Decodes a self-relative security descriptor. Opaque parts of ACEs are views of `bytes`.
 * Throws `MalformedError`: `INVALID_SECURITY_DESCR`, `INVALID_ACL` or `INVALID_SID`.
 */
export function decodeSecurityDescriptor(bytes: Uint8Array): SecurityDescriptor {
  if (bytes.length < descriptorHeaderBytes) throw bad('a security descriptor is cut short')
  const u32 = (at: number) => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
  const control = bytes[2] | (bytes[3] << 8)
  if (bytes[0] !== 1) throw bad('unknown revision of a security descriptor')
  if ((control & selfRelative) === 0) throw bad('the security descriptor is not self-relative')
  const [owner, group, sacl, dacl] = [u32(4), u32(8), u32(12), u32(16)]
  for (const offset of [owner, group, sacl, dacl]) {
    if (offset !== 0 && (offset < descriptorHeaderBytes || offset >= bytes.length)) throw bad('an offset leads out of the security descriptor')
  }
  const aclAt = (offset: number) => (offset === 0 ? null : readAcl(bytes, offset, bytes.length))
  return {
    control: control & ~resourceManagerControlValid,
    owner: owner === 0 ? undefined : readSid(bytes, owner, bytes.length).sid,
    group: group === 0 ? undefined : readSid(bytes, group, bytes.length).sid,
    // Offsets mean nothing where the control bit is missing (MS-DTYP 2.4.6).
    dacl: (control & daclPresent) === 0 ? undefined : aclAt(dacl),
    sacl: (control & saclPresent) === 0 ? undefined : aclAt(sacl),
  }
}

/** Length of what `encodeSecurityDescriptor` makes, in bytes. */
export function descriptorLengthBytes(descriptor: SecurityDescriptor): number {
  const { owner, group, dacl, sacl } = descriptor
  return (
    descriptorHeaderBytes +
    (owner === undefined ? 0 : sidLengthBytes(owner)) +
    (group === undefined ? 0 : sidLengthBytes(group)) +
    (sacl ? aclLengthBytes(sacl) : 0) +
    (dacl ? aclLengthBytes(dacl) : 0)
  )
}

/** The control bits as they are written: presence follows from the parts. */
export function effectiveControl(descriptor: SecurityDescriptor): number {
  let control = (descriptor.control & ~(daclPresent | saclPresent | resourceManagerControlValid)) | selfRelative
  if (descriptor.dacl !== undefined) control |= daclPresent
  if (descriptor.sacl !== undefined) control |= saclPresent
  return control
}

/**
 * Writes the self-relative form at `at` in the order Windows uses (SACL, DACL, owner, group); returns the position after it.
 * Throws `MalformedError` with code `INVALID_ACL` when a list is longer than an ACL can be.
 */
export function writeSecurityDescriptor(target: Buffer, at: number, descriptor: SecurityDescriptor): number {
  const { owner, group, dacl, sacl } = descriptor
  target.fill(0, at, at + descriptorHeaderBytes)
  target[at] = 1
  target.writeUInt16LE(effectiveControl(descriptor), at + 2)
  let position = at + descriptorHeaderBytes
  if (sacl) {
    target.writeUInt32LE(position - at, at + 12)
    position = writeAcl(target, position, sacl)
  }
  if (dacl) {
    target.writeUInt32LE(position - at, at + 16)
    position = writeAcl(target, position, dacl)
  }
  if (owner !== undefined) {
    target.writeUInt32LE(position - at, at + 4)
    position = writeSid(target, position, owner)
  }
  if (group !== undefined) {
    target.writeUInt32LE(position - at, at + 8)
    position = writeSid(target, position, group)
  }
  return position
}

/** The self-relative form in a buffer of its own. Throws as `writeSecurityDescriptor`. */
export function encodeSecurityDescriptor(descriptor: SecurityDescriptor): Buffer {
  const bytes = Buffer.allocUnsafe(descriptorLengthBytes(descriptor))
  writeSecurityDescriptor(bytes, 0, descriptor)
  return bytes
}
