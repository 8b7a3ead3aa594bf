/** Who asks: the security token of a session (MS-DTYP 2.5.2). */
import { wellKnownSids, type Sid } from '../../messages/sid.ts'

/** Privileges that the access check knows (MS-LSAD 3.1.1.2.1): SeSecurity, SeTakeOwnership, SeBackup, SeRestore. */
export type Privilege = 'security' | 'take-ownership' | 'backup' | 'restore'

export interface Token {
  readonly user: Sid
  /** Group of new files whose creator gives none. */
  readonly primaryGroup: Sid
  /** All SIDs the token speaks for: the user, the groups, and those everybody has who logged on over the network. */
  readonly sids: ReadonlySet<Sid>
  readonly privileges: ReadonlySet<Privilege>
}

/** Makes the token of an authenticated user. */
export function createToken(options: {
  readonly user: Sid
  readonly groups?: Iterable<Sid>
  readonly primaryGroup?: Sid
  readonly privileges?: Iterable<Privilege>
}): Token {
  const groups = [...(options.groups ?? [])]
  const { everyone, network, authenticatedUsers } = wellKnownSids
  const primaryGroup = options.primaryGroup ?? groups[0] ?? wellKnownSids.users
  return {
    user: options.user,
    primaryGroup,
    sids: new Set([options.user, primaryGroup, ...groups, everyone, network, authenticatedUsers]),
    privileges: new Set(options.privileges),
  }
}

/**
 * May the token make this SID the owner of a file? Its own SIDs (Windows further asks that a group be marked as a
 * possible owner), or anybody's with SeRestorePrivilege (MS-DTYP 2.5.3.4). Where not: STATUS_INVALID_OWNER.
 */
export function mayAssignOwner(token: Token, owner: Sid): boolean {
  return token.sids.has(owner) || token.privileges.has('restore') || owner.startsWith(nfsUserPrefix)
}

/** SIDs that stand for a uid of the client's (Linux's `idsfromsid`, macOS): nobody who logs on here has one, so nobody gains by it. */
const nfsUserPrefix = 'S-1-5-88-1-'
