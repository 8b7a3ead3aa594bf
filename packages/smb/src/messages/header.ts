/** The header of every SMB2 message (MS-SMB2 2.2.1), 64 bytes. */
import { fixed, MalformedError, reserved, struct, u16, u32, u64, withDefault, bytes } from '@holdfast/wire'
import type { Infer } from '@holdfast/wire'
import { HeaderFlags } from './constants.ts'

/** Bytes of the header; offsets in messages count from its start, so a body's struct has `base: -headerSize`. */
export const headerSize = 64

/** Where offsets of a message's body count from, as an option of its struct. */
export const body = { base: -headerSize } as const

/** The same for a body with an odd StructureSize, whose variable part is written with at least one byte. */
export const oddBody = { base: -headerSize, minTailBytes: 1 } as const

/** 0xFE 'S' 'M' 'B', as a little-endian number. */
export const smb2ProtocolId = 0x424d_53fe

/** Offsets of fields that are read or changed in place. */
export const headerOffset = {
  creditCharge: 6,
  status: 8,
  command: 12,
  credits: 14,
  flags: 16,
  nextCommand: 20,
  messageId: 24,
  asyncId: 32,
  treeId: 36,
  sessionId: 40,
  signature: 48,
} as const

const start = {
  protocolId: fixed(u32, smb2ProtocolId),
  structureSize: fixed(u16, 64),
  creditCharge: withDefault(u16, 0),
  /** NT_STATUS of a response; in a request of 3.x the low 16 bits are the ChannelSequence. */
  status: withDefault(u32, 0),
  /** One of `Command`. */
  command: u16,
  /** CreditRequest or CreditResponse. */
  credits: u16,
  /** `HeaderFlags`. */
  flags: withDefault(u32, 0),
  /** Offset of the next message of the compound, 0 in the last. */
  nextCommand: withDefault(u32, 0),
  messageId: u64,
}

/**
 * Header of a request, or of a response that isn't asynchronous (2.2.1.2). The signature is not part of the value: it is
 * computed over the finished message and put (or checked) in place at `headerOffset.signature`.
 */
export const Header = struct('SMB2 header', {
  ...start,
  /** Reserved; 0x0000FEFF from Windows. Half of the AsyncId in an asynchronous message. */
  processId: withDefault(u32, 0),
  treeId: withDefault(u32, 0),
  sessionId: withDefault(u64, 0n),
  signature: reserved(bytes(16)),
})
export type Header = Infer<typeof Header>

/** Header of an asynchronous message: an interim response, its final response, and the CANCEL for it (2.2.1.1). */
export const AsyncHeader = struct('SMB2 header (async)', {
  ...start,
  asyncId: u64,
  sessionId: withDefault(u64, 0n),
  signature: reserved(bytes(16)),
})
export type AsyncHeader = Infer<typeof AsyncHeader>

/** True for a message with an AsyncId in place of TreeId. */
export const isAsync = (header: { readonly flags: number }): boolean => (header.flags & HeaderFlags.asyncCommand) !== 0

/** The AsyncId of a header that was decoded as `Header`. */
export const asyncIdOf = (header: Header): bigint => (BigInt(header.treeId) << 32n) | BigInt(header.processId)

/** ChannelSequence of a request (3.x; 2.2.1.2), 16 bits. */
export const channelSequenceOf = (header: { readonly status: number }): number => header.status & 0xffff

/** The signature's place in a message, as a view of 16 bytes. */
export const signatureOf = (message: Buffer, at = 0): Buffer => message.subarray(at + headerOffset.signature, at + headerSize)

/** One message of a compound. */
export interface CompoundPart {
  readonly header: Header
  /** Where its header begins. */
  readonly at: number
  /** Where it ends: at the next one's begin (padding included) or at the end of all. */
  readonly end: number
}

/**
 * Splits what came in one frame into its messages (3.2.4.1.4). Throws MalformedError `bad-compound` for a NextCommand that
 * isn't a multiple of 8 or leads nowhere, or for more than `maxParts` messages.
 */
export function splitCompound(message: Buffer, maxParts = 256): CompoundPart[] {
  const parts: CompoundPart[] = []
  for (let at = 0; ;) {
    const header = Header.decode(message, at)
    const { nextCommand } = header
    if (nextCommand === 0) {
      parts.push({ header, at, end: message.length })
      return parts
    }
    if (nextCommand % 8 !== 0 || nextCommand < headerSize || nextCommand > message.length - at - headerSize || parts.length + 1 >= maxParts) {
      throw new MalformedError('bad-compound', `NextCommand ${nextCommand} at ${at} of ${message.length} bytes`)
    }
    parts.push({ header, at, end: at + nextCommand })
    at += nextCommand
  }
}
