/**
 * The access check (MS-DTYP 2.5.3.2, MS-FSA 2.1.5.1.2.1, MS-SMB2 3.3.5.9).
 *
 * Every bit is decided by the first entry of the DACL that names it for one of the token's SIDs. So one walk
 * gives all rights somebody has on a file, and what is asked for is compared with that: "maximum allowed", the
 * maximal access of MxAc and a plain open are the same computation.
 */
import { aceFlags, aceType, type Acl } from '../../messages/acl.ts'
import { access, fileRights, mapGenericAccess } from '../../messages/fscc-access-mask.ts'
import type { SecurityDescriptor } from '../../messages/security-descriptor.ts'
import { wellKnownSids } from '../../messages/sid.ts'
import type { Token } from './token.ts'

const ownerImplicit = access.readControl | access.writeDac
/** What SeBackupPrivilege and SeRestorePrivilege give an open with FILE_OPEN_FOR_BACKUP_INTENT (MS-FSA 2.1.5.1.2.1). */
const backupRights = access.readControl | fileRights.read | access.traverse
const restoreRights = access.writeDac | access.writeOwner | fileRights.write | access.delete
/** What FILE_ATTRIBUTE_READONLY takes from "maximum allowed" (MS-FSA 2.1.5.1.2.1). */
const readOnlyTakes = access.writeData | access.appendData | access.addSubdirectory | access.deleteChild
/** What FILE_ATTRIBUTE_READONLY refuses when asked for by name. */
const readOnlyRefuses = access.writeData | access.appendData

const grants: readonly (boolean | undefined)[] = aceEffects()

function aceEffects(): (boolean | undefined)[] {
  const effects: (boolean | undefined)[] = []
  effects[aceType.accessAllowed] = true
  effects[aceType.accessDenied] = false
  // Without an object type of their own, files see the object forms as the plain ones (MS-DTYP 2.5.3.2).
  effects[aceType.accessAllowedObject] = true
  effects[aceType.accessDeniedObject] = false
  // Conditions are not evaluated. An unknown condition denies where it would deny, and grants nothing (MS-DTYP 2.4.4.17).
  effects[aceType.accessDeniedCallback] = false
  effects[aceType.accessDeniedCallbackObject] = false
  return effects
}

function daclRights(dacl: Acl, token: Token, isOwner: boolean): { readonly allowed: number; readonly ownerRightsStated: boolean } {
  let allowed = 0
  let denied = 0
  let ownerRightsStated = false
  for (const ace of dacl.aces) {
    if ((ace.flags & aceFlags.inheritOnly) !== 0 || ace.sid === undefined) continue
    const effect = grants[ace.type]
    if (effect === undefined) continue
    if (ace.sid === wellKnownSids.ownerRights) {
      ownerRightsStated = true
      if (!isOwner) continue
    } else if (!token.sids.has(ace.sid)) continue
    const mask = mapGenericAccess(ace.mask)
    if (effect) allowed |= mask & ~denied
    else denied |= mask & ~allowed
  }
  return { allowed, ownerRightsStated }
}

/**
 * All rights a token has on an object by its descriptor, without those that come from the parent folder.
 * `backupIntent`: the open has FILE_OPEN_FOR_BACKUP_INTENT.
 */
export function effectiveAccess(options: {
  readonly descriptor: SecurityDescriptor
  readonly token: Token
  readonly backupIntent?: boolean
}): number {
  const { descriptor, token } = options
  const isOwner = descriptor.owner !== undefined && token.sids.has(descriptor.owner)
  let rights = fileRights.all as number
  if (descriptor.dacl) {
    const { allowed, ownerRightsStated } = daclRights(descriptor.dacl, token, isOwner)
    rights = allowed
    if (isOwner && !ownerRightsStated) rights |= ownerImplicit
  }
  if (token.privileges.size > 0) {
    if (token.privileges.has('take-ownership')) rights |= access.writeOwner
    if (token.privileges.has('security')) rights |= access.accessSystemSecurity
    if (options.backupIntent === true && token.privileges.has('backup')) rights |= backupRights
    if (options.backupIntent === true && token.privileges.has('restore')) rights |= restoreRights
  }
  // ACCESS_SYSTEM_SECURITY comes from the privilege alone, never from a DACL (MS-DTYP 2.5.3.2).
  return (token.privileges.has('security') ? rights : rights & ~access.accessSystemSecurity) >>> 0
}

/** What the rights on the parent folder add: DELETE by DELETE_CHILD, READ_ATTRIBUTES by LIST_DIRECTORY (MS-FSA 2.1.5.1.2.1). */
export function accessFromParent(parentEffective: number): number {
  return (
    ((parentEffective & access.deleteChild) !== 0 ? access.delete : 0) | ((parentEffective & access.listDirectory) !== 0 ? access.readAttributes : 0)
  )
}

const parentGives = access.delete | access.readAttributes

/** Does the answer depend on the parent folder? So that its descriptor is read only where it matters. */
export function dependsOnParent(desired: number, effective: number): boolean {
  const wanted = mapGenericAccess(desired)
  const missing = ((wanted & access.maximumAllowed) === 0 ? wanted & parentGives : parentGives) & ~effective
  return missing !== 0
}

export type AccessResult =
  | { readonly granted: number }
  /** STATUS_ACCESS_DENIED or STATUS_PRIVILEGE_NOT_HELD. */
  | { readonly granted: undefined; readonly denied: 'access-denied' | 'privilege-not-held' }

const accessDenied: AccessResult = { granted: undefined, denied: 'access-denied' }
const privilegeNotHeld: AccessResult = { granted: undefined, denied: 'privilege-not-held' }

/**
 * Decides an open of an existing file or folder.
 *
 * `desired` as in the request; `required` is what the create disposition needs beyond it (`dispositionAccess`), it
 * must be there but is not granted to the handle. `effective` is by `effectiveAccess`, `parentEffective` the same for
 * the parent folder (needed when `dependsOnParent`; 0 for a share's root). `limit` is the tree connect's maximal
 * access. `readOnlyFile`: the file has FILE_ATTRIBUTE_READONLY.
 */
export function grantAccess(options: {
  readonly desired: number
  readonly required?: number
  readonly effective: number
  readonly parentEffective?: number
  readonly limit?: number
  readonly readOnlyFile?: boolean
  readonly token: Token
}): AccessResult {
  const desired = mapGenericAccess(options.desired)
  if ((desired & access.accessSystemSecurity) !== 0 && !options.token.privileges.has('security')) return privilegeNotHeld
  const named = desired & ~access.maximumAllowed
  const wanted = named | (options.required ?? 0)
  const available =
    (options.effective | accessFromParent(options.parentEffective ?? 0)) & ((options.limit ?? fileRights.all) | access.accessSystemSecurity)
  if ((wanted & ~available) !== 0) return accessDenied
  if (options.readOnlyFile === true && (wanted & readOnlyRefuses) !== 0) return accessDenied
  if ((desired & access.maximumAllowed) === 0) return { granted: named >>> 0 }
  const maximal = available & ~access.accessSystemSecurity & ~(options.readOnlyFile === true ? readOnlyTakes : 0)
  return { granted: (named | maximal) >>> 0 }
}

/**
 * Decides what the handle of a file being created may do. The creator gets what it asks for whatever the new
 * file's descriptor says (MS-FSA 2.1.5.1.1), once the parent lets it create (`accessToCreate`).
 */
export function grantAccessOnCreate(options: { readonly desired: number; readonly limit?: number; readonly token: Token }): AccessResult {
  return grantAccess({ ...options, effective: fileRights.all | (options.token.privileges.has('security') ? access.accessSystemSecurity : 0) })
}

/** MaximalAccess of the MxAc create context (MS-SMB2 3.3.5.9.5). */
export function maximalAccess(options: { readonly effective: number; readonly parentEffective?: number; readonly limit?: number }): number {
  const rights = (options.effective | accessFromParent(options.parentEffective ?? 0)) & (options.limit ?? fileRights.all)
  return (rights & ~access.accessSystemSecurity) >>> 0
}

/** The right on the parent folder that creating a file or a folder in it needs. */
export function accessToCreate(isFolder: boolean): number {
  return isFolder ? access.addSubdirectory : access.addFile
}

/** By create disposition (MS-SMB2 2.2.13): SUPERSEDE, OPEN, CREATE, OPEN_IF, OVERWRITE, OVERWRITE_IF on a file that exists. */
const dispositionNeeds: readonly number[] = [access.writeData, 0, 0, 0, access.writeData, access.writeData]

/** The rights a disposition needs beyond the desired access when the file exists. */
export function dispositionAccess(disposition: number): number {
  return dispositionNeeds[disposition] ?? 0
}

const listable = access.readData | access.readEa | access.readAttributes | access.readControl

/** Is a file shown in a listing of a share with access-based enumeration (MS-SMB2 2.2.10)? */
export function mayList(effective: number): boolean {
  return (effective & listable) === listable
}
