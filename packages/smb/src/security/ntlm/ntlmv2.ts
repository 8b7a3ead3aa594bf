import { createHmac } from 'node:crypto'
import { MalformedError } from '@holdfast/wire'
import { md4, rc4 } from '../digests.ts'
import { decodeAvPairs } from './av-pairs.ts'
import type { AvPair } from './av-pairs.ts'

/** The computations of NTLMv2 (MS-NLMP 3.3.2). */

const hmacMd5 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer => {
  const hmac = createHmac('md5', key)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/**
 * What a server keeps of a password: NTOWFv1, MD4(UNICODE(password)) (MS-NLMP 3.3.1). 16 bytes. As good as the password itself to whoever has it.
 *
 * @example
 * ntHash('Password').toString('hex') // => 'a4f49c406510bdcab6824ee7c30fd852'
 */
export const ntHash = (password: string): Buffer => md4(Buffer.from(password, 'utf16le'))

/** Windows maps each UTF-16 unit by itself: "ß" stays "ß". */
export function upperCase(text: string): string {
  let upper = ''
  for (let i = 0; i < text.length; i++) {
    const mapped = text[i].toUpperCase()
    upper += mapped.length === 1 ? mapped : text[i]
  }
  return upper
}

/** NTOWFv2: ResponseKeyNT. The user's name is upper-cased, the domain's not. */
export function responseKey(options: { ntHash: Uint8Array; user: string; domain: string }): Buffer {
  return hmacMd5(options.ntHash, Buffer.from(upperCase(options.user) + options.domain, 'utf16le'))
}

/** NTLMv2_RESPONSE's two parts (MS-NLMP 2.2.2.8). */
export interface NtlmV2Response {
  /** NTProofStr, 16 bytes. */
  readonly proof: Buffer
  /** NTLMv2_CLIENT_CHALLENGE as it was sent. */
  readonly clientChallenge: Buffer
  readonly avPairs: readonly AvPair[]
}

const proofLengthBytes = 16
const avPairsAt = 28
/** Longer than an NTLMv1 response has at all. */
const responseMinLengthBytes = proofLengthBytes + avPairsAt

/** True for what cannot be an NTLMv2 response: NTLMv1 has 24 bytes, LM-only clients send none. */
export const isNtlmV1Response = (ntResponse: Buffer): boolean => ntResponse.length < responseMinLengthBytes

/** Throws MalformedError `ntlmv2_response`, `av_pair`. */
export function decodeNtlmV2Response(ntResponse: Buffer): NtlmV2Response {
  if (isNtlmV1Response(ntResponse)) throw new MalformedError('ntlmv2_response')
  const clientChallenge = ntResponse.subarray(proofLengthBytes)
  // RespType and HiRespType are both 1.
  if (clientChallenge[0] !== 1 || clientChallenge[1] !== 1) throw new MalformedError('ntlmv2_response')
  return { proof: ntResponse.subarray(0, proofLengthBytes), clientChallenge, avPairs: decodeAvPairs(clientChallenge.subarray(avPairsAt)) }
}

/** NTLMv2_CLIENT_CHALLENGE (MS-NLMP 2.2.2.7): `temp` of 3.3.2. `time` is 8 bytes of FILETIME, `challenge` 8 random ones. */
export function encodeClientChallenge(options: { time: Buffer; challenge: Buffer; targetInfo: Buffer }): Buffer {
  return Buffer.concat([Buffer.from([1, 1, 0, 0, 0, 0, 0, 0]), options.time, options.challenge, Buffer.alloc(4), options.targetInfo, Buffer.alloc(4)])
}

/** NTProofStr, and the SessionBaseKey that follows from it (for NTLMv2 also the KeyExchangeKey). */
export function prove(options: { responseKey: Buffer; serverChallenge: Buffer; clientChallenge: Buffer }): { proof: Buffer; sessionBaseKey: Buffer } {
  const proof = hmacMd5(options.responseKey, options.serverChallenge, options.clientChallenge)
  return { proof, sessionBaseKey: hmacMd5(options.responseKey, proof) }
}

/** LMv2_RESPONSE (MS-NLMP 2.2.2.4), which goes to servers that do not give the time. 24 bytes. */
export function lmV2Response(options: { responseKey: Buffer; serverChallenge: Buffer; challenge: Buffer }): Buffer {
  return Buffer.concat([hmacMd5(options.responseKey, options.serverChallenge, options.challenge), options.challenge])
}

/** Wraps or unwraps ExportedSessionKey with KeyExchangeKey (RC4 is its own inverse). */
export const exchangeKey = (keyExchangeKey: Buffer, sessionKey: Buffer): Buffer => rc4(keyExchangeKey, sessionKey)

/** The MIC over the three messages, of which the last one has zeros in its MIC field (MS-NLMP 3.1.5.1.2). */
export function messageIntegrityCode(sessionKey: Buffer, messages: { negotiate: Buffer; challenge: Buffer; authenticate: Buffer }): Buffer {
  return hmacMd5(sessionKey, messages.negotiate, messages.challenge, messages.authenticate)
}

/** Milliseconds since 1970 as the 8 bytes of a FILETIME (100 ns since 1601). */
export function fileTime(unixMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64LE(BigInt(Math.floor(unixMs)) * 10_000n + 116_444_736_000_000_000n)
  return bytes
}
