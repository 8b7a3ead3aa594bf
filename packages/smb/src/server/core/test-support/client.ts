/** A client that says exactly what a test wants, on a FakeConnection. */
import assert from 'node:assert/strict'
import { Capability, Command, Dialect, HeaderFlags, SecurityMode, SessionFlags } from '../../../messages/constants.ts'
import { AsyncHeader, Header, headerOffset, headerSize } from '../../../messages/header.ts'
import { Cipher, HashAlgorithm, NegotiateContextType, SigningAlgorithm } from '../../../messages/negotiate-contexts.ts'
import type { NegotiateContext } from '../../../messages/negotiate-contexts.ts'
import { NegotiateRequest, NegotiateResponse } from '../../../messages/negotiate.ts'
import { NtStatus } from '../../../messages/nt-status.ts'
import { SessionSetupRequest, SessionSetupResponse } from '../../../messages/session-setup.ts'
import { TreeConnectRequest } from '../../../messages/tree-connect.ts'
import { aeadAlgorithms } from '../../../security/crypto.ts'
import type { AeadAlgorithm } from '../../../security/crypto.ts'
import { createCipher, isTransformed } from '../../../security/encryption.ts'
import { deriveKeys } from '../../../security/key-derivation.ts'
import type { SessionKeys } from '../../../security/key-derivation.ts'
import type { MechanismEntry } from '../../../security/mechanism.ts'
import { ntlmFlags } from '../../../security/ntlm/flags.ts'
import { ntlmClientMechanism } from '../../../security/ntlm/index.ts'
import { encodeAuthenticate, encodeNegotiate } from '../../../security/ntlm/messages.ts'
import { PreauthHash } from '../../../security/preauth.ts'
import { createSigner } from '../../../security/signing.ts'
import type { Signer, SigningAlgorithm as SigningName } from '../../../security/signing.ts'
import { SpnegoClient } from '../../../security/spnego/index.ts'
import type { FakeConnection, FakeMessage } from './fakes.ts'

export interface Response {
  readonly header: Header
  /** From the header on. */
  readonly bytes: Buffer
  readonly body: Buffer
  readonly status: number
  readonly asyncId: bigint
  readonly wasEncrypted: boolean
}

export interface ClientSession {
  id: bigint
  keys: SessionKeys
  /** Of this channel. */
  signer: Signer
  encrypt: (message: Buffer) => Buffer
  decrypt: (frame: Buffer) => Buffer
}

export interface RequestOptions {
  session?: ClientSession | undefined
  sessionId?: bigint
  treeId?: number
  flags?: number
  credits?: number
  charge?: number
  messageId?: number
  sign?: boolean
  encrypt?: boolean
  asyncId?: bigint
}

const ciphers: Record<number, AeadAlgorithm> = { 1: 'AES-128-CCM', 2: 'AES-128-GCM', 3: 'AES-256-CCM', 4: 'AES-256-GCM' }
const signings: Record<number, SigningName> = { 0: 'HMAC-SHA256', 1: 'AES-CMAC', 2: 'AES-GMAC' }

export const contexts311 = (options: { ciphers?: readonly number[]; signing?: readonly number[] } = {}): NegotiateContext[] => [
  { contextType: NegotiateContextType.preauthIntegrityCapabilities, hashAlgorithms: [HashAlgorithm.sha512], salt: Buffer.alloc(32, 7) },
  { contextType: NegotiateContextType.encryptionCapabilities, ciphers: [...(options.ciphers ?? [Cipher.aes128Gcm, Cipher.aes128Ccm])] },
  {
    contextType: NegotiateContextType.signingCapabilities,
    signingAlgorithms: [...(options.signing ?? [SigningAlgorithm.aesGmac, SigningAlgorithm.aesCmac])],
  },
]

/** NTLM as nobody in particular (MS-NLMP 3.2.5.1.2). */
const anonymousMechanism: MechanismEntry = {
  oid: ntlmClientMechanism({ user: '', password: '' }).oid,
  create: () => {
    let legs = 0
    const none = Buffer.alloc(0)
    const flags = ntlmFlags.unicode | ntlmFlags.ntlm | ntlmFlags.extendedSessionSecurity
    const authenticate = () =>
      encodeAuthenticate({ flags, lmResponse: none, ntResponse: none, domain: '', user: '', workstation: '', encryptedSessionKey: none })
    return {
      step: () =>
        legs++ === 0
          ? { done: false, output: encodeNegotiate({ flags }) }
          : {
              done: true,
              output: authenticate(),
              authenticated: { user: '', domain: '', workstation: '', anonymous: true, sessionKey: Buffer.alloc(16) },
            },
    }
  },
}

export class TestClient {
  readonly connection: FakeConnection
  clientGuid = '11111111-2222-3333-4444-555555555555'
  messageId = 0
  preauth = new PreauthHash()
  dialect = 0
  cipher: AeadAlgorithm | undefined
  signingAlgorithm: SigningName = 'HMAC-SHA256'
  credits = 1
  #read = 0

  constructor(connection: FakeConnection) {
    this.connection = connection
  }

  /** One message, ready to be delivered (or to become part of a compound). */
  build(command: number, body: Buffer, options: RequestOptions = {}): Buffer {
    const message = Buffer.alloc(headerSize + body.length)
    const fields = {
      creditCharge: options.charge ?? (this.dialect > 0x0202 ? 1 : 0),
      command,
      credits: options.credits ?? 1,
      flags: options.flags ?? 0,
      messageId: BigInt(options.messageId ?? this.messageId),
      sessionId: options.sessionId ?? options.session?.id ?? 0n,
    }
    if (options.asyncId === undefined) Header.encode({ ...fields, treeId: options.treeId ?? 0 }, message)
    else AsyncHeader.encode({ ...fields, asyncId: options.asyncId }, message)
    body.copy(message, headerSize)
    if (options.messageId === undefined && command !== Command.cancel) this.messageId += options.charge ?? 1
    if (options.sign ?? (options.session !== undefined && options.encrypt !== true)) options.session?.signer.sign(message, 'client')
    return message
  }

  deliver(command: number, body: Buffer, options: RequestOptions = {}): FakeMessage {
    const message = this.build(command, body, options)
    return this.connection.deliver(options.encrypt === true ? options.session!.encrypt(message) : message)
  }

  /** Joins messages that `build` made, without signatures, into a compound; signs them. */
  compound(parts: readonly { message: Buffer; session?: ClientSession | undefined }[]): Buffer {
    const whole = parts.map(({ message, session }, i) => {
      const isLast = i === parts.length - 1
      const padded = isLast ? message : Buffer.concat([message, Buffer.alloc((8 - (message.length % 8)) % 8)])
      padded.writeUInt32LE(isLast ? 0 : padded.length, headerOffset.nextCommand)
      session?.signer.sign(padded, 'client')
      return padded
    })
    return Buffer.concat(whole)
  }

  /** The responses of the next frame that the server sends. */
  async frame(session?: ClientSession): Promise<Response[]> {
    for (let i = 0; this.connection.sent.length <= this.#read; i++) {
      assert.ok(i < 2000 && this.connection.closedBecause === undefined, `no response (closed: ${this.connection.closedBecause})`)
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    let bytes = this.connection.sent[this.#read++]
    const wasEncrypted = isTransformed(bytes)
    if (wasEncrypted) bytes = session!.decrypt(bytes)
    const responses: Response[] = []
    for (let at = 0; ;) {
      const header = Header.decode(bytes, at)
      const end = header.nextCommand === 0 ? bytes.length : at + header.nextCommand
      const one = bytes.subarray(at, end)
      this.credits += header.credits
      responses.push({
        header,
        bytes: one,
        body: one.subarray(headerSize),
        status: header.status,
        asyncId: one.readBigUInt64LE(headerOffset.asyncId),
        wasEncrypted,
      })
      if (header.nextCommand === 0) return responses
      at = end
    }
  }

  async one(session?: ClientSession): Promise<Response> {
    const responses = await this.frame(session)
    assert.equal(responses.length, 1)
    return responses[0]
  }

  get unread(): number {
    return this.connection.sent.length - this.#read
  }

  async request(command: number, body: Buffer, options: RequestOptions = {}): Promise<Response> {
    this.deliver(command, body, options)
    return await this.one(options.session)
  }

  async negotiate(
    options: { dialects?: readonly number[]; contexts?: NegotiateContext[]; capabilities?: number; securityMode?: number } = {},
  ): Promise<NegotiateResponse & { status: number }> {
    const { dialects = [0x0202, 0x0210, 0x0300, 0x0302, 0x0311] } = options
    const request: NegotiateRequest = {
      securityMode: options.securityMode ?? SecurityMode.signingEnabled,
      capabilities: options.capabilities ?? Capability.multiChannel | Capability.encryption | Capability.largeMtu,
      clientGuid: this.clientGuid,
      dialects: [...dialects],
      contexts: options.contexts ?? (dialects.includes(Dialect.smb311) ? contexts311() : []),
    }
    const message = this.build(Command.negotiate, NegotiateRequest.toBytes(request), { charge: 0, messageId: this.messageId++ })
    this.connection.deliver(message)
    const response = await this.one()
    if (response.status !== NtStatus.SUCCESS) return { status: response.status } as NegotiateResponse & { status: number }
    const decoded = NegotiateResponse.decode(response.bytes, headerSize)
    this.dialect = decoded.dialectRevision
    this.preauth = new PreauthHash()
    this.preauth.update(message)
    this.preauth.update(response.bytes)
    this.signingAlgorithm = this.dialect >= 0x0300 ? 'AES-CMAC' : 'HMAC-SHA256'
    this.cipher = this.dialect >= 0x0300 && (decoded.capabilities & Capability.encryption) !== 0 ? 'AES-128-CCM' : undefined
    for (const context of decoded.contexts) {
      if (context.contextType === NegotiateContextType.encryptionCapabilities) this.cipher = ciphers[context.ciphers[0]]
      if (context.contextType === NegotiateContextType.signingCapabilities) this.signingAlgorithm = signings[context.signingAlgorithms[0]]!
    }
    return { ...decoded, status: NtStatus.SUCCESS }
  }

  /** Runs an authentication; throws nothing: the last status tells. */
  async logon(
    options: {
      user?: string
      password?: string
      /** Re-authentication, or (with `binding`) the session to bind to. */
      session?: ClientSession
      binding?: boolean
      previousSessionId?: bigint
      credits?: number
      sign?: boolean
    } = {},
  ): Promise<{ status: number; session: ClientSession; responses: Response[] }> {
    const { user = 'alice', password = 'secret' } = options
    const spnego = new SpnegoClient({ mechanisms: [user === '' ? anonymousMechanism : ntlmClientMechanism({ user, password })] })
    const preauth = this.preauth.clone()
    let token = await spnego.step(Buffer.alloc(0))
    let sessionId = options.session?.id ?? 0n
    const responses: Response[] = []
    for (;;) {
      assert.ok(!token.done)
      const body = SessionSetupRequest.toBytes({
        flags: options.binding === true ? 1 : 0,
        securityMode: SecurityMode.signingEnabled,
        previousSessionId: options.previousSessionId ?? 0n,
        securityBuffer: token.output,
      })
      const message = this.build(Command.sessionSetup, body, {
        sessionId,
        ...(options.session !== undefined && options.sign !== false ? { session: options.session } : {}),
        ...(options.credits === undefined ? {} : { credits: options.credits }),
      })
      preauth.update(message)
      this.connection.deliver(message)
      const response = await this.one(options.session)
      responses.push(response)
      if (response.status !== NtStatus.SUCCESS && response.status !== NtStatus.MORE_PROCESSING_REQUIRED) {
        return { status: response.status, session: options.session!, responses }
      }
      sessionId = response.header.sessionId
      const decoded = SessionSetupResponse.decode(response.bytes, headerSize)
      const { status } = response
      if (status === NtStatus.SUCCESS && options.session !== undefined && options.binding !== true) {
        await spnego.step(decoded.securityBuffer)
        return { status, session: options.session, responses }
      }
      if (status === NtStatus.SUCCESS) {
        await spnego.step(decoded.securityBuffer)
        const session = this.#session(sessionId, { sessionKey: spnego.sessionKey!, preauth, main: options.session })
        // (3.3.4.1.1) unless it is nobody's in particular.
        const isNull = (decoded.sessionFlags & SessionFlags.isNull) !== 0
        assert.equal(session.signer.verify(response.bytes, 'server'), !isNull, 'the final response is signed with the new key')
        return { status, session, responses }
      }
      preauth.update(response.bytes)
      token = await spnego.step(decoded.securityBuffer)
    }
  }

  #session(id: bigint, options: { sessionKey: Buffer; preauth: PreauthHash; main: ClientSession | undefined }): ClientSession {
    const { cipher, dialect } = this
    const keys = deriveKeys({
      dialect,
      sessionKey: options.sessionKey,
      preauthHash: options.preauth.value,
      cipherKeyBits: cipher !== undefined && aeadAlgorithms[cipher].keyLengthBytes === 32 ? 256 : 128,
    })
    const cipherKeys = options.main?.keys ?? keys
    const encrypts = cipher === undefined ? undefined : createCipher({ algorithm: cipher, key: cipherKeys.clientToServerKey! })
    const decrypts = cipher === undefined ? undefined : createCipher({ algorithm: cipher, key: cipherKeys.serverToClientKey! })
    return {
      id,
      keys: cipherKeys,
      signer: createSigner({ algorithm: this.signingAlgorithm, key: keys.signingKey }),
      encrypt(message) {
        const frame = Buffer.concat([Buffer.alloc(52), message])
        encrypts!.encrypt(frame, id)
        return frame
      },
      decrypt: frame => decrypts!.decrypt(Buffer.from(frame)),
    }
  }

  async treeConnect(session: ClientSession, path = '\\\\server\\docs', options: RequestOptions = {}): Promise<Response> {
    return await this.request(Command.treeConnect, TreeConnectRequest.toBytes({ path }), { session, ...options })
  }

  /** Negotiates, logs on, connects to a share. */
  async ready(options: { dialects?: readonly number[]; path?: string; credits?: number } = {}): Promise<{ session: ClientSession; treeId: number }> {
    const { status } = await this.negotiate(options)
    assert.equal(status, NtStatus.SUCCESS)
    const { session, status: logonStatus } = await this.logon(options.credits === undefined ? {} : { credits: options.credits })
    assert.equal(logonStatus, NtStatus.SUCCESS)
    const response = await this.treeConnect(session, options.path)
    assert.equal(response.status, NtStatus.SUCCESS)
    return { session, treeId: response.header.treeId }
  }
}

export const related = HeaderFlags.relatedOperations

/** Bodies of everyday requests, by hand: only what the core looks at is right. */
export const bodies = {
  echo: () => sized(4, 4),
  create: (disposition = 1) => {
    const body = sized(57, 57)
    body.writeUInt32LE(disposition, 36)
    return body
  },
  close: (fileId: Buffer) => withFileId(sized(24, 24), 8, fileId),
  read: (fileId: Buffer, lengthBytes = 100) => {
    const body = withFileId(sized(49, 49), 16, fileId)
    body.writeUInt32LE(lengthBytes, 4)
    return body
  },
  /** LockCount is 0, which handlers are to refuse; there is an element nevertheless. */
  lock: (fileId: Buffer, flags: number) => {
    const body = withFileId(sized(48, 48), 8, fileId)
    body.writeUInt32LE(flags, 40)
    return body
  },
  notify: (fileId: Buffer) => withFileId(sized(32, 32), 8, fileId),
  ioctl: (fileId: Buffer, ctlCode = 0x00090000) => {
    const body = withFileId(sized(57, 57), 8, fileId)
    body.writeUInt32LE(ctlCode, 4)
    return body
  },
  setInfo: (fileId: Buffer) => withFileId(sized(33, 33), 16, fileId),
  empty: () => sized(4, 4),
}

export const allOnes = Buffer.alloc(16, 0xff)

function sized(structureSize: number, lengthBytes: number): Buffer {
  const body = Buffer.alloc(lengthBytes)
  body.writeUInt16LE(structureSize, 0)
  return body
}

function withFileId(body: Buffer, at: number, fileId: Buffer): Buffer {
  fileId.copy(body, at)
  return body
}
