/** A session: who the client is, and the keys (MS-SMB2 3.2.4.2.3, 3.2.5.3). */
import { MalformedError, UsageError } from '@holdfast/wire'
import { Dialect, HeaderFlags, headerOffset, NtStatus, SecurityMode, SessionFlags } from '../messages/index.ts'
import { AuthError, createCipher, createSigner, deriveKeys, ntlmClientMechanism, SpnegoClient } from '../security/index.ts'
import type { CallOptions, Connection } from './connection.ts'
import { SmbError } from './errors.ts'
import type { Negotiated } from './negotiate.ts'
import type { Protection } from './protection.ts'
import { operations } from './requests.ts'
import type { AnyRecord, Replies, Reply, RequestRecord, Scope } from './requests.ts'

/** Who logs in, and how what follows is protected. */
export interface SessionOptions {
  readonly user: string
  readonly password: string
  readonly domain: string
  /** `required`: always, unless encrypted. `if-asked`: only when the server requires it. */
  readonly signing: 'required' | 'if-asked'
  /** Everything is encrypted. */
  readonly encrypt: boolean
  readonly signal?: AbortSignal | undefined
}

/** What one round of SESSION_SETUP left behind. */
interface Round {
  readonly status: number
  readonly sessionFlags: number
  readonly token: Buffer
  /** The response as it came, to check its signature when there is a key. */
  readonly message: Buffer
}

/** A session on a connection. */
export class Session implements Scope {
  readonly connection: Connection
  readonly negotiated: Negotiated
  readonly treeId = 0
  readonly #options: SessionOptions
  #sessionId = 0n
  #encrypts = false
  #protection: Protection | undefined
  #isValidated = false

  private constructor(connection: Connection, negotiated: Negotiated, options: SessionOptions) {
    this.connection = connection
    this.negotiated = negotiated
    this.#options = options
  }

  /**
   * Logs in. Rejects with SmbError `LOGON_FAILURE`, `GUEST_REFUSED` (the server did not check the password), `ENCRYPTION_NOT_SUPPORTED`,
   * `SIGNATURE_INVALID`.
   */
  static async setup(connection: Connection, negotiated: Negotiated, options: SessionOptions): Promise<Session> {
    const session = new Session(connection, negotiated, options)
    if (options.encrypt && negotiated.cipher === undefined) throw noCipher('the server')
    await session.#authenticate()
    return session
  }

  get sessionId(): bigint {
    return this.#sessionId
  }

  get protection(): Protection | undefined {
    return this.#protection
  }

  get encrypts(): boolean {
    return this.#encrypts
  }

  /** False before 3.1.1 until FSCTL_VALIDATE_NEGOTIATE_INFO said that nobody changed the negotiation (3.2.5.5). */
  get isValidated(): boolean {
    return this.#isValidated
  }

  /** See `isValidated`. */
  setValidated(): void {
    this.#isValidated = true
  }

  /** As `Connection.exchange`. The place where a channel would be chosen. */
  exchange<In, Wire, Out = Wire>(record: RequestRecord<In, Wire, Out>, options?: CallOptions): Promise<Reply<Out>> {
    return this.connection.exchange(record, options)
  }

  /** As `Connection.exchangeCompound`. */
  exchangeCompound<const Records extends readonly AnyRecord[]>(records: Records, options?: CallOptions): Promise<Replies<Records>> {
    return this.connection.exchangeCompound(records, options)
  }

  /** LOGOFF; never rejects: what is lost is logged off. */
  async logoff(): Promise<void> {
    if (this.connection.state === 'ready') {
      await this.connection.exchange({ operation: operations.logoff, value: {}, scope: this }).catch(() => undefined)
    }
    this.connection.removeSession(this.#sessionId)
    this.#protection?.close()
  }

  async #authenticate(): Promise<void> {
    const { user, password, domain } = this.#options
    const { preauthHash } = this.negotiated
    const targetName = `cifs/${this.connection.host}`
    const spnego = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user, password, domain, targetName })] })
    const hash = preauthHash.clone()
    try {
      let step = await spnego.step(this.negotiated.securityBuffer)
      let round: Round | undefined
      while (!step.done) {
        if (round?.status === NtStatus.SUCCESS) throw new SmbError('NEGOTIATION_FAILED', 'the server ends the login too early')
        round = await this.#round(step.output, hash)
        step = await spnego.step(round.token)
      }
      if (round?.status !== NtStatus.SUCCESS) throw new SmbError('NEGOTIATION_FAILED', 'the server does not end the login')
      this.#establish(round, step.sessionKey, hash.value)
    } catch (error) {
      if (error instanceof MalformedError)
        throw new SmbError('MALFORMED', `the server's login token is malformed: ${error.message}`, { cause: error })
      if (error instanceof AuthError) throw new SmbError('LOGON_FAILURE', `the login of ${user} failed: ${error.message}`, { cause: error })
      throw error
    }
  }

  /** One request and its response; both go into the hash, but for the last response (3.2.5.3.1). */
  async #round(securityBuffer: Buffer, hash: { update(message: Buffer): void }): Promise<Round> {
    let message: Buffer = Buffer.alloc(0)
    const reply = await this.connection.exchange(
      {
        operation: operations.sessionSetup,
        value: {
          securityMode:
            this.#options.signing === 'required' ? SecurityMode.signingEnabled | SecurityMode.signingRequired : SecurityMode.signingEnabled,
          securityBuffer,
        },
        scope: { sessionId: this.#sessionId, treeId: 0, protection: undefined, encrypts: false },
        observe: {
          sent: request => hash.update(request),
          received: (response, status) => {
            message = Buffer.from(response)
            if (status === NtStatus.MORE_PROCESSING_REQUIRED) hash.update(response)
          },
        },
      },
      { signal: this.#options.signal },
    )
    this.#sessionId = message.readBigUInt64LE(headerOffset.sessionId)
    const { securityBuffer: token, sessionFlags } = reply.value!
    return { status: reply.status, sessionFlags, token, message }
  }

  #establish({ sessionFlags, message }: Round, sessionKey: Buffer, preauthHash: Buffer): void {
    const { revision, cipher, signingAlgorithm, serverRequiresSigning } = this.negotiated
    if ((sessionFlags & (SessionFlags.isGuest | SessionFlags.isNull)) !== 0) {
      throw new SmbError('GUEST_REFUSED', `the server took ${this.#options.user} for a guest without checking the password`)
    }
    const serverEncrypts = (sessionFlags & SessionFlags.encryptData) !== 0
    if (serverEncrypts && cipher === undefined) throw noCipher('the client')
    const cipherKeyBits = cipher?.startsWith('AES-256') === true ? 256 : 128
    const keys = deriveKeys({ dialect: revision, sessionKey, preauthHash, cipherKeyBits })
    const signer = createSigner({ algorithm: signingAlgorithm, key: keys.signingKey })
    const encrypts = cipher === undefined ? undefined : createCipher({ algorithm: cipher, key: keys.clientToServerKey! })
    const decrypts = cipher === undefined ? undefined : createCipher({ algorithm: cipher, key: keys.serverToClientKey! })
    this.#protection = {
      signer,
      signs: this.#options.signing === 'required' || serverRequiresSigning,
      encrypts,
      decrypts,
      close() {
        signer.close()
        encrypts?.close()
        decrypts?.close()
      },
    }
    // Without this a man in the middle could have changed anything so far; in 3.1.1 the keys depend on all of it (3.2.5.3.1).
    const isSigned = (message.readUInt32LE(headerOffset.flags) & HeaderFlags.signed) !== 0
    if (isSigned ? !signer.verify(message, 'server') : this.#protection.signs || revision === Dialect.smb311) {
      this.#protection.close()
      throw new SmbError('SIGNATURE_INVALID', 'the end of the login is not signed by the server')
    }
    this.#encrypts = this.#options.encrypt || serverEncrypts
    this.#isValidated = revision === Dialect.smb311
    this.connection.addSession(this.#sessionId, this.#protection)
  }
}

function noCipher(who: string): SmbError {
  return new SmbError('ENCRYPTION_NOT_SUPPORTED', `the connection shall be encrypted, and ${who} cannot`)
}

/** For options that make no sense. */
export function checkSessionOptions({ user, signing, encrypt }: SessionOptions): void {
  if (user === '') throw new UsageError('user', 'a user is needed: nobody logs in anonymously')
  if (signing !== 'required' && signing !== 'if-asked') throw new UsageError('signing', "signing is 'required' or 'if-asked'")
  if (typeof encrypt !== 'boolean') throw new UsageError('encrypt', 'encrypt is true or false')
}
