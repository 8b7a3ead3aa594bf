/** The descriptor of a new file or folder: CreateSecurityDescriptor (MS-DTYP 2.5.3.4) for the file object type. */
import { aceFlags, allow, inheritanceFlags, type Ace, type Acl } from '../../messages/acl.ts'
import { fileRights, genericBits, mapGenericAccess } from '../../messages/fscc-access-mask.ts'
import { descriptorControl, type SecurityDescriptor } from '../../messages/security-descriptor.ts'
import { wellKnownSids, type Sid } from '../../messages/sid.ts'
import { listControl, mapGenericAces } from './security-info.ts'

interface Owner {
  readonly owner: Sid
  readonly group: Sid
}

function substituted(sid: Sid, creator: Owner): Sid {
  if (sid === wellKnownSids.creatorOwner) return creator.owner
  if (sid === wellKnownSids.creatorGroup) return creator.group
  return sid
}

function inheritAce(ace: Ace, into: Ace[], options: { readonly creator: Owner; readonly isFolder: boolean; readonly inheritedFlag: number }): void {
  if (ace.sid === undefined) return
  const { objectInherit, containerInherit, noPropagateInherit, inheritOnly } = aceFlags
  const has = (flag: number) => (ace.flags & flag) !== 0
  const otherFlags = (ace.flags & ~inheritanceFlags & ~aceFlags.inherited) | options.inheritedFlag
  const passedOn = has(noPropagateInherit) ? 0 : ace.flags & (objectInherit | containerInherit)
  const effectiveHere = has(options.isFolder ? containerInherit : objectInherit)
  if (!effectiveHere) {
    // A folder hands on what is meant for the files in it, without being concerned itself.
    if (options.isFolder && passedOn !== 0) into.push({ ...ace, flags: otherFlags | passedOn | inheritOnly })
    return
  }
  const sid = substituted(ace.sid, options.creator)
  const mask = mapGenericAccess(ace.mask)
  const propagates = options.isFolder && passedOn !== 0
  const changed = sid !== ace.sid || (ace.mask & genericBits) !== 0
  if (propagates && changed) {
    // What must be made concrete here must stay abstract for those below: two entries (MS-DTYP 2.5.3.4.2).
    into.push({ ...ace, sid, mask, flags: otherFlags }, { ...ace, flags: otherFlags | passedOn | inheritOnly })
  } else into.push({ ...ace, sid, mask, flags: otherFlags | (propagates ? passedOn : 0) })
}

function inheritAcl(
  acl: Acl | null | undefined,
  options: { readonly creator: Owner; readonly isFolder: boolean; readonly inheritedFlag: number },
): Acl | undefined {
  if (!acl) return undefined
  const aces: Ace[] = []
  for (const ace of acl.aces) inheritAce(ace, aces, options)
  return aces.length === 0 ? undefined : { revision: acl.revision, aces }
}

/** The DACL of a file that inherits nothing: everything for its owner and the system. */
export function defaultDacl(owner: Sid): Acl {
  return { revision: 2, aces: [allow(owner, fileRights.all), allow(wellKnownSids.system, fileRights.all)] }
}

/**
 * Makes the descriptor of a new file or folder.
 *
 * `explicit` is what the creator asked for (the SecD create context): its owner, group, DACL and SACL go before
 * what is inherited. A new object's entries carry INHERITED_ACE, and its control AUTO_INHERITED, when the
 * parent's control has AUTO_INHERITED. Check `mayAssignOwner` for an explicit owner first.
 */
export function createDescriptor(options: {
  readonly parent: SecurityDescriptor | undefined
  readonly explicit?: SecurityDescriptor | undefined
  /** The creator's SID and primary group. */
  readonly creator: Owner
  readonly isFolder: boolean
}): SecurityDescriptor {
  const { parent, explicit, isFolder } = options
  const owner = explicit?.owner ?? options.creator.owner
  const group = explicit?.group ?? options.creator.group
  const parentControl = parent?.control ?? 0
  const inherit = (list: 'dacl' | 'sacl') => {
    const auto = descriptorControl[list === 'dacl' ? 'daclAutoInherited' : 'saclAutoInherited'] & parentControl
    const acl = inheritAcl(parent?.[list], { creator: { owner, group }, isFolder, inheritedFlag: auto === 0 ? 0 : aceFlags.inherited })
    return { acl, control: acl === undefined ? 0 : auto }
  }
  let control = 0
  let dacl = explicit?.dacl
  if (dacl === undefined) {
    const inherited = inherit('dacl')
    dacl = inherited.acl ?? defaultDacl(owner)
    control |= inherited.control
  } else {
    if (dacl !== null) dacl = mapGenericAces(dacl)
    control |= listControl(explicit?.control ?? 0, 'dacl')
  }
  let sacl = explicit?.sacl
  if (sacl === undefined) {
    const inherited = inherit('sacl')
    sacl = inherited.acl
    control |= inherited.control
  } else control |= listControl(explicit?.control ?? 0, 'sacl')
  return { control, owner, group, dacl, sacl }
}

/**
 * The descriptor of a share's root folder that has none stored; files and folders without one are best described by
 * `createDescriptor` with this as the parent and their own owner.
 *
 * Full control for the owner, the system, and whoever creates something; `others` says who else may do what.
 */
export function defaultRootDescriptor(options: {
  readonly owner: Sid
  readonly group: Sid
  readonly others?: readonly { readonly sid: Sid; readonly mask: number }[]
}): SecurityDescriptor {
  const below = aceFlags.objectInherit | aceFlags.containerInherit
  const others = options.others ?? [{ sid: wellKnownSids.authenticatedUsers, mask: fileRights.all }]
  return {
    control: descriptorControl.daclAutoInherited,
    owner: options.owner,
    group: options.group,
    dacl: {
      revision: 2,
      aces: [
        allow(options.owner, fileRights.all),
        allow(wellKnownSids.system, fileRights.all, below),
        ...others.map(other => allow(other.sid, other.mask, below)),
        allow(wellKnownSids.creatorOwner, fileRights.all, below | aceFlags.inheritOnly),
      ],
    },
    sacl: undefined,
  }
}
