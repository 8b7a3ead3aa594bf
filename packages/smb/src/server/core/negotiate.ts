/** NEGOTIATE (MS-SMB2 3.3.5.3, 3.3.5.4). */
import { Capability, Command, Dialect, SecurityMode } from '../../messages/constants.ts'
import { headerOffset, headerSize, smb2ProtocolId } from '../../messages/header.ts'
import { Cipher, HashAlgorithm, NegotiateContextType, SigningAlgorithm } from '../../messages/negotiate-contexts.ts'
import type { NegotiateContext } from '../../messages/negotiate-contexts.ts'
import { NegotiateRequest, NegotiateResponse } from '../../messages/negotiate.ts'
import type { NegotiateResponseInput } from '../../messages/negotiate.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import type { AeadAlgorithm } from '../../security/crypto.ts'
import { PreauthHash } from '../../security/preauth.ts'
import type { SigningAlgorithm as SigningName } from '../../security/signing.ts'
import { SpnegoServer } from '../../security/spnego/index.ts'
import type { MaybePromise } from '@holdfast/storage'
import type { Settings } from './config.ts'
import type { SmbConnection } from './connection.ts'
import { StatusError } from './handler-api.ts'
import type { Outcome } from './handler-api.ts'
import { movedAway } from './request.ts'
import type { SmbRequest } from './request.ts'

/** Oldest to newest. */
export const dialects = [Dialect.smb202, Dialect.smb210, Dialect.smb300, Dialect.smb302, Dialect.smb311] as const

const cipherIds: Readonly<Record<AeadAlgorithm, number>> = {
  'AES-128-CCM': Cipher.aes128Ccm,
  'AES-128-GCM': Cipher.aes128Gcm,
  'AES-256-CCM': Cipher.aes256Ccm,
  'AES-256-GCM': Cipher.aes256Gcm,
}
const signingIds: Readonly<Record<SigningName, number>> = {
  'HMAC-SHA256': SigningAlgorithm.hmacSha256,
  'AES-CMAC': SigningAlgorithm.aesCmac,
  'AES-GMAC': SigningAlgorithm.aesGmac,
}

/** The greatest dialect that both speak, undefined when there is none (3.3.5.4). */
export function chooseDialect(offered: readonly number[], { dialectMin, dialectMax }: Settings): number | undefined {
  return dialects.findLast(dialect => dialect >= dialectMin && dialect <= dialectMax && offered.includes(dialect))
}

/** What a NEGOTIATE settles for the connection (3.3.1.7). */
export interface Negotiated {
  readonly dialect: number
  readonly clientGuid: string
  readonly clientCapabilities: number
  readonly clientSecurityMode: number
  readonly capabilities: number
  readonly cipher: AeadAlgorithm | undefined
  readonly signingAlgorithm: SigningName
  /** Of READ and WRITE, in bytes. */
  readonly transferBytesMax: number
  /** The connection's pre-authentication integrity hash value, after the response. */
  readonly preauth?: Uint8Array
}

export function negotiate(request: SmbRequest): MaybePromise<Outcome> {
  const { connection, message } = request
  if (connection.negotiated !== undefined && !request.orphaned) {
    connection.close('a second NEGOTIATE')
    return request.fail(NtStatus.INVALID_PARAMETER)
  }
  const decoded = NegotiateRequest.decode(message, headerSize)
  if (decoded.dialects.length === 0) return request.fail(NtStatus.INVALID_PARAMETER)
  const dialect = chooseDialect(decoded.dialects, connection.server.settings)
  if (dialect === undefined) return request.fail(NtStatus.NOT_SUPPORTED)
  if (dialect < Dialect.smb300) return answer(request, decoded, dialect)
  // The connections of one client live on one worker, so that they can be channels of one session.
  const worker = connection.server.clients.workerOf(plainGuid(decoded.clientGuid), connection)
  if (typeof worker === 'number') return worker === connection.server.node.index ? answer(request, decoded, dialect) : move(request, worker)
  return worker.then(found => (found === connection.server.node.index ? answer(request, decoded, dialect) : move(request, found)))
}

const plainGuid = (guid: string): string => guid.replaceAll('-', '')

function move(request: SmbRequest, worker: number): Outcome {
  request.connection.moveTo(worker, request)
  return movedAway
}

function answer(request: SmbRequest, decoded: NegotiateRequest, dialect: number): Outcome {
  const { connection, message } = request
  const { server } = connection
  const { settings } = server
  const found = dialect >= Dialect.smb311 ? chooseByContexts(decoded.contexts, connection) : chooseByDialect(dialect, decoded, settings)
  const capabilities = capabilitiesFor(dialect, { found, decoded, connection })
  const negotiated: Negotiated = {
    dialect,
    clientGuid: plainGuid(decoded.clientGuid),
    clientCapabilities: decoded.capabilities,
    clientSecurityMode: decoded.securityMode,
    capabilities,
    cipher: found.cipher,
    signingAlgorithm: found.signingAlgorithm,
    transferBytesMax: dialect === Dialect.smb202 ? 65536 : settings.transferBytesMax,
  }
  if (dialect >= Dialect.smb311) {
    const preauth = new PreauthHash()
    preauth.update(message)
    request.chain.preauth = preauth
    connection.preauth = preauth
  }
  connection.onNegotiated(negotiated, message.subarray(headerSize + 12, headerSize + 28))
  return writeResponse(request, { ...responseFields(connection, dialect), contexts: found.contexts })
}

const responseFields = (connection: SmbConnection, dialectRevision: number): NegotiateResponseInput => {
  const { server } = connection
  return {
    securityMode: connection.securityMode,
    dialectRevision,
    serverGuid: server.serverGuid,
    capabilities: connection.capabilities,
    maxTransactSize: connection.maxTransactSize,
    maxReadSize: connection.maxReadSize,
    maxWriteSize: connection.maxWriteSize,
    systemTime: server.fileTime(),
    securityBuffer: new SpnegoServer({ mechanisms: server.dependencies.mechanisms({ anonymous: 'refuse' }) }).initialToken(),
  }
}

function writeResponse(request: SmbRequest, response: NegotiateResponseInput): Outcome {
  const body = request.reserve(NegotiateResponse.encodedLength(response))
  return request.reply(NegotiateResponse.encode(response, body))
}

interface Choice {
  readonly cipher: AeadAlgorithm | undefined
  readonly signingAlgorithm: SigningName
  readonly contexts: readonly NegotiateContext[]
}

function chooseByDialect(dialect: number, decoded: NegotiateRequest, settings: Settings): Choice {
  const encrypts = dialect >= Dialect.smb300 && settings.encryption !== 'off' && (decoded.capabilities & Capability.encryption) !== 0
  return {
    cipher: encrypts && settings.ciphers.includes('AES-128-CCM') ? 'AES-128-CCM' : undefined,
    signingAlgorithm: dialect >= Dialect.smb300 ? 'AES-CMAC' : 'HMAC-SHA256',
    contexts: [],
  }
}

const { preauthIntegrityCapabilities, encryptionCapabilities, signingCapabilities } = NegotiateContextType

/** (3.3.5.4) each known context at most once; pre-authentication integrity exactly once. */
function chooseByContexts(contexts: readonly NegotiateContext[], connection: SmbConnection): Choice {
  const { settings, random } = connection.server
  const seen = new Map<number, NegotiateContext>()
  for (const context of contexts) {
    if (context.contextType === 'unknown') continue
    if (seen.has(context.contextType)) throw new StatusError(NtStatus.INVALID_PARAMETER, 'a negotiate context twice')
    seen.set(context.contextType, context)
  }
  const preauth = seen.get(preauthIntegrityCapabilities)
  if (preauth?.contextType !== preauthIntegrityCapabilities || preauth.hashAlgorithms.length === 0) {
    throw new StatusError(NtStatus.INVALID_PARAMETER, 'no pre-authentication integrity')
  }
  if (!preauth.hashAlgorithms.includes(HashAlgorithm.sha512)) throw new StatusError(NtStatus.SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP)
  const answers: NegotiateContext[] = [{ contextType: preauthIntegrityCapabilities, hashAlgorithms: [HashAlgorithm.sha512], salt: random(32) }]

  let cipher: AeadAlgorithm | undefined
  const encryption = seen.get(encryptionCapabilities)
  if (encryption?.contextType === encryptionCapabilities) {
    if (encryption.ciphers.length === 0) throw new StatusError(NtStatus.INVALID_PARAMETER, 'no ciphers')
    cipher = settings.encryption === 'off' ? undefined : settings.ciphers.find(name => encryption.ciphers.includes(cipherIds[name]))
    answers.push({ contextType: encryptionCapabilities, ciphers: [cipher === undefined ? 0 : cipherIds[cipher]] })
  }

  let signingAlgorithm: SigningName = 'AES-CMAC'
  const signing = seen.get(signingCapabilities)
  if (signing?.contextType === signingCapabilities) {
    if (signing.signingAlgorithms.length === 0) throw new StatusError(NtStatus.INVALID_PARAMETER, 'no signing algorithms')
    const common = settings.signingAlgorithms.find(name => signing.signingAlgorithms.includes(signingIds[name]))
    if (common !== undefined) {
      signingAlgorithm = common
      answers.push({ contextType: signingCapabilities, signingAlgorithms: [signingIds[common]] })
    }
  }
  return { cipher, signingAlgorithm, contexts: answers }
}

/** (3.3.5.4) what the server can do and the dialect knows; encryption is a capability in 3.0 and 3.0.2 only. */
function capabilitiesFor(dialect: number, options: { found: Choice; decoded: NegotiateRequest; connection: SmbConnection }): number {
  const { settings, leasing, offersPersistentHandles } = options.connection.server
  const { capabilities: offered } = options.decoded
  return (
    (dialect >= Dialect.smb210 ? Capability.largeMtu | (leasing ? Capability.leasing : 0) : 0) |
    (dialect >= Dialect.smb300 && leasing ? offered & Capability.directoryLeasing : 0) |
    (dialect >= Dialect.smb300 && offersPersistentHandles ? offered & Capability.persistentHandles : 0) |
    (dialect >= Dialect.smb300 && settings.multiChannel ? offered & Capability.multiChannel : 0) |
    (dialect >= Dialect.smb300 && dialect < Dialect.smb311 && options.found.cipher !== undefined ? Capability.encryption : 0)
  )
}

const smb1ProtocolId = 0x424d53ff
const smb1NegotiateCommand = 0x72
const smb1HeaderLength = 32

/** True for something that begins as an SMB1 message. */
export const isSmb1 = (bytes: Buffer): boolean => bytes.length >= 4 && bytes.readUInt32LE(0) === smb1ProtocolId

/**
 * The dialect that answers an SMB1 NEGOTIATE (3.3.5.3): the wildcard where the client offers "SMB 2.???", 2.0.2 for "SMB 2.002", undefined for
 * anything else: SMB1 itself is not spoken.
 */
export function smb1Dialect(bytes: Buffer, settings: Settings): number | undefined {
  if (bytes.length < smb1HeaderLength + 3 || bytes[4] !== smb1NegotiateCommand || bytes[smb1HeaderLength] !== 0) return undefined
  const end = Math.min(bytes.length, smb1HeaderLength + 3 + bytes.readUInt16LE(smb1HeaderLength + 1))
  // Each is a byte 2 and a name that ends with a zero byte.
  const names = bytes
    .toString('latin1', smb1HeaderLength + 3, end)
    .split('\0')
    .map(name => name.slice(1))
  if (names.includes('SMB 2.???') && settings.dialectMax > Dialect.smb202) return Dialect.wildcard
  return names.includes('SMB 2.002') && settings.dialectMin <= Dialect.smb202 ? Dialect.smb202 : undefined
}

/** Turns an SMB1 NEGOTIATE into the SMB2 header of the response's request: MessageId 0, one credit (3.3.5.3.1, 3.3.5.3.2). */
export function smb2HeaderForSmb1(): Buffer {
  const header = Buffer.alloc(headerSize)
  header.writeUInt32LE(smb2ProtocolId, 0)
  header.writeUInt16LE(headerSize, 4)
  header.writeUInt16LE(Command.negotiate, headerOffset.command)
  return header
}

/** The answer to an SMB1 NEGOTIATE. With 2.0.2 the connection is negotiated, with the wildcard an SMB2 NEGOTIATE follows. */
export function answerSmb1(request: SmbRequest, dialect: number): Outcome {
  const { connection } = request
  if (dialect === Dialect.smb202) {
    connection.onNegotiated(
      {
        dialect,
        clientGuid: '0'.repeat(32),
        clientCapabilities: 0,
        clientSecurityMode: SecurityMode.signingEnabled,
        capabilities: 0,
        cipher: undefined,
        signingAlgorithm: 'HMAC-SHA256',
        transferBytesMax: 65536,
      },
      Buffer.alloc(16),
    )
  }
  return writeResponse(request, responseFields(connection, dialect))
}
