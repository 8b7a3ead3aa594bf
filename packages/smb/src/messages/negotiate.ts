/** NEGOTIATE (MS-SMB2 2.2.3, 2.2.4). What 3.1.1 adds are contexts, see negotiate-contexts.ts. */
import { array, codec, countOf, data, filetime, fixed, guid, lengthOf, offsetOf, reserved, struct, u16, u32, withDefault } from '@holdfast/wire'
import type { Codec, Infer, Input } from '@holdfast/wire'
import { Dialect } from './constants.ts'
import { headerSize } from './header.ts'
import { decodeNegotiateContexts, NegotiateContexts } from './negotiate-contexts.ts'
import type { NegotiateContext } from './negotiate-contexts.ts'

const RequestTable = struct('SMB2 NEGOTIATE request', {
  structureSize: fixed(u16, 36),
  dialectCount: countOf('dialects', u16),
  /** `SecurityMode`. */
  securityMode: u16,
  reserved: reserved(u16),
  /** `Capability`; 0 before 3.0. */
  capabilities: u32,
  clientGuid: guid,
  // Reserved (ClientStartTime) where 3.1.1 isn't offered.
  negotiateContextOffset: u32,
  negotiateContextCount: u16,
  reserved2: reserved(u16),
  /** `Dialect`. */
  dialects: array(u16),
})

/** A NEGOTIATE request; contexts only where 3.1.1 is among the dialects. */
export type NegotiateRequest = Omit<Infer<typeof RequestTable>, 'negotiateContextOffset' | 'negotiateContextCount'> & {
  readonly contexts: readonly NegotiateContext[]
}

const roundUp8 = (n: number): number => (n + 7) & -8
const has311 = (dialects: readonly number[]): boolean => dialects.includes(Dialect.smb311)

/** Where the contexts go, counted from the header's start; 0 for none. */
const requestContextOffset = ({ dialects, contexts }: NegotiateRequest): number =>
  contexts.length === 0 || !has311(dialects) ? 0 : roundUp8(headerSize + RequestTable.fixedSize + 2 * dialects.length)

/** NEGOTIATE request (2.2.3). */
export const NegotiateRequest: Codec<NegotiateRequest> = codec<NegotiateRequest>({
  name: 'SMB2 NEGOTIATE request',
  decode(bytes, at, end) {
    const { negotiateContextOffset, negotiateContextCount, ...request } = RequestTable.decode(bytes, at, end)
    const contexts = has311(request.dialects)
      ? decodeNegotiateContexts(bytes, { at: at - headerSize + negotiateContextOffset, end, count: negotiateContextCount })
      : []
    return { ...request, contexts }
  },
  encodedLength(request) {
    const offset = requestContextOffset(request)
    if (offset === 0) return RequestTable.fixedSize + 2 * request.dialects.length
    return offset - headerSize + NegotiateContexts.encodedLength(request.contexts)
  },
  encode(request, into, at) {
    const offset = requestContextOffset(request)
    const count = offset === 0 ? 0 : request.contexts.length
    const end = RequestTable.encode({ ...request, negotiateContextOffset: offset, negotiateContextCount: count }, into, at)
    if (offset === 0) return end
    into.fill(0, end, at - headerSize + offset)
    return NegotiateContexts.encode(request.contexts, into, at - headerSize + offset)
  },
})

const ResponseTable = struct(
  'SMB2 NEGOTIATE response',
  {
    structureSize: fixed(u16, 65),
    /** `SecurityMode`. */
    securityMode: u16,
    /** `Dialect`. */
    dialectRevision: u16,
    // Reserved in other dialects than 3.1.1.
    negotiateContextCount: u16,
    serverGuid: guid,
    /** `Capability`. */
    capabilities: u32,
    maxTransactSize: u32,
    maxReadSize: u32,
    maxWriteSize: u32,
    systemTime: filetime,
    serverStartTime: withDefault(filetime, 0n),
    securityBufferOffset: offsetOf('securityBuffer', u16),
    securityBufferLength: lengthOf('securityBuffer', u16),
    // Reserved in other dialects than 3.1.1.
    negotiateContextOffset: u32,
    /** SPNEGO token (NegTokenInit2) or empty. */
    securityBuffer: data(),
  },
  { base: -headerSize },
)

type WithoutContextFields<T> = Omit<T, 'negotiateContextOffset' | 'negotiateContextCount'>
/** A NEGOTIATE response; contexts only in 3.1.1. */
export type NegotiateResponse = WithoutContextFields<Infer<typeof ResponseTable>> & { readonly contexts: readonly NegotiateContext[] }
/** What encoding a NEGOTIATE response accepts. */
export type NegotiateResponseInput = WithoutContextFields<Input<typeof ResponseTable>> & { readonly contexts?: readonly NegotiateContext[] }

const contextsOf = ({ dialectRevision, contexts = [] }: NegotiateResponseInput): readonly NegotiateContext[] =>
  dialectRevision === Dialect.smb311 ? contexts : []
const withContextFields = (response: NegotiateResponseInput, offset: number) => ({
  ...response,
  negotiateContextOffset: offset,
  negotiateContextCount: contextsOf(response).length,
})
const responseContextOffset = (response: NegotiateResponseInput): number =>
  contextsOf(response).length === 0 ? 0 : roundUp8(headerSize + ResponseTable.encodedLength(withContextFields(response, 0)))

/** NEGOTIATE response (2.2.4). */
export const NegotiateResponse: Codec<NegotiateResponse, NegotiateResponseInput> = codec<NegotiateResponse, NegotiateResponseInput>({
  name: 'SMB2 NEGOTIATE response',
  decode(bytes, at, end) {
    const { negotiateContextOffset, negotiateContextCount, ...response } = ResponseTable.decode(bytes, at, end)
    const contexts =
      response.dialectRevision === Dialect.smb311
        ? decodeNegotiateContexts(bytes, { at: at - headerSize + negotiateContextOffset, end, count: negotiateContextCount })
        : []
    return { ...response, contexts }
  },
  encodedLength(response) {
    const offset = responseContextOffset(response)
    if (offset === 0) return ResponseTable.encodedLength(withContextFields(response, 0))
    return offset - headerSize + NegotiateContexts.encodedLength(contextsOf(response))
  },
  encode(response, into, at) {
    const offset = responseContextOffset(response)
    const end = ResponseTable.encode(withContextFields(response, offset), into, at)
    if (offset === 0) return end
    into.fill(0, end, at - headerSize + offset)
    return NegotiateContexts.encode(contextsOf(response), into, at - headerSize + offset)
  },
})
