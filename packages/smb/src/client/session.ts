/** A session: who the client is, and the keys (MS-SMB2 3.2.4.2.3, 3.2.5.3). */
import { MalformedError, UsageError } from '@holdfast/wire'
import { Dialect, HeaderFlags, headerOffset, NtStatus, SecurityMode, SessionFlags } from '../messages/index.ts'
import { AuthError, createCipher, createSigner, deriveKeys, ntlmClientMechanism, SpnegoClient } from '../security/index.ts'
import type { CallOptions, Connection } from './connection.ts'
import { SmbError } from './errors.ts'
import type { Link } from './link.ts'
import type { Negotiated } from './negotiate.ts'
import type { Protection } from './protection.ts'
import { openOf } from './replay.ts'
import { operations } from './requests.ts'
import type { AnyRecord, Replies, Reply, RequestRecord, Scope } from './requests.ts'
import { connectionStates } from './states.ts'

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
  readonly sessionId: bigint
  readonly sessionFlags: number
  readonly token: Buffer
  /** The response as it came, to check its signature when there is a key. */
  readonly message: Buffer
}

/** A server that does not say goodbye is not waited for. */
const logoffMs = 5000

/** What a login leaves behind. */
interface Login {
  readonly sessionId: bigint
  readonly encrypts: boolean
  readonly protection: Protection
}

/** A connection that a login is for. */
interface Via {
  readonly connection: Connection
  readonly negotiated: Negotiated
}

/** A session: on one connection after the other, when one is lost. */
export class Session implements Scope {
  /** Where requests go. */
  connection: Connection
  readonly treeId = 0
  readonly #options: SessionOptions
  #link: Link | undefined
  #negotiated: Negotiated
  #login: Login | undefined
  #isValidated = false

  private constructor(connection: Connection, negotiated: Negotiated, options: SessionOptions) {
    this.connection = connection
    this.#negotiated = negotiated
    this.#options = options
  }

  /**
   * Logs in. Rejects with SmbError `LOGON_FAILURE`, `GUEST_REFUSED` (the server did not check the password), `ENCRYPTION_NOT_SUPPORTED`,
   * `SIGNATURE_INVALID`.
   */
  static async setup(connection: Connection, negotiated: Negotiated, options: SessionOptions): Promise<Session> {
    const session = new Session(connection, negotiated, options)
    if (options.encrypt && negotiated.cipher === undefined) throw noCipher('the server')
    session.#login = await authenticate({ connection, negotiated }, options, 0n)
    session.#isValidated = negotiated.revision === Dialect.smb311
    return session
  }

  /**
   * Logs in on another connection, in the place of what was before (3.2.4.2.3, PreviousSessionId). Requests still go to the connection
   * before: that one is gone, and its link holds them. Rejects as `setup`; then nothing has changed.
   */
  async renew(connection: Connection, negotiated: Negotiated, signal: AbortSignal): Promise<void> {
    const before = this.#login!
    const login = await authenticate({ connection, negotiated }, { ...this.#options, signal }, before.sessionId)
    if (before.encrypts && !login.encrypts) throw noCipher('the server')
    this.#negotiated = negotiated
    this.#login = login
    this.#isValidated = negotiated.revision === Dialect.smb311
    before.protection.close()
  }

  /** What reconnects; set once, by the client. */
  get link(): Link {
    return this.#link!
  }

  set link(link: Link) {
    this.#link = link
  }

  get negotiated(): Negotiated {
    return this.#negotiated
  }

  get sessionId(): bigint {
    return this.#login?.sessionId ?? 0n
  }

  get protection(): Protection | undefined {
    return this.#login?.protection
  }

  get encrypts(): boolean {
    return this.#login?.encrypts ?? false
  }

  /** False before 3.1.1 until FSCTL_VALIDATE_NEGOTIATE_INFO said that nobody changed the negotiation (3.2.5.5). */
  get isValidated(): boolean {
    return this.#isValidated
  }

  /** See `isValidated`. */
  setValidated(): void {
    this.#isValidated = true
  }

  /** As `Connection.exchange`; rejects with `HANDLE_LOST` for an open that is. The place where a channel would be chosen. */
  exchange<In, Wire, Out = Wire>(record: RequestRecord<In, Wire, Out>, options?: CallOptions): Promise<Reply<Out>> {
    const error = openOf(record)?.error
    if (error !== undefined) {
      record.message?.release()
      return Promise.reject(error)
    }
    return this.connection.exchange(record, options)
  }

  /** As `Connection.exchangeCompound`. */
  exchangeCompound<const Records extends readonly AnyRecord[]>(records: Records, options?: CallOptions): Promise<Replies<Records>> {
    return this.connection.exchangeCompound(records, options)
  }

  /** LOGOFF; never rejects: what is lost is logged off. */
  async logoff(): Promise<void> {
    if (connectionStates[this.connection.state].sends === 'everything') {
      const signal = AbortSignal.timeout(logoffMs)
      await this.connection.exchange({ operation: operations.logoff, value: {}, scope: this }, { signal }).catch(() => undefined)
    }
    this.connection.removeSession(this.sessionId)
    this.protection?.close()
  }
}

async function authenticate(via: Via, options: SessionOptions, previousSessionId: bigint): Promise<Login> {
  const { user, password, domain } = options
  const targetName = `cifs/${via.connection.host}`
  const spnego = new SpnegoClient({ mechanisms: [ntlmClientMechanism({ user, password, domain, targetName })] })
  const hash = via.negotiated.preauthHash.clone()
  try {
    let step = await spnego.step(via.negotiated.securityBuffer)
    let round: Round | undefined
    while (!step.done) {
      if (round?.status === NtStatus.SUCCESS) throw new SmbError('NEGOTIATION_FAILED', 'the server ends the login too early')
      round = await setupRound(via.connection, options, { securityBuffer: step.output, sessionId: round?.sessionId ?? 0n, previousSessionId, hash })
      step = await spnego.step(round.token)
    }
    if (round?.status !== NtStatus.SUCCESS) throw new SmbError('NEGOTIATION_FAILED', 'the server does not end the login')
    return establish(via, options, { round, sessionKey: step.sessionKey, preauthHash: hash.value })
  } catch (error) {
    if (error instanceof MalformedError) throw new SmbError('MALFORMED', `the server's login token is malformed: ${error.message}`, { cause: error })
    if (error instanceof AuthError) throw new SmbError('LOGON_FAILURE', `the login of ${user} failed: ${error.message}`, { cause: error })
    throw error
  }
}

/** One request and its response; both go into the hash, but for the last response (3.2.5.3.1). */
async function setupRound(
  connection: Connection,
  { signing, signal }: SessionOptions,
  step: {
    readonly securityBuffer: Buffer
    readonly sessionId: bigint
    readonly previousSessionId: bigint
    readonly hash: { update(message: Buffer): void }
  },
): Promise<Round> {
  const { securityBuffer, previousSessionId, hash } = step
  let message: Buffer = Buffer.alloc(0)
  const securityMode = signing === 'required' ? SecurityMode.signingEnabled | SecurityMode.signingRequired : SecurityMode.signingEnabled
  const reply = await connection.exchange(
    {
      operation: operations.sessionSetup,
      value: { securityMode, securityBuffer, previousSessionId },
      scope: { sessionId: step.sessionId, treeId: 0, protection: undefined, encrypts: false },
      observe: {
        sent: request => hash.update(request),
        received: (response, status) => {
          message = Buffer.from(response)
          if (status === NtStatus.MORE_PROCESSING_REQUIRED) hash.update(response)
        },
      },
    },
    { signal },
  )
  const { securityBuffer: token, sessionFlags } = reply.value!
  return { status: reply.status, sessionId: message.readBigUInt64LE(headerOffset.sessionId), sessionFlags, token, message }
}

function establish(
  { connection, negotiated }: Via,
  options: SessionOptions,
  end: { readonly round: Round; readonly sessionKey: Buffer; readonly preauthHash: Buffer },
): Login {
  const { sessionFlags, message, sessionId } = end.round
  const { revision, cipher, signingAlgorithm, serverRequiresSigning } = negotiated
  if ((sessionFlags & (SessionFlags.isGuest | SessionFlags.isNull)) !== 0) {
    throw new SmbError('GUEST_REFUSED', `the server took ${options.user} for a guest without checking the password`)
  }
  const serverEncrypts = (sessionFlags & SessionFlags.encryptData) !== 0
  if (serverEncrypts && cipher === undefined) throw noCipher('the client')
  const cipherKeyBits = cipher?.startsWith('AES-256') === true ? 256 : 128
  const keys = deriveKeys({ dialect: revision, sessionKey: end.sessionKey, preauthHash: end.preauthHash, cipherKeyBits })
  const signer = createSigner({ algorithm: signingAlgorithm, key: keys.signingKey })
  const encrypts = cipher === undefined ? undefined : createCipher({ algorithm: cipher, key: keys.clientToServerKey! })
  const decrypts = cipher === undefined ? undefined : createCipher({ algorithm: cipher, key: keys.serverToClientKey! })
  const protection: Protection = {
    signer,
    signs: options.signing === 'required' || serverRequiresSigning,
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
  if (isSigned ? !signer.verify(message, 'server') : protection.signs || revision === Dialect.smb311) {
    protection.close()
    throw new SmbError('SIGNATURE_INVALID', 'the end of the login is not signed by the server')
  }
  connection.addSession(sessionId, protection)
  return { sessionId, encrypts: options.encrypt || serverEncrypts, protection }
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
