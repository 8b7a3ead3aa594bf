import { MalformedError } from '@holdfast/wire'
import { contextTag, decodeOid, DerReader, derTag, encodeDer, encodeOid } from './der.ts'

/** SPNEGO's tokens (RFC 4178 4.2, MS-SPNG 2.2). */

/** Object identifiers of mechanisms. */
export const mechanismOid = Object.freeze({
  spnego: '1.3.6.1.5.5.2',
  ntlm: '1.3.6.1.4.1.311.2.2.10',
  kerberos: '1.2.840.113554.1.2.2',
  /** Kerberos' OID with a bit lost, as Windows 2000 wrote it (MS-SPNG 3.1.5.2). */
  kerberosMicrosoft: '1.2.840.48018.1.2.2',
  kerberosUserToUser: '1.2.840.113554.1.2.2.3',
  negoEx: '1.3.6.1.4.1.311.2.2.30',
})

/** negState. */
export const negState = Object.freeze({ acceptCompleted: 0, acceptIncomplete: 1, reject: 2, requestMic: 3 })

/** NegTokenInit and NegTokenInit2. */
export interface NegTokenInit {
  readonly kind: 'init'
  readonly mechTypes: readonly string[]
  /** MechTypeList as it was sent: what mechListMIC protects. */
  readonly mechTypesDer: Buffer
  /** The optimistic token, for the first mechanism. */
  readonly mechToken?: Buffer
}

/** NegTokenResp. */
export interface NegTokenResp {
  readonly kind: 'response'
  readonly negState?: number
  readonly supportedMech?: string
  readonly responseToken?: Buffer
  readonly mechListMic?: Buffer
}

// Windows offers five at most.
const mechTypesMax = 64
// MS-SPNG 2.2.1: what the acceptor's hint always says.
const hintName = 'not_defined_in_RFC4178@please_ignore'

const octets = (explicit: Buffer): Buffer => new DerReader(explicit).read(derTag.octetString)

/** Decodes a token. Its Buffers are views. Throws MalformedError `der_*`, `spnego_token`, `spnego_mechanisms`. */
export function decodeNegToken(token: Buffer): NegTokenInit | NegTokenResp {
  const reader = new DerReader(token)
  if (reader.tag === contextTag(1)) return decodeResponse(new DerReader(new DerReader(reader.read(contextTag(1))).read(derTag.sequence)))
  let inner = reader
  if (reader.tag === derTag.initialContextToken) {
    inner = new DerReader(reader.read(derTag.initialContextToken))
    if (decodeOid(inner.read(derTag.objectIdentifier)) !== mechanismOid.spnego) throw new MalformedError('spnego_token')
  }
  if (inner.tag !== contextTag(0)) throw new MalformedError('spnego_token')
  return decodeInit(new DerReader(new DerReader(inner.read(contextTag(0))).read(derTag.sequence)))
}

/** The mechanism that an InitialContextToken (RFC 2743 3.1) is for; undefined for any other bytes. */
export function oidOfInitialToken(token: Buffer): string | undefined {
  if (token[0] !== derTag.initialContextToken) return undefined
  try {
    return decodeOid(new DerReader(new DerReader(token).read(derTag.initialContextToken)).read(derTag.objectIdentifier))
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

function decodeInit(reader: DerReader): NegTokenInit {
  const { whole, content } = new DerReader(reader.read(contextTag(0))).readWhole(derTag.sequence)
  const mechTypes: string[] = []
  const list = new DerReader(content)
  while (!list.atEnd) {
    if (mechTypes.length === mechTypesMax) throw new MalformedError('spnego_mechanisms')
    mechTypes.push(decodeOid(list.read(derTag.objectIdentifier)))
  }
  if (mechTypes.length === 0) throw new MalformedError('spnego_mechanisms')
  // reqFlags [1] are not protected and say nothing (RFC 4178 4.2.1).
  reader.readOptional(contextTag(1))
  const mechToken = reader.readOptional(contextTag(2))
  // [3] and [4], negHints and mechListMIC, have no use in a first token.
  return { kind: 'init', mechTypes, mechTypesDer: whole, ...(mechToken === undefined ? {} : { mechToken: octets(mechToken) }) }
}

function decodeResponse(reader: DerReader): NegTokenResp {
  const state = reader.readOptional(contextTag(0))
  const mech = reader.readOptional(contextTag(1))
  const responseToken = reader.readOptional(contextTag(2))
  const mechListMic = reader.readOptional(contextTag(3))
  return {
    kind: 'response',
    ...(state === undefined ? {} : { negState: decodeState(state) }),
    ...(mech === undefined ? {} : { supportedMech: decodeOid(new DerReader(mech).read(derTag.objectIdentifier)) }),
    ...(responseToken === undefined ? {} : { responseToken: octets(responseToken) }),
    ...(mechListMic === undefined ? {} : { mechListMic: octets(mechListMic) }),
  }
}

function decodeState(explicit: Buffer): number {
  const value = new DerReader(explicit).read(derTag.enumerated)
  if (value.length !== 1 || value[0] > negState.requestMic) throw new MalformedError('spnego_token')
  return value[0]
}

/** MechTypeList: what the initiator proposes, and what mechListMIC is computed over. */
export const encodeMechTypes = (oids: readonly string[]): Buffer => encodeDer(derTag.sequence, ...oids.map(encodeOid))

/** A NegTokenInit in its InitialContextToken. With `hint` it is the acceptor's NegTokenInit2 (MS-SPNG 2.2.1). */
export function encodeNegTokenInit(options: { mechTypesDer: Buffer; mechToken?: Buffer; hint?: boolean }): Buffer {
  const parts = [encodeDer(contextTag(0), options.mechTypesDer)]
  if (options.mechToken !== undefined) parts.push(encodeDer(contextTag(2), encodeDer(derTag.octetString, options.mechToken)))
  if (options.hint) {
    const name = encodeDer(contextTag(0), encodeDer(derTag.generalString, Buffer.from(hintName, 'latin1')))
    parts.push(encodeDer(contextTag(3), encodeDer(derTag.sequence, name)))
  }
  const init = encodeDer(contextTag(0), encodeDer(derTag.sequence, ...parts))
  return encodeDer(derTag.initialContextToken, encodeOid(mechanismOid.spnego), init)
}

export function encodeNegTokenResp(options: Omit<NegTokenResp, 'kind'>): Buffer {
  const parts: Buffer[] = []
  if (options.negState !== undefined) parts.push(encodeDer(contextTag(0), encodeDer(derTag.enumerated, Buffer.from([options.negState]))))
  if (options.supportedMech !== undefined) parts.push(encodeDer(contextTag(1), encodeOid(options.supportedMech)))
  if (options.responseToken !== undefined) parts.push(encodeDer(contextTag(2), encodeDer(derTag.octetString, options.responseToken)))
  if (options.mechListMic !== undefined) parts.push(encodeDer(contextTag(3), encodeDer(derTag.octetString, options.mechListMic)))
  return encodeDer(contextTag(1), encodeDer(derTag.sequence, ...parts))
}
