/**
 * The smallest client that gets past the login, and then sends whatever it is told, signed.
 *
 * It writes its own messages byte by byte on purpose: a mistake in the product's codecs must not hide behind the same mistake here.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { createSigner, deriveKeys, ntlmClientMechanism, SpnegoClient } from '@holdfast/smb/security'
import type { Signer } from '@holdfast/smb/security'
import { FrameCutter, frameOf } from './frames.ts'

/** Where to connect to, and as whom. */
export interface SessionOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Address to come from, so that one peer's misdeeds are not held against another. */
  readonly localAddress?: string
  readonly timeoutMs?: number
}

/** Offsets in the SMB2 header (MS-SMB2 2.2.1.2). */
export const headerAt = {
  creditCharge: 6,
  status: 8,
  command: 12,
  credits: 14,
  flags: 16,
  nextCommand: 20,
  messageId: 24,
  treeId: 36,
  sessionId: 40,
} as const

/** Commands the session itself uses (MS-SMB2 2.2.1.2). */
export const command = { negotiate: 0, sessionSetup: 1, logoff: 2, treeConnect: 3, create: 5, ioctl: 11, cancel: 12, echo: 13 } as const

/** What `open` asks for (MS-SMB2 2.2.13). */
const createFields = { impersonation: 2, desiredAccess: 0x0012019f, attributes: 0x80, shareAccess: 7, openOrCreate: 3 } as const

const headerBytes = 64
const statusMoreProcessingRequired = 0xc0000016
const statusPending = 0x103

/** A connection that is logged in. */
export class RawSession implements AsyncDisposable {
  readonly #socket: Socket
  readonly #options: SessionOptions
  readonly #waiting = new Map<bigint, (response: Buffer | undefined) => void>()
  #nextMessageId = 0n
  #signer: Signer | undefined
  sessionId = 0n
  /** Credits granted and not used yet. */
  credits = 1
  isOpen = true

  private constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket
    this.#options = options
    const cutter = new FrameCutter()
    socket.on('data', (chunk: Buffer) => {
      for (const frame of cutter.push(chunk)) this.#receive(frame.subarray(4))
    })
    // A reset is a close; whoever waits for an answer gets none.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isOpen = false
      for (const resolve of this.#waiting.values()) resolve(undefined)
      this.#waiting.clear()
    })
  }

  /** Connects without saying anything. */
  static async connect(options: SessionOptions): Promise<RawSession> {
    const { host, port, localAddress } = options
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) })
    const session = new RawSession(socket, options)
    await once(socket, 'connect', { signal: AbortSignal.timeout(options.timeoutMs ?? 5000) })
    socket.setNoDelay()
    return session
  }

  /** Connects and logs in with SMB 3.1.1 and NTLMv2. Throws when that fails. */
  static async login(options: SessionOptions): Promise<RawSession> {
    const session = await RawSession.connect(options)
    try {
      await session.#login()
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  /** Ids for the next message (a compound takes several). */
  takeMessageIds(count = 1): bigint {
    const first = this.#nextMessageId
    this.#nextMessageId += BigInt(count)
    this.credits -= count
    return first
  }

  /** Writes bytes as they are. */
  sendRaw(bytes: Buffer): void {
    if (this.isOpen) this.#socket.write(bytes)
  }

  /** Signs each element of a message (a compound has several, MS-SMB2 3.2.4.1.4), as far as its chain can be followed. */
  sign(message: Buffer): void {
    for (let at = 0; this.#signer !== undefined && at + headerBytes <= message.length;) {
      const next = message.readUInt32LE(at + headerAt.nextCommand)
      const end = next >= headerBytes && at + next <= message.length ? at + next : message.length
      this.#signer.sign(message.subarray(at, end), 'client')
      if (end === message.length) return
      at = end
    }
  }

  /** The final answer to a message id; undefined when the connection ends or the time is over first. */
  async answer(messageId: bigint, timeoutMs: number): Promise<Buffer | undefined> {
    if (!this.isOpen) return undefined
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#waiting.delete(messageId)
        resolve(undefined)
      }, timeoutMs)
      this.#waiting.set(messageId, response => {
        clearTimeout(timer)
        this.#waiting.delete(messageId)
        resolve(response)
      })
    })
  }

  /** Sends one well-formed request and returns the answer. Throws when there is none in time. */
  async request(commandCode: number, body: Buffer, treeId = 0): Promise<Buffer> {
    const message = this.#message(commandCode, body, treeId)
    this.sign(message)
    return this.#exchange(message, commandCode)
  }

  /** Connects to a share; returns its TreeId. Throws when refused. */
  async connectTree(share: string): Promise<number> {
    const path = Buffer.from(`\\\\${this.#options.host}\\${share}`, 'utf16le')
    const body = Buffer.alloc(8 + path.length)
    body.writeUInt16LE(9, 0)
    body.writeUInt16LE(headerBytes + 8, 4)
    body.writeUInt16LE(path.length, 6)
    path.copy(body, 8)
    const response = await this.request(command.treeConnect, body)
    const status = response.readUInt32LE(headerAt.status)
    if (status !== 0) throw new Error(`TREE_CONNECT to ${share}: status 0x${status.toString(16)}`)
    return response.readUInt32LE(headerAt.treeId)
  }

  /** Opens a file by name, makes it where it is not there; returns its FileId. Throws when refused. */
  async open(treeId: number, path: string): Promise<Buffer> {
    const name = Buffer.from(path, 'utf16le')
    const body = Buffer.alloc(56 + Math.max(1, name.length))
    body.writeUInt16LE(57, 0)
    body.writeUInt32LE(createFields.impersonation, 4)
    body.writeUInt32LE(createFields.desiredAccess, 24)
    body.writeUInt32LE(createFields.attributes, 28)
    body.writeUInt32LE(createFields.shareAccess, 32)
    body.writeUInt32LE(createFields.openOrCreate, 36)
    body.writeUInt16LE(headerBytes + 56, 44)
    body.writeUInt16LE(name.length, 46)
    name.copy(body, 56)
    const response = await this.request(command.create, body, treeId)
    const status = response.readUInt32LE(headerAt.status)
    if (status !== 0) throw new Error(`CREATE of ${path}: status 0x${status.toString(16)}`)
    return response.subarray(headerBytes + 64, headerBytes + 80)
  }

  /** ECHO, which any live server answers. */
  async echo(): Promise<void> {
    const body = Buffer.alloc(4)
    body.writeUInt16LE(4, 0)
    await this.request(command.echo, body)
  }

  close(): void {
    this.isOpen = false
    this.#socket.destroy()
    this.#signer?.close()
    this.#signer = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #message(commandCode: number, body: Buffer, treeId: number): Buffer {
    const message = Buffer.alloc(headerBytes + body.length)
    message.writeUInt32LE(0x424d53fe, 0)
    message.writeUInt16LE(headerBytes, 4)
    message.writeUInt16LE(1, headerAt.creditCharge)
    message.writeUInt16LE(commandCode, headerAt.command)
    message.writeUInt16LE(128, headerAt.credits)
    message.writeBigUInt64LE(this.takeMessageIds(), headerAt.messageId)
    message.writeUInt32LE(treeId, headerAt.treeId)
    message.writeBigUInt64LE(this.sessionId, headerAt.sessionId)
    body.copy(message, headerBytes)
    return message
  }

  async #exchange(message: Buffer, commandCode: number): Promise<Buffer> {
    const answer = this.answer(message.readBigUInt64LE(headerAt.messageId), this.#options.timeoutMs ?? 5000)
    this.sendRaw(frameOf(message))
    const response = await answer
    if (response === undefined) throw new Error(`no answer to command ${commandCode}`)
    return response
  }

  #receive(bytes: Buffer): void {
    // Walks the answers of a compound; whatever is not plain SMB2 is of no interest here.
    for (let at = 0; at + headerBytes <= bytes.length && bytes.readUInt32LE(at) === 0x424d53fe;) {
      const next = bytes.readUInt32LE(at + headerAt.nextCommand)
      const element = bytes.subarray(at, next === 0 ? undefined : at + next)
      this.credits += element.readUInt16LE(headerAt.credits)
      if (element.readUInt32LE(headerAt.status) !== statusPending) {
        this.#waiting.get(element.readBigUInt64LE(headerAt.messageId))?.(Buffer.from(element))
      }
      if (next === 0) return
      at += next
    }
  }

  async #login(): Promise<void> {
    const { user, password } = this.#options
    let hash: Buffer = Buffer.alloc(64)
    const extend = (message: Buffer): void => {
      hash = createHash('sha512').update(hash).update(message).digest()
    }
    const negotiate = this.#message(command.negotiate, negotiateBody(), 0)
    const negotiated = await this.#exchange(negotiate, command.negotiate)
    extend(negotiate)
    extend(negotiated)
    const spnego = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user, password })] })
    let token = securityBuffer(negotiated, headerBytes + 56)
    for (;;) {
      const step = await spnego.step(token)
      if (step.done) break
      const setup = this.#message(command.sessionSetup, sessionSetupBody(step.output), 0)
      const response = await this.#exchange(setup, command.sessionSetup)
      const status = response.readUInt32LE(headerAt.status)
      if (status !== 0 && status !== statusMoreProcessingRequired) throw new Error(`SESSION_SETUP: status 0x${status.toString(16)}`)
      extend(setup)
      if (status !== 0) extend(response)
      this.sessionId = response.readBigUInt64LE(headerAt.sessionId)
      token = securityBuffer(response, headerBytes + 4)
    }
    const sessionKey = spnego.sessionKey ?? Buffer.alloc(16)
    const { signingKey } = deriveKeys({ dialect: 0x0311, sessionKey, preauthHash: hash })
    this.#signer = createSigner({ algorithm: 'AES-CMAC', key: signingKey })
  }
}

/** Offset and length of a security buffer stand next to each other. */
function securityBuffer(message: Buffer, at: number): Buffer {
  const offset = message.readUInt16LE(at)
  return message.subarray(offset, offset + message.readUInt16LE(at + 2))
}

/** NEGOTIATE with 3.1.1 alone and the one context that is required (MS-SMB2 2.2.3, 2.2.3.1.1); signing is by AES-CMAC then. */
function negotiateBody(): Buffer {
  const body = Buffer.alloc(36 + 4 + 8 + 38)
  body.writeUInt16LE(36, 0)
  body.writeUInt16LE(1, 2)
  body.writeUInt16LE(1, 4)
  body.writeUInt32LE(0x3f, 8)
  randomBytes(16).copy(body, 12)
  body.writeUInt32LE(headerBytes + 40, 28)
  body.writeUInt16LE(1, 32)
  body.writeUInt16LE(0x0311, 36)
  body.writeUInt16LE(1, 40)
  body.writeUInt16LE(38, 42)
  body.writeUInt16LE(1, 48)
  body.writeUInt16LE(32, 50)
  body.writeUInt16LE(1, 52)
  randomBytes(32).copy(body, 54)
  return body
}

/** SESSION_SETUP (MS-SMB2 2.2.5). */
function sessionSetupBody(token: Buffer): Buffer {
  const body = Buffer.alloc(24 + token.length)
  body.writeUInt16LE(25, 0)
  body.writeUInt8(1, 3)
  body.writeUInt16LE(headerBytes + 24, 12)
  body.writeUInt16LE(token.length, 14)
  token.copy(body, 24)
  return body
}
