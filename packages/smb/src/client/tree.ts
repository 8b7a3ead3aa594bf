/** A tree connection: a session's way into one share (MS-SMB2 3.2.4.2.4, 3.2.5.5). */
import {
  anyFileId,
  Dialect,
  Fsctl,
  headerOffset,
  headerSize,
  IoctlResponse,
  NtStatus,
  ShareFlags,
  TreeConnectResponse,
  ValidateNegotiateInfoRequest,
  ValidateNegotiateInfoResponse,
} from '../messages/index.ts'
import type { CallOptions, Connection } from './connection.ts'
import { SmbError } from './errors.ts'
import type { Protection } from './protection.ts'
import { operations } from './requests.ts'
import type { AnyRecord, Replies, Reply, RequestRecord, Scope } from './requests.ts'
import type { Session } from './session.ts'
import { connectionStates } from './states.ts'

/** What a server says of a share. */
export type TreeInfo = TreeConnectResponse

/** A share a session is connected to. */
export class Tree implements Scope {
  readonly session: Session
  /** The share's name. */
  readonly share: string
  #treeId = 0
  #info: TreeInfo | undefined
  #isOpen = true
  #lost: SmbError | undefined

  private constructor(session: Session, share: string) {
    this.session = session
    this.share = share
  }

  /** Connects to a share. Rejects with SmbError `NO_SUCH_SHARE`, `EACCES`, `ENCRYPTION_NOT_SUPPORTED`, `NEGOTIATION_TAMPERED`. */
  static async connect(session: Session, share: string, options: CallOptions = {}): Promise<Tree> {
    const tree = new Tree(session, share)
    await tree.#connect(session, options)
    session.link.trees.add(tree)
    return tree
  }

  /** Connects anew in a session that was renewed; a share that is not there any more takes with it what is open in it. */
  async renew(connection: Connection, signal: AbortSignal): Promise<void> {
    try {
      await this.#connect(connection, { signal })
      this.#lost = undefined
    } catch (error) {
      if (!(error instanceof SmbError) || error.status === undefined) throw error
      this.#lost = error
    }
  }

  async #connect(via: Pick<Session, 'exchange'>, options: CallOptions): Promise<void> {
    const { session, share } = this
    let treeId = 0
    const { value } = await via.exchange(
      {
        operation: operations.treeConnect,
        value: { path: `\\\\${session.connection.host}\\${share}` },
        scope: session,
        // What the share says of itself must come from the server (3.2.4.2.4).
        mustSign: true,
        path: share,
        receive: incoming => {
          treeId = incoming.message.readUInt32LE(headerOffset.treeId)
          return TreeConnectResponse.decode(incoming.message, headerSize)
        },
      },
      options,
    )
    this.#treeId = treeId
    this.#info = value!
    if ((value!.shareFlags & ShareFlags.encryptData) !== 0 && session.protection?.encrypts === undefined) {
      throw new SmbError('ENCRYPTION_NOT_SUPPORTED', `share ${share} is encrypted, and the connection has no cipher`, { path: share })
    }
    if (!session.isValidated) await this.#validateNegotiation(via, options)
  }

  /** Why there can be no requests; undefined while there can. */
  get lost(): SmbError | undefined {
    return this.#lost
  }

  get sessionId(): bigint {
    return this.session.sessionId
  }

  get treeId(): number {
    return this.#treeId
  }

  get protection(): Protection | undefined {
    return this.session.protection
  }

  /** The session or the share wants it. */
  get encrypts(): boolean {
    return this.session.encrypts || (this.info.shareFlags & ShareFlags.encryptData) !== 0
  }

  get info(): TreeInfo {
    return this.#info!
  }

  exchange<In, Wire, Out = Wire>(record: RequestRecord<In, Wire, Out>, options?: CallOptions): Promise<Reply<Out>> {
    if (this.#lost !== undefined) {
      record.message?.release()
      return Promise.reject(this.#lost)
    }
    return this.session.exchange(record, options)
  }

  exchangeCompound<const Records extends readonly AnyRecord[]>(records: Records, options?: CallOptions): Promise<Replies<Records>> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return this.session.exchangeCompound(records, options)
  }

  /** TREE_DISCONNECT; never rejects: what is lost is disconnected. */
  async disconnect(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.session.link.trees.delete(this)
    if (connectionStates[this.session.connection.state].sends !== 'everything') return
    await this.exchange({ operation: operations.treeDisconnect, value: {}, scope: this }).catch(() => undefined)
  }

  /**
   * Asks, signed, what was negotiated unsigned (3.2.5.5). A server without 3.x refuses, signed as well: then nobody took 3.x away from it.
   * What does not agree ends the connection.
   */
  async #validateNegotiation(via: Pick<Session, 'exchange'>, options: CallOptions): Promise<void> {
    const { negotiated, protection } = this.session
    const { offered } = negotiated
    if (offered.revisions.every(revision => revision < Dialect.smb300) || protection === undefined) return
    const { status, value } = await via.exchange(
      {
        operation: operations.ioctl,
        value: {
          ctlCode: Fsctl.validateNegotiateInfo,
          fileId: anyFileId,
          maxOutputResponse: ValidateNegotiateInfoResponse.fixedSize,
          input: ValidateNegotiateInfoRequest.toBytes({
            capabilities: offered.capabilities,
            guid: offered.clientGuid,
            securityMode: offered.securityMode,
            dialects: offered.revisions,
          }),
        },
        scope: this,
        mustSign: true,
        allows: refusals,
        receive: ({ message }) => ValidateNegotiateInfoResponse.decode(IoctlResponse.decode(message, headerSize).output),
      },
      options,
    )
    if (value === undefined && negotiated.revision >= Dialect.smb300) throw this.#tampered(`status 0x${status.toString(16)}`)
    if (value !== undefined) {
      const agrees =
        value.capabilities === negotiated.capabilities &&
        value.guid === negotiated.serverGuid &&
        value.securityMode === negotiated.securityMode &&
        value.dialect === negotiated.revision
      if (!agrees) throw this.#tampered('the server said something else')
    }
    this.session.setValidated()
  }

  #tampered(how: string): SmbError {
    const error = new SmbError('NEGOTIATION_TAMPERED', `somebody changed the negotiation: ${how}`)
    this.session.link.fail(error)
    return error
  }
}

/** What servers answer that do not know the request. */
const refusals: readonly number[] = [
  NtStatus.FILE_CLOSED,
  NtStatus.INVALID_DEVICE_REQUEST,
  NtStatus.NOT_SUPPORTED,
  NtStatus.INVALID_PARAMETER,
  NtStatus.FS_DRIVER_REQUIRED,
]
