/** Negotiate contexts of 3.1.1 (MS-SMB2 2.2.3.1, 2.2.4.1). */
import { array, codec, countOf, data, lengthOf, MalformedError, reserved, rest, struct, u16, u32, utf16, withDefault } from '@holdfast/wire'
import type { Codec, Infer, Struct } from '@holdfast/wire'

/** ContextType (2.2.3.1). */
export const NegotiateContextType = {
  preauthIntegrityCapabilities: 0x0001,
  encryptionCapabilities: 0x0002,
  compressionCapabilities: 0x0003,
  netnameNegotiateContextId: 0x0005,
  transportCapabilities: 0x0006,
  rdmaTransformCapabilities: 0x0007,
  signingCapabilities: 0x0008,
  /** SMB 3.1.1 POSIX extensions. */
  posixExtensions: 0x0100,
} as const

/** HashAlgorithms (2.2.3.1.1). */
export const HashAlgorithm = { sha512: 0x0001 } as const
/** Ciphers (2.2.3.1.2). */
export const Cipher = { aes128Ccm: 0x0001, aes128Gcm: 0x0002, aes256Ccm: 0x0003, aes256Gcm: 0x0004 } as const
/** CompressionAlgorithms (2.2.3.1.3). */
export const CompressionAlgorithm = { none: 0, lznt1: 1, lz77: 2, lz77Huffman: 3, patternV1: 4, lz4: 5 } as const
/** Flags of the compression context (2.2.3.1.3). */
export const CompressionCapabilityFlags = { none: 0, chained: 1 } as const
/** Flags of the transport context (2.2.3.1.5). */
export const TransportFlags = { acceptTransportLevelSecurity: 1 } as const
/** RDMATransformIds (2.2.3.1.6). */
export const RdmaTransform = { none: 0, encryption: 1, signing: 2 } as const
/** SigningAlgorithms (2.2.3.1.7). */
export const SigningAlgorithm = { hmacSha256: 0, aesCmac: 1, aesGmac: 2 } as const

/** SMB2_PREAUTH_INTEGRITY_CAPABILITIES (2.2.3.1.1). */
export const PreauthIntegrityCapabilities = struct('SMB2_PREAUTH_INTEGRITY_CAPABILITIES', {
  hashAlgorithmCount: countOf('hashAlgorithms', u16),
  saltLength: lengthOf('salt', u16),
  hashAlgorithms: array(u16),
  salt: data(),
})
export type PreauthIntegrityCapabilities = Infer<typeof PreauthIntegrityCapabilities>

/** SMB2_ENCRYPTION_CAPABILITIES (2.2.3.1.2). */
export const EncryptionCapabilities = struct('SMB2_ENCRYPTION_CAPABILITIES', { cipherCount: countOf('ciphers', u16), ciphers: array(u16) })
export type EncryptionCapabilities = Infer<typeof EncryptionCapabilities>

/** SMB2_COMPRESSION_CAPABILITIES (2.2.3.1.3). */
export const CompressionCapabilities = struct('SMB2_COMPRESSION_CAPABILITIES', {
  compressionAlgorithmCount: countOf('compressionAlgorithms', u16),
  padding: reserved(u16),
  flags: withDefault(u32, 0),
  compressionAlgorithms: array(u16),
})
export type CompressionCapabilities = Infer<typeof CompressionCapabilities>

/** SMB2_NETNAME_NEGOTIATE_CONTEXT_ID (2.2.3.1.4): the server's name as the client knows it, not terminated. */
export const NetnameNegotiateContext = struct('SMB2_NETNAME_NEGOTIATE_CONTEXT_ID', { netName: utf16({ rest: true }) })
export type NetnameNegotiateContext = Infer<typeof NetnameNegotiateContext>

/** SMB2_TRANSPORT_CAPABILITIES (2.2.3.1.5). */
export const TransportCapabilities = struct('SMB2_TRANSPORT_CAPABILITIES', { flags: u32 })
export type TransportCapabilities = Infer<typeof TransportCapabilities>

/** SMB2_RDMA_TRANSFORM_CAPABILITIES (2.2.3.1.6). */
export const RdmaTransformCapabilities = struct('SMB2_RDMA_TRANSFORM_CAPABILITIES', {
  transformCount: countOf('rdmaTransformIds', u16),
  reserved1: reserved(u16),
  reserved2: reserved(u32),
  rdmaTransformIds: array(u16),
})
export type RdmaTransformCapabilities = Infer<typeof RdmaTransformCapabilities>

/** SMB2_SIGNING_CAPABILITIES (2.2.3.1.7). */
export const SigningCapabilities = struct('SMB2_SIGNING_CAPABILITIES', {
  signingAlgorithmCount: countOf('signingAlgorithms', u16),
  signingAlgorithms: array(u16),
})
export type SigningCapabilities = Infer<typeof SigningCapabilities>

/** A context that isn't known here, as it came. */
export const UnknownNegotiateContext = struct('SMB2 NEGOTIATE_CONTEXT', { data: rest() })
export type UnknownNegotiateContext = Infer<typeof UnknownNegotiateContext>

const contextCodecs = new Map<number, Struct<never>>()

/** What decoding gives for each type; `contextType` tells which. */
export type NegotiateContext =
  | ({ readonly contextType: typeof NegotiateContextType.preauthIntegrityCapabilities } & PreauthIntegrityCapabilities)
  | ({ readonly contextType: typeof NegotiateContextType.encryptionCapabilities } & EncryptionCapabilities)
  | ({ readonly contextType: typeof NegotiateContextType.compressionCapabilities } & CompressionCapabilities)
  | ({ readonly contextType: typeof NegotiateContextType.netnameNegotiateContextId } & NetnameNegotiateContext)
  | ({ readonly contextType: typeof NegotiateContextType.transportCapabilities } & TransportCapabilities)
  | ({ readonly contextType: typeof NegotiateContextType.rdmaTransformCapabilities } & RdmaTransformCapabilities)
  | ({ readonly contextType: typeof NegotiateContextType.signingCapabilities } & SigningCapabilities)
  | ({ readonly contextType: 'unknown'; readonly type: number } & UnknownNegotiateContext)

for (const [type, layout] of [
  [NegotiateContextType.preauthIntegrityCapabilities, PreauthIntegrityCapabilities],
  [NegotiateContextType.encryptionCapabilities, EncryptionCapabilities],
  [NegotiateContextType.compressionCapabilities, CompressionCapabilities],
  [NegotiateContextType.netnameNegotiateContextId, NetnameNegotiateContext],
  [NegotiateContextType.transportCapabilities, TransportCapabilities],
  [NegotiateContextType.rdmaTransformCapabilities, RdmaTransformCapabilities],
  [NegotiateContextType.signingCapabilities, SigningCapabilities],
] as const) {
  contextCodecs.set(type, layout as unknown as Struct<never>)
}

/** SMB2 NEGOTIATE_CONTEXT (2.2.3.1). */
const ContextHeader = struct('SMB2 NEGOTIATE_CONTEXT', { contextType: u16, dataLength: lengthOf('data', u16), reserved: reserved(u32), data: data() })
const roundUp8 = (n: number): number => (n + 7) & -8

/** More than any client has types. */
const maxContexts = 64

function decodeOne(contextType: number, bytes: Buffer): NegotiateContext {
  const layout = contextCodecs.get(contextType)
  if (layout === undefined) return { contextType: 'unknown', type: contextType, data: bytes }
  return { contextType, ...(layout.decode(bytes) as object) } as NegotiateContext
}

/** Reads `count` contexts that begin at `at`, each at a multiple of 8 bytes from there. Throws MalformedError. */
export function decodeNegotiateContexts(bytes: Buffer, { at, end, count }: { at: number; end: number; count: number }): NegotiateContext[] {
  if (count > maxContexts) throw new MalformedError('too-many-contexts', `${count} negotiate contexts`)
  const contexts: NegotiateContext[] = []
  for (let i = 0, position = at; i < count; i++) {
    const context = ContextHeader.decode(bytes, position, end)
    contexts.push(decodeOne(context.contextType, context.data))
    position += roundUp8(ContextHeader.fixedSize + context.data.length)
  }
  return contexts
}

const layoutOf = (context: NegotiateContext): { type: number; layout: Codec<unknown, NegotiateContext> } => {
  const type = context.contextType === 'unknown' ? context.type : context.contextType
  return { type, layout: (contextCodecs.get(type) ?? UnknownNegotiateContext) as unknown as Codec<unknown, NegotiateContext> }
}

/** A list of contexts as it is encoded; the first one must be put at a multiple of 8 bytes from the header's start. */
export const NegotiateContexts: Codec<readonly NegotiateContext[]> = codec<readonly NegotiateContext[]>({
  name: 'SMB2 NEGOTIATE_CONTEXT list',
  /** Reads to the end, without a count. */
  decode(bytes, at, end) {
    const contexts: NegotiateContext[] = []
    for (let position = at; position < end && contexts.length < maxContexts;) {
      const context = ContextHeader.decode(bytes, position, end)
      contexts.push(decodeOne(context.contextType, context.data))
      position += roundUp8(ContextHeader.fixedSize + context.data.length)
    }
    return contexts
  },
  encodedLength(contexts) {
    let total = 0
    for (const context of contexts) total = roundUp8(total) + ContextHeader.fixedSize + layoutOf(context).layout.encodedLength(context)
    return total
  },
  encode(contexts, into, at) {
    let end = at
    for (const context of contexts) {
      const start = at + roundUp8(end - at)
      into.fill(0, end, start)
      const { type, layout } = layoutOf(context)
      end = ContextHeader.encode({ contextType: type, data: layout.toBytes(context) }, into, start)
    }
    return end
  },
})
