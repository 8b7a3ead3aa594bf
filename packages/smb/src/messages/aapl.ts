/** Apple's create context `AAPL`: what macOS asks of a server when it opens a share's root. Published in Apple's SMB client source (smb_2.h). */
import { codec, data, lengthOf, MalformedError, reserved, struct, u32, u64, utf16 } from '@holdfast/wire'
import type { Codec, Infer } from '@holdfast/wire'

/** CommandCode. */
export const AaplCommand = { serverQuery: 1, resolveId: 2 } as const
/** Bits of RequestBitmap and ReplyBitmap: which parts are wanted, and there. */
export const AaplQuery = { serverCaps: 0x1n, volumeCaps: 0x2n, modelInfo: 0x4n } as const
/** Server and client capabilities. */
export const AaplServerCaps = { supportsReadDirAttr: 0x1n, supportsOsxCopyFile: 0x2n, unixBased: 0x4n, supportsNfsAce: 0x8n } as const
/** Volume capabilities. */
export const AaplVolumeCaps = { supportResolveId: 0x1n, caseSensitive: 0x2n, supportsFullSync: 0x4n } as const

/** Request of a server query, 24 bytes. */
export const AaplServerQueryRequest = struct('AAPL server query', {
  commandCode: u32,
  reserved: reserved(u32),
  requestBitmap: u64,
  clientCapabilities: u64,
})
export type AaplServerQueryRequest = Infer<typeof AaplServerQueryRequest>

/** Request to resolve a file id to a path. */
export const AaplResolveIdRequest = struct('AAPL resolve id', { commandCode: u32, reserved: reserved(u32), fileId: u64 })
export type AaplResolveIdRequest = Infer<typeof AaplResolveIdRequest>

/** Answer with the path of a file id. */
export const AaplResolveIdResponse = struct('AAPL resolve id response', {
  commandCode: u32,
  reserved: reserved(u32),
  /** NT_STATUS. */
  resolveStatus: u32,
  pathLength: lengthOf('path', u32),
  path: utf16(),
})
export type AaplResolveIdResponse = Infer<typeof AaplResolveIdResponse>

const ReplyHead = struct('AAPL server query response', { commandCode: u32, reserved: reserved(u32), replyBitmap: u64 })
const Capabilities = struct('AAPL capabilities', { capabilities: u64 })
const ModelInfo = struct('AAPL model', { padding: reserved(u32), modelLength: lengthOf('model', u32), model: data() })

/** What a server query is answered; each part is there when its bit was asked for and is known. */
export interface AaplServerQueryResponse {
  readonly serverCapabilities?: bigint
  readonly volumeCapabilities?: bigint
  /** A name of the server's hardware, by which the Finder chooses an icon. */
  readonly model?: string
}

const bitmapOf = ({ serverCapabilities, volumeCapabilities, model }: AaplServerQueryResponse): bigint =>
  (serverCapabilities === undefined ? 0n : AaplQuery.serverCaps) |
  (volumeCapabilities === undefined ? 0n : AaplQuery.volumeCaps) |
  (model === undefined ? 0n : AaplQuery.modelInfo)

/** Response of a server query. */
export const AaplServerQueryResponse: Codec<AaplServerQueryResponse> = codec<AaplServerQueryResponse>({
  name: 'AAPL server query response',
  decode(b, at, end) {
    const { commandCode, replyBitmap } = ReplyHead.decode(b, at, end)
    if (commandCode !== AaplCommand.serverQuery) throw new MalformedError('fixed-mismatch', `AAPL command ${commandCode}`)
    let position = at + ReplyHead.size
    const capabilities = (): bigint => {
      const { capabilities: value } = Capabilities.decode(b, position, end)
      position += Capabilities.size
      return value
    }
    return {
      ...((replyBitmap & AaplQuery.serverCaps) !== 0n && { serverCapabilities: capabilities() }),
      ...((replyBitmap & AaplQuery.volumeCaps) !== 0n && { volumeCapabilities: capabilities() }),
      ...((replyBitmap & AaplQuery.modelInfo) !== 0n && { model: ModelInfo.decode(b, position, end).model.toString('utf16le') }),
    }
  },
  encodedLength({ serverCapabilities, volumeCapabilities, model }) {
    const parts = (serverCapabilities === undefined ? 0 : 8) + (volumeCapabilities === undefined ? 0 : 8)
    return ReplyHead.size + parts + (model === undefined ? 0 : ModelInfo.fixedSize + 2 * model.length)
  },
  encode(response, into, at) {
    let end = ReplyHead.encode({ commandCode: AaplCommand.serverQuery, replyBitmap: bitmapOf(response) }, into, at)
    if (response.serverCapabilities !== undefined) end = Capabilities.encode({ capabilities: response.serverCapabilities }, into, end)
    if (response.volumeCapabilities !== undefined) end = Capabilities.encode({ capabilities: response.volumeCapabilities }, into, end)
    if (response.model !== undefined) end = ModelInfo.encode({ model: Buffer.from(response.model, 'utf16le') }, into, end)
    return end
  },
})
