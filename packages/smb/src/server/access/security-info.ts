/** QUERY_INFO and SET_INFO of security: which rights they need, which parts go out, which parts are taken (MS-FSA 2.1.5.14, 2.1.5.17). */
import { aceType, aceFlags, type Ace, type Acl } from '../../messages/acl.ts'
import { access, mapGenericAccess } from '../../messages/fscc-access-mask.ts'
import { descriptorControl, securityInformation as part, type SecurityDescriptor } from '../../messages/security-descriptor.ts'

const { readControl, writeDac, writeOwner, accessSystemSecurity } = access

/** Rights per SECURITY_INFORMATION bit (MS-DTYP 2.4.7, MS-FSA 2.1.5.14 and 2.1.5.17). */
const rights: readonly { readonly bit: number; readonly query: number; readonly set: number }[] = [
  { bit: part.owner, query: readControl, set: writeOwner },
  { bit: part.group, query: readControl, set: writeOwner },
  { bit: part.dacl, query: readControl, set: writeDac },
  { bit: part.sacl, query: accessSystemSecurity, set: accessSystemSecurity },
  { bit: part.label, query: readControl, set: writeOwner },
  { bit: part.attribute, query: readControl, set: writeDac },
  { bit: part.scope, query: readControl, set: accessSystemSecurity },
  { bit: part.backup, query: readControl | accessSystemSecurity, set: writeDac | writeOwner | accessSystemSecurity },
  { bit: part.protectedDacl, query: 0, set: writeDac },
  { bit: part.unprotectedDacl, query: 0, set: writeDac },
  { bit: part.protectedSacl, query: 0, set: accessSystemSecurity },
  { bit: part.unprotectedSacl, query: 0, set: accessSystemSecurity },
]

function rightsFor(information: number, direction: 'query' | 'set'): number {
  let mask = 0
  for (const row of rights) if ((information & row.bit) !== 0) mask |= row[direction]
  return mask >>> 0
}

/** Granted access that a query of these parts needs. */
export function accessToQuerySecurity(information: number): number {
  return rightsFor(information, 'query')
}

/** Granted access that setting these parts needs. */
export function accessToSetSecurity(information: number): number {
  return rightsFor(information, 'set')
}

/** The SECURITY_INFORMATION bit that speaks for a SACL entry. */
function saclPart(ace: Ace): number {
  if (ace.type === aceType.systemMandatoryLabel) return part.label
  if (ace.type === aceType.systemResourceAttribute) return part.attribute
  if (ace.type === aceType.systemScopedPolicyId) return part.scope
  return part.sacl
}

const saclParts = part.sacl | part.label | part.attribute | part.scope

const ownerControl = descriptorControl.ownerDefaulted
const groupControl = descriptorControl.groupDefaulted
const daclControl =
  descriptorControl.daclPresent | descriptorControl.daclDefaulted | descriptorControl.daclAutoInherited | descriptorControl.daclProtected
const saclControl =
  descriptorControl.saclPresent | descriptorControl.saclDefaulted | descriptorControl.saclAutoInherited | descriptorControl.saclProtected

/** The parts of a descriptor that a query asks for; what is not asked for leaves no trace in the control bits either. */
export function selectSecurity(descriptor: SecurityDescriptor, information: number): SecurityDescriptor {
  const asked = (information & part.backup) !== 0 ? part.owner | part.group | part.dacl | saclParts : information
  const has = (bit: number) => (asked & bit) !== 0
  const sacl = (asked & saclParts) === 0 ? undefined : selectSacl(descriptor.sacl, asked)
  const keep = (has(part.owner) ? ownerControl : 0) | (has(part.group) ? groupControl : 0) | (has(part.dacl) ? daclControl : 0)
  return {
    control: descriptor.control & (keep | ((asked & saclParts) === 0 ? 0 : saclControl)),
    owner: has(part.owner) ? descriptor.owner : undefined,
    group: has(part.group) ? descriptor.group : undefined,
    dacl: has(part.dacl) ? descriptor.dacl : undefined,
    sacl,
  }
}

function selectSacl(sacl: Acl | null | undefined, asked: number): Acl | null | undefined {
  if (!sacl) return (asked & part.sacl) !== 0 ? sacl : undefined
  const aces = sacl.aces.filter(ace => (asked & saclPart(ace)) !== 0)
  return aces.length > 0 || (asked & part.sacl) !== 0 ? { revision: sacl.revision, aces } : undefined
}

/** Generic rights become specific ones in every entry that is effective on the object itself (MS-DTYP 2.5.3.4.1). */
export function mapGenericAces(acl: Acl): Acl {
  const aces = acl.aces.map(ace => {
    if ((ace.flags & aceFlags.inheritOnly) !== 0 || ace.sid === undefined) return ace
    const mask = mapGenericAccess(ace.mask)
    return mask === ace.mask ? ace : { ...ace, mask }
  })
  return { revision: acl.revision, aces }
}

/**
 * The control bits a newly set list has: AUTO_INHERITED is taken over only together with AUTO_INHERIT_REQ, which is itself
 * never stored; PROTECTED as given (MS-DTYP 2.4.6, MS-FSA 2.1.5.17).
 */
export function listControl(given: number, list: 'dacl' | 'sacl'): number {
  const bits = descriptorControl
  const [defaulted, request, inherited, isProtected] =
    list === 'dacl'
      ? [bits.daclDefaulted, bits.daclAutoInheritRequest, bits.daclAutoInherited, bits.daclProtected]
      : [bits.saclDefaulted, bits.saclAutoInheritRequest, bits.saclAutoInherited, bits.saclProtected]
  return (given & (isProtected | defaulted)) | ((given & request) !== 0 ? given & inherited : 0)
}

function replaceSacl(current: Acl | null | undefined, change: Acl | null | undefined, information: number): Acl {
  const kept = (current?.aces ?? []).filter(ace => (information & saclPart(ace)) === 0)
  const given = (change?.aces ?? []).filter(ace => (information & saclPart(ace)) !== 0)
  return mapGenericAces({ revision: change?.revision ?? current?.revision ?? 2, aces: [...kept, ...given] })
}

/**
 * The descriptor after a SET_INFO of `change`: only the parts named by `information` are taken, the rest stays.
 * A DACL that is named but not present becomes a NULL DACL, as on Windows; an owner or group that is named but missing is left alone.
 */
export function changeSecurity(options: {
  readonly current: SecurityDescriptor
  readonly change: SecurityDescriptor
  readonly information: number
}): SecurityDescriptor {
  const { current, change } = options
  const information =
    (options.information & part.backup) !== 0 ? options.information | part.owner | part.group | part.dacl | saclParts : options.information
  const has = (bit: number) => (information & bit) !== 0
  let { control, owner, group, dacl, sacl } = current
  if (has(part.owner) && change.owner !== undefined) {
    owner = change.owner
    control &= ~ownerControl
  }
  if (has(part.group) && change.group !== undefined) {
    group = change.group
    control &= ~groupControl
  }
  if (has(part.dacl)) {
    dacl = change.dacl ? mapGenericAces(change.dacl) : null
    control = (control & ~daclControl) | listControl(change.control, 'dacl')
  }
  if ((information & saclParts) !== 0) {
    sacl = replaceSacl(current.sacl, change.sacl, information)
    if (sacl.aces.length === 0) sacl = undefined
    if (has(part.sacl)) control = (control & ~saclControl) | listControl(change.control, 'sacl')
  }
  if (has(part.protectedDacl)) control |= descriptorControl.daclProtected
  if (has(part.unprotectedDacl)) control &= ~descriptorControl.daclProtected
  if (has(part.protectedSacl)) control |= descriptorControl.saclProtected
  if (has(part.unprotectedSacl)) control &= ~descriptorControl.saclProtected
  return { control, owner, group, dacl, sacl }
}
