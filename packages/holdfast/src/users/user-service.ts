/** Managing the users of a node from any of its workers. */

import type { WorkerNode } from '@holdfast/engine'
import { LoginThrottle } from '@holdfast/smb/security'
import { quoted } from '../config/errors.ts'
import { userNameAllowed, userNamePattern } from '../config/names.ts'
import { chapProblemOf } from '../node/accounts.ts'
import type { ConfiguredUser } from '../node/node-config.ts'
import { withSuccessor } from '../node/tell-workers.ts'
import { ResourceError } from '../resources/errors.ts'
import { pageOf } from '../resources/page.ts'
import { disconnectUser } from '../sessions/session-service.ts'
import type { SessionUser } from '../sessions/worker-sessions.ts'
import { StateError } from '../state/errors.ts'
import { isPassword, passwordAllowed, type UserEntry, type UserStore } from '../state/users.ts'
import type { LoginAccount, LoginRequest, UserChange, UserRequest, UserService, UserView } from './service.ts'

/** Worker object of the one worker that changes users, and counts who tries passwords. */
const objectId = 'users'
const manager = 0

/** What the service is made of. */
export interface UserServiceOptions {
  readonly node: Pick<WorkerNode, 'index' | 'workers' | 'call' | 'register'>
  /** This worker's view of the users. */
  readonly store: UserStore
  readonly configured: readonly ConfiguredUser[]
  /** Waits so many milliseconds; tests do not. */
  readonly wait?: (delayMs: number) => Promise<void>
  /** Ends the sessions of somebody on all workers. */
  readonly disconnect?: (user: SessionUser) => Promise<void>
}

interface Create {
  readonly user: UserRequest
  readonly again: boolean
}
interface Change {
  readonly name: string
  readonly change: UserChange
}
interface Delete {
  readonly name: string
  readonly again: boolean
}

const keyOf = ({ name }: { readonly name: string }): string => name.toUpperCase()
const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()

/** See `UserService`. Every worker has to be given one. */
export function userService(options: UserServiceOptions): UserService {
  const { node, store, configured } = options
  if (node.index === manager) node.register(objectId, { ...new UserManager(options).methods })
  const ask = <T>(method: string, argument: (again: boolean) => unknown): Promise<T> =>
    withSuccessor(again => node.call(manager, objectId, method, argument(again)) as Promise<T>)
  const view = (entry: UserEntry): UserView => viewOf(entry, configured)
  const get = (name: string): UserView => view(mustFind(store, name))
  return {
    list: async page => pageOf(store.list().map(view), keyOf, page),
    get: async name => get(name),
    check: async user => checkUser(user),
    async create(user, { again = false } = {}) {
      await ask('create', isAgain => ({ user, again: again || isAgain }) satisfies Create)
      return get(user.name)
    },
    async change(name, change) {
      await ask('change', () => ({ name, change }) satisfies Change)
      return get(name)
    },
    delete: (name, { again = false } = {}) => ask('delete', isAgain => ({ name, again: again || isAgain }) satisfies Delete),
    verify: login => ask('verify', () => login),
    async find(name) {
      const entry = store.find(name)
      return entry === undefined || entry.isDisabled ? undefined : accountOf(entry)
    },
  }
}

const accountOf = ({ name, role }: UserEntry): LoginAccount => ({ name, role })

function viewOf(entry: UserEntry, configured: readonly ConfiguredUser[]): UserView {
  const { name, role, isDisabled, createdAt } = entry
  const chapProblem = chapProblemOf(entry)
  return {
    name,
    role,
    disabled: isDisabled,
    origin: configured.some(user => same(user.name, name)) ? 'configuration' : 'api',
    ...(createdAt !== undefined && { createdAt }),
    ...(chapProblem !== undefined && { chapProblem }),
  }
}

function mustFind(store: UserStore, name: string): UserEntry {
  const entry = store.find(name)
  if (entry === undefined) throw unknown(name)
  return entry
}

const unknown = (name: string): ResourceError => new ResourceError('UNKNOWN_USER', `there is no user ${quoted(name)}`)

/** Throws ResourceError `INVALID_NAME`, `INVALID_PASSWORD`. */
function checkUser({ name, password }: UserChange & { readonly name?: string }): void {
  if (name !== undefined && !userNamePattern.test(name)) {
    throw new ResourceError('INVALID_NAME', `${quoted(name)} is not allowed; allowed: ${userNameAllowed}`)
  }
  if (password !== undefined && !isPassword(password)) throw new ResourceError('INVALID_PASSWORD', `a password has ${passwordAllowed}`)
}

/** On one worker: changes come one after the other, and passwords that were tried are counted once. */
class UserManager {
  readonly #options: UserServiceOptions
  readonly #throttle = new LoginThrottle()

  constructor(options: UserServiceOptions) {
    this.#options = options
  }

  readonly methods = {
    create: (asked: Create): void => this.#create(asked),
    change: (asked: Change): Promise<void> => this.#change(asked),
    delete: (asked: Delete): Promise<void> => this.#delete(asked),
    verify: (login: LoginRequest): Promise<LoginAccount | undefined> => this.#verify(login),
  }

  #create({ user: { name, password, role = 'user' }, again }: Create): void {
    const { store } = this.#options
    checkUser({ name, password })
    try {
      store.add({ name, password, role })
    } catch (error) {
      if (!(error instanceof StateError) || error.code !== 'USER_EXISTS') throw error
      if (again && store.verify(name, password)?.role === role) return
      throw new ResourceError('USER_EXISTS', `there is a user ${quoted(name)} already`, { cause: error })
    }
  }

  async #change({ name, change: { password, role, disabled } }: Change): Promise<void> {
    const { store, configured } = this.#options
    checkUser({ ...(password !== undefined && { password }) })
    const before = mustFind(store, name)
    const own = configured.find(user => same(user.name, name))
    if (own !== undefined && password !== undefined) throw configuredError(before, 'the password')
    if (own?.isAdmin === true && role !== undefined && role !== 'admin') throw configuredError(before, 'the role')
    const after = store.change(
      name,
      { ...(password !== undefined && { password }), ...(role !== undefined && { role }), ...(disabled !== undefined && { disabled }) },
      (users, user) => {
        if (disabled === true || (role !== undefined && role !== 'admin')) keepAnAdmin(users, user)
      },
    )
    // What a session may do is decided when it is set up.
    if (after.isDisabled || (before.isAdmin && !after.isAdmin)) await this.#disconnect(after)
  }

  async #delete({ name, again }: Delete): Promise<void> {
    const { store, configured } = this.#options
    const entry = store.find(name)
    if (entry === undefined) {
      if (!again) throw unknown(name)
      // Nobody has his SID, and whoever died may not have come so far.
      return this.#disconnect({ name, sid: '' })
    }
    if (configured.some(user => same(user.name, name))) throw configuredError(entry, 'the user')
    store.remove(name, keepAnAdmin)
    await this.#disconnect(entry)
  }

  #disconnect({ name, sid }: SessionUser): Promise<void> {
    const { node, disconnect = user => disconnectUser(node, user) } = this.#options
    return disconnect({ name, sid })
  }

  async #verify({ user, password, address }: LoginRequest): Promise<LoginAccount | undefined> {
    const attempt = { remoteAddress: address, user }
    const entry = this.#options.store.verify(user, password)
    if (entry === undefined) this.#throttle.failed(attempt)
    const delayMs = this.#throttle.delayMs(attempt)
    if (delayMs > 0) await (this.#options.wait ?? pause)(delayMs)
    if (entry !== undefined) this.#throttle.succeeded(attempt)
    return entry && accountOf(entry)
  }
}

const pause = (delayMs: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, delayMs))

/** Throws ResourceError `LAST_ADMIN` where nobody else could change anything any more. */
function keepAnAdmin(users: readonly UserEntry[], user: UserEntry): void {
  const isActive = ({ isAdmin, isDisabled }: UserEntry): boolean => isAdmin && !isDisabled
  if (isActive(user) && !users.some(other => other.rid !== user.rid && isActive(other))) {
    throw new ResourceError('LAST_ADMIN', `${quoted(user.name)} is the last administrator who can log in; make another one first`)
  }
}

function configuredError({ name }: UserEntry, what: string): ResourceError {
  return new ResourceError('USER_CONFIGURED', `${what} ${quoted(name)} is in the configuration: change --user or --admin, and start the node again`)
}
