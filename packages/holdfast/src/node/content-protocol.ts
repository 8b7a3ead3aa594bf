/** HTTP content on a worker: the shares that SMB serves there, their users and their rules. */

import { type ContentAccounts, type ContentShare, type ContentShares, createContentProtocol, type Reader } from '@holdfast/content'
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import { LoginThrottle } from '@holdfast/smb/security'
import { readerToken, type ReaderToken, type ShareReader, type ShareReaders } from '@holdfast/smb/server'
import type { WorkerShares } from '../shares/worker-shares.ts'
import { type Accounts, type AccountToken, openAccounts } from './accounts.ts'
import { levelTold } from './log-level.ts'
import type { NodeConfig, NodeShare } from './node-config.ts'

/** What it is made of. */
export interface ContentOnWorker {
  readonly node: WorkerNode
  readonly config: NodeConfig
  readonly shares: Pick<WorkerShares, 'find' | 'list'>
  readonly readers: Pick<ShareReaders, 'find'>
}

/** Builds the protocol for one worker. */
export function createContentOnWorker({ node, config, shares, readers }: ContentOnWorker): WorkerProtocol {
  const accounts = openAccounts({ stateDir: config.stateDir, domain: config.name, domainSid: config.identity.machineSid })
  return createContentProtocol(node, {
    shares: new SharesAsContent(shares, readers),
    accounts: new Readers(accounts, config.ntlm !== 'off'),
    throttle: new LoginThrottle(),
    realm: `Holdfast on ${config.name}`,
    tellsRequests: levelTold('debug', config.logLevel),
  })
}

/** Who reads, with the token that decides what. */
interface TokenReader extends Reader {
  readonly token: ReaderToken
}

/** A name that nobody can have, and the rights of whoever logs in: a share that is public is so for what every user may read. */
const anonymousSid = 'S-1-5-7'

class Readers implements ContentAccounts {
  readonly nobody: TokenReader = { name: '', token: readerToken({ sid: anonymousSid, groupSids: [] }) }
  readonly #accounts: Accounts
  readonly #takesPasswords: boolean
  readonly #known = new Map<string, { readonly of: AccountToken; readonly reader: TokenReader }>()

  /** Without `takesPasswords` nobody logs in: Basic is a password, and where those are off only what is public is read. */
  constructor(accounts: Accounts, takesPasswords: boolean) {
    this.#accounts = accounts
    this.#takesPasswords = takesPasswords
  }

  verify(user: string, password: string): TokenReader | undefined {
    const of = this.#takesPasswords ? this.#accounts.verify(user, password) : undefined
    if (of === undefined) return undefined
    const known = this.#known.get(of.name)
    if (known !== undefined && known.of.sid === of.sid && known.of.isAdministrator === of.isAdministrator) return known.reader
    const reader = { name: of.name, token: readerToken(of) }
    this.#known.set(of.name, { of, reader })
    return reader
  }
}

const tokenOf = (reader: Reader): ReaderToken => (reader as TokenReader).token

/** What clients have to encrypt does not go over HTTP. */
const isServed = (share: NodeShare): boolean => !share.encrypt

class SharesAsContent implements ContentShares {
  readonly #shares: Pick<WorkerShares, 'find' | 'list'>
  readonly #readers: Pick<ShareReaders, 'find'>
  readonly #known = new Map<string, { readonly share: NodeShare; readonly reader: ShareReader; readonly content: ContentShare }>()

  constructor(shares: Pick<WorkerShares, 'find' | 'list'>, readers: Pick<ShareReaders, 'find'>) {
    this.#shares = shares
    this.#readers = readers
  }

  list(): readonly ContentShare[] {
    return this.#shares.list().flatMap(({ name }) => this.find(name) ?? [])
  }

  find(name: string): ContentShare | undefined {
    const share = this.#shares.find(name)
    const reader = share && isServed(share) ? this.#readers.find(name) : undefined
    if (share === undefined || reader === undefined) return undefined
    const known = this.#known.get(share.name)
    if (known !== undefined && known.share === share && known.reader === reader) return known.content
    const content = contentOf(share, reader)
    this.#known.set(share.name, { share, reader, content })
    return content
  }
}

function contentOf(share: NodeShare, reader: ShareReader): ContentShare {
  const users = share.users && new Set(share.users.map(name => name.toUpperCase()))
  return {
    name: share.name,
    comment: share.comment,
    fileSystem: reader.fileSystem,
    isPublic: share.isPublic ?? false,
    hasActiveContent: share.hasActiveContent ?? false,
    hidesUnreadable: share.accessBasedEnumeration ?? false,
    admits: ({ name }) => users === undefined || users.has(name.toUpperCase()),
    mayRead: (who, security) => reader.mayRead(security, tokenOf(who)),
    mayList: (who, security) => reader.mayList(security, tokenOf(who)),
  }
}
