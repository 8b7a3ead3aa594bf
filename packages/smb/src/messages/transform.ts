/** What stands in front of an encrypted or compressed message (MS-SMB2 2.2.41, 2.2.42). */
import { bytes, fixed, reserved, struct, u16, u32, u64, u8, withDefault } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'

/** 0xFD 'S' 'M' 'B', as a little-endian number. */
export const transformProtocolId = 0x424d_53fd
/** 0xFC 'S' 'M' 'B', as a little-endian number. */
export const compressionProtocolId = 0x424d_53fc

/** Flags (2.2.41); EncryptionAlgorithm AES-128-CCM in 3.0 and 3.0.2, which is the same number. */
export const transformFlagEncrypted = 0x0001

/** TRANSFORM_HEADER (2.2.41), 52 bytes. What is authenticated begins at `transformAuthenticatedOffset`. */
export const TransformHeader = struct('SMB2 TRANSFORM_HEADER', {
  protocolId: fixed(u32, transformProtocolId),
  /** Authentication tag. */
  signature: bytes(16),
  /** 11 bytes for CCM, 12 for GCM, then zeros. */
  nonce: bytes(16),
  originalMessageSize: u32,
  reserved: reserved(u16),
  flags: withDefault(u16, transformFlagEncrypted),
  sessionId: u64,
})
export type TransformHeader = Infer<typeof TransformHeader>

/** Bytes of a TRANSFORM_HEADER; the encrypted message follows. */
export const transformHeaderSize = 52
/** From here to the header's end is additional authenticated data (3.1.4.3). */
export const transformAuthenticatedOffset = 20

/** COMPRESSION_TRANSFORM_HEADER, not chained (2.2.42.1), 16 bytes. */
export const CompressionHeader = struct('SMB2 COMPRESSION_TRANSFORM_HEADER', {
  protocolId: fixed(u32, compressionProtocolId),
  /** Bytes of the compressed part when decompressed. */
  originalCompressedSegmentSize: u32,
  /** `CompressionAlgorithm`. */
  compressionAlgorithm: u16,
  /** 0: not chained. */
  flags: withDefault(u16, 0),
  /** Uncompressed bytes between this header and the compressed part. */
  offset: u32,
})
export type CompressionHeader = Infer<typeof CompressionHeader>

/** COMPRESSION_TRANSFORM_HEADER, chained (2.2.42.2), 8 bytes; payload headers follow. */
export const ChainedCompressionHeader = struct('SMB2 COMPRESSION_TRANSFORM_HEADER (chained)', {
  protocolId: fixed(u32, compressionProtocolId),
  originalCompressedSegmentSize: u32,
})
export type ChainedCompressionHeader = Infer<typeof ChainedCompressionHeader>

/** Flags of a compression payload header: set in the first of a chain (2.2.42.2.1). */
export const compressionFlagChained = 0x0001

/** COMPRESSION_CHAINED_PAYLOAD_HEADER (2.2.42.2.1), 8 bytes; OriginalPayloadSize (32 bits) follows for LZNT1, LZ77, LZ77+Huffman and LZ4, and counts in `length`. */
export const CompressionPayloadHeader = struct('SMB2_COMPRESSION_CHAINED_PAYLOAD_HEADER', {
  /** `CompressionAlgorithm`. */
  compressionAlgorithm: u16,
  flags: withDefault(u16, 0),
  /** Bytes that follow this header. */
  length: u32,
})
export type CompressionPayloadHeader = Infer<typeof CompressionPayloadHeader>

/** COMPRESSION_PATTERN_PAYLOAD_V1 (2.2.42.2.2): one byte, many times. */
export const PatternPayload = struct('SMB2_COMPRESSION_PATTERN_PAYLOAD_V1', {
  pattern: u8,
  reserved1: reserved(u8),
  reserved2: reserved(u16),
  repetitions: u32,
})
export type PatternPayload = Infer<typeof PatternPayload>
