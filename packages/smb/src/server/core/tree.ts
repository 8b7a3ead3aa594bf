/** A share as this worker serves it, and a session's connection to one (MS-SMB2 3.3.1.6, 3.3.1.9). */
import type { FileSystem } from '@holdfast/storage'
import type { ShareConfig } from './config.ts'
import type { ShareTraffic } from './counters.ts'
import type { ShareContext, TreeContext } from './handler-api.ts'
import type { Session } from './session.ts'

export class Share implements ShareContext {
  readonly name: string
  readonly type: 'disk' | 'pipe'
  readonly comment: string
  readonly readOnly: boolean
  readonly continuouslyAvailable: boolean
  readonly encrypt: boolean
  readonly config: ShareConfig
  readonly fileSystem: FileSystem | undefined
  extension: unknown
  readonly traffic: ShareTraffic
  /** Lower-case names; undefined: everybody. */
  readonly users: ReadonlySet<string> | undefined

  constructor(config: ShareConfig, fileSystem: FileSystem | undefined, traffic: ShareTraffic) {
    this.traffic = traffic
    this.config = config
    this.name = config.name
    this.type = config.type ?? 'disk'
    this.comment = config.comment ?? ''
    this.readOnly = config.readOnly ?? false
    this.continuouslyAvailable = config.continuouslyAvailable ?? false
    this.encrypt = config.encrypt ?? false
    this.fileSystem = fileSystem
    this.users = config.users === undefined ? undefined : new Set(config.users.map(name => name.toLowerCase()))
  }

  admits(userName: string): boolean {
    return this.users === undefined || this.users.has(userName.toLowerCase())
  }
}

/** FILE_ALL_ACCESS (MS-SMB2 2.2.13.1.1). */
const allAccess = 0x001f01ff
/** FILE_GENERIC_READ | FILE_GENERIC_EXECUTE (2.2.13.1.1). */
const readAccess = 0x001200a9

export class Tree implements TreeContext {
  readonly id: number
  readonly session: Session
  readonly share: Share
  readonly maximalAccess: number
  hasEnded = false

  constructor(id: number, session: Session, share: Share) {
    this.id = id
    this.session = session
    this.share = share
    this.maximalAccess = share.readOnly ? readAccess : allAccess
  }
}

/** The shares of the server by name (without regard to case). */
export class ShareTable {
  readonly #shares = new Map<string, Share>()

  add(share: Share): void {
    this.#shares.set(key(share.name), share)
  }

  remove(name: string): void {
    this.#shares.delete(key(name))
  }

  get(name: string): Share | undefined {
    return this.#shares.get(key(name))
  }

  values(): Iterable<Share> {
    return this.#shares.values()
  }
}

const key = (name: string): string => name.toUpperCase()
