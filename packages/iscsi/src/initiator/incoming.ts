/** What a session does with each PDU of the target, as a table by opcode (RFC 7143 11). */
import { MalformedError } from '@holdfast/wire'
import {
  AsyncMessage,
  DataInFlags,
  headerOffset,
  headerSegmentBytes,
  NopIn,
  Opcode,
  opcodeMask,
  opcodeOf,
  ReadyToTransfer,
  Reject,
  RejectReason,
  reservedTag,
  ScsiResponse,
  ScsiResponseCode,
  ScsiResponseFlags,
  SenseData,
  serialAdd,
  serialDistance,
} from '../pdu/index.ts'
import { onAsyncMessage } from './async-events.ts'
import { takesStatSn } from './connection.ts'
import type { Connection } from './connection.ts'
import { IscsiError } from './errors.ts'
import { word } from './receiver.ts'
import type { ReceivedPdu } from './receiver.ts'
import { sendCommand, sendData } from './sending.ts'
import type { SessionCore } from './session-core.ts'
import type { Task } from './task.ts'

type Handler = (core: SessionCore, connection: Connection, pdu: ReceivedPdu) => void

const noSense = Buffer.alloc(0)
const good = 0

const handlers: Readonly<Partial<Record<number, Handler>>> = {
  [Opcode.dataIn]: onDataIn,
  [Opcode.scsiResponse]: onScsiResponse,
  [Opcode.readyToTransfer]: onReadyToTransfer,
  [Opcode.taskManagementResponse]: onAnswer,
  [Opcode.textResponse]: onAnswer,
  [Opcode.logoutResponse]: onAnswer,
  [Opcode.nopIn]: onNopIn,
  [Opcode.asyncMessage]: (core, connection, { bytes, at, dataAt, dataBytes }) =>
    onAsyncMessage(core, connection, AsyncMessage.decode(bytes, at), Buffer.from(bytes.subarray(dataAt, dataAt + dataBytes))),
  [Opcode.reject]: onReject,
}

/** Takes a PDU. Throws MalformedError for what a target must not send, IscsiError `CONNECTION_LOST` for what cannot be repaired. */
export function receivePdu(core: SessionCore, connection: Connection, pdu: ReceivedPdu): void {
  const { bytes, at } = pdu
  const handler = handlers[bytes[at] & opcodeMask]
  if (handler === undefined) throw new MalformedError('bad-opcode', `opcode ${opcodeOf(bytes, at)} does not come here`)
  if (pdu.isDamaged) return onDamage(core, connection, pdu)
  core.window.update(word(bytes, at + headerOffset.expCmdSn), word(bytes, at + headerOffset.maxCmdSn))
  // Data-In counts its status itself: what it brings is of use even where its status is not new.
  if ((bytes[at] & opcodeMask) !== Opcode.dataIn && !countStatus(core, connection, pdu)) return
  handler(core, connection, pdu)
}

/** Counts StatSN. False for a PDU that came before, and is only to be dropped. */
function countStatus(core: SessionCore, connection: Connection, pdu: ReceivedPdu): boolean {
  const statSn = word(pdu.bytes, pdu.at + headerOffset.statSn)
  const { statuses } = connection
  const before = statuses.next
  if (!takesStatSn(pdu)) {
    // It tells the next one: what was sent before and did not come is missing.
    if (core.recoveryLevel > 0 && statuses.expectUpTo(statSn)) connection.snackStatuses([{ begin: before, length: serialDistance(before, statSn) }])
    return true
  }
  const isNew = statuses.receive(statSn)
  const gap = serialDistance(before, statSn)
  if (gap > 0 && isNew && statuses.next === serialAdd(statSn, 1)) {
    if (core.recoveryLevel === 0) throw new IscsiError('CONNECTION_LOST', `StatSN ${before} is missing`)
    connection.snackStatuses([{ begin: before, length: gap }])
  }
  return isNew || core.recoveryLevel === 0
}

/** The data digest is wrong, the header right: it counts as missing (RFC 7143 7.8). */
function onDamage(core: SessionCore, connection: Connection, pdu: ReceivedPdu): void {
  if (core.recoveryLevel === 0) throw new IscsiError('CONNECTION_LOST', 'a data digest is wrong')
  const { bytes, at } = pdu
  const isDataIn = (bytes[at] & opcodeMask) === Opcode.dataIn
  const task = isDataIn ? core.tasks.get(word(bytes, at + headerOffset.initiatorTaskTag)) : undefined
  const statSn = word(bytes, at + headerOffset.statSn)
  if (takesStatSn(pdu)) {
    const before = connection.statuses.next
    const isNew = connection.statuses.expectUpTo(serialAdd(statSn, 1))
    if (isNew && !isDataIn) connection.snackStatuses([{ begin: before, length: connection.statuses.next - before }])
  }
  if (task === undefined) return
  const before = task.numbers.next
  const dataSn = word(bytes, at + headerOffset.dataSn)
  // One that was asked for again and is damaged again is missing still.
  if (task.numbers.expectUpTo(serialAdd(dataSn, 1))) connection.snackNumbers(task, [{ begin: before, length: task.numbers.next - before }])
  else connection.snackNumbers(task, [{ begin: dataSn, length: 1 }])
}

/** Counts DataSN or R2TSN, and asks for what is missing before it. False for one that came before. */
function countNumber(core: SessionCore, connection: Connection, task: Task, number: number): boolean {
  const { numbers } = task
  if (task.adoptsNumbers) {
    task.adoptsNumbers = false
    numbers.restart(number)
  }
  const before = numbers.next
  const isNew = numbers.receive(number)
  const gap = serialDistance(before, number)
  if (isNew && gap > 0 && numbers.next === serialAdd(number, 1)) {
    if (core.recoveryLevel === 0) throw new IscsiError('CONNECTION_LOST', `number ${before} of a task is missing`)
    connection.snackNumbers(task, [{ begin: before, length: gap }])
  }
  return isNew
}

function onDataIn(core: SessionCore, connection: Connection, pdu: ReceivedPdu): void {
  const { bytes, at, dataAt, dataBytes } = pdu
  const flags = bytes[at + headerOffset.flags]
  const task = core.tasks.get(word(bytes, at + headerOffset.initiatorTaskTag))
  const hasStatus = (flags & DataInFlags.status) !== 0
  const isNewStatus = hasStatus && countStatus(core, connection, pdu)
  // Of a task that was aborted, or is elsewhere now.
  if (task === undefined || task.connection !== connection) return
  task.heardAtMs = connection.receivedAtMs
  if (isNewStatus) holdStatus(core, connection, task, pdu)
  const dataSn = word(bytes, at + headerOffset.dataSn)
  if (countNumber(core, connection, task, dataSn))
    takeData(task, bytes.subarray(dataAt, dataAt + dataBytes), word(bytes, at + headerOffset.bufferOffset))
  if ((flags & DataInFlags.acknowledge) !== 0 && core.recoveryLevel > 0) {
    connection.acknowledgeData({
      lun: bytes.readBigUInt64BE(at + headerOffset.lun),
      targetTransferTag: word(bytes, at + headerOffset.targetTransferTag),
      next: task.numbers.expected,
    })
  }
  if (isNewStatus) {
    const residualCount = word(bytes, at + 44)
    const residualBytes = (flags & DataInFlags.underflow) !== 0 ? residualCount : (flags & DataInFlags.overflow) !== 0 ? -residualCount : 0
    task.end = { status: bytes[at + 3], sense: noSense, residualBytes, numbered: serialAdd(dataSn, 1) }
  }
  if (task.end !== undefined) endIfWhole(core, connection, task)
}

/** Keeps a status from being acknowledged until its task has all its data: the target would throw away what may have to be sent again (11.16). */
function holdStatus(core: SessionCore, connection: Connection, task: Task, pdu: ReceivedPdu): void {
  if (core.recoveryLevel === 0 || task.command.dataIn === undefined) return
  task.heldStatSn = word(pdu.bytes, pdu.at + headerOffset.statSn)
  connection.statuses.hold(task.heldStatSn)
}

function takeData(task: Task, data: Buffer, offset: number): void {
  const { dataIn } = task.command
  if (dataIn === undefined || offset + data.length > dataIn.length)
    throw new MalformedError('bad-data-in', `${data.length} bytes at ${offset} for a task that takes ${dataIn?.length ?? 0}`)
  data.copy(dataIn, offset)
  if (offset + data.length > task.dataInBytes) task.dataInBytes = offset + data.length
}

function onScsiResponse(core: SessionCore, connection: Connection, pdu: ReceivedPdu): void {
  const { bytes, at, dataAt, dataBytes } = pdu
  const response = ScsiResponse.decode(bytes, at)
  const task = core.tasks.get(response.initiatorTaskTag)
  if (task === undefined || task.connection !== connection) return
  task.heardAtMs = connection.receivedAtMs
  if (response.response !== ScsiResponseCode.completed)
    return core.failTask(task, new IscsiError('REJECTED', `the target failed to carry out a command (response ${response.response})`))
  holdStatus(core, connection, task, pdu)
  const { flags, residualCount } = response
  const residualBytes = (flags & ScsiResponseFlags.underflow) !== 0 ? residualCount : (flags & ScsiResponseFlags.overflow) !== 0 ? -residualCount : 0
  // Copied: it outlives the receive buffer.
  const sense = dataBytes === 0 ? noSense : Buffer.from(SenseData.decode(bytes, dataAt, dataAt + dataBytes).sense)
  const countsData = core.recoveryLevel > 0 && task.command.dataIn !== undefined && response.expDataSn > 0
  task.end = { status: response.status, sense, residualBytes, numbered: countsData ? response.expDataSn : undefined }
  endIfWhole(core, connection, task)
}

function endIfWhole(core: SessionCore, connection: Connection, task: Task): void {
  const { numbered, status, residualBytes } = task.end!
  const { dataIn, dataOut } = task.command
  if (core.recoveryLevel > 0 && dataIn !== undefined && !task.isWhole) {
    const before = task.numbers.next
    if (numbered !== undefined && task.numbers.expectUpTo(numbered)) connection.snackNumbers(task, [{ begin: before, length: numbered - before }])
    // What is missing has been asked for.
    return
  }
  const expectedBytes = (dataIn?.length ?? 0) - Math.max(0, residualBytes)
  if (status === good && dataOut === undefined && task.dataInBytes < expectedBytes)
    throw new IscsiError('CONNECTION_LOST', `a read ends with ${task.dataInBytes} of ${expectedBytes} bytes`)
  core.endTask(task)
}

function onReadyToTransfer(core: SessionCore, connection: Connection, { bytes, at }: ReceivedPdu): void {
  const r2t = ReadyToTransfer.decode(bytes, at)
  const task = core.tasks.get(r2t.initiatorTaskTag)
  if (task === undefined || task.connection !== connection) return
  task.heardAtMs = connection.receivedAtMs
  if (!countNumber(core, connection, task, r2t.r2tSn)) return
  const lengthBytes = r2t.desiredDataTransferLength
  const outBytes = task.command.dataOut?.length ?? 0
  if (lengthBytes === 0 || r2t.bufferOffset + lengthBytes > outBytes)
    throw new MalformedError('bad-r2t', `${lengthBytes} bytes at ${r2t.bufferOffset} of a task that has ${outBytes}`)
  // A task that is being aborted gives what it is asked for: the target may wait for it.
  sendData(connection, task, { tag: r2t.targetTransferTag, offset: r2t.bufferOffset, lengthBytes })
}

function onAnswer(core: SessionCore, _connection: Connection, { bytes, at, dataAt, dataBytes }: ReceivedPdu): void {
  core.exchanges.answer(word(bytes, at + headerOffset.initiatorTaskTag), {
    header: Buffer.from(bytes.subarray(at, at + 48)),
    data: Buffer.from(bytes.subarray(dataAt, dataAt + dataBytes)),
  })
}

function onNopIn(core: SessionCore, connection: Connection, pdu: ReceivedPdu): void {
  const { lun, initiatorTaskTag, targetTransferTag } = NopIn.decode(pdu.bytes, pdu.at)
  if (initiatorTaskTag !== reservedTag) return onAnswer(core, connection, pdu)
  if (targetTransferTag !== reservedTag) connection.nop(reservedTag, { lun, transferTag: targetTransferTag })
}

/** What a target rejects comes back as the header it had. */
function onReject(core: SessionCore, connection: Connection, { bytes, at, dataAt, dataBytes }: ReceivedPdu): void {
  const { reason } = Reject.decode(bytes, at)
  if (dataBytes < 48 || headerSegmentBytes(bytes, dataAt) > dataBytes + 4 * 255) return
  const opcode = opcodeOf(bytes, dataAt)
  const tag = word(bytes, dataAt + headerOffset.initiatorTaskTag)
  const task = core.tasks.get(tag)
  const rejected = rejections[opcode]
  if (rejected !== undefined) rejected({ core, connection, task, reason })
  else core.exchanges.reject(tag, describeReason(reason))
}

interface Rejection {
  readonly core: SessionCore
  readonly connection: Connection
  readonly task: Task | undefined
  readonly reason: number
}

const reasonNames = new Map<number, string>(Object.entries(RejectReason).map(([name, reason]) => [reason, name]))
const describeReason = (reason: number): string => `the target rejects it: ${reasonNames.get(reason) ?? `reason ${reason}`}`

const rejections: Readonly<Partial<Record<number, (rejection: Rejection) => void>>> = {
  [Opcode.scsiCommand]({ core, connection, task, reason }) {
    if (task === undefined || task.connection !== connection) return
    // Its immediate data was damaged: the command was not taken, and is sent once more under its number (7.8).
    if (reason === RejectReason.dataDigestError && core.recoveryLevel > 0 && task.state === 'sent') return sendCommand(connection, task)
    core.failTask(task, new IscsiError('REJECTED', describeReason(reason)))
  },
  [Opcode.dataOut]({ core, task, reason }) {
    // Damaged data is asked for again, or the task ends with a status, as the target likes (7.8).
    if (reason === RejectReason.dataDigestError || task === undefined) return
    core.failTask(task, new IscsiError('REJECTED', describeReason(reason)))
  },
  [Opcode.snackRequest]({ core, connection, task }) {
    // Nothing was missing: somebody asked too early.
    const isMissing = task === undefined ? !connection.statuses.isComplete : !task.numbers.isComplete
    if (isMissing && core.recoveryLevel > 0) connection.fail(new IscsiError('CONNECTION_LOST', 'the target does not have what is missing any more'))
  },
  // An answer to a ping that the target has forgotten about.
  [Opcode.nopOut]: ({ connection }) => void (connection.pingedAtMs = undefined),
}
