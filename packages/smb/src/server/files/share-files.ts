/** What a share's file commands need on one worker; the core keeps it as `ShareContext.extension`. */
import { fileTimeOfMs } from '@holdfast/storage'
import type { FileSystem, FileTime } from '@holdfast/storage'
import { decodeSecurityDescriptor, encodeSecurityDescriptor } from '../../messages/security-descriptor.ts'
import type { SecurityDescriptor } from '../../messages/security-descriptor.ts'
import { createDescriptor, createToken, defaultRootDescriptor, DescriptorCache } from '../access/index.ts'
import type { Token } from '../access/index.ts'
import type { SessionContext, TreeContext } from '../core/handler-api.ts'
import { ShortNames } from '../naming/index.ts'
import type { Opens } from '../opens/index.ts'
import { Beginnings } from './beginnings.ts'
import type { FileOpen } from './file-open.ts'
import { Replays } from './replays.ts'

export interface ShareFilesOptions {
  readonly fileSystem: FileSystem
  readonly opens: Opens
  /** SID of the local Administrators' machine account: owner of what nobody created over SMB. */
  readonly owner: string
  readonly group: string
  readonly readOnly: boolean
  /** Writes are on stable storage before they are answered. */
  readonly writeThrough: boolean
  /** Shows users only what they may read. */
  readonly accessBasedEnumeration: boolean
  /** Writes show in the write time later (delayed-write-times.ts). */
  readonly delayedWriteTimes: boolean
  /** Milliseconds on a monotonic clock; the process's by default. */
  readonly now?: () => number
  /** The time of day as a FILETIME. */
  readonly wallClock?: () => FileTime
}

const mostInherited = 256

/** The system's clock has milliseconds; something done now is not to seem earlier than its request. */
const endOfMillisecond = (): FileTime => fileTimeOfMs(Date.now()) + 9_999n

export class ShareFiles {
  readonly fileSystem: FileSystem
  readonly opens: Opens
  #options: ShareFilesOptions
  readonly now: () => number
  readonly wallClock: () => FileTime
  /** This worker's opens of the share, by persistent id. */
  readonly byId = new Map<bigint, FileOpen>()
  /** CREATE requests that may come again. */
  readonly replays = new Replays()
  /** Renames that have neither been done nor told anybody that they wait. */
  readonly renames = new Beginnings()
  /** 8.3 names that were asked for. */
  readonly shortNames = new ShortNames()
  readonly #descriptors = new DescriptorCache()
  readonly #rootDescriptor: SecurityDescriptor
  readonly #tokens = new WeakMap<SessionContext, { readonly user: unknown; readonly token: Token }>()
  /** Encoded descriptors for new files, by parent, creator and kind. */
  readonly #inherited = new WeakMap<SecurityDescriptor, Map<string, Buffer>>()

  constructor(options: ShareFilesOptions) {
    this.#options = options
    this.now = options.now ?? (() => performance.now())
    this.wallClock = options.wallClock ?? endOfMillisecond
    this.fileSystem = options.fileSystem
    this.opens = options.opens
    this.#rootDescriptor = defaultRootDescriptor({ owner: options.owner, group: options.group })
  }

  get options(): ShareFilesOptions {
    return this.#options
  }

  /** The share is to be otherwise: counts for all that is asked from here on. */
  change(settings: Pick<ShareFilesOptions, 'accessBasedEnumeration' | 'delayedWriteTimes'>): void {
    this.#options = { ...this.#options, ...settings }
  }

  /** The token of a session's user; made anew after a re-authentication. */
  tokenOf(session: SessionContext): Token {
    const known = this.#tokens.get(session)
    if (known !== undefined && known.user === session.user) return known.token
    const { user } = session
    const token = createToken({
      user: user.sid,
      groups: user.groupSids,
      privileges: user.isAdministrator ? ['security', 'take-ownership', 'backup', 'restore'] : [],
    })
    this.#tokens.set(session, { user, token })
    return token
  }

  /** The descriptor a stored form stands for; without one, everybody's default. */
  descriptor(stored: Uint8Array | undefined): SecurityDescriptor {
    return stored === undefined ? this.#rootDescriptor : this.#descriptors.decode(stored)
  }

  /** The descriptor to store with a new file or folder (MS-DTYP 2.5.3.4). */
  inherit(options: { parent: SecurityDescriptor; explicit?: Uint8Array | undefined; token: Token; isFolder: boolean }): Buffer {
    const { parent, token, isFolder } = options
    const creator = { owner: token.user, group: token.primaryGroup }
    if (options.explicit !== undefined) {
      return encodeSecurityDescriptor(createDescriptor({ parent, explicit: decodeSecurityDescriptor(options.explicit), creator, isFolder }))
    }
    let known = this.#inherited.get(parent)
    if (known === undefined) this.#inherited.set(parent, (known = new Map()))
    const key = `${token.user} ${token.primaryGroup} ${isFolder}`
    let bytes = known.get(key)
    if (bytes === undefined) {
      if (known.size >= mostInherited) known.clear()
      known.set(key, (bytes = encodeSecurityDescriptor(createDescriptor({ parent, creator, isFolder }))))
    }
    return bytes
  }
}

/** The file room's state of a tree's share. Throws for IPC$. */
export function filesOf(tree: TreeContext): ShareFiles {
  const { extension } = tree.share
  if (!(extension instanceof ShareFiles)) throw new Error(`share ${tree.share.name} has no files`)
  return extension
}
