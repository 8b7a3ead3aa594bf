/** A client: one server, one user. */
import { randomUUID } from 'node:crypto'
import { UsageError } from '@holdfast/wire'
import type { AeadAlgorithm, SigningAlgorithm } from '../security/index.ts'
import { onBreak } from './breaks.ts'
import { BufferPool } from './buffers.ts'
import { Connection } from './connection.ts'
import type { CallOptions } from './connection.ts'
import type { Interruption } from './interruption.ts'
import { Link } from './link.ts'
import { defaultOffer, dialects, negotiate } from './negotiate.ts'
import type { SmbDialect } from './negotiate.ts'
import { checkSessionOptions, Session } from './session.ts'
import { SmbShare } from './share.ts'
import type { LinkState } from './states.ts'
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
  /**
   * How long the client tries to come back after the connection was lost, in ms; default 60,000; 0: not at all. What is under way waits
   * meanwhile, and goes on as if nothing had been; only then it is rejected with `CONNECTION_LOST`.
   */
  readonly reconnectMs?: number
  /** Told when the connection is lost, when all is as before, and when it will not be again. */
  readonly onInterruption?: (event: Interruption) => void
}

const defaultPort = 445
const defaultTimeoutMs = 30_000
const defaultCredits = 512
const defaultReconnectMs = 60_000

/**
 * A session with a server: SMB 2.0.2 to 3.1.1, NTLMv2, signed or encrypted. Logged off by `await using`.
 *
 * It outlives its connection: one that is lost is made anew, what was open is open again, and what was under way is carried out once.
 * A file that the server did not keep rejects with `HANDLE_LOST`, unless it was only read and is still the same.
 *
 * @example
 * await using client = await SmbClient.connect({ host, port, user: 'alice', password })
 * await using share = await client.share('docs')
 * String(await share.readFile('hello.txt')) // => 'hello'
 *
 * @example
 * await using client = await SmbClient.connect({
 *   host,
 *   port,
 *   user: 'alice',
 *   password,
 *   reconnectMs: 120_000,
 *   onInterruption: ({ kind, attempt, pauseMs }) => console.log(kind, attempt, pauseMs), // restored 1 14
 * })
 * await using share = await client.share('docs')
 * await using file = await share.open('notes.txt', { flags: 'w' })
 * file.durability // 'durable': the server keeps it open while the client is away; 'none': HANDLE_LOST after a loss
 * await file.write(Buffer.from('written once, whatever becomes of the connection'), 0)
 */
export class SmbClient implements AsyncDisposable {
  readonly #link: Link
  readonly #session: Session

  private constructor(link: Link, session: Session) {
    this.#link = link
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
    const { reconnectMs = defaultReconnectMs, onInterruption } = options
    const clientGuid = randomUUID()
    const pool = new BufferPool()
    let link: Link | undefined
    const dial = async (how: { readonly signal: AbortSignal | undefined; readonly channelSequence: number }) => {
      const onBreakOf = (message: Buffer): void => link && onBreak(message, [...link.opens, ...link.opening])
      const connection = new Connection({ host, port, timeoutMs, creditsTarget: credits, pool, onBreak: onBreakOf, ...how })
      await connection.open()
      try {
        const offer = { ...defaultOffer, ...offerOf(options), requiresSigning: signing === 'required', clientGuid, signal: how.signal }
        return { connection, negotiated: await negotiate(connection, offer) }
      } catch (error) {
        connection.close()
        throw error
      }
    }
    const { connection, negotiated } = await dial({ signal, channelSequence: 0 })
    try {
      const session = await Session.setup(connection, negotiated, sessionOptions)
      link = new Link(session, { dial, reconnectMs, onInterruption })
      return new SmbClient(link, session)
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

  /** `connected`, or `suspect` while the server is silent; on the way back after a loss; in the end `given-up` or `closed`. */
  get state(): LinkState {
    return this.#link.state
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
    this.#link.leave()
    await this.#session.logoff()
    this.#link.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function checkOptions({
  host,
  port = defaultPort,
  timeoutMs = defaultTimeoutMs,
  credits = defaultCredits,
  reconnectMs = 0,
  ...offer
}: SmbClientOptions): void {
  if (host === '') throw new UsageError('host', 'a host is needed')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageError('port', 'port is 1 to 65535')
  if (!(timeoutMs > 0)) throw new UsageError('timeoutMs', 'timeoutMs is a number of ms')
  if (!(reconnectMs >= 0)) throw new UsageError('reconnectMs', 'reconnectMs is a number of ms, or 0')
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
