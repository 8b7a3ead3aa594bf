/** CANCEL (MS-SMB2 3.3.5.16). There is no response to it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { HeaderFlags } from '../../messages/constants.ts'
import { headerOffset } from '../../messages/header.ts'
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

/** Tells the handler of the request with this AsyncId, or else with this MessageId, to give up. */
export function cancel(request: SmbRequest): Outcome {
  const { connection, message } = request
  const target =
    (request.flags & HeaderFlags.asyncCommand) !== 0
      ? connection.running.byAsyncId(message.readUInt32LE(headerOffset.asyncId) + message.readUInt32LE(headerOffset.asyncId + 4) * 0x1_0000_0000)
      : connection.running.byMessageId(request.messageId)
  if (target !== undefined && target.session === request.session) {
    target.cancel('cancelled')
    // Clients that send something after the CANCEL take it for done when that is answered.
    if (target.outcome !== undefined) void connection.holdUntil(Promise.race([target.outcome, nextTurn()]))
  }
  return request.reply(0)
}
