import { MalformedError } from '@holdfast/wire'
import { hasFlag, ntlmFlags } from './flags.ts'

const signature = Buffer.from('NTLMSSP\0', 'latin1')

/** MessageType (MS-NLMP 2.2.1). */
export const ntlmMessageType = Object.freeze({ negotiate: 1, challenge: 2, authenticate: 3 })

/** NEGOTIATE_MESSAGE (MS-NLMP 2.2.1.1); the names it may supply say nothing that anybody uses. */
export interface NegotiateMessage {
  readonly flags: number
}

/** CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2). */
export interface ChallengeMessage {
  readonly flags: number
  readonly targetName: string
  /** 8 bytes. */
  readonly serverChallenge: Buffer
  /** AV_PAIRs; may be empty. */
  readonly targetInfo: Buffer
}

/** AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3). */
export interface AuthenticateMessage {
  readonly flags: number
  readonly lmResponse: Buffer
  readonly ntResponse: Buffer
  readonly domain: string
  readonly user: string
  readonly workstation: string
  readonly encryptedSessionKey: Buffer
}

// Offsets. Version and MIC are optional in what old clients send: their payload begins where these would be.
const negotiateLengthBytes = 40
const challengeHeaderLengthBytes = 56
const challengeMinLengthBytes = 32
const authenticateHeaderLengthBytes = 88
const authenticateMinLengthBytes = 64
const authenticateMicAt = 72
const micLengthBytes = 16

// VERSION (MS-NLMP 2.2.2.10), for debugging only: 6.1, build 0, NTLMSSP_REVISION_W2K3.
const version = Buffer.from([6, 1, 0, 0, 0, 0, 0, 15])

/** True for a token that begins like an NTLM message. */
export const isNtlmMessage = (token: Buffer): boolean => token.length >= 8 && token.subarray(0, 8).equals(signature)

function check(token: Buffer, type: number, minLengthBytes: number): void {
  if (!isNtlmMessage(token)) throw new MalformedError('ntlm_signature')
  if (token.length < minLengthBytes) throw new MalformedError('ntlm_short')
  if (token.readUInt32LE(8) !== type) throw new MalformedError('ntlm_type')
}

/** A {Len, MaxLen, BufferOffset} field's bytes. */
function field(token: Buffer, at: number): Buffer {
  const lengthBytes = token.readUInt16LE(at)
  if (lengthBytes === 0) return Buffer.alloc(0)
  const offset = token.readUInt32LE(at + 4)
  if (offset > token.length || lengthBytes > token.length - offset) throw new MalformedError('ntlm_field')
  return token.subarray(offset, offset + lengthBytes)
}

function text(token: Buffer, at: number, flags: number): string {
  const bytes = field(token, at)
  if (!hasFlag(flags, ntlmFlags.unicode)) return bytes.toString('latin1')
  if (bytes.length % 2 !== 0) throw new MalformedError('ntlm_text')
  return bytes.toString('utf16le')
}

const encodeText = (value: string, flags: number): Buffer => Buffer.from(value, hasFlag(flags, ntlmFlags.unicode) ? 'utf16le' : 'latin1')

/** Header with `fields` pointing to their values behind it, in that order. */
function assemble(header: Buffer, type: number, fields: readonly (readonly [at: number, value: Buffer])[]): Buffer {
  signature.copy(header)
  header.writeUInt32LE(type, 8)
  let offset = header.length
  for (const [at, value] of fields) {
    header.writeUInt16LE(value.length, at)
    header.writeUInt16LE(value.length, at + 2)
    header.writeUInt32LE(offset, at + 4)
    offset += value.length
  }
  return Buffer.concat([header, ...fields.map(([, value]) => value)])
}

/** Throws MalformedError `ntlm_signature`, `ntlm_short`, `ntlm_type`. */
export function decodeNegotiate(token: Buffer): NegotiateMessage {
  check(token, ntlmMessageType.negotiate, 16)
  return { flags: token.readUInt32LE(12) }
}

export function encodeNegotiate({ flags }: NegotiateMessage): Buffer {
  const message = Buffer.alloc(negotiateLengthBytes)
  message.writeUInt32LE(flags >>> 0, 12)
  if (hasFlag(flags, ntlmFlags.version)) version.copy(message, 32)
  return assemble(message, ntlmMessageType.negotiate, [])
}

/** Throws MalformedError `ntlm_signature`, `ntlm_short`, `ntlm_type`, `ntlm_field`, `ntlm_text`. */
export function decodeChallenge(token: Buffer): ChallengeMessage {
  check(token, ntlmMessageType.challenge, challengeMinLengthBytes)
  const flags = token.readUInt32LE(20)
  return {
    flags,
    targetName: text(token, 12, flags),
    serverChallenge: token.subarray(24, 32),
    targetInfo: hasFlag(flags, ntlmFlags.targetInfo) && token.length >= 48 ? field(token, 40) : Buffer.alloc(0),
  }
}

export function encodeChallenge(message: ChallengeMessage): Buffer {
  const header = Buffer.alloc(challengeHeaderLengthBytes)
  header.writeUInt32LE(message.flags >>> 0, 20)
  message.serverChallenge.copy(header, 24)
  if (hasFlag(message.flags, ntlmFlags.version)) version.copy(header, 48)
  const targetName = encodeText(message.targetName, message.flags)
  return assemble(header, ntlmMessageType.challenge, [
    [12, targetName],
    [40, message.targetInfo],
  ])
}

/** Throws MalformedError `ntlm_signature`, `ntlm_short`, `ntlm_type`, `ntlm_field`, `ntlm_text`. */
export function decodeAuthenticate(token: Buffer): AuthenticateMessage {
  check(token, ntlmMessageType.authenticate, authenticateMinLengthBytes)
  const flags = token.readUInt32LE(60)
  return {
    flags,
    lmResponse: field(token, 12),
    ntResponse: field(token, 20),
    domain: text(token, 28, flags),
    user: text(token, 36, flags),
    workstation: text(token, 44, flags),
    encryptedSessionKey: field(token, 52),
  }
}

/** The MIC field is zero: see `setMic`. */
export function encodeAuthenticate(message: AuthenticateMessage): Buffer {
  const header = Buffer.alloc(authenticateHeaderLengthBytes)
  header.writeUInt32LE(message.flags >>> 0, 60)
  if (hasFlag(message.flags, ntlmFlags.version)) version.copy(header, 64)
  return assemble(header, ntlmMessageType.authenticate, [
    [28, encodeText(message.domain, message.flags)],
    [36, encodeText(message.user, message.flags)],
    [44, encodeText(message.workstation, message.flags)],
    [12, message.lmResponse],
    [20, message.ntResponse],
    [52, message.encryptedSessionKey],
  ])
}

/** The MIC field of an AUTHENTICATE_MESSAGE, a view. Throws MalformedError `ntlm_short`. */
export function micOf(authenticate: Buffer): Buffer {
  if (authenticate.length < authenticateMicAt + micLengthBytes) throw new MalformedError('ntlm_short')
  return authenticate.subarray(authenticateMicAt, authenticateMicAt + micLengthBytes)
}

/** A copy of an AUTHENTICATE_MESSAGE with zeros for the MIC: what the MIC is computed over. Throws MalformedError `ntlm_short`. */
export function withoutMic(authenticate: Buffer): Buffer {
  const copy = Buffer.from(authenticate)
  micOf(copy).fill(0)
  return copy
}
