/** From records to the bytes of one frame: headers, bodies, padding, signatures, encryption. */
import { Header, HeaderFlags, headerOffset, headerSize, writeDataOffset } from '../messages/index.ts'
import { frameHeaderSize } from './frames.ts'
import type { AnyRecord, Scope } from './requests.ts'

/** Room in front of every message: for a frame's length and a TRANSFORM_HEADER. */
const transformHeaderSize = 52
const headroom = frameHeaderSize + transformHeaderSize

/** Where the payload of a WRITE lies in its buffer. */
export const payloadOffset = headroom + writeDataOffset

const roundUp8 = (n: number): number => (n + 7) & -8

/** What one message of a frame says beside its record. */
export interface Numbering {
  readonly messageId: number
  /** 0 in dialect 2.0.2, which has no such thing. */
  readonly creditCharge: number
  readonly creditRequest: number
  /** 3.x; 0 before. */
  readonly channelSequence: number
  /** SMB2_FLAGS_REPLAY_OPERATION. */
  readonly isReplay: boolean
}

/**
 * Encodes one record, or several as a related compound, of the same scope (MS-SMB2 3.2.4.1.4). A record with a buffer of its own is
 * encoded into that one, around its payload.
 */
export function encodeFrame(records: readonly AnyRecord[], numbers: readonly Numbering[]): Buffer {
  const { scope, message } = records[0]
  const lengths = records.map(({ operation, value }) => headerSize + operation.request.encodedLength(value))
  const last = records.length - 1
  const total = lengths.reduce((sum, length, index) => sum + (index === last ? length : roundUp8(length)), 0)
  const buffer = message === undefined ? Buffer.allocUnsafe(headroom + total) : message.bytes
  let at = headroom
  for (let index = 0; index <= last; index++) {
    const { operation, value, related, mustSign, observe } = records[index]
    const { messageId, creditCharge, creditRequest, channelSequence, isReplay } = numbers[index]
    const end = operation.request.encode(value, buffer, at + headerSize)
    const next = index === last ? end : at + roundUp8(end - at)
    buffer.fill(0, end, next)
    Header.encode(
      {
        creditCharge,
        status: channelSequence,
        command: operation.command,
        credits: creditRequest,
        flags: (related === true ? HeaderFlags.relatedOperations : 0) | (isReplay ? HeaderFlags.replayOperation : 0),
        nextCommand: index === last ? 0 : next - at,
        messageId: BigInt(messageId),
        treeId: scope.treeId,
        sessionId: scope.sessionId,
      },
      buffer,
      at,
    )
    const { protection } = scope
    if (!scope.encrypts && protection !== undefined && (protection.signs || mustSign === true))
      protection.signer.sign(buffer.subarray(at, next), 'client')
    observe?.sent(buffer.subarray(at, next))
    at = next
  }
  return finish(buffer, at, scope)
}

/** CANCEL of a request that was sent (MS-SMB2 3.2.4.24): by its AsyncId if it has one. It costs nothing and has no response. */
export function encodeCancel(record: AnyRecord, messageId: number, asyncId: bigint | undefined): Buffer {
  const { scope } = record
  const end = headroom + headerSize + 4
  const buffer = Buffer.alloc(end)
  Header.encode({ command: 12, credits: 0, messageId: BigInt(messageId), treeId: scope.treeId, sessionId: scope.sessionId }, buffer, headroom)
  buffer.writeUInt16LE(4, headroom + headerSize)
  if (asyncId !== undefined) {
    buffer.writeUInt32LE(HeaderFlags.asyncCommand, headroom + headerOffset.flags)
    buffer.writeBigUInt64LE(asyncId, headroom + headerOffset.asyncId)
  }
  if (!scope.encrypts && scope.protection?.signs === true) scope.protection.signer.sign(buffer.subarray(headroom, end), 'client')
  return finish(buffer, end, scope)
}

/** A WRITE that was encrypted where its payload lies is decrypted there, to be sent again with other keys. */
export function unsealPayload({ scope, message }: AnyRecord): void {
  if (message === undefined || !scope.encrypts) return
  const frameBytes = message.bytes.readUInt32BE(0)
  scope.protection!.encrypts!.decrypt(message.bytes.subarray(frameHeaderSize, frameHeaderSize + frameBytes))
}

/** Puts in front what the scope asks for; the frame as a view. */
function finish(buffer: Buffer, end: number, scope: Scope): Buffer {
  const begin = scope.encrypts ? 0 : transformHeaderSize
  if (scope.encrypts) scope.protection!.encrypts!.encrypt(buffer.subarray(frameHeaderSize, end), scope.sessionId)
  buffer.writeUInt32BE(end - begin - frameHeaderSize, begin)
  return buffer.subarray(begin, end)
}
