/** What an initiator is told, and what holds where it is not. */
import { hostname } from 'node:os'
import { UsageError } from '@holdfast/wire'
import { chapAlgorithms, defaultPort, isName, normalizeName } from '../pdu/index.ts'
import type { ChapAlgorithm, Wanted } from '../pdu/index.ts'
import type { Interruption } from './interruption.ts'

/** Digests: `none`; `preferred`, when the target has them; `required`. */
export type DigestChoice = 'none' | 'preferred' | 'required'

/** A hash for CHAP. */
export type ChapHash = ChapAlgorithm['hash']

/** Where a portal is, and who asks. */
export interface PortalOptions {
  readonly host: string
  /** Default 3260. */
  readonly port?: number
  /** CHAP name; without one, the target must let in everybody. */
  readonly user?: string
  /** CHAP secret. */
  readonly password?: string
  /**
   * Hashes to offer for CHAP, the best first. Default: sha3-256, sha1, md5, sha256; the last at the end, as its number means SHA-1 to some targets
   * (tgt), which choose it and then refuse the answer.
   */
  readonly chapHashes?: readonly ChapHash[]
  /** What the target has to prove itself with (mutual CHAP): its secret, and its CHAP name where that matters. */
  readonly targetCredentials?: { readonly user?: string; readonly password: string }
  /** Default: made of the host's name. */
  readonly initiatorName?: string
  /** Ends connecting and logging in; what comes after has signals of its own. */
  readonly signal?: AbortSignal
  /** For connecting, and for each answer during login; a target that is silent for so long while it owes an answer counts as lost. In ms; default 30,000. */
  readonly timeoutMs?: number
}

/** What a session is made with. */
export interface SessionOptions extends PortalOptions {
  /** Name of the target: `iqn.2026-11.io.holdfast:disk0`. */
  readonly target: string
  readonly headerDigest?: DigestChoice
  readonly dataDigest?: DigestChoice
  /** Connections of the session; fewer where the target takes fewer. Default 1. */
  readonly connections?: number
  /**
   * Highest error recovery level (RFC 7143 7): 0 makes the whole session anew, 1 has lost and damaged PDUs sent again, 2 moves tasks to a new connection.
   * Default 0.
   */
  readonly errorRecoveryLevel?: 0 | 1 | 2
  /** Whether data goes with commands and before it is asked for. Default true. */
  readonly unsolicitedData?: boolean
  /**
   * How long the initiator tries to come back after the connection was lost, in ms; default 60,000; 0: not at all. What is under way waits
   * meanwhile, and goes on as if nothing had been; only then it is rejected with `CONNECTION_LOST`.
   */
  readonly reconnectMs?: number
  /** With error recovery level 1 and 2: what makes no progress for so long is asked after. In ms; default 2,000. */
  readonly recoveryMs?: number
  /** Told when a connection is lost, when all is as before, and when it will not be again. */
  readonly onInterruption?: (event: Interruption) => void
  /** Most bytes of a data segment that we take. Default 262,144. */
  readonly receiveBytesMax?: number
}

/** Most connections of a session. */
const connectionsMax = 32
const defaultChapHashes: readonly ChapHash[] = ['sha3-256', 'sha1', 'md5', 'sha256']
const defaultTimeoutMs = 30_000
const defaultReconnectMs = 60_000
const defaultRecoveryMs = 2000
const defaultReceiveBytes = 262_144

/** Portal options with everything filled in. */
export interface PortalSettings {
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly password: string
  readonly targetCredentials: { readonly user?: string; readonly password: string } | undefined
  readonly chapHashes: readonly ChapHash[]
  readonly initiatorName: string
  readonly timeoutMs: number
  readonly receiveBytesMax: number
}

/** Session options with everything filled in. */
export interface SessionSettings extends PortalSettings {
  readonly target: string
  readonly wanted: Wanted
  readonly connections: number
  readonly reconnectMs: number
  readonly recoveryMs: number
  readonly onInterruption: ((event: Interruption) => void) | undefined
}

function defaultInitiatorName(): string {
  const host = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
  return `iqn.2026-11.io.holdfast:initiator:${host === '' ? 'unnamed' : host}`
}

/** Fills in what was left out. Throws UsageError `bad-name`, `bad-credentials` or `bad-option`. */
export function portalSettings(options: PortalOptions & { readonly receiveBytesMax?: number }): PortalSettings {
  const { host, port = defaultPort, user, password, targetCredentials, chapHashes = defaultChapHashes } = options
  const { timeoutMs = defaultTimeoutMs, receiveBytesMax = defaultReceiveBytes } = options
  const initiatorName = normalizeName(options.initiatorName ?? defaultInitiatorName())
  if (!isName(initiatorName)) throw new UsageError('bad-name', `not an iSCSI name: ${initiatorName}`)
  if ((user === undefined) !== (password === undefined)) throw new UsageError('bad-credentials', 'user and password go together')
  if (targetCredentials !== undefined && user === undefined) throw new UsageError('bad-credentials', 'a target proves itself to a user only')
  // Who has the one secret could pass for the other (RFC 7143 9.2.1).
  if (targetCredentials !== undefined && targetCredentials.password === password)
    throw new UsageError('bad-credentials', 'the two secrets of mutual CHAP must not be the same')
  if (chapHashes.length === 0 || chapHashes.some(hash => !chapAlgorithms.some(known => known.hash === hash)))
    throw new UsageError('bad-option', `chapHashes are of ${chapAlgorithms.map(({ hash }) => hash).join(', ')}`)
  if (!(timeoutMs > 0)) throw new UsageError('bad-option', 'timeoutMs must be more than 0')
  if (!Number.isInteger(receiveBytesMax) || receiveBytesMax < 512 || receiveBytesMax > 0xff_ffff)
    throw new UsageError('bad-option', 'receiveBytesMax is from 512 to 16,777,215')
  return { host, port, user, password: password ?? '', targetCredentials, chapHashes, initiatorName, timeoutMs, receiveBytesMax }
}

/** Likewise, for a session. */
export function sessionSettings(options: SessionOptions): SessionSettings {
  const { connections = 1, reconnectMs = defaultReconnectMs, recoveryMs = defaultRecoveryMs, onInterruption } = options
  const target = normalizeName(options.target)
  if (!isName(target)) throw new UsageError('bad-name', `not an iSCSI name: ${options.target}`)
  if (!Number.isInteger(connections) || connections < 1 || connections > connectionsMax)
    throw new UsageError('bad-option', `connections is from 1 to ${connectionsMax}`)
  return { ...portalSettings(options), target, wanted: wantedOf(options, connections), connections, reconnectMs, recoveryMs, onInterruption }
}

const digestLists: Readonly<Record<DigestChoice, readonly string[]>> = {
  none: ['None'],
  preferred: ['CRC32C', 'None'],
  required: ['CRC32C'],
}

/** What is offered (RFC 7143 13). */
function wantedOf(options: SessionOptions, connections: number): Wanted {
  const { headerDigest = 'none', dataDigest = 'none', errorRecoveryLevel = 0, unsolicitedData = true } = options
  return {
    HeaderDigest: digestLists[headerDigest],
    DataDigest: digestLists[dataDigest],
    MaxConnections: connections,
    InitialR2T: !unsolicitedData,
    ImmediateData: unsolicitedData,
    MaxBurstLength: 1 << 20,
    FirstBurstLength: 1 << 18,
    DefaultTime2Wait: 0,
    DefaultTime2Retain: 20,
    MaxOutstandingR2T: 8,
    DataPDUInOrder: true,
    DataSequenceInOrder: true,
    ErrorRecoveryLevel: errorRecoveryLevel,
  }
}
