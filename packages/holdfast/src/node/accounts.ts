/** The users of a state folder, as the SMB server's parts ask for them: NTLM, the session's token, names for SIDs. */

import { openUserStore, type UserEntry, type UserStore } from '../state/users.ts'

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
    return this.#store.find(user)
  }

  /** The token of somebody who was authenticated; undefined when they have been removed meanwhile. */
  token(user: string): AccountToken | undefined {
    const found = this.#store.find(user)
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

/** Opens them; each worker does. */
export function openAccounts(options: { readonly stateDir: string; readonly domain: string; readonly domainSid: string }): Accounts {
  return new Accounts({ store: openUserStore(options.stateDir), domain: options.domain, domainSid: options.domainSid })
}
