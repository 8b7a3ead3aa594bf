/** The suite's client: a session with a tree connect and one or more channels, and the requests that the cases send. */
import {
  CloseRequest,
  Command,
  CreateContexts,
  CreateDisposition,
  CreateRequest,
  FlushRequest,
  Fsctl,
  HeaderFlags,
  headerOffset,
  headerSize,
  InfoType,
  IoctlRequest,
  IoctlResponse,
  LeaseBreakAcknowledgment,
  LockFlags,
  LockRequest,
  OplockBreakAcknowledgment,
  OplockLevel,
  ReadRequest,
  ReadResponse,
  SetInfoRequest,
  ShareAccess,
  SrvCopychunkCopy,
  SrvRequestResumeKeyResponse,
  TreeConnectRequest,
  TreeConnectResponse,
  WriteRequest,
} from '@holdfast/smb/messages'
import type { CreateContext, FileId } from '@holdfast/smb/messages'
import type { Account, Endpoint } from '../peers/server.ts'
import { Created } from './answers-of-create.ts'
import { allCapabilities, Channel, statusName } from './channel.ts'
import type { Sent } from './channel.ts'
import { logIn, tryLogIn } from './login.ts'

/** Who a client is and what it connects to. */
export interface ClientOptions {
  readonly endpoint: Endpoint
  readonly account: Account
  readonly share: string
  readonly clientGuid: string
  readonly dialect?: number
  readonly capabilities?: number
  readonly previousSessionId?: bigint
}

/** How a request is sent. */
export interface How {
  /** Default: the first channel. */
  readonly via?: Channel
  /** ChannelSequence. */
  readonly sequence?: number
  /** With SMB2_FLAGS_REPLAY_OPERATION. */
  readonly replay?: boolean
}

/** What CREATE asks for; by default to read, write and delete a file that is made where it is not there, sharing everything. */
export interface CreateWish extends How {
  readonly access?: number
  readonly shareAccess?: number
  readonly disposition?: number
  readonly options?: number
  readonly oplock?: number
  readonly contexts?: readonly CreateContext[]
}

/** LockSequenceIndex and LockSequenceNumber (MS-SMB2 2.2.26). */
export interface LockSequence {
  readonly index: number
  readonly number: number
}

/** A byte range, and what is to become of it. */
export interface RangeWish extends How {
  readonly offset?: bigint
  readonly length?: bigint
  readonly sequence?: number
  readonly lockSequence?: LockSequence
  /** Default: an exclusive lock that is refused where it would have to wait. */
  readonly flags?: number
}

/** A request on its way; `status` is the name of the final one, LOST when the connection ended before it came. */
export interface Started {
  readonly pending: Promise<boolean>
  readonly answer: Promise<Buffer | undefined>
  readonly status: Promise<string>
}

/** Everything but to change the descriptor. */
const usualAccess = 0x0013_019f
const allSharing = ShareAccess.read | ShareAccess.write | ShareAccess.delete
/** FileInformationClass (MS-FSCC 2.4). */
const renameInformation = 10
const dispositionInformation = 13
const endOfFileInformation = 20

const statusOf = (answer: Buffer | undefined): string => (answer === undefined ? 'LOST' : statusName(answer.readUInt32LE(headerOffset.status)))

function started({ pending, answer }: Sent): Started {
  const status = answer.then(statusOf)
  // Who has begun something need not want to know.
  status.catch(() => undefined)
  return { pending, answer, status }
}

/** A session with a tree connect. */
export class Client {
  readonly #options: ClientOptions
  readonly channels: Channel[] = []
  treeId = 0
  /** SMB2_SHARE_CAP_* of the share. */
  shareCapabilities = 0

  private constructor(options: ClientOptions) {
    this.#options = options
  }

  /** Connects, logs in, connects to the share. */
  static async connect(options: ClientOptions): Promise<Client> {
    const client = new Client(options)
    const { account, previousSessionId } = options
    const channel = await client.#channel()
    try {
      await logIn(channel, { account, ...(previousSessionId === undefined ? {} : { previousSessionId }) })
      await client.connectTree()
    } catch (error) {
      channel.cut()
      throw error
    }
    return client
  }

  get clientGuid(): string {
    return this.#options.clientGuid
  }

  get account(): Account {
    return this.#options.account
  }

  get sessionId(): bigint {
    return this.first.sessionId
  }

  get first(): Channel {
    const [channel] = this.channels
    if (channel === undefined) throw new Error('the client has no channel')
    return channel
  }

  /** One more channel of the session (MS-SMB2 3.2.4.2.3.1). */
  async bind(): Promise<Channel> {
    const bindTo = this.channels.find(({ isOpen }) => isOpen) ?? this.first
    const channel = await this.#channel()
    await logIn(channel, { account: this.account, bindTo })
    return channel
  }

  /** The status of an attempt to bind one more connection, which ends with the case. */
  async tryBind({ account = this.account, dialect = this.first.dialect }: { account?: Account; dialect?: number }): Promise<string> {
    const bindTo = this.first
    return statusName(await tryLogIn(await this.#channel(dialect), { account, bindTo }))
  }

  async connectTree(): Promise<void> {
    const { endpoint, share } = this.#options
    const body = TreeConnectRequest.toBytes({ path: `\\\\${endpoint.host}\\${share}` })
    const answer = await this.first.send(Command.treeConnect, body).answer
    if (answer === undefined || statusOf(answer) !== 'SUCCESS') throw new Error(`TREE_CONNECT to ${share}: ${statusOf(answer)}`)
    this.treeId = answer.readUInt32LE(headerOffset.treeId)
    this.shareCapabilities = TreeConnectResponse.decode(answer, headerSize).capabilities
  }

  /** Every connection is gone at once. */
  cut(): void {
    for (const channel of this.channels) channel.cut()
  }

  startCreate(path: string, wish: CreateWish = {}): Started {
    const { contexts = [], oplock } = wish
    const hasLease = contexts.some(({ name }) => name === 'RqLs')
    const createContexts = Buffer.alloc(CreateContexts.encodedLength(contexts))
    if (contexts.length > 0) CreateContexts.encode(contexts, createContexts, 0)
    const body = CreateRequest.toBytes({
      requestedOplockLevel: oplock ?? (hasLease ? OplockLevel.lease : OplockLevel.none),
      desiredAccess: wish.access ?? usualAccess,
      shareAccess: wish.shareAccess ?? allSharing,
      createDisposition: wish.disposition ?? CreateDisposition.openIf,
      createOptions: wish.options ?? 0,
      name: path,
      createContexts,
    })
    return this.#start(Command.create, body, wish)
  }

  async create(path: string, wish: CreateWish = {}): Promise<Created> {
    return Created.of(await this.startCreate(path, wish).answer)
  }

  startWrite(fileId: FileId, text: string, { offset = 0n, ...how }: How & { readonly offset?: bigint } = {}): Started {
    const body = WriteRequest.toBytes({ offset, fileId, data: Buffer.from(text) })
    return this.#start(Command.write, body, how)
  }

  async write(fileId: FileId, text: string, how: How & { readonly offset?: bigint } = {}): Promise<string> {
    return this.startWrite(fileId, text, how).status
  }

  /** What stands in the file, or the status. */
  async read(fileId: FileId, how: How = {}): Promise<string> {
    const body = ReadRequest.toBytes({ length: 4096, offset: 0n, fileId })
    const answer = await this.#start(Command.read, body, how).answer
    if (answer === undefined || statusOf(answer) !== 'SUCCESS') return statusOf(answer)
    return `"${ReadResponse.decode(answer, headerSize).data.toString('latin1')}"`
  }

  /** SET_INFO FileEndOfFileInformation. */
  async setEndOfFile(fileId: FileId, bytes: bigint, how: How = {}): Promise<string> {
    const buffer = Buffer.alloc(8)
    buffer.writeBigUInt64LE(bytes)
    const body = SetInfoRequest.toBytes({ infoType: InfoType.file, fileInfoClass: endOfFileInformation, fileId, buffer })
    return this.#start(Command.setInfo, body, how).status
  }

  /** SET_INFO FileDispositionInformation. */
  async deleteOnClose(fileId: FileId): Promise<string> {
    const body = SetInfoRequest.toBytes({ infoType: InfoType.file, fileInfoClass: dispositionInformation, fileId, buffer: Buffer.from([1]) })
    return this.#start(Command.setInfo, body, {}).status
  }

  /** SET_INFO FileRenameInformation. */
  async rename(fileId: FileId, path: string): Promise<string> {
    const name = Buffer.from(path, 'utf16le')
    const buffer = Buffer.alloc(20 + name.length)
    buffer.writeUInt32LE(name.length, 16)
    name.copy(buffer, 20)
    const body = SetInfoRequest.toBytes({ infoType: InfoType.file, fileInfoClass: renameInformation, fileId, buffer })
    return this.#start(Command.setInfo, body, {}).status
  }

  async ioctl(fileId: FileId, ctlCode: number, input: Buffer, how: How = {}): Promise<string> {
    return this.#start(Command.ioctl, IoctlRequest.toBytes({ ctlCode, fileId, input, maxOutputResponse: 0 }), how).status
  }

  /** An IOCTL that changes something and that every server has: FSCTL_SET_SPARSE. */
  async setSparse(fileId: FileId, how: How = {}): Promise<string> {
    return this.ioctl(fileId, Fsctl.setSparse, Buffer.alloc(0), how)
  }

  /** FSCTL_SRV_REQUEST_RESUME_KEY (MS-SMB2 2.2.32.3): what names the open as the source of a copy. */
  async resumeKey(fileId: FileId): Promise<Buffer> {
    const body = IoctlRequest.toBytes({ ctlCode: Fsctl.srvRequestResumeKey, fileId, input: Buffer.alloc(0), maxOutputResponse: 32 })
    const answer = await this.#start(Command.ioctl, body, {}).answer
    if (answer === undefined || statusOf(answer) !== 'SUCCESS') throw new Error(`a resume key: ${statusOf(answer)}`)
    return Buffer.from(SrvRequestResumeKeyResponse.decode(Buffer.from(IoctlResponse.decode(answer, headerSize).output)).resumeKey)
  }

  /** FSCTL_SRV_COPYCHUNK_WRITE (MS-SMB2 2.2.31.1) of the source's first bytes. */
  startCopy(target: FileId, sourceKey: Buffer, { length, targetOffset = 0n }: { readonly length: number; readonly targetOffset?: bigint }): Started {
    const input = SrvCopychunkCopy.toBytes({ sourceKey, chunks: [{ sourceOffset: 0n, targetOffset, length }] })
    return this.#start(Command.ioctl, IoctlRequest.toBytes({ ctlCode: Fsctl.srvCopychunkWrite, fileId: target, input, maxOutputResponse: 12 }), {})
  }

  /** FSCTL_LMR_REQUEST_RESILIENCY (MS-SMB2 2.2.31.3). */
  async requestResiliency(fileId: FileId, timeoutMs: number, inputBytes = 8): Promise<string> {
    const input = Buffer.alloc(Math.max(inputBytes, 4))
    input.writeUInt32LE(timeoutMs)
    return this.ioctl(fileId, Fsctl.lmrRequestResiliency, input.subarray(0, inputBytes))
  }

  startLock(fileId: FileId, { offset = 0n, length = 1n, lockSequence, flags, ...how }: RangeWish = {}): Started {
    const { index, number } = lockSequence ?? { index: 0, number: 0 }
    const body = LockRequest.toBytes({
      lockSequence: ((index << 4) | number) >>> 0,
      fileId,
      locks: [{ offset, length, flags: flags ?? LockFlags.exclusiveLock | LockFlags.failImmediately }],
    })
    return this.#start(Command.lock, body, how)
  }

  async lock(fileId: FileId, wish: RangeWish = {}): Promise<string> {
    return this.startLock(fileId, wish).status
  }

  async unlock(fileId: FileId, wish: RangeWish = {}): Promise<string> {
    return this.startLock(fileId, { ...wish, flags: LockFlags.unlock }).status
  }

  async flush(fileId: FileId, how: How = {}): Promise<string> {
    return this.#start(Command.flush, FlushRequest.toBytes({ fileId }), how).status
  }

  async close(fileId: FileId, how: How = {}): Promise<string> {
    return this.#start(Command.close, CloseRequest.toBytes({ fileId }), how).status
  }

  async acknowledgeOplock(fileId: FileId, oplockLevel: number, how: How = {}): Promise<string> {
    return this.#start(Command.oplockBreak, OplockBreakAcknowledgment.toBytes({ oplockLevel, fileId }), how).status
  }

  async acknowledgeLease(leaseKey: string, leaseState: number): Promise<string> {
    return this.#start(Command.oplockBreak, LeaseBreakAcknowledgment.toBytes({ leaseKey, leaseState }), {}).status
  }

  async logOff(): Promise<string> {
    return this.#start(Command.logoff, Buffer.from([4, 0, 0, 0]), {}).status
  }

  async disconnectTree(): Promise<string> {
    return this.#start(Command.treeDisconnect, Buffer.from([4, 0, 0, 0]), {}).status
  }

  #start(command: number, body: Buffer, { via = this.first, sequence = 0, replay = false }: How): Started {
    const flags = replay ? HeaderFlags.replayOperation : 0
    return started(via.send(command, body, { treeId: this.treeId, sessionId: this.sessionId, flags, channelSequence: sequence }))
  }

  async #channel(dialect: number = this.#options.dialect ?? 0x0311): Promise<Channel> {
    const { endpoint, clientGuid, capabilities = allCapabilities } = this.#options
    const channel = await Channel.open(endpoint, { clientGuid, dialect, capabilities })
    this.channels.push(channel)
    return channel
  }
}
