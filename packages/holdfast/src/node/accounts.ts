/** The users of a state folder, as the SMB server's parts ask for them: NTLM, the session's token, names for SIDs. */

import { chapSecretCharactersMin, openUserStore, type UserAccount, type UserEntry, type UserStore } from '../state/users.ts'

/** BUILTIN\Administrators and BUILTIN\Users (MS-DTYP 2.4.2.4). */
const administrators = 'S-1-5-32-544'
const users = 'S-1-5-32-545'

/** Who a session acts as (the SMB server's TokenUser). */
export interface AccountToken {
  readonly name: string
  readonly domain: string
  readonly sid: string
  readonly groupSids: readonly string[]
  readonly isAdministrator: boolean
}

export class Accounts {
  /** The domain of local users: the node's name. */
  readonly domain: string
  readonly domainSid: string
  readonly #store: UserStore

  constructor(options: { readonly store: UserStore; readonly domain: string; readonly domainSid: string }) {
    this.#store = options.store
    this.domain = options.domain
    this.domainSid = options.domainSid
  }

  /** For NTLM: 16 bytes, or undefined for nobody. Local users have no other domain: what the client says there is not looked at. */
  ntlmAccount(user: string): { readonly ntHash: Uint8Array } | undefined {
    return this.#enabled(user)
  }

  /** The token of a user who gives this password; undefined for a wrong one and for nobody, which takes as long. */
  verify(user: string, password: string): AccountToken | undefined {
    const found = this.#store.verify(user, password)
    return found && this.token(found.name)
  }

  /** Who is disabled cannot log in, in whichever way. */
  #enabled(user: string): UserAccount | undefined {
    const found = this.#store.find(user)
    return found?.isDisabled === true ? undefined : found
  }

  /**
   * For CHAP: the password itself; undefined for nobody, and for a user who has none that is good for CHAP (`chapProblem` says why). Names are
   * taken without regard to case, as for SMB.
   */
  chapSecretOf(user: string): string | undefined {
    return this.#enabled(user)?.chapSecret
  }

  /** Why a user cannot log in with CHAP, for the log; undefined for one who can, and for nobody. */
  chapProblem(user: string): string | undefined {
    const found = this.#store.find(user)
    return found && chapProblemOf(found)
  }

  /** The token of somebody who was authenticated; undefined when they have been removed meanwhile. */
  token(user: string): AccountToken | undefined {
    const found = this.#enabled(user)
    if (found === undefined) return undefined
    const { name, sid, isAdmin } = found
    return { name, domain: this.domain, sid, groupSids: isAdmin ? [users, administrators] : [users], isAdministrator: isAdmin }
  }

  accountBySid(sid: string): UserEntry | undefined {
    const rid = sid.startsWith(`${this.domainSid}-`) ? Number(sid.slice(this.domainSid.length + 1)) : NaN
    return Number.isSafeInteger(rid) ? this.#store.findByRid(rid) : undefined
  }

  accountByName(name: string): UserEntry | undefined {
    return this.#store.list().find(user => user.name.toUpperCase() === name.toUpperCase())
  }
}

/** Why a user cannot log in over iSCSI, and what to do about it; undefined for one who can. */
export function chapProblemOf({ name, chap }: Pick<UserEntry, 'name' | 'chap'>): string | undefined {
  return {
    ready: undefined,
    'password-too-short': `${name}'s password has fewer than ${chapSecretCharactersMin} characters, which iSCSI does not take; "holdfast user add ${name}" sets another one`,
    'password-not-kept': `${name}'s password was set by a version without iSCSI, which kept its hash only; "holdfast user add ${name}" sets it again`,
  }[chap]
}

/** Opens them; each worker does. */
export function openAccounts(options: { readonly stateDir: string; readonly domain: string; readonly domainSid: string }): Accounts {
  return new Accounts({ store: openUserStore(options.stateDir), domain: options.domain, domainSid: options.domainSid })
}
