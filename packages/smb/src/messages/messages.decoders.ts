/** What a fuzzer feeds with bytes: every decoder of this room, with captured messages to begin with. */
import { captured } from './captured.ts'
import * as messages from './index.ts'

/** Takes bytes of a peer; throws MalformedError and nothing else. */
export type Decoder = (bytes: Buffer) => unknown

interface Decoding {
  decode(bytes: Buffer, at?: number, end?: number): unknown
}

const isCodec = (value: unknown): value is Decoding =>
  typeof value === 'object' && value !== null && 'decode' in value && typeof value.decode === 'function'

const withHeader = (bytes: Buffer): Buffer => Buffer.concat([Buffer.alloc(messages.headerSize), bytes])
const functions: Readonly<Record<string, Decoder>> = {
  splitCompound: bytes => messages.splitCompound(bytes),
  decodeSmb1Dialects: bytes => messages.decodeSmb1Dialects(bytes),
  decodeTreeConnectRequest: bytes => messages.decodeTreeConnectRequest(withHeader(bytes)),
  decodeLease: bytes => messages.decodeLease(bytes),
  decodeDfsReferralRequest: bytes => messages.decodeDfsReferralRequest(bytes),
  errorDataOf: bytes => messages.errorDataOf(messages.ErrorResponse.decode(bytes)),
  // A body behind its header, so that what counts from the header is reached, and with its variable part taken apart.
  createContextsOfRequest: bytes =>
    messages.CreateContexts.decode(messages.CreateRequest.decode(withHeader(bytes), messages.headerSize).createContexts),
  negotiateBehindHeader: bytes => messages.NegotiateRequest.decode(withHeader(bytes), messages.headerSize),
}

const seedsOf = (name: string): Buffer[] => captured.filter(({ codec }) => codec === name).map(({ bytes }) => bytes)
const seedNames: Readonly<Record<string, string>> = {
  splitCompound: 'Header',
  decodeTreeConnectRequest: 'TreeConnectRequest',
  errorDataOf: 'ErrorResponse',
  createContextsOfRequest: 'CreateRequest',
  negotiateBehindHeader: 'NegotiateRequest',
}

/** By name: every codec that index.ts exports, and the functions that read bytes without being one. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly seeds: readonly Buffer[] }>> = {
  ...Object.fromEntries(
    Object.entries(messages).flatMap(([name, value]: [string, unknown]) =>
      isCodec(value) ? [[name, { decode: (bytes: Buffer) => value.decode(bytes), seeds: seedsOf(name) }]] : [],
    ),
  ),
  ...Object.fromEntries(Object.entries(functions).map(([name, decode]) => [name, { decode, seeds: seedsOf(seedNames[name] ?? name) }])),
}
