/** SNACK: an initiator asks for what it has missed (RFC 7143 7.1.4.1, 11.16). */
import { headerOffset, SnackRequest, SnackType, snackTypeMask } from '../pdu/index.ts'
import type { PduWriter } from './pdu-writer.ts'
import type { RetainedPdu } from './retention.ts'

/** Sends again what a SNACK asks for. False: it cannot be had, and the SNACK is to be rejected. */
export function answerSnack(pdu: Buffer, writer: PduWriter): boolean {
  const { retention } = writer
  if (retention === undefined) return false
  const { flags, initiatorTaskTag, begRun, runLength } = SnackRequest.decode(pdu)
  const found: { readonly [type: number]: () => readonly RetainedPdu[] | undefined } = {
    [SnackType.dataOrR2t]: () => retention.numbered(initiatorTaskTag, begRun, runLength),
    [SnackType.status]: () => retention.statuses(begRun, runLength),
    // Data is kept until its status is acknowledged; segments never change their size here.
    [SnackType.dataAck]: () => [],
    [SnackType.resegmentedData]: () => retention.numbered(initiatorTaskTag, begRun, runLength),
  }
  const again = found[flags & snackTypeMask]?.()
  if (again === undefined) return false
  for (const each of again) writer.putAgain(each, each.header.readUInt32BE(headerOffset.statSn))
  return true
}
