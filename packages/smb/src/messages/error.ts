/** ERROR response and what it carries (MS-SMB2 2.2.2). */
import {
  array,
  bytes,
  codec,
  countOf,
  data,
  fixed,
  lengthOf,
  MalformedError,
  offsetOf,
  reserved,
  struct,
  u16,
  u32,
  u8,
  utf16,
  withDefault,
  emptyBytes,
} from '@holdfast/wire'
import type { Codec, Infer, Input } from '@holdfast/wire'
import { oddBody } from './header.ts'

/** ERROR response (2.2.2). */
export const ErrorResponse = struct(
  'SMB2 ERROR response',
  {
    structureSize: fixed(u16, 9),
    /** How many error contexts `errorData` has (3.1.1), 0 before. */
    errorContextCount: withDefault(u8, 0),
    reserved: reserved(u8),
    byteCount: lengthOf('errorData', u32),
    /** Empty for most statuses; see `ErrorContexts` and the structs below. */
    errorData: withDefault(data(), emptyBytes),
  },
  oddBody,
)
export type ErrorResponse = Infer<typeof ErrorResponse>

/** ErrorId (2.2.2.1). */
export const ErrorId = { default: 0, shareRedirect: 0x7264_5253 } as const

/** SMB2 ERROR Context (2.2.2.1). */
export const ErrorContext = struct('SMB2 ERROR context', {
  errorDataLength: lengthOf('errorContextData', u32),
  /** `ErrorId`. */
  errorId: withDefault(u32, ErrorId.default),
  errorContextData: data(),
})
export type ErrorContext = Infer<typeof ErrorContext>

const maxErrorContexts = 16
const roundUp8 = (n: number): number => (n + 7) & -8

/** ErrorData of a 3.1.1 response: contexts, each at a multiple of 8 bytes. */
export const ErrorContexts: Codec<readonly ErrorContext[], readonly Input<typeof ErrorContext>[]> = codec<
  readonly ErrorContext[],
  readonly Input<typeof ErrorContext>[]
>({
  name: 'SMB2 ERROR context list',
  decode(b, at, end) {
    const contexts: ErrorContext[] = []
    for (let position = at; position < end;) {
      if (contexts.length === maxErrorContexts) throw new MalformedError('too-many-contexts', 'too many error contexts')
      const context = ErrorContext.decode(b, position, end)
      contexts.push(context)
      position += roundUp8(ErrorContext.fixedSize + context.errorContextData.length)
    }
    return contexts
  },
  encodedLength(contexts) {
    let total = 0
    for (const context of contexts) total = roundUp8(total) + ErrorContext.encodedLength(context)
    return total
  },
  encode(contexts, into, at) {
    let end = at
    for (const context of contexts) {
      const start = at + roundUp8(end - at)
      into.fill(0, end, start)
      end = ErrorContext.encode(context, into, start)
    }
    return end
  },
})

/** The ErrorData of an error response: that of its context with this ErrorId where there are contexts, else all. */
export function errorDataOf(response: ErrorResponse, errorId: number = ErrorId.default): Buffer {
  if (response.errorContextCount === 0) return response.errorData
  return ErrorContexts.decode(response.errorData).find(context => context.errorId === errorId)?.errorContextData ?? emptyBytes
}

/** ErrorData of BUFFER_TOO_SMALL (2.2.2.2): the length that would have been enough. */
export const BufferTooSmallError = struct('BUFFER_TOO_SMALL error data', { requiredLengthBytes: u32 })
export type BufferTooSmallError = Infer<typeof BufferTooSmallError>

/** SYMLINK_FLAG_RELATIVE (2.2.2.2.1). */
export const symlinkFlagRelative = 0x0000_0001

const symlinkErrorTag = 0x4c4d_5953
const ioReparseTagSymlink = 0xa000_000c

/** Bytes in front of what SymLinkLength counts, in front of what ReparseDataLength counts, and of all fixed fields. */
const [afterSymLinkLength, afterReparseHeader, pathBuffer] = [4, 16, 28]

const SymlinkTable = struct('symbolic link error response', {
  symLinkLength: u32,
  symLinkErrorTag: fixed(u32, symlinkErrorTag),
  reparseTag: fixed(u32, ioReparseTagSymlink),
  reparseDataLength: u16,
  /** Bytes at the end of the requested name that were not looked at. */
  unparsedPathLength: u16,
  substituteNameOffset: offsetOf('substituteName', u16, { base: pathBuffer }),
  substituteNameLength: lengthOf('substituteName', u16),
  printNameOffset: offsetOf('printName', u16, { base: pathBuffer }),
  printNameLength: lengthOf('printName', u16),
  /** 0, or `symlinkFlagRelative`. */
  flags: withDefault(u32, 0),
  /** Where the link leads. */
  substituteName: utf16(),
  /** The same for people. */
  printName: utf16(),
})

/** Where a symbolic link on the way led (2.2.2.2.1). */
export type SymlinkError = Omit<Infer<typeof SymlinkTable>, 'symLinkLength' | 'reparseDataLength'>

const symlinkLengths = (error: SymlinkError) => {
  const total = SymlinkTable.encodedLength({ ...error, symLinkLength: 0, reparseDataLength: 0 })
  return { symLinkLength: total - afterSymLinkLength, reparseDataLength: total - afterReparseHeader }
}

/** Symbolic Link Error Response (2.2.2.2.1): ErrorData of STOPPED_ON_SYMLINK. */
export const SymlinkError: Codec<SymlinkError> = codec<SymlinkError>({
  name: 'symbolic link error response',
  decode(b, at, end) {
    const { symLinkLength: _1, reparseDataLength: _2, ...error } = SymlinkTable.decode(b, at, end)
    return error
  },
  encodedLength: error => SymlinkTable.encodedLength({ ...error, symLinkLength: 0, reparseDataLength: 0 }),
  encode: (error, into, at) => SymlinkTable.encode({ ...error, ...symlinkLengths(error) }, into, at),
})

/** MOVE_DST_IPADDR Type (2.2.2.2.2.1). */
export const MoveAddressType = { ipv4: 1, ipv6: 2 } as const

/** MOVE_DST_IPADDR (2.2.2.2.2.1). */
export const MoveDestinationAddress = struct('MOVE_DST_IPADDR', {
  /** `MoveAddressType`. */
  type: u32,
  reserved: reserved(u32),
  /** 4 bytes and zeros, or 16 bytes. */
  address: bytes(16),
})
export type MoveDestinationAddress = Infer<typeof MoveDestinationAddress>

/** Share Redirect Error Context (2.2.2.2.2), with ErrorId `shareRedirect`. StructureSize is that with one address, whatever there is. */
export const ShareRedirectError = struct('share redirect error context', {
  structureSize: fixed(u32, 48, { tolerate: true }),
  notificationType: fixed(u32, 3),
  resourceNameOffset: offsetOf('resourceName', u32),
  resourceNameLength: lengthOf('resourceName', u32),
  reserved: reserved(u16),
  targetType: reserved(u16),
  ipAddrCount: countOf('ipAddrMoveList', u32),
  ipAddrMoveList: array(MoveDestinationAddress),
  resourceName: utf16(),
})
export type ShareRedirectError = Infer<typeof ShareRedirectError>
