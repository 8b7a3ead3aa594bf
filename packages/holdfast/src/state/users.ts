/**
 * Who may connect. Of a password its NT hash is kept, which is what NTLMv2 needs (MS-NLMP 3.3.2); it is as good as the password, hence
 * encrypted with the key file's key. CHAP needs the password itself (RFC 1994 4.1: its response is a hash over it), so one that is long enough
 * for CHAP is kept as well, encrypted in the same way. `users.json` can be changed by `holdfast user` while a node runs: every lookup sees it.
 */

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { timingSafeEqual } from 'node:crypto'
import { ntHash } from '@holdfast/smb/security'
import { userNameAllowed, userNamePattern } from '../config/names.ts'
import { writeFileAtomically } from './atomic-file.ts'
import { StateError } from './errors.ts'
import { openIdentity, openStateFolder } from './folder.ts'
import { openKeyFile, type Sealed, seal, unseal } from './key-file.ts'

/** A user without the secret. */
export interface UserEntry {
  readonly name: string
  /** The last part of the SID (MS-DTYP 2.4.2): never given twice. */
  readonly rid: number
  readonly sid: string
  readonly isAdmin: boolean
  readonly chap: ChapReadiness
}

/** Whether a user can log in with CHAP, and if not, why: the password is too short, or it was set by a version that kept no more than its hash. */
export type ChapReadiness = 'ready' | 'password-too-short' | 'password-not-kept'

export interface UserAccount extends UserEntry {
  /** 16 bytes: MD4 of the password in UTF-16LE. */
  readonly ntHash: Buffer
  /** The password, of those who are ready for CHAP. */
  readonly chapSecret?: string
}

/** RFC 7143 12.1.3: at least 96 bits, which initiators enforce as 12 characters. */
export const chapSecretCharactersMin = 12

interface StoredUser {
  readonly name: string
  readonly rid: number
  readonly admin: boolean
  readonly ntHash: Sealed
  /** The password; left out by versions before iSCSI. */
  readonly chap?: Sealed | 'password-too-short'
}

interface StoredUsers {
  readonly version: 1
  readonly nextRid: number
  readonly users: readonly StoredUser[]
}

/** RIDs below are Windows' own (MS-DTYP 2.4.2.4). */
const firstRid = 1000
const none: StoredUsers = { version: 1, nextRid: firstRid, users: [] }
const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()

/**
 * The users in one state folder. Every process and worker opens its own.
 *
 * @example
 * const users = openUserStore('./.holdfast')
 * users.set({ name: 'alice', password: 'secret' })
 * users.find('ALICE')?.ntHash
 */
export class UserStore {
  readonly #path: string
  readonly #key: Buffer
  readonly #machineSid: string
  #stored: StoredUsers = none
  #stamp = ''
  #hashes = new Map<string, UserAccount>()

  constructor(options: { readonly path: string; readonly key: Buffer; readonly machineSid: string }) {
    this.#path = options.path
    this.#key = options.key
    this.#machineSid = options.machineSid
  }

  /** All users, by name. */
  list(): readonly UserEntry[] {
    return this.#current()
      .users.map(user => this.#entry(user))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Without regard to case, as Windows does; undefined for nobody. Throws StateError `STATE_CORRUPT`. */
  find(name: string): UserAccount | undefined {
    const users = this.#current().users
    const key = name.toUpperCase()
    const known = this.#hashes.get(key)
    if (known !== undefined) return known
    const user = users.find(user => same(user.name, name))
    if (user === undefined) return undefined
    const chapSecret = typeof user.chap === 'object' ? unseal(this.#key, user.chap, chapBindingOf(user)).toString('utf8') : undefined
    const account: UserAccount = {
      ...this.#entry(user),
      ntHash: unseal(this.#key, user.ntHash, bindingOf(user)),
      ...(chapSecret !== undefined && { chapSecret }),
    }
    this.#hashes.set(key, account)
    return account
  }

  findByRid(rid: number): UserEntry | undefined {
    const user = this.#current().users.find(user => user.rid === rid)
    return user && this.#entry(user)
  }

  /**
   * Adds a user or gives a known one another password. Returns what it was. A password that was known already, but not kept for CHAP, is from now
   * on. Throws StateError `BAD_USER`.
   */
  set(user: { readonly name: string; readonly password: string; readonly isAdmin?: boolean }): 'added' | 'changed' | 'unchanged' {
    if (!userNamePattern.test(user.name)) throw new StateError('BAD_USER', `a user's name has to be ${userNameAllowed}`)
    if (user.password === '' || user.password.length > 256) throw new StateError('BAD_USER', 'a password has 1 to 256 characters')
    const hash = ntHash(user.password)
    const before = this.find(user.name)
    const admin = user.isAdmin ?? before?.isAdmin ?? false
    const isSame = before !== undefined && before.isAdmin === admin && timingSafeEqual(before.ntHash, hash)
    if (isSame && before.chap !== 'password-not-kept') return 'unchanged'
    const { nextRid, users } = this.#current()
    const identity = { name: before?.name ?? user.name, rid: before?.rid ?? nextRid }
    const chap = isLongEnough(user.password) ? seal(this.#key, Buffer.from(user.password), chapBindingOf(identity)) : 'password-too-short'
    const stored: StoredUser = { ...identity, admin, ntHash: seal(this.#key, hash, bindingOf(identity)), chap }
    this.#write({
      version: 1,
      nextRid: before === undefined ? nextRid + 1 : nextRid,
      users: [...users.filter(({ rid }) => rid !== identity.rid), stored],
    })
    if (before === undefined) return 'added'
    return isSame ? 'unchanged' : 'changed'
  }

  /** Throws StateError `UNKNOWN_USER`. Their RID is not given to anybody else. */
  remove(name: string): void {
    const { nextRid, users } = this.#current()
    const rest = users.filter(user => !same(user.name, name))
    if (rest.length === users.length) throw new StateError('UNKNOWN_USER', `there is no user "${name}"`)
    this.#write({ version: 1, nextRid, users: rest })
  }

  #entry({ name, rid, admin, chap }: StoredUser): UserEntry {
    const readiness = typeof chap === 'object' ? 'ready' : (chap ?? 'password-not-kept')
    return { name, rid, sid: `${this.#machineSid}-${rid}`, isAdmin: admin, chap: readiness }
  }

  #write(stored: StoredUsers): void {
    writeFileAtomically(this.#path, `${JSON.stringify(stored, undefined, 2)}\n`)
    this.#stamp = ''
  }

  /** The file's content as of now: read again when it has been replaced. */
  #current(): StoredUsers {
    const stamp = stampOf(this.#path)
    if (stamp === this.#stamp && stamp !== '') return this.#stored
    this.#hashes = new Map()
    this.#stored = stamp === '' ? none : readUsers(this.#path)
    this.#stamp = stamp
    return this.#stored
  }
}

const isLongEnough = (password: string): boolean => Array.from(password).length >= chapSecretCharactersMin

type UserIdentity = Pick<StoredUser, 'name' | 'rid'>
const bindingOf = ({ name, rid }: UserIdentity): string => `user ${rid} ${name}`
const chapBindingOf = (user: UserIdentity): string => `CHAP secret of ${bindingOf(user)}`

/** Changes whenever the file is replaced; `''` where there is none. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`
}

function readUsers(path: string): StoredUsers {
  const corrupt = (cause?: unknown) => new StateError('STATE_CORRUPT', `${path} is no list of users`, { cause })
  let value: Partial<StoredUsers> | null
  try {
    value = JSON.parse(readFileSync(path, 'utf8')) as Partial<StoredUsers> | null
  } catch (error) {
    throw corrupt(error)
  }
  const { version, nextRid, users } = value ?? {}
  const isSealed = (sealed: Partial<Sealed> | null | undefined) => [sealed?.nonce, sealed?.text, sealed?.tag].every(part => typeof part === 'string')
  const isChap = (chap: StoredUser['chap']) => chap === undefined || chap === 'password-too-short' || isSealed(chap)
  const isUser = (user: Partial<StoredUser> | null) =>
    typeof user?.name === 'string' && Number.isSafeInteger(user.rid) && isSealed(user.ntHash) && isChap(user.chap)
  if (version !== 1 || !Number.isSafeInteger(nextRid) || !Array.isArray(users) || !users.every(isUser)) throw corrupt()
  return { version, nextRid: nextRid!, users }
}

/** Opens the users of a state folder, which is made where it is missing. Throws StateError. */
export function openUserStore(stateDir: string): UserStore {
  openStateFolder(stateDir)
  const { machineSid } = openIdentity(stateDir)
  return new UserStore({ path: join(stateDir, 'users.json'), key: openKeyFile(join(stateDir, 'key')), machineSid })
}
