/** Configuration of the SMB server and what it gets from the assembly of a node. */
import type { FileSystem, MaybePromise } from '@holdfast/storage'
import type { AeadAlgorithm } from '../../security/crypto.ts'
import type { Authenticated, MechanismEntry } from '../../security/mechanism.ts'
import type { SigningAlgorithm } from '../../security/signing.ts'
import type { LoginThrottle } from '../../security/throttle.ts'
import type { FileCommands, SessionContext, ShareContext, TokenUser } from './handler-api.ts'

/** A share as configured; structured-cloneable. */
export interface ShareConfig {
  /** Compared without regard to case; at most 80 characters. */
  readonly name: string
  readonly type?: 'disk' | 'pipe'
  readonly comment?: string
  readonly readOnly?: boolean
  /** Nothing is answered in the clear. */
  readonly encrypt?: boolean
  readonly continuouslyAvailable?: boolean
  readonly accessBasedEnumeration?: boolean
  /** What is written shows in the file's write time two seconds later, or with FLUSH or CLOSE, as older Windows and Samba do. Default true. */
  readonly delayedWriteTimes?: boolean
  /** What clients may keep of files offline (2.2.10 ShareFlags): default 'manual'. */
  readonly caching?: 'manual' | 'auto' | 'vdo' | 'none'
  /** Names of the users who may connect; everybody who is known, when left out. */
  readonly users?: readonly string[]
}

/** Limits that one peer, or one session, can't exceed. */
export interface SmbLimits {
  readonly sessionsPerConnection: number
  /** Connections that a session may be bound to (Windows: 32). */
  readonly channelsPerSession: number
  readonly treesPerSession: number
  readonly opensPerSession: number
  /** Requests of a connection that wait (locks, breaks, changes) at the same time; above it INSUFFICIENT_RESOURCES. */
  readonly asyncRequestsPerConnection: number
  /** Requests of a connection that are being carried out; above it no further credits are granted. */
  readonly runningRequestsPerConnection: number
  /** Requests in one compound. */
  readonly requestsPerCompound: number
  /** Width of the credit window, a power of two. */
  readonly credits: number
}

/** An SMB server's settings; structured-cloneable, the same on all workers. What is left out has a default. */
export interface SmbServerConfig {
  /** A GUID as text; the same for all workers and restarts. */
  readonly serverGuid: string
  readonly dialectMin?: number
  readonly dialectMax?: number
  /** Default 'required'. */
  readonly signing?: 'required' | 'enabled'
  /** 'required': every session is encrypted, dialects without encryption are refused. 'allowed' (default): clients and shares decide. */
  readonly encryption?: 'off' | 'allowed' | 'required'
  /** In the order of preference. */
  readonly ciphers?: readonly AeadAlgorithm[]
  readonly signingAlgorithms?: readonly SigningAlgorithm[]
  /** Greatest READ and WRITE, in bytes (64 KiB with 2.0.2). Default 2 MiB: with 8 MiB writing began late and was slower. */
  readonly transferBytesMax?: number
  readonly multiChannel?: boolean
  /** Clients may ask for persistent handles also while there is no share that is continuously available. Default false. */
  readonly persistentHandles?: boolean
  /** Hosts of the listeners, as clients that ask for further channels are told: `''`, `::` and `0.0.0.0` are all addresses. Default all. */
  readonly listensOn?: readonly string[]
  /** There is a listener for SMB Direct. Default false. */
  readonly offersRdma?: boolean
  /** Offer leases (2.1 and later). Default true. */
  readonly leasing?: boolean
  /** When a request that takes its time is answered PENDING, in milliseconds. */
  readonly interimDelayMs?: number
  /** Re-authentication of a session as nobody in particular takes its rights away instead of failing. Never gives any. Default true. */
  readonly anonymousReauthentication?: boolean
  /** Clients without a name get sessions that reach IPC$ and nothing else (3.3.5.5.3). Default false. */
  readonly anonymous?: boolean
  readonly limits?: Partial<SmbLimits>
  readonly shares: readonly ShareConfig[]
}

/** The limits of a server that says nothing of its own. */
export const defaultLimits: SmbLimits = Object.freeze({
  sessionsPerConnection: 64,
  channelsPerSession: 32,
  treesPerSession: 4096,
  opensPerSession: 65_536,
  asyncRequestsPerConnection: 511,
  runningRequestsPerConnection: 1024,
  requestsPerCompound: 64,
  credits: 8192,
})

/** Where the server says what happens; pino's loggers are such. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** Whether lines of a level go anywhere; where undefined, requests' ends are not told. */
  isLevelEnabled?(level: string): boolean
}

/** setTimeout and clearTimeout, for tests and the simulator. */
export interface Timers {
  set(action: () => void, delayMs: number): unknown
  clear(timer: unknown): void
}

/** What the assembly gives, made per worker (not cloneable). */
export interface SmbServerDependencies {
  readonly fileCommands: FileCommands
  /** The filesystem a disk share serves on this worker. */
  fileSystem(share: ShareConfig): FileSystem | undefined
  /** Becomes `ShareContext.extension`: the file room's per-share state (open table client, …). */
  shareExtension?(share: ShareContext, config: ShareConfig): unknown
  /**
   * Mechanisms that SPNEGO offers. `anonymous` says what they do with a client that proves no password; `onUser` is to be called with the
   * name that a client claims, before it is checked (failures are counted by it).
   */
  mechanisms(options: { readonly anonymous: 'refuse' | 'report'; readonly onUser?: (user: string) => void }): readonly MechanismEntry[]
  /** The token of whom a mechanism has authenticated; undefined refuses the logon. */
  identify(who: Authenticated): MaybePromise<TokenUser | undefined>
  readonly throttle?: LoginThrottle
  readonly log?: Logger
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly random?: (lengthBytes: number) => Buffer
  readonly timers?: Timers
  /** A session has gone, after its opens. */
  onSessionClosed?(session: SessionContext): void
}

/** The configuration with its defaults filled in. */
export interface Settings {
  readonly dialectMin: number
  readonly dialectMax: number
  readonly signingRequired: boolean
  readonly encryption: 'off' | 'allowed' | 'required'
  readonly ciphers: readonly AeadAlgorithm[]
  readonly signingAlgorithms: readonly SigningAlgorithm[]
  readonly transferBytesMax: number
  readonly multiChannel: boolean
  readonly persistentHandles: boolean
  readonly listensOn: readonly string[]
  readonly offersRdma: boolean
  readonly interimDelayMs: number
  readonly anonymousReauthentication: boolean
  readonly anonymous: boolean
  readonly limits: SmbLimits
}

export const settingsOf = (config: SmbServerConfig): Settings => ({
  dialectMin: config.dialectMin ?? 0x0202,
  dialectMax: config.dialectMax ?? 0x0311,
  signingRequired: (config.signing ?? 'required') === 'required',
  encryption: config.encryption ?? 'allowed',
  ciphers: config.ciphers ?? ['AES-128-GCM', 'AES-128-CCM', 'AES-256-GCM', 'AES-256-CCM'],
  signingAlgorithms: config.signingAlgorithms ?? ['AES-GMAC', 'AES-CMAC', 'HMAC-SHA256'],
  transferBytesMax: config.transferBytesMax ?? 2 * 1024 * 1024,
  multiChannel: config.multiChannel ?? true,
  persistentHandles: config.persistentHandles ?? false,
  listensOn: config.listensOn ?? [''],
  offersRdma: config.offersRdma ?? false,
  interimDelayMs: config.interimDelayMs ?? 250,
  anonymousReauthentication: config.anonymousReauthentication ?? true,
  anonymous: config.anonymous ?? false,
  limits: { ...defaultLimits, ...config.limits },
})

/** A logger that says nothing. */
export const silent: Logger = Object.freeze({ debug() {}, info() {}, warn() {}, error() {} })

/** The timers of the process. */
export const systemTimers: Timers = Object.freeze({
  set: (action: () => void, delayMs: number) => setTimeout(action, delayMs),
  clear: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
})
