/** Names that every Windows client knows (MS-DTYP 2.4.2.4). */

/** SID_NAME_USE (MS-LSAT 2.2.13). */
export const sidUse = { user: 1, group: 2, domain: 3, alias: 4, wellKnownGroup: 5, deletedAccount: 6, invalid: 7, unknown: 8, computer: 9 } as const

/** A name with its SID. */
export interface Account {
  readonly name: string
  readonly domain: string
  /** The domain's SID; the account's own is this plus one sub-authority, or equal to `sid` for a domain of its own. */
  readonly domainSid: string
  readonly sid: string
  readonly use: number
}

const table: readonly (readonly [sid: string, domain: string, name: string, use: number])[] = [
  ['S-1-0-0', '', 'NULL SID', sidUse.wellKnownGroup],
  ['S-1-1-0', '', 'Everyone', sidUse.wellKnownGroup],
  ['S-1-2-0', '', 'LOCAL', sidUse.wellKnownGroup],
  ['S-1-3-0', '', 'CREATOR OWNER', sidUse.wellKnownGroup],
  ['S-1-3-1', '', 'CREATOR GROUP', sidUse.wellKnownGroup],
  ['S-1-3-4', '', 'OWNER RIGHTS', sidUse.wellKnownGroup],
  ['S-1-5-2', 'NT AUTHORITY', 'NETWORK', sidUse.wellKnownGroup],
  ['S-1-5-4', 'NT AUTHORITY', 'INTERACTIVE', sidUse.wellKnownGroup],
  ['S-1-5-7', 'NT AUTHORITY', 'ANONYMOUS LOGON', sidUse.wellKnownGroup],
  ['S-1-5-10', 'NT AUTHORITY', 'SELF', sidUse.wellKnownGroup],
  ['S-1-5-11', 'NT AUTHORITY', 'Authenticated Users', sidUse.wellKnownGroup],
  ['S-1-5-18', 'NT AUTHORITY', 'SYSTEM', sidUse.wellKnownGroup],
  ['S-1-5-19', 'NT AUTHORITY', 'LOCAL SERVICE', sidUse.wellKnownGroup],
  ['S-1-5-20', 'NT AUTHORITY', 'NETWORK SERVICE', sidUse.wellKnownGroup],
  ['S-1-5-32-544', 'BUILTIN', 'Administrators', sidUse.alias],
  ['S-1-5-32-545', 'BUILTIN', 'Users', sidUse.alias],
  ['S-1-5-32-546', 'BUILTIN', 'Guests', sidUse.alias],
]

/** The SID without its last sub-authority. */
export const domainOf = (sid: string): string => sid.slice(0, sid.lastIndexOf('-'))

/** The accounts that are the same on every machine. */
export const wellKnownAccounts: readonly Account[] = table.map(([sid, domain, name, use]) => ({ sid, domain, name, use, domainSid: domainOf(sid) }))
