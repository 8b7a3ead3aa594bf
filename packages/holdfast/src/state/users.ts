/**
 * Who may connect. Of a password its NT hash is kept, which is what NTLMv2 needs (MS-NLMP 3.3.2); it is as good as the password, hence
 * encrypted with the key file's key. CHAP needs the password itself (RFC 1994 4.1: its response is a hash over it), so one that is long enough
 * for CHAP is kept as well, encrypted in the same way. `users.json` can be changed by `holdfast user` while a node runs: every lookup sees it.
 */

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { ntHash } from '@holdfast/smb/security'
import { userNameAllowed, userNamePattern } from '../config/names.ts'
import { type Role, roles } from '../users/role.ts'
import { writeFileAtomically } from './atomic-file.ts'
import { claimSoon } from './claim.ts'
import { StateError } from './errors.ts'
import { openIdentity, openStateFolder } from './folder.ts'
import { openKeyFile, type Sealed, seal, unseal } from './key-file.ts'

/** A user without the secret. */
export interface UserEntry {
  readonly name: string
  /** The last part of the SID (MS-DTYP 2.4.2): never given twice. */
  readonly rid: number
  readonly sid: string
  readonly role: Role
  /** Has the role `admin`. */
  readonly isAdmin: boolean
  /** Cannot log in. */
  readonly isDisabled: boolean
  /** ISO 8601; left out where a version has made the user that did not note it. */
  readonly createdAt?: string
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
  /** Versions before the management API know `admin` only. */
  readonly role?: Role
  readonly disabled?: true
  readonly createdAt?: string
  readonly ntHash: Sealed
  /** The password; left out by versions before iSCSI. */
  readonly chap?: Sealed | 'password-too-short'
}

interface StoredUsers {
  readonly version: 1
  readonly nextRid: number
  readonly users: readonly StoredUser[]
}

/** What may be said of a user; what is left out stays. */
export interface StoredChange {
  readonly password?: string
  readonly role?: Role
  readonly disabled?: boolean
}

/** Whoever changes users is done in a moment. */
const claimPatienceMs = 2000
const passwordCharactersMost = 256
/** For messages. */
export const passwordAllowed = `1 to ${passwordCharactersMost} characters`

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
  /** Stands for whoever is not there, so that `verify` has as much to do for nobody. */
  readonly #decoy: StoredUser

  constructor(options: { readonly path: string; readonly key: Buffer; readonly machineSid: string }) {
    this.#path = options.path
    this.#key = options.key
    this.#machineSid = options.machineSid
    const nobody = { name: '', rid: 0 }
    this.#decoy = { ...nobody, admin: false, ntHash: seal(this.#key, randomBytes(16), bindingOf(nobody)) }
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

  /** Somebody who may log in with this password. Takes as long for nobody as for somebody. Throws StateError `STATE_CORRUPT`. */
  verify(name: string, password: string): UserEntry | undefined {
    const users = this.#current().users
    const stored = users.find(user => same(user.name, name)) ?? this.#decoy
    const known = unseal(this.#key, stored.ntHash, bindingOf(stored))
    const isRight = timingSafeEqual(known, ntHash(password.slice(0, passwordCharactersMost)))
    const mayLogIn = stored !== this.#decoy && stored.disabled !== true && password.length <= passwordCharactersMost
    return isRight && mayLogIn ? this.#entry(stored) : undefined
  }

  /**
   * Adds a user or gives a known one another password, and where it is said another role. Returns what it was. A password that was known already, but
   * not kept for CHAP, is from now on. Throws StateError `BAD_USER`.
   */
  set({ name, password, role }: { readonly name: string; readonly password: string; readonly role?: Role }): 'added' | 'changed' | 'unchanged' {
    checkUser({ name, password })
    return this.#exclusively(() => {
      const before = this.find(name)
      const hasPassword = before !== undefined && timingSafeEqual(before.ntHash, ntHash(password))
      const isSame = hasPassword && (role ?? before.role) === before.role
      if (isSame && before.chap !== 'password-not-kept') return 'unchanged'
      this.#put(name, { password, ...(role && { role }) })
      if (before === undefined) return 'added'
      return isSame ? 'unchanged' : 'changed'
    })
  }

  /**
   * Changes what is said of a user, once `check` has not thrown: nobody else changes users meanwhile. Throws StateError `UNKNOWN_USER`, `BAD_USER`.
   */
  change(name: string, change: StoredChange, check?: (users: readonly UserEntry[], user: UserEntry) => void): UserEntry {
    checkUser(change)
    return this.#exclusively(() => {
      check?.(this.list(), this.#mustFind(name))
      return this.#put(name, change)
    })
  }

  /** Throws StateError `BAD_USER`; `USER_EXISTS` where there is one of that name. */
  add(user: StoredChange & { readonly name: string; readonly password: string }): UserEntry {
    checkUser(user)
    return this.#exclusively(() => {
      if (this.find(user.name) !== undefined) throw new StateError('USER_EXISTS', `there is a user "${user.name}" already`)
      return this.#put(user.name, user)
    })
  }

  /** Throws StateError `UNKNOWN_USER`, and what `check` throws. Their RID is not given to anybody else. */
  remove(name: string, check?: (users: readonly UserEntry[], user: UserEntry) => void): void {
    this.#exclusively(() => {
      check?.(this.list(), this.#mustFind(name))
      const { rid } = this.#mustFind(name)
      const { nextRid, users } = this.#current()
      this.#write({ version: 1, nextRid, users: users.filter(user => user.rid !== rid) })
    })
  }

  #mustFind(name: string): UserEntry {
    const user = this.#current().users.find(user => same(user.name, name))
    if (user === undefined) throw new StateError('UNKNOWN_USER', `there is no user "${name}"`)
    return this.#entry(user)
  }

  /** What is not said stays as it is. */
  #put(name: string, { password, role, disabled }: StoredChange): UserEntry {
    const { nextRid, users } = this.#current()
    const before = users.find(user => same(user.name, name))
    const identity = { name: before?.name ?? name, rid: before?.rid ?? nextRid }
    const newRole = role ?? (before === undefined ? 'user' : roleOf(before))
    const createdAt = before === undefined ? new Date().toISOString() : before.createdAt
    const stored: StoredUser = {
      ...identity,
      admin: newRole === 'admin',
      role: newRole,
      ...((disabled ?? before?.disabled === true) && { disabled: true }),
      ...(createdAt !== undefined && { createdAt }),
      ...(password === undefined ? secretsOf(before!) : this.#sealed(identity, password)),
    }
    this.#write({
      version: 1,
      nextRid: before === undefined ? nextRid + 1 : nextRid,
      users: [...users.filter(({ rid }) => rid !== identity.rid), stored],
    })
    return this.#entry(stored)
  }

  #sealed(identity: UserIdentity, password: string): Pick<StoredUser, 'ntHash' | 'chap'> {
    const chap = isLongEnough(password) ? seal(this.#key, Buffer.from(password), chapBindingOf(identity)) : 'password-too-short'
    return { ntHash: seal(this.#key, ntHash(password), bindingOf(identity)), chap }
  }

  /** A command may change users while a node does. */
  #exclusively<T>(action: () => T): T {
    using _claim = claimSoon(`${this.#path}.lock`, claimPatienceMs)
    return action()
  }

  #entry(user: StoredUser): UserEntry {
    const { name, rid, chap, createdAt } = user
    const role = roleOf(user)
    return {
      name,
      rid,
      sid: `${this.#machineSid}-${rid}`,
      role,
      isAdmin: role === 'admin',
      isDisabled: user.disabled === true,
      ...(createdAt !== undefined && { createdAt }),
      chap: typeof chap === 'object' ? 'ready' : (chap ?? 'password-not-kept'),
    }
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

/** Throws StateError `BAD_USER`. */
function checkUser({ name, password }: { readonly name?: string; readonly password?: string }): void {
  if (name !== undefined && !userNamePattern.test(name)) throw new StateError('BAD_USER', `a user's name has to be ${userNameAllowed}`)
  if (password !== undefined && !isPassword(password)) throw new StateError('BAD_USER', `a password has ${passwordAllowed}`)
}

/** Whether a user can have that password. */
export const isPassword = (password: string): boolean => password !== '' && password.length <= passwordCharactersMost

const roleOf = ({ role, admin }: StoredUser): Role => role ?? (admin ? 'admin' : 'user')
const secretsOf = ({ ntHash, chap }: StoredUser): Pick<StoredUser, 'ntHash' | 'chap'> => ({ ntHash, ...(chap !== undefined && { chap }) })

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
  const isRole = (role: StoredUser['role']) => role === undefined || roles.includes(role)
  const isUser = (user: Partial<StoredUser> | null) =>
    typeof user?.name === 'string' && Number.isSafeInteger(user.rid) && isSealed(user.ntHash) && isChap(user.chap) && isRole(user.role)
  if (version !== 1 || !Number.isSafeInteger(nextRid) || !Array.isArray(users) || !users.every(isUser)) throw corrupt()
  return { version, nextRid: nextRid!, users }
}

/** Opens the users of a state folder, which is made where it is missing. Throws StateError. */
export function openUserStore(stateDir: string): UserStore {
  openStateFolder(stateDir)
  const { machineSid } = openIdentity(stateDir)
  return new UserStore({ path: join(stateDir, 'users.json'), key: openKeyFile(join(stateDir, 'key')), machineSid })
}
