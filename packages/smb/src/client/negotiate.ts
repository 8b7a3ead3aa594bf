/** Negotiation of a dialect and of what goes with it (MS-SMB2 3.2.4.2.2.2, 3.2.5.2). */
import { randomBytes, randomUUID } from 'node:crypto'
import {
  Capability,
  Cipher as CipherId,
  Dialect,
  HashAlgorithm,
  NegotiateContextType,
  SecurityMode,
  SigningAlgorithm as SigningId,
} from '../messages/index.ts'
import type { NegotiateContext, NegotiateResponse } from '../messages/index.ts'
import { PreauthHash } from '../security/index.ts'
import type { AeadAlgorithm, SigningAlgorithm } from '../security/index.ts'
import type { Connection } from './connection.ts'
import { SmbError } from './errors.ts'
import { noScope, operations } from './requests.ts'

/** Dialects by the names people use. */
export const dialects = Object.freeze({
  '2.0.2': Dialect.smb202,
  '2.1': Dialect.smb210,
  '3.0': Dialect.smb300,
  '3.0.2': Dialect.smb302,
  '3.1.1': Dialect.smb311,
})
/** The name of a dialect. */
export type SmbDialect = keyof typeof dialects

const cipherIds = Object.freeze({
  'AES-128-GCM': CipherId.aes128Gcm,
  'AES-256-GCM': CipherId.aes256Gcm,
  'AES-128-CCM': CipherId.aes128Ccm,
  'AES-256-CCM': CipherId.aes256Ccm,
} as const satisfies Record<AeadAlgorithm, number>)
const signingIds = Object.freeze({
  'AES-GMAC': SigningId.aesGmac,
  'AES-CMAC': SigningId.aesCmac,
  'HMAC-SHA256': SigningId.hmacSha256,
} as const satisfies Record<SigningAlgorithm, number>)

const nameOf = <Name extends string>(table: Readonly<Record<Name, number>>, id: number): Name | undefined =>
  (Object.keys(table) as Name[]).find(name => table[name] === id)

/** What the client offers, in the order it prefers. */
export interface NegotiateOptions {
  readonly dialects: readonly SmbDialect[]
  readonly ciphers: readonly AeadAlgorithm[]
  readonly signingAlgorithms: readonly SigningAlgorithm[]
  /** Says so in SecurityMode; the session sees to it. */
  readonly requiresSigning: boolean
  /** By which a server knows its opens and leases again; default: a new one. */
  readonly clientGuid?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Everything there is, the fastest first. */
export const defaultOffer = Object.freeze({
  dialects: Object.keys(dialects) as readonly SmbDialect[],
  ciphers: Object.keys(cipherIds) as readonly AeadAlgorithm[],
  // The third is offered for the sake of completeness: who speaks 3.1.1 knows AES-CMAC.
  signingAlgorithms: Object.keys(signingIds) as readonly SigningAlgorithm[],
})

/** What client and server agreed on. */
export interface Negotiated {
  readonly dialect: SmbDialect
  /** `Dialect`. */
  readonly revision: number
  /** Undefined: nothing can be encrypted. */
  readonly cipher: AeadAlgorithm | undefined
  readonly signingAlgorithm: SigningAlgorithm
  readonly serverRequiresSigning: boolean
  /** `Capability` bits of the server. */
  readonly capabilities: number
  readonly serverGuid: string
  /** Largest payloads, in bytes. */
  readonly maxReadBytes: number
  readonly maxWriteBytes: number
  readonly maxTransactBytes: number
  /** SPNEGO token. */
  readonly securityBuffer: Buffer
  /** Value of the connection (3.1.1). */
  readonly preauthHash: PreauthHash
  /** What was said, for FSCTL_VALIDATE_NEGOTIATE_INFO. */
  readonly offered: {
    readonly revisions: readonly number[]
    readonly capabilities: number
    readonly clientGuid: string
    readonly securityMode: number
  }
  /** `SecurityMode` of the server. */
  readonly securityMode: number
}

/** Without multi-credit requests (2.0.2, or a server that does not offer LARGE_MTU). */
const smallMtuBytes = 65_536
/** Larger is of no use, and would not fit a frame. */
const payloadBytesMax = 8 * 1024 * 1024

const refuse = (why: string): SmbError => new SmbError('NEGOTIATION_FAILED', why)

function contextsFor(options: NegotiateOptions, host: string): NegotiateContext[] {
  return [
    {
      contextType: NegotiateContextType.preauthIntegrityCapabilities,
      hashAlgorithms: [HashAlgorithm.sha512],
      salt: randomBytes(32),
    },
    { contextType: NegotiateContextType.encryptionCapabilities, ciphers: options.ciphers.map(name => cipherIds[name]) },
    { contextType: NegotiateContextType.signingCapabilities, signingAlgorithms: options.signingAlgorithms.map(name => signingIds[name]) },
    { contextType: NegotiateContextType.netnameNegotiateContextId, netName: host },
  ]
}

/** Negotiates on a fresh connection. Rejects with SmbError `NEGOTIATION_FAILED`. */
export async function negotiate(connection: Connection, options: NegotiateOptions): Promise<Negotiated> {
  const revisions = Object.values(dialects).filter(revision => options.dialects.includes(nameOf(dialects, revision)!))
  const speaks3 = revisions.some(revision => revision >= Dialect.smb300)
  const offered: Negotiated['offered'] = {
    revisions,
    capabilities: speaks3 ? Capability.largeMtu | Capability.leasing | Capability.persistentHandles | Capability.encryption : 0,
    clientGuid: options.clientGuid ?? randomUUID(),
    securityMode: options.requiresSigning ? SecurityMode.signingEnabled | SecurityMode.signingRequired : SecurityMode.signingEnabled,
  }
  const preauthHash = new PreauthHash()
  const { value } = await connection.exchange(
    {
      operation: operations.negotiate,
      value: {
        ...offered,
        dialects: revisions,
        contexts: revisions.includes(Dialect.smb311) ? contextsFor(options, connection.host) : [],
      },
      scope: noScope,
      observe: { sent: message => preauthHash.update(message), received: message => preauthHash.update(message) },
    },
    { signal: options.signal },
  )
  const response = value!
  const dialect = nameOf(dialects, response.dialectRevision)
  if (dialect === undefined || !offered.revisions.includes(response.dialectRevision))
    throw refuse(`the server chose dialect 0x${response.dialectRevision.toString(16)}`)
  const largeMtu = response.dialectRevision >= Dialect.smb210 && (response.capabilities & Capability.largeMtu) !== 0
  const bound = (lengthBytes: number): number => Math.max(1024, Math.min(lengthBytes, largeMtu ? payloadBytesMax : smallMtuBytes))
  const negotiated: Negotiated = {
    dialect,
    revision: response.dialectRevision,
    ...algorithmsOf(response, options),
    serverRequiresSigning: (response.securityMode & SecurityMode.signingRequired) !== 0,
    capabilities: response.capabilities,
    serverGuid: response.serverGuid,
    maxReadBytes: bound(response.maxReadSize),
    maxWriteBytes: bound(response.maxWriteSize),
    maxTransactBytes: bound(response.maxTransactSize),
    securityBuffer: response.securityBuffer,
    preauthHash,
    offered,
    securityMode: response.securityMode,
  }
  const maxMessageBytes = Math.max(negotiated.maxReadBytes, negotiated.maxTransactBytes)
  connection.negotiated({ dialect: negotiated.revision, maxMessageBytes })
  return negotiated
}

type Algorithms = Pick<Negotiated, 'cipher' | 'signingAlgorithm'>

/** Cipher and signing algorithm by dialect (3.2.5.2). */
function algorithmsOf(response: NegotiateResponse, options: NegotiateOptions): Algorithms {
  const { dialectRevision, capabilities, contexts } = response
  if (dialectRevision < Dialect.smb300) return { cipher: undefined, signingAlgorithm: 'HMAC-SHA256' }
  if (dialectRevision < Dialect.smb311) {
    const encrypts = (capabilities & Capability.encryption) !== 0 && options.ciphers.includes('AES-128-CCM')
    return { cipher: encrypts ? 'AES-128-CCM' : undefined, signingAlgorithm: 'AES-CMAC' }
  }
  return contextAlgorithms(contexts, options)
}

function contextAlgorithms(contexts: readonly NegotiateContext[], options: NegotiateOptions): Algorithms {
  let hasPreauth = false
  let cipher: AeadAlgorithm | undefined
  let signingAlgorithm: SigningAlgorithm = 'AES-CMAC'
  const seen = new Set<unknown>()
  for (const context of contexts) {
    if (context.contextType === 'unknown') continue
    if (seen.has(context.contextType)) throw refuse('the server sent a negotiate context twice')
    seen.add(context.contextType)
    if (context.contextType === NegotiateContextType.preauthIntegrityCapabilities) {
      const [algorithm, ...more] = context.hashAlgorithms
      if (algorithm !== HashAlgorithm.sha512 || more.length > 0) throw refuse('the server chose no hash algorithm that was offered')
      hasPreauth = true
    } else if (context.contextType === NegotiateContextType.encryptionCapabilities) {
      const [id = 0, ...more] = context.ciphers
      cipher = nameOf(cipherIds, id)
      // 0 says that there is no cipher both know.
      if (more.length > 0 || (id !== 0 && (cipher === undefined || !options.ciphers.includes(cipher))))
        throw refuse('the server chose no cipher that was offered')
    } else if (context.contextType === NegotiateContextType.signingCapabilities) {
      const [id, ...more] = context.signingAlgorithms
      const name = id === undefined ? undefined : nameOf(signingIds, id)
      if (name === undefined || more.length > 0 || !options.signingAlgorithms.includes(name))
        throw refuse('the server chose no signing algorithm that was offered')
      signingAlgorithm = name
    }
  }
  if (!hasPreauth) throw refuse('the server sent no pre-authentication integrity context')
  return { cipher, signingAlgorithm }
}
