/** An SMB2 session (MS-SMB2 3.3.1.8) and its channels (3.3.1.14). */
import { FsError } from '@holdfast/storage'
import type { FsErrorCode } from '@holdfast/storage'
import { Command } from '../../messages/constants.ts'
import type { SessionKeys } from '../../security/key-derivation.ts'
import { createCipher } from '../../security/encryption.ts'
import type { AeadAlgorithm, Cipher } from '../../security/encryption.ts'
import { createSigner } from '../../security/signing.ts'
import type { Signer, SigningAlgorithm } from '../../security/signing.ts'
import { deliverBreak } from './break-delivery.ts'
import type { BreakChannel } from './break-delivery.ts'
import type { SmbConnection } from './connection.ts'
import type { SessionContext, TokenUser, OpenCloseReason } from './handler-api.ts'
import { SessionOpens } from './open-map.ts'
import type { SmbRequest } from './request.ts'
import type { SmbServer } from './server.ts'
import { nextSessionState } from './session-states.ts'
import type { SessionEvent, SessionState } from './session-states.ts'
import type { Tree } from './tree.ts'
import type { SessionSetupRun } from './session-setup.ts'

/** How deletion on close may end when others were faster. */
const nothingToDelete: ReadonlySet<FsErrorCode> = new Set(['not-empty', 'not-found', 'path-not-found', 'stale'])

/** A session's end on one connection. */
export interface Channel {
  readonly connection: SmbConnection
  /** Undefined until its authentication has succeeded. */
  signer: Signer | undefined
  /** Kept for the checkpoint. */
  signingKey: Buffer | undefined
  /** The authentication under way on this channel. */
  run: SessionSetupRun | undefined
}

/** What a session is made of after authentication, and restored from. */
export interface SessionSecrets {
  readonly keys: SessionKeys
  readonly signingAlgorithm: SigningAlgorithm
  readonly cipher: AeadAlgorithm | undefined
}

/** What survives a worker (structured-cloneable). */
export interface SessionCheckpoint {
  readonly id: number
  readonly user: TokenUser
  readonly dialect: number
  readonly clientGuid: string
  readonly isAnonymous: boolean
  readonly signingRequired: boolean
  readonly encryptData: boolean
  readonly signingAlgorithm: SigningAlgorithm
  readonly cipher: AeadAlgorithm | undefined
  readonly signingKey: Uint8Array
  readonly applicationKey: Uint8Array
  readonly clientToServerKey: Uint8Array | undefined
  readonly serverToClientKey: Uint8Array | undefined
  /** Of the connection that the checkpoint belongs to. */
  readonly channelSigningKey: Uint8Array
  readonly expiresAtMs: number
  readonly sinceMs: number
  readonly trees: readonly { readonly id: number; readonly share: string }[]
}

const nobody: TokenUser = Object.freeze({ name: '', domain: '', sid: 'S-1-0-0', groupSids: [], isAdministrator: false })

/** A session on the worker that has it, with its keys, channels, tree connects and opens. */
export class Session implements SessionContext {
  /** 32 bits: the worker's index in the highest 8, the rest random. */
  readonly number: number
  readonly id: bigint
  readonly server: SmbServer
  readonly dialect: number
  readonly clientGuid: string
  readonly opens: SessionOpens
  readonly trees = new Map<number, Tree>()
  readonly channels = new Map<SmbConnection, Channel>()
  state: SessionState = 'in-progress'
  user: TokenUser = nobody
  /** Established by nobody in particular, so that anybody may know its keys (3.3.1.8). */
  isAnonymous = false
  signingRequired = false
  /** Whatever comes must be encrypted (3.3.1.8 Session.EncryptData with RejectUnencryptedAccess). */
  encryptData = false
  signingAlgorithm: SigningAlgorithm = 'HMAC-SHA256'
  cipherAlgorithm: AeadAlgorithm | undefined
  keys: SessionKeys | undefined
  /** With the session's own signing key: what a binding is signed with. */
  signer: Signer | undefined
  decryptor: Cipher | undefined
  encryptor: Cipher | undefined
  /** Something has come encrypted. */
  usesEncryption = false
  /** Milliseconds since 1970; Infinity: never. */
  expiresAtMs = Infinity
  /** When it was made, in milliseconds since 1970. */
  sinceMs: number
  /** When a request of it was last answered, by performance.now; 0 before. */
  lastActiveMs = 0
  /** Bytes of files, by READ and WRITE, on this worker. */
  bytesRead = 0
  bytesWritten = 0
  /** The connection that the last request came on: where breaks are tried first. */
  lastConnection: SmbConnection
  /** Settles when its opens of another worker's time are here. */
  recovery: Promise<void> | undefined
  #nextTreeId = 1

  constructor(options: { number: number; server: SmbServer; connection: SmbConnection }) {
    const { number, server, connection } = options
    this.number = number
    this.id = BigInt(number)
    this.server = server
    this.dialect = connection.dialect
    this.clientGuid = connection.clientGuid
    this.opens = new SessionOpens({ opensMax: server.settings.limits.opensPerSession, gauge: server.gauges.opens })
    this.lastConnection = connection
    this.sinceMs = server.clock()
  }

  /** Bytes of a file have gone over it. */
  count(command: number, bytes: number): void {
    if (command === Command.read) this.bytesRead += bytes
    else this.bytesWritten += bytes
  }

  on(event: SessionEvent): void {
    this.state = nextSessionState(this.state, event)
  }

  /** True once it has been authenticated for the first time. */
  get isEstablished(): boolean {
    return this.keys !== undefined
  }

  /** Gives the session its keys (3.3.5.5.3). */
  establish(secrets: SessionSecrets): void {
    this.keys = secrets.keys
    this.signingAlgorithm = secrets.signingAlgorithm
    this.cipherAlgorithm = secrets.cipher
    this.signer = createSigner({ algorithm: secrets.signingAlgorithm, key: secrets.keys.signingKey })
    if (secrets.cipher === undefined) return
    this.decryptor = createCipher({ algorithm: secrets.cipher, key: secrets.keys.clientToServerKey! })
    // Its nonces begin with random bytes, so a session that is restored on another worker does not repeat any.
    this.encryptor = createCipher({ algorithm: secrets.cipher, key: secrets.keys.serverToClientKey! })
  }

  addChannel(connection: SmbConnection): Channel {
    const channel: Channel = { connection, signer: undefined, signingKey: undefined, run: undefined }
    this.channels.set(connection, channel)
    return channel
  }

  /** The signature key of a channel is its own (3.3.5.5.3). */
  establishChannel(channel: Channel, options: { algorithm: SigningAlgorithm; key: Buffer }): void {
    channel.signer?.close()
    channel.signer = createSigner(options)
    channel.signingKey = options.key
  }

  addTree(create: (id: number) => Tree): Tree {
    let id = this.#nextTreeId
    while (this.trees.has(id)) id = id >= 0x7fffffff ? 1 : id + 1
    this.#nextTreeId = id >= 0x7fffffff ? 1 : id + 1
    const tree = create(id)
    this.trees.set(id, tree)
    return tree
  }

  /** Puts back what a checkpoint says. */
  restoreTree(tree: Tree): void {
    this.trees.set(tree.id, tree)
    this.#nextTreeId = Math.max(this.#nextTreeId, tree.id + 1)
  }

  sendBreak(body: Uint8Array, isDue: () => boolean): boolean {
    return deliverBreak(this.#channelsFor(body), isDue, this.server.timers)
  }

  /** Its own channels, that of the newest request first. */
  *#channelsFor(body: Uint8Array): Iterable<BreakChannel> {
    const first = this.lastConnection
    if (this.channels.has(first)) yield this.#breakChannel(first, body)
    for (const connection of this.channels.keys()) if (connection !== first) yield this.#breakChannel(connection, body)
  }

  sendLeaseBreak(body: Uint8Array, isDue: () => boolean): boolean {
    return deliverBreak(this.#connectionsFor(body), isDue, this.server.timers)
  }

  /** The client's connections, each with the first session that has it for a channel. */
  *#connectionsFor(body: Uint8Array): Iterable<BreakChannel> {
    for (const connection of this.server.connectionsOf(this.clientGuid)) {
      for (const session of connection.sessions.values()) {
        if (session.channels.get(connection)?.signer === undefined) continue
        yield session.#breakChannel(connection, body)
        break
      }
    }
  }

  #breakChannel(connection: SmbConnection, body: Uint8Array): BreakChannel {
    return {
      send: () => this.#sendOn(connection, body),
      isSilent: silentMs => connection.isGone || connection.link.isSilent(silentMs),
      close: () => connection.close('silent'),
    }
  }

  #sendOn(connection: SmbConnection, body: Uint8Array): boolean {
    if (this.state === 'closed') return false
    // A channel that is being bound is none yet.
    if (this.channels.get(connection)?.signer === undefined) return false
    try {
      return connection.sendUnsolicited(body, this)
    } catch (error) {
      connection.onBroken(error, undefined)
      return false
    }
  }

  /** Ends a tree connect: what waits on it (but `except`) is cancelled, and its opens are closed, which the promise waits for. */
  async endTree(tree: Tree, { reason, except }: { readonly reason: OpenCloseReason; readonly except?: SmbRequest }): Promise<void> {
    if (tree.hasEnded) return
    tree.hasEnded = true
    this.trees.delete(tree.id)
    this.server.gauges.trees.add(-1)
    for (const { running } of this.channels.keys()) running.cancelWhere(request => request.tree === tree && request !== except)
    await this.closeOpens(reason, tree)
    this.checkpoint()
  }

  /** Closes the opens of one tree, or all of them. */
  async closeOpens(reason: OpenCloseReason, tree?: Tree): Promise<void> {
    const waits: Promise<void>[] = []
    for (const open of this.opens.values()) {
      if (tree !== undefined && open.tree !== tree) continue
      this.opens.remove(open)
      try {
        const result = open.onGone(reason)
        if (result instanceof Promise) waits.push(result)
      } catch (error) {
        this.#onCloseFailed(error)
      }
    }
    for (const result of await Promise.allSettled(waits)) {
      if (result.status === 'rejected') this.#onCloseFailed(result.reason)
    }
  }

  /** Nobody is left to be told. A folder that is not empty, or a file that is gone, just was not there to be deleted. */
  #onCloseFailed(error: unknown): void {
    const isHarmless = error instanceof FsError && nothingToDelete.has(error.code)
    this.server.log[isHarmless ? 'debug' : 'error']({ error, session: this.number }, 'an open could not be closed')
  }

  checkpointFor(channel: Channel): SessionCheckpoint | undefined {
    const { keys } = this
    if (keys === undefined || channel.signingKey === undefined) return undefined
    return {
      id: this.number,
      user: this.user,
      dialect: this.dialect,
      clientGuid: this.clientGuid,
      isAnonymous: this.isAnonymous,
      signingRequired: this.signingRequired,
      encryptData: this.encryptData,
      signingAlgorithm: this.signingAlgorithm,
      cipher: this.cipherAlgorithm,
      signingKey: keys.signingKey,
      applicationKey: keys.applicationKey,
      clientToServerKey: keys.clientToServerKey,
      serverToClientKey: keys.serverToClientKey,
      channelSigningKey: channel.signingKey,
      expiresAtMs: this.expiresAtMs,
      sinceMs: this.sinceMs,
      trees: [...this.trees.values()].map(tree => ({ id: tree.id, share: tree.share.name })),
    }
  }

  /** Tells the connection manager of every channel what a successor needs. */
  checkpoint(): void {
    for (const channel of this.channels.values()) channel.connection.link.checkpoint(`session/${this.number}`, this.checkpointFor(channel))
  }

  /** Frees native memory. */
  dispose(): void {
    this.signer?.close()
    this.decryptor?.close()
    this.encryptor?.close()
    for (const channel of this.channels.values()) channel.signer?.close()
  }
}
