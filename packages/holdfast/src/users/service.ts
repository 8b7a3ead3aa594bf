/** Managing users, whoever does it. */

import type { Page, PageRequest } from '../resources/page.ts'
import type { Again } from '../shares/service.ts'
import type { Role } from './role.ts'

export type { Role } from './role.ts'

/** Somebody who may log in: an item of `/v1/users`. Nothing tells their password. */
export interface UserView {
  readonly name: string
  readonly role: Role
  /** Cannot log in, and is not forgotten. */
  readonly disabled: boolean
  /** `configuration`: the command line or the file gives the password (and `--admin` the role). */
  readonly origin: 'configuration' | 'api'
  /** Left out where a version without management has made the user. */
  readonly createdAt?: string
  /** Why they cannot log in over iSCSI. */
  readonly chapProblem?: string
}

/** A new user; with the role `user` where none is given. */
export interface UserRequest {
  readonly name: string
  readonly password: string
  readonly role?: Role | undefined
}

/** What shall be otherwise; what is left out stays. */
export interface UserChange {
  readonly password?: string | undefined
  readonly role?: Role | undefined
  readonly disabled?: boolean | undefined
}

/** Who wants to log in, and from where. */
export interface LoginRequest {
  readonly user: string
  readonly password: string
  readonly address: string
}

/** Somebody who may log in, as the API needs to know them. */
export interface LoginAccount {
  readonly name: string
  readonly role: Role
}

/**
 * The users of a node. Names are compared without regard to case. Every worker knows of a change when the promise resolves.
 *
 * Rejects with what has a `code` of `resourceErrorCodes`.
 */
export interface UserService {
  /** By name. */
  list(page?: PageRequest): Promise<Page<UserView>>
  /** `UNKNOWN_USER`. */
  get(name: string): Promise<UserView>
  /** What is wrong with a request that can be told at once: `INVALID_NAME`, `INVALID_PASSWORD`. */
  check(user: UserChange & { readonly name?: string }): Promise<void>
  /** `USER_EXISTS` (with `again` only where the password is another one), and what `check` rejects with. */
  create(user: UserRequest, options?: Again): Promise<UserView>
  /**
   * A new password counts for the next login. Who is disabled, or is no administrator any more, loses the sessions they have. `UNKNOWN_USER`,
   * `USER_CONFIGURED`, `INVALID_PASSWORD`, `LAST_ADMIN`.
   */
  change(name: string, change: UserChange): Promise<UserView>
  /** Ends their sessions, SMB and iSCSI, and what waits for them. `UNKNOWN_USER`, `USER_CONFIGURED`, `LAST_ADMIN`. */
  delete(name: string, options?: Again): Promise<void>
  /**
   * Undefined where the password is wrong, or there is nobody who may log in by that name; takes as long for nobody as for somebody. Answers are held
   * back after failures, as those of SMB logins are.
   */
  verify(login: LoginRequest): Promise<LoginAccount | undefined>
  /** As of now; undefined for who is gone or disabled. */
  find(name: string): Promise<LoginAccount | undefined>
}
