/** The full feature phase of a connection: which PDU goes where (RFC 7143 4.2, 11). */
import type { Message } from '@holdfast/engine'
import { MalformedError } from '@holdfast/wire'
import {
  AsyncEvent,
  AsyncMessage,
  basicHeaderBytes,
  dataSegmentBytes,
  dataSegmentStart,
  headerOffset,
  headerSegmentBytes,
  immediateBit,
  LogoutReason,
  logoutReasonMask,
  LogoutRequest,
  LogoutResponse,
  LogoutResponseCode,
  NopIn,
  NopOut,
  Opcode,
  opcodeMask,
  paddedBytes,
  Reject,
  RejectReason,
  reservedTag,
} from '../pdu/index.ts'
import { isSegmentIntact } from './digest.ts'
import type { PduWriter } from './pdu-writer.ts'
import type { ScsiTasks } from './scsi-tasks.ts'
import type { Session } from './session.ts'
import { answerSnack } from './snack.ts'
import type { TaskManager } from './task-management.ts'
import type { TextExchange } from './text-exchange.ts'

/** What the phase needs of its connection. */
export interface FullFeatureHost {
  readonly writer: PduWriter
  readonly session: Session
  /** Undefined in a discovery session. */
  readonly tasks: ScsiTasks | undefined
  readonly taskManager: TaskManager | undefined
  readonly text: TextExchange
  /** Bytes of a data segment that we take. */
  readonly dataSegmentBytes: number
  /** The session is over for its units; resolves when nothing more happens for it. */
  endTasks(): Promise<void>
  close(reason: string): void
}

/** A PDU of an initiator. */
export interface RequestPdu {
  readonly message: Message
  readonly data: Buffer
  /** False when the data digest does not match. */
  readonly isDataRight: boolean
}

type Handler = (phase: FullFeature, pdu: RequestPdu) => void

/** Opcodes that an initiator sends now. Each handler finishes the message. */
const handlers: Readonly<Partial<Record<number, Handler>>> = {
  [Opcode.nopOut]: (phase, pdu) => phase.nopOut(pdu),
  [Opcode.scsiCommand]: (phase, pdu) => phase.scsiCommand(pdu),
  [Opcode.taskManagementRequest]: (phase, pdu) => phase.taskManagement(pdu),
  [Opcode.textRequest]: (phase, pdu) => phase.text(pdu),
  [Opcode.logoutRequest]: (phase, pdu) => void phase.logout(pdu),
}

/** One connection in its full feature phase. */
export class FullFeature {
  readonly #host: FullFeatureHost

  constructor(host: FullFeatureHost) {
    this.#host = host
  }

  /** Takes a PDU; its message is released when it has been dealt with, along with what answers it. */
  receive(message: Message): void {
    const pdu = message.bytes
    const { digests } = this.#host.writer
    const headerBytes = headerSegmentBytes(pdu)
    // Which PDU it was is not known then: it is dropped, and level 0 has nothing but to begin anew (RFC 7143 7.8).
    if (digests.header && !isSegmentIntact(pdu, 0, headerBytes)) {
      message.release()
      if (this.#host.session.parameters.errorRecoveryLevel === 0) this.#host.close('header digest error')
      return
    }
    this.#host.writer.retention?.acknowledge(pdu.readUInt32BE(headerOffset.expStatSn))
    const dataBytes = dataSegmentBytes(pdu)
    const start = dataSegmentStart(pdu, 0, digests)
    if (dataBytes > this.#host.dataSegmentBytes) {
      message.release()
      return this.#host.close(`a data segment of ${dataBytes} bytes, more than was declared`)
    }
    const isDataRight = dataBytes === 0 || !digests.data || isSegmentIntact(pdu, start, start + paddedBytes(dataBytes))
    const request = { message, data: pdu.subarray(start, start + dataBytes), isDataRight }
    const opcode = pdu[headerOffset.opcode] & opcodeMask
    if (opcode === Opcode.dataOut) return this.#dataOut(request)
    if (opcode === Opcode.snackRequest) return this.#snack(message)
    const handler = handlers[opcode]
    if (handler === undefined) return this.reject(message, 'commandNotSupported')
    if (!isDataRight) return this.reject(message, 'dataDigestError')
    this.#inOrder(request, handler)
  }

  #inOrder(request: RequestPdu, handler: Handler): void {
    const pdu = request.message.bytes
    const { window } = this.#host.session
    const cmdSn = pdu.readUInt32BE(headerOffset.cmdSn)
    if ((pdu[headerOffset.opcode] & immediateBit) !== 0 || window.takeNext(cmdSn)) return this.#handle(handler, request)
    // The worker that died had taken it in its order.
    if (request.message.orphaned && window.hasPassed(cmdSn)) return this.#handle(handler, request)
    // One from outside the window, or that has been there before, is ignored (RFC 7143 4.2.2.1).
    const drop = (): void => request.message.release()
    if (!window.arrive(cmdSn, () => this.#handle(handler, request), { from: this, drop })) drop()
  }

  #handle(handler: Handler, request: RequestPdu): void {
    try {
      handler(this, request)
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.reject(request.message, 'invalidPduField')
    }
  }

  scsiCommand({ message, data }: RequestPdu): void {
    const { tasks } = this.#host
    if (tasks === undefined) this.reject(message, 'commandNotSupported')
    else tasks.command(message, data)
  }

  #snack(message: Message): void {
    if (answerSnack(message.bytes, this.#host.writer)) this.#host.writer.finish(message)
    else this.reject(message, 'snackReject')
  }

  #dataOut({ message, data, isDataRight }: RequestPdu): void {
    const { tasks } = this.#host
    if (tasks === undefined) return this.reject(message, 'commandNotSupported')
    if (!isDataRight) this.#putReject(message, 'dataDigestError')
    tasks.dataOut(message, data, isDataRight)
  }

  taskManagement({ message }: RequestPdu): void {
    const { taskManager } = this.#host
    if (taskManager === undefined) this.reject(message, 'commandNotSupported')
    else taskManager.receive(message)
  }

  text({ message, data }: RequestPdu): void {
    this.#host.text.receive(message.bytes, data)
    this.#host.writer.finish(message)
  }

  /** A ping is answered with its data; the answer to ours ends here (11.18). */
  nopOut({ message, data }: RequestPdu): void {
    const { lun, initiatorTaskTag } = NopOut.decode(message.bytes)
    const { writer } = this.#host
    if (initiatorTaskTag !== reservedTag) writer.put(NopIn, { lun, initiatorTaskTag, ...writer.serials() }, data)
    writer.finish(message)
  }

  /** 11.14: the session, this connection, or another one that has failed. The answer comes when nothing more happens for what is closed. */
  async logout({ message }: RequestPdu): Promise<void> {
    const { flags, initiatorTaskTag, cid } = LogoutRequest.decode(message.bytes)
    const { session, writer } = this.#host
    const reason = flags & logoutReasonMask
    const concerned = reason === LogoutReason.closeSession ? [...session.connections.values()] : [session.connections.get(cid)]
    const isRefused = reason === LogoutReason.removeConnectionForRecovery && session.parameters.errorRecoveryLevel < 2
    const response = isRefused
      ? LogoutResponseCode.recoveryNotSupported
      : concerned[0] === undefined
        ? LogoutResponseCode.cidNotFound
        : LogoutResponseCode.closed
    const isClosed = response === LogoutResponseCode.closed
    if (isClosed && concerned.length === session.connections.size) await this.#host.endTasks()
    const { defaultTime2Wait: time2Wait, defaultTime2Retain: time2Retain } = session.parameters
    writer.put(LogoutResponse, { response, initiatorTaskTag, ...writer.serials(), time2Wait, time2Retain })
    writer.finish(message)
    writer.flush()
    if (isClosed) for (const connection of concerned) connection?.close('logout')
  }

  /** Asks whether the initiator is still there: it answers with the same transfer tag. */
  ping(transferTag: number): void {
    const { writer } = this.#host
    writer.put(NopIn, { targetTransferTag: transferTag, ...writer.serials(false) })
    writer.flush()
  }

  /** 11.9.1: the initiator shall log this connection out within that time. */
  requestLogout(withinSeconds: number): void {
    const { writer } = this.#host
    writer.put(AsyncMessage, { event: AsyncEvent.logoutRequested, ...writer.serials(), parameter3: withinSeconds })
    writer.flush()
  }

  announceSessionDrop(): void {
    putSessionDrop(this.#host.writer, this.#host.session.agreed)
  }

  /** 11.17: with the header of what is rejected. */
  reject(message: Message, reason: keyof typeof RejectReason): void {
    this.#putReject(message, reason)
    this.#host.writer.finish(message)
  }

  #putReject(message: Message, reason: keyof typeof RejectReason): void {
    const { writer } = this.#host
    writer.put(Reject, { reason: RejectReason[reason], ...writer.serials() }, message.bytes.subarray(0, basicHeaderBytes))
  }
}

/** 11.9.1: the target drops all connections of the session, which may come back after Time2Wait. */
export function putSessionDrop(writer: PduWriter, agreed: Session['agreed']): void {
  const { DefaultTime2Wait: parameter2, DefaultTime2Retain: parameter3 } = agreed
  writer.put(AsyncMessage, { event: AsyncEvent.sessionDrop, ...writer.serials(), parameter2, parameter3 })
}
