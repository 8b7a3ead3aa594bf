/** What a target says unasked (RFC 7143 11.9), as a table by event. */
import { AsyncEvent, finalBit, immediateBit, Opcode, reservedTag, SenseData, TextRequest } from '../pdu/index.ts'
import type { AsyncMessage } from '../pdu/index.ts'
import type { Connection } from './connection.ts'
import { IscsiError } from './errors.ts'
import type { SessionCore } from './session-core.ts'

type Reaction = (core: SessionCore, connection: Connection, message: AsyncMessage, data: Buffer) => void

const reactions: Readonly<Partial<Record<number, Reaction>>> = {
  [AsyncEvent.scsi]: (core, _connection, { lun }, data) => core.onSenseEvent(lun, Buffer.from(SenseData.decode(data).sense)),
  [AsyncEvent.logoutRequested]: (core, connection) => core.recovery.leave(connection),
  [AsyncEvent.connectionDrop]: (core, _connection, { parameter1, parameter2 }) => {
    const dropped = core.connections.find(({ cid }) => cid === parameter1)
    core.recovery.waitAtLeast(parameter2)
    dropped?.fail(new IscsiError('CONNECTION_LOST', 'the target drops the connection'))
  },
  [AsyncEvent.sessionDrop]: (core, _connection, { parameter2 }) => {
    core.recovery.waitAtLeast(parameter2)
    core.recovery.failSession(new IscsiError('CONNECTION_LOST', 'the target drops the session'))
  },
  // Nothing to negotiate from our side: the exchange is begun, and the target has its say (11.9.1).
  [AsyncEvent.negotiationRequested]: (core, connection) => {
    const tag = core.nextTag()
    const { cmdSn } = core.window
    connection.put(TextRequest, {
      opcode: Opcode.textRequest | immediateBit,
      flags: finalBit,
      initiatorTaskTag: tag,
      targetTransferTag: reservedTag,
      cmdSn,
      expStatSn: connection.expStatSn,
    })
    // Whatever it says, nothing of what is open to negotiation then is of consequence to us.
    core.exchanges.wait(tag, connection, 'text').catch(() => undefined)
  },
  // Their tasks have ended at the target without responses (FastAbort, 4.2.3.4): they are done anew, where that may be.
  [AsyncEvent.tasksTerminated]: (core, _connection, { lun }) => core.recovery.repeatTasks(task => task.command.lun === lun),
}

/** Reacts to an event; one that is unknown or a vendor's is none of ours. */
export function onAsyncMessage(core: SessionCore, connection: Connection, message: AsyncMessage, data: Buffer): void {
  reactions[message.event]?.(core, connection, message, data)
}
