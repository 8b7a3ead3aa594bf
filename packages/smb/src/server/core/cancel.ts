/** CANCEL (MS-SMB2 3.3.5.16). There is no response to it. */
import { HeaderFlags } from '../../messages/constants.ts'
import { headerOffset } from '../../messages/header.ts'
import type { Timers } from './config.ts'
import type { Outcome } from './handler-api.ts'
import type { SmbRequest } from './request.ts'

/** Others wait no longer than this for a request that does not give up: it may have to ask another worker first. */
const heldMsMax = 100

/** Tells the handler of the request with this AsyncId, or else with this MessageId, to give up. */
export function cancel(request: SmbRequest): Outcome {
  const { connection, message } = request
  const target =
    (request.flags & HeaderFlags.asyncCommand) !== 0
      ? connection.running.byAsyncId(message.readUInt32LE(headerOffset.asyncId) + message.readUInt32LE(headerOffset.asyncId + 4) * 0x1_0000_0000)
      : connection.running.byMessageId(request.messageId)
  if (target !== undefined && target.session === request.session) {
    const { outcome } = target
    // Clients that send something after the CANCEL take it for done when that is answered.
    if (target.cancel('cancelled') && outcome !== undefined) void connection.holdUntil(soon(outcome, connection.server.timers))
  }
  return request.reply(0)
}

function soon(outcome: Promise<Outcome>, timers: Timers): Promise<void> {
  return new Promise(resolve => {
    const timer = timers.set(resolve, heldMsMax)
    void outcome.then(() => {
      timers.clear(timer)
      resolve()
    })
  })
}
