/** A client: one server, one user. */
import { UsageError } from '@holdfast/wire'
import type { AeadAlgorithm, SigningAlgorithm } from '../security/index.ts'
import { Connection } from './connection.ts'
import type { CallOptions } from './connection.ts'
import type { ConnectionState } from './states.ts'
import { defaultOffer, dialects, negotiate } from './negotiate.ts'
import type { SmbDialect } from './negotiate.ts'
import { checkSessionOptions, Session } from './session.ts'
import { SmbShare } from './share.ts'
import { listShares } from './shares.ts'
import type { SmbShareInfo } from './shares.ts'
import { Tree } from './tree.ts'

/** Where to connect to, as whom, and how. */
export interface SmbClientOptions {
  readonly host: string
  /** Default 445. */
  readonly port?: number
  readonly user: string
  readonly password: string
  /** Default: none, which is right for a server of its own. */
  readonly domain?: string
  /** Encrypts everything; else only shares that ask for it are encrypted. Default false. */
  readonly encrypt?: boolean
  /** Default `required`: every message is signed, unless it is encrypted. `if-asked`: when the server requires it. */
  readonly signing?: 'required' | 'if-asked'
  /** Default: all; the highest that the server knows is taken. */
  readonly dialects?: readonly SmbDialect[]
  /** Default: all, AES-128-GCM first. */
  readonly ciphers?: readonly AeadAlgorithm[]
  /** For 3.1.1; default: all, AES-GMAC first. */
  readonly signingAlgorithms?: readonly SigningAlgorithm[]
  /** Ends connecting and logging in; what comes after has signals of its own. */
  readonly signal?: AbortSignal
  /** For connecting; and a server that is silent for so long while it owes an answer counts as lost. In ms; default 30,000. */
  readonly timeoutMs?: number
  /** Credits to ask the server for, each good for 64 KiB under way; default 512. */
  readonly credits?: number
}

const defaultPort = 445
const defaultTimeoutMs = 30_000
const defaultCredits = 512

/**
 * A session with a server: SMB 2.0.2 to 3.1.1, NTLMv2, signed or encrypted. Logged off by `await using`.
 *
 * @example
 * await using client = await SmbClient.connect({ host, port, user: 'alice', password })
 * await using share = await client.share('docs')
 * String(await share.readFile('hello.txt')) // => 'hello'
 */
export class SmbClient implements AsyncDisposable {
  readonly #connection: Connection
  readonly #session: Session

  private constructor(connection: Connection, session: Session) {
    this.#connection = connection
    this.#session = session
  }

  /**
   * Connects and logs in. Rejects with SmbError: `CONNECTION_FAILED`, `TIMEOUT`, `NEGOTIATION_FAILED`, `LOGON_FAILURE`, `GUEST_REFUSED`,
   * `ENCRYPTION_NOT_SUPPORTED`, `SIGNATURE_INVALID`; with UsageError for options that make no sense; with the signal's reason.
   */
  static async connect(options: SmbClientOptions): Promise<SmbClient> {
    const { host, port = defaultPort, user, password, domain = '', encrypt = false, signing = 'required', signal } = options
    const { timeoutMs = defaultTimeoutMs, credits = defaultCredits } = options
    const sessionOptions = { user, password, domain, encrypt, signing, signal }
    checkOptions(options)
    checkSessionOptions(sessionOptions)
    const connection = new Connection({ host, port, timeoutMs, creditsTarget: credits, signal })
    await connection.open()
    try {
      const negotiated = await negotiate(connection, { ...defaultOffer, ...offerOf(options), requiresSigning: signing === 'required', signal })
      const session = await Session.setup(connection, negotiated, sessionOptions)
      return new SmbClient(connection, session)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** The dialect that was negotiated. */
  get dialect(): SmbDialect {
    return this.#session.negotiated.dialect
  }

  /** What is encrypted with, when something is; undefined: nothing can be. */
  get cipher(): AeadAlgorithm | undefined {
    return this.#session.negotiated.cipher
  }

  get signingAlgorithm(): SigningAlgorithm {
    return this.#session.negotiated.signingAlgorithm
  }

  /** Everything is encrypted. */
  get encrypts(): boolean {
    return this.#session.encrypts
  }

  /** `ready`, until it is `lost` or `closed`. */
  get state(): ConnectionState {
    return this.#connection.state
  }

  /** Connects to a share. Rejects with SmbError `NO_SUCH_SHARE`, `EACCES`, `ENCRYPTION_NOT_SUPPORTED`. */
  async share(name: string, options?: CallOptions): Promise<SmbShare> {
    if (name === '' || /[\\/\0]/.test(name)) throw new UsageError('share', 'the name of a share has no slashes')
    return new SmbShare(await Tree.connect(this.#session, name, options))
  }

  /** All shares of the server, `IPC$` and other hidden ones included (MS-SRVS 3.1.4.8). */
  shares(options?: CallOptions): Promise<SmbShareInfo[]> {
    return listShares(this.#session, options)
  }

  /** Logs off and disconnects; what is under way is rejected with `CLOSED`. */
  async close(): Promise<void> {
    await this.#session.logoff()
    this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function checkOptions({ host, port = defaultPort, timeoutMs = defaultTimeoutMs, credits = defaultCredits, ...offer }: SmbClientOptions): void {
  if (host === '') throw new UsageError('host', 'a host is needed')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageError('port', 'port is 1 to 65535')
  if (!(timeoutMs > 0)) throw new UsageError('timeoutMs', 'timeoutMs is a number of ms')
  if (!Number.isInteger(credits) || credits < 1 || credits > 65_535) throw new UsageError('credits', 'credits is 1 to 65535')
  const unknown = offer.dialects?.find(dialect => !(dialect in dialects))
  if (offer.dialects?.length === 0 || unknown !== undefined) throw new UsageError('dialects', `dialects are ${Object.keys(dialects).join(', ')}`)
  const lists = [
    ['ciphers', offer.ciphers, defaultOffer.ciphers],
    ['signingAlgorithms', offer.signingAlgorithms, defaultOffer.signingAlgorithms],
  ] as const
  for (const [name, chosen, all] of lists) {
    const isKnown = (one: string): boolean => (all as readonly string[]).includes(one)
    if (chosen !== undefined && (chosen.length === 0 || !chosen.every(isKnown))) throw new UsageError(name, `${name} are ${all.join(', ')}`)
  }
}

const offerOf = ({ dialects: chosen, ciphers, signingAlgorithms }: SmbClientOptions) => ({
  ...(chosen === undefined ? {} : { dialects: chosen }),
  ...(ciphers === undefined ? {} : { ciphers }),
  ...(signingAlgorithms === undefined ? {} : { signingAlgorithms }),
})
