/** What an administrator sees of a worker's sessions and opens, and does to them. */
import type { Session, SmbServer, TokenUser } from './core/index.ts'
import type { OpenRecord } from './opens/index.ts'
import type { SharesOnWorker } from './shares-on-worker.ts'

/** A session as its worker knows it; structured-cloneable. */
export interface SmbSessionView {
  /** SessionId: unique in the node. */
  readonly number: number
  readonly user: string
  readonly clientAddress: string
  readonly clientPort: number
  /** In milliseconds since 1970. */
  readonly sinceMs: number
  /** When its last request was answered; undefined before there is one. */
  readonly lastActiveMs: number | undefined
  /** 0x0202 … 0x0311. */
  readonly dialect: number
  readonly isSigned: boolean
  readonly isEncrypted: boolean
  readonly channels: number
  readonly opens: number
  /** Names of the shares it is connected to, each once. */
  readonly shares: readonly string[]
  /** Of files, by READ and WRITE, since the worker has the session. */
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** An open of a file or folder, or one that waits for its client; structured-cloneable. */
export interface SmbOpenView {
  /** FileId.Persistent: unique in the node. */
  readonly id: bigint
  /** SessionId; undefined where it waits for its client and nobody has noted which one it was. */
  readonly session: number | undefined
  readonly share: string
  /** In the share, `/` between components. */
  readonly path: string
  /** `''` for the unnamed data stream. */
  readonly stream: string
  readonly isFolder: boolean
  readonly user: string
  /** Granted access mask (MS-SMB2 2.2.13.1). */
  readonly access: number
  /** FILE_SHARE_* (MS-SMB2 2.2.13). */
  readonly shareAccess: number
  /** When it was opened, or began to wait; in milliseconds since 1970. */
  readonly sinceMs: number | undefined
  /** What its client may cache: `leaseStates` bits. */
  readonly caching: { readonly kind: 'oplock' | 'lease'; readonly state: number; readonly breakingTo?: number } | undefined
  /** Byte-range locks it holds. */
  readonly locks: number
  readonly durability: 'none' | 'durable' | 'resilient' | 'persistent'
  /** Its client is gone and may come back. */
  readonly isWaiting: boolean
  /** The file goes with its last open. */
  readonly deletesFile: boolean
}

/** Which opens. */
export interface SmbOpenFilter {
  readonly share?: string
  readonly user?: string
  /** SessionId. */
  readonly session?: number
}

/** How much a share is in use on this worker. */
export interface SmbShareUse {
  readonly share: string
  /** Tree connects. */
  readonly connections: number
  /** Opens that are served here, and those that wait for their clients, on the share's owner. */
  readonly opens: number
}

/** Names of accounts, for opens whose sessions are gone. */
export interface AccountNames {
  accountBySid(sid: string): { readonly name: string; readonly isGroup?: boolean } | undefined
}

/** A worker's part of what the node is used for. Nothing is counted for it: it looks when it is asked. */
export class SmbAdministration {
  readonly #server: SmbServer
  readonly #shares: SharesOnWorker
  readonly #accounts: AccountNames

  constructor(server: SmbServer, shares: SharesOnWorker, accounts: AccountNames) {
    this.#server = server
    this.#shares = shares
    this.#accounts = accounts
  }

  /** SessionIds of those that have been authenticated. */
  *sessionNumbers(): IterableIterator<number> {
    for (const session of this.#server.sessions.values()) if (session.isEstablished) yield session.number
  }

  /** Undefined where it is gone. */
  session(number: number): SmbSessionView | undefined {
    const session = this.#server.sessions.get(number)
    return session?.isEstablished === true ? this.#sessionView(session) : undefined
  }

  #sessionView(session: Session): SmbSessionView {
    const { number, user, sinceMs, lastActiveMs, dialect, channels, trees, opens, bytesRead, bytesWritten } = session
    const connection = session.lastConnection
    const shares = [...trees.values()].map(({ share }) => share)
    return {
      number,
      user: user.name,
      clientAddress: connection.remoteAddress,
      clientPort: connection.link.remotePort,
      sinceMs,
      lastActiveMs: lastActiveMs === 0 ? undefined : Math.round(performance.timeOrigin + lastActiveMs),
      dialect,
      isSigned: session.signingRequired,
      isEncrypted: session.encryptData || session.usesEncryption || shares.some(({ encrypt }) => encrypt),
      channels: channels.size,
      opens: opens.size,
      shares: [...new Set(shares.filter(({ type }) => type === 'disk').map(({ name }) => name))],
      bytesRead,
      bytesWritten,
    }
  }

  /** Ends a session as LOGOFF does (MS-SMB2 3.3.5.6): what is durable waits for its client. False where there is none. */
  async disconnect(number: number): Promise<boolean> {
    const session = this.#server.sessions.get(number)
    if (session === undefined) return false
    await this.#server.endSession(session, 'logoff')
    return true
  }

  /** Ends all sessions of a user, also those that are just being set up; nothing of his waits for him. */
  async disconnectUser(user: Pick<TokenUser, 'name' | 'sid'>): Promise<void> {
    const concerned = [...this.#server.sessions.values()].filter(session => isOf(session, user))
    await Promise.all(concerned.map(session => this.#server.endSession(session, 'ended')))
    for (const { opens } of this.#shares.values()) await opens.owned?.forceCloseWaiting(({ durable }) => durable?.owner === user.sid)
  }

  /** Ids of opens that are served here, and of those that wait, where they are arbitrated. In no order. */
  *openIds(filter: SmbOpenFilter = {}): IterableIterator<bigint> {
    const session = filter.session === undefined ? undefined : this.#server.sessions.get(filter.session)
    for (const { share, files, opens } of this.#shares.values()) {
      if (filter.share !== undefined && !same(filter.share, share.name)) continue
      for (const [id, open] of files.byId) {
        if (open.isWaiting || (filter.session !== undefined && open.tree.session !== session)) continue
        if (filter.user === undefined || same(filter.user, open.tree.session.user.name)) yield id
      }
      if (opens.owned === undefined) continue
      for (const id of opens.owned.waiting()) if (this.#isWaitingAskedFor(opens.owned.recordOf(id), filter)) yield id
    }
  }

  #isWaitingAskedFor(record: OpenRecord | undefined, { user, session }: SmbOpenFilter): boolean {
    if (record === undefined) return false
    if (session !== undefined && record.durable?.seat?.session !== BigInt(session)) return false
    return user === undefined || same(user, this.#ownerOf(record))
  }

  #ownerOf({ durable }: OpenRecord): string {
    const sid = durable?.owner ?? ''
    return this.#accounts.accountBySid(sid)?.name ?? sid
  }

  /** Undefined where it is closed, or somewhere else. */
  open(id: bigint): SmbOpenView | undefined {
    for (const { share, files, opens } of this.#shares.values()) {
      const open = files.byId.get(id)
      if (open !== undefined && !open.isWaiting) {
        const record = opens.recordOf(open.grant)
        if (record === undefined) return undefined
        const { session } = open.tree
        return { ...viewOf(share.name, record), session: Number(session.id), user: session.user.name, sinceMs: open.sinceMs, isWaiting: false }
      }
      const record = opens.owned?.recordOf(id)
      if (record?.parked === true) {
        const seat = record.durable?.seat
        const session = seat === undefined ? undefined : Number(seat.session)
        return { ...viewOf(share.name, record), session, user: this.#ownerOf(record), sinceMs: record.parkedAt, isWaiting: true }
      }
    }
    return undefined
  }

  /** Closes an open that is arbitrated here, whatever its client does (MS-SMB2 3.3.4.17). False where there is none. */
  async forceClose(id: bigint): Promise<boolean> {
    for (const { opens } of this.#shares.values()) if ((await opens.owned?.forceClose(id)) === true) return true
    return false
  }

  /** By share. */
  uses(): readonly SmbShareUse[] {
    const connections = new Map<string, number>()
    for (const { trees } of this.#server.sessions.values()) {
      for (const { share } of trees.values()) connections.set(share.name, (connections.get(share.name) ?? 0) + 1)
    }
    return [...this.#shares.values()].map(({ share: { name }, files, opens }) => {
      let open = 0
      for (const { isWaiting } of files.byId.values()) if (!isWaiting) open++
      for (const _ of opens.owned?.waiting() ?? []) open++
      return { share: name, connections: connections.get(name) ?? 0, opens: open }
    })
  }
}

const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()

const isOf = ({ user, channels }: Session, { name, sid }: Pick<TokenUser, 'name' | 'sid'>): boolean =>
  user.sid === sid || same(user.name, name) || [...channels.values()].some(({ run }) => run !== undefined && same(run.claimedUser, name))

const viewOf = (share: string, record: OpenRecord): Omit<SmbOpenView, 'session' | 'user' | 'sinceMs' | 'isWaiting'> => ({
  id: record.openId,
  share,
  path: record.path,
  stream: record.stream,
  isFolder: record.isFolder,
  access: record.access,
  shareAccess: record.shareAccess,
  caching: record.caching,
  locks: record.locks.length,
  durability: durabilityOf(record),
  deletesFile: record.deleteOnClose || record.deletePending !== 'none',
})

const durabilityOf = ({ durable }: OpenRecord): SmbOpenView['durability'] => {
  if (durable === undefined) return 'none'
  return durable.persistent ? 'persistent' : durable.resilient === true ? 'resilient' : 'durable'
}
