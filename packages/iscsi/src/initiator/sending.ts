/** What a task sends: its command, data nobody has to ask for, and data that was asked for (RFC 7143 4.2.5.2, 11.3, 11.7). */
import { AdditionalHeaders, DataOut, DataOutFlags, headerCdbBytes, reservedTag, ScsiCommand, ScsiCommandFlags } from '../pdu/index.ts'
import type { Agreed } from '../pdu/index.ts'
import type { HeaderLayout, PduParts } from './outgoing.ts'
import type { Task } from './task.ts'

/** What sending needs of a connection. */
export interface Sender {
  readonly agreed: Readonly<Agreed>
  /** MaxRecvDataSegmentLength of the target. */
  readonly sendBytesMax: number
  readonly expStatSn: number
  put<In>(layout: HeaderLayout<In>, value: In, parts?: PduParts): void
}

const simple = 1
const emptyCdb = Buffer.alloc(headerCdbBytes)

/** Sends the command of a task that has its CmdSN, with immediate data, and unsolicited data behind it. */
export function sendCommand(sender: Sender, task: Task): void {
  const { lun, cdb, dataOut, dataIn, attribute = simple } = task.command
  const { agreed } = sender
  const outBytes = dataOut?.length ?? 0
  const unsolicitedBytes = Math.min(outBytes, agreed.FirstBurstLength)
  const immediateBytes = agreed.ImmediateData ? Math.min(unsolicitedBytes, sender.sendBytesMax) : 0
  const isFollowed = !agreed.InitialR2T && unsolicitedBytes > immediateBytes
  const flags =
    (isFollowed ? 0 : ScsiCommandFlags.final) |
    (dataIn === undefined ? 0 : ScsiCommandFlags.read) |
    (outBytes === 0 ? 0 : ScsiCommandFlags.write) |
    attribute
  const additional = additionalHeaders(cdb, outBytes > 0 ? dataIn?.length : undefined)
  sender.put(
    ScsiCommand,
    {
      flags,
      totalAhsLength: additional === undefined ? 0 : additional.length / 4,
      dataSegmentLength: immediateBytes,
      lun,
      initiatorTaskTag: task.tag,
      expectedDataTransferLength: outBytes > 0 ? outBytes : (dataIn?.length ?? 0),
      cmdSn: task.cmdSn,
      expStatSn: sender.expStatSn,
      cdb,
    },
    immediateBytes === 0 ? { additional } : { additional, data: dataOut!.subarray(0, immediateBytes) },
  )
  task.solicitedBytes = isFollowed ? unsolicitedBytes : immediateBytes
  if (isFollowed) sendData(sender, task, { tag: reservedTag, offset: immediateBytes, lengthBytes: unsolicitedBytes - immediateBytes })
}

/** Additional header segments for a CDB longer than sixteen bytes, and for the read of a bidirectional command. */
function additionalHeaders(cdb: Buffer, readBytes: number | undefined): Buffer | undefined {
  const isLong = cdb.length > headerCdbBytes
  if (!isLong && readBytes === undefined) return undefined
  return AdditionalHeaders.toBytes({
    ...(isLong && { cdbRest: cdb.subarray(headerCdbBytes) }),
    ...(readBytes !== undefined && { bidirectionalReadLength: readBytes }),
  })
}

/** A piece of a task's data-out, and what the target called it; `reservedTag` where it was not asked for. */
export interface DataRun {
  readonly tag: number
  readonly offset: number
  readonly lengthBytes: number
}

/** Sends a sequence of Data-Outs. The piece must lie within the task's data. */
export function sendData(sender: Sender, task: Task, { tag, offset, lengthBytes }: DataRun): void {
  const { lun, dataOut = emptyCdb } = task.command
  const end = offset + lengthBytes
  for (let at = offset, dataSn = 0; at < end; dataSn++) {
    const segmentBytes = Math.min(sender.sendBytesMax, end - at)
    sender.put(
      DataOut,
      {
        flags: at + segmentBytes === end ? DataOutFlags.final : 0,
        dataSegmentLength: segmentBytes,
        // With an answer to an R2T only (11.7.2).
        lun: tag === reservedTag ? 0n : lun,
        initiatorTaskTag: task.tag,
        targetTransferTag: tag,
        expStatSn: sender.expStatSn,
        dataSn,
        bufferOffset: at,
      },
      { data: dataOut.subarray(at, at + segmentBytes) },
    )
    at += segmentBytes
  }
  task.solicitedBytes = Math.max(task.solicitedBytes, end)
}
