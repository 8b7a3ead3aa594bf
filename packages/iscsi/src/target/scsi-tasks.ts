/** SCSI commands of one connection: data out, execution, data in and response (RFC 7143 11.3, 11.4, 11.7, 11.8). */
import type { FilePiece, Message } from '@holdfast/engine'
import { OutOfSharedMemory } from '@holdfast/engine/worker'
import {
  additionalHeadersOf,
  basicHeaderBytes,
  cdbOf,
  DataIn,
  DataInFlags,
  finalBit,
  headerOffset,
  headerSegmentBytes,
  ReadyToTransfer,
  ScsiCommandFlags,
  ScsiResponse,
  ScsiResponseFlags,
  SenseData,
  reservedTag,
} from '../pdu/index.ts'
import { AdditionalSense, NoRoomForData, senseData, SenseKey, Status } from '../scsi/index.ts'
import type { AdditionalSenseName, Nexus, TargetDevice, TaskResult } from '../scsi/index.ts'
import { dataInPayloads, dataInWireBytes, eachDataIn } from './data-in.ts'
import type { DataInParameters } from './data-in.ts'
import type { CommandMeasure, OrphanOutcome, TargetCounters } from './counters.ts'
import { DataOutTransfer } from './data-out.ts'
import type { DataOutProblem } from './data-out.ts'
import { comeAgain, isRepeatable, perhapsDone } from './orphaned-command.ts'
import type { Orphans } from './orphans.ts'
import type { PduWriter } from './pdu-writer.ts'
import type { Session } from './session.ts'
import type { SolicitationBudget } from './solicitation-budget.ts'
import { IscsiTask } from './task.ts'
import type { TaskConnection } from './task.ts'

const noData: readonly Buffer[] = []
const noSense = Buffer.alloc(0)

/** How long data-out may be quiet before it is asked for again, in milliseconds. */
const dataTimeoutMs = 4000

/** Sense for data-out that is not as agreed (RFC 7143 11.4.7.2), and for PDUs that were damaged. */
const problemSense: Readonly<Record<DataOutProblem | 'digest', AdditionalSenseName>> = {
  unexpected: 'WRITE ERROR - UNEXPECTED UNSOLICITED DATA',
  'too-much': 'WRITE ERROR - UNEXPECTED UNSOLICITED DATA',
  'out-of-order': 'DATA PHASE ERROR',
  digest: 'PROTOCOL SERVICE CRC ERROR',
}

/** What the tasks of a connection need of it. */
export interface TasksHost {
  readonly writer: PduWriter
  readonly session: Session
  readonly device: TargetDevice
  readonly nexus: Nexus
  readonly dataIn: DataInParameters
  readonly budget: SolicitationBudget
  readonly writeBytesMax: number
  readonly measure: CommandMeasure
  /** When the message that is being handled came, by performance.now. */
  heardAt(): number
  readonly orphaned: TargetCounters['orphaned']
  /** Between a command that takes longer and its end. */
  beginAsync(): void
  endAsync(): void
  /** What was written outside of a batch goes out. */
  flushSoon(): void
  isInBatch(): boolean
  protocolError(message: Message, reason: string): void
  now(): number
}

/** The commands that have come over one connection. */
export class ScsiTasks implements TaskConnection {
  readonly #host: TasksHost
  #nextTransferTag = 1

  constructor(host: TasksHost) {
    this.#host = host
  }

  /** A SCSI Command, in its order. */
  command(message: Message, data: Buffer): void {
    const pdu = message.bytes
    const { session } = this.#host
    const tag = pdu.readUInt32BE(headerOffset.initiatorTaskTag)
    if (session.tasks.has(tag)) return this.#host.protocolError(message, `task tag ${tag} is in use`)
    const flags = pdu[headerOffset.flags]
    const expectedBytes = pdu.readUInt32BE(20)
    const isWrite = (flags & ScsiCommandFlags.write) !== 0
    const isRead = (flags & ScsiCommandFlags.read) !== 0
    const hasMore = headerSegmentBytes(pdu) > basicHeaderBytes
    const task = new IscsiTask({
      nexus: this.#host.nexus,
      tag,
      lun: pdu.subarray(headerOffset.lun, headerOffset.lun + 8),
      cdb: hasMore ? cdbOf(pdu) : pdu.subarray(32, basicHeaderBytes),
      attribute: flags & ScsiCommandFlags.attributeMask,
      expectedBytes,
      isWrite,
      dataInLimitBytes: !isRead ? 0 : isWrite && hasMore ? (additionalHeadersOf(pdu).bidirectionalReadLength ?? 0) : isWrite ? 0 : expectedBytes,
      connection: this,
      measure: this.#host.measure,
      arrivedAtMs: this.#host.heardAt(),
      message,
    })
    session.tasks.set(tag, task)
    session.traffic.commands++
    session.window.begin()
    if (message.orphaned && !isRepeatable(task.cdb)) return this.#endOrphan(task, 'aborted', perhapsDone)
    if (isWrite) this.#beginWrite(task, data, (flags & ScsiCommandFlags.final) !== 0)
    else if (data.length > 0 || (flags & ScsiCommandFlags.final) === 0) this.#fail(task, 'unexpected')
    else this.#execute(task)
  }

  /** A Data-Out. `dataOk` is false when it was damaged. */
  dataOut(message: Message, data: Buffer, dataOk: boolean): void {
    const pdu = message.bytes
    const task = this.#host.session.tasks.get(pdu.readUInt32BE(headerOffset.initiatorTaskTag))
    const transfer = task?.transfer
    // Of a task that has ended meanwhile, or was aborted.
    if (task === undefined || transfer === undefined) return this.#host.writer.finish(message)
    task.messages.push(message)
    transfer.heardAt = this.#host.now()
    const problem = !dataOk
      ? 'digest'
      : transfer.receive({
          transferTag: pdu.readUInt32BE(headerOffset.targetTransferTag),
          dataSn: pdu.readUInt32BE(headerOffset.dataSn),
          offset: pdu.readUInt32BE(headerOffset.bufferOffset),
          bytes: data,
          isFinal: (pdu[headerOffset.flags] & finalBit) !== 0,
        })
    if (problem === undefined) this.#continueWrite(task, transfer)
    else this.#onProblem(task, transfer, problem)
  }

  /** Level 1 and 2 ask again for what was lost, and ignore what nobody waits for any more. */
  #onProblem(task: IscsiTask, transfer: DataOutTransfer, problem: DataOutProblem | 'digest'): void {
    if (this.#host.session.parameters.errorRecoveryLevel === 0 || problem === 'too-much') return this.#fail(task, problem)
    if (problem !== 'unexpected') this.#recover(task, transfer)
  }

  #recover(task: IscsiTask, transfer: DataOutTransfer): void {
    transfer.recover()
    transfer.heardAt = this.#host.now()
    this.#continueWrite(task, transfer)
  }

  /** Data that does not come any more is asked for again (level 1 and 2). */
  watch(now: number): void {
    if (this.#host.session.parameters.errorRecoveryLevel === 0) return
    for (const task of this.#host.session.tasks.values()) {
      const { transfer } = task
      if (transfer === undefined || task.connection !== this) continue
      if ((transfer.isAdmitted || !transfer.needsSolicitation) && now - transfer.heardAt > dataTimeoutMs) this.#recover(task, transfer)
    }
    this.#host.flushSoon()
  }

  /** The connection has failed, and its tasks go on without it. */
  leave(): IscsiTask[] {
    const own = [...this.#host.session.tasks.values()].filter(task => task.connection === this)
    for (const task of own) task.leave(detached => this.#host.writer.out.discard(detached))
    return own
  }

  /** Takes a task over from a connection that has failed. */
  adopt(task: IscsiTask, orphans: Orphans): void {
    const result = orphans.takeResult(task)
    task.connection = this
    if (result !== undefined) this.finish(task, result)
    else if (task.transfer !== undefined) this.#recover(task, task.transfer)
  }

  /** Aborts a task: nothing more is answered for it. Resolves when nothing more happens. */
  async abort(task: IscsiTask): Promise<void> {
    if (task.isAborted) return task.running
    task.isAborted = true
    const { device } = this.#host
    if (task.running === undefined) {
      this.#end(task)
      this.#release(task)
    } else await device.unitOf(task.lun)?.abortTask(task)
    await task.running
  }

  #beginWrite(task: IscsiTask, data: Buffer, isFinal: boolean): void {
    const { session, device, writeBytesMax } = this.#host
    const asked = device.dataOutBytes(task.lun, task.cdb)
    // More than a write may bring: the unit refuses it by its CDB.
    const wantedBytes = asked > writeBytesMax ? 0 : Math.min(task.expectedBytes, asked)
    if (isFinal && data.length >= wantedBytes && data.length <= task.expectedBytes && (data.length === 0 || session.parameters.immediateData)) {
      // All that is needed is here: the usual way of small writes.
      task.dataOutBytes = wantedBytes
      task.dataOut = wantedBytes === 0 ? noData : [data.length === wantedBytes ? data : data.subarray(0, wantedBytes)]
      return this.#execute(task)
    }
    // Which of its data was asked for, and what of that is on its way, nobody knows any more.
    if (task.isOrphan) return this.#endOrphan(task, 'busy', comeAgain)
    const transfer = new DataOutTransfer({ wantedBytes, expectedBytes: task.expectedBytes, isFinal, parameters: session.parameters })
    task.transfer = transfer
    transfer.heardAt = this.#host.now()
    const problem = !isFinal && session.parameters.initialR2T ? 'unexpected' : transfer.immediate(data)
    if (problem === undefined) this.#continueWrite(task, transfer)
    else this.#fail(task, problem)
  }

  /** Its worker died before it was answered, and it is not carried out here. */
  #endOrphan(task: IscsiTask, outcome: OrphanOutcome, result: TaskResult): void {
    this.#host.orphaned[outcome].add()
    this.#finish(task, result)
  }

  #continueWrite(task: IscsiTask, transfer: DataOutTransfer): void {
    if (transfer.isComplete) {
      task.dataOut = transfer.buffers
      task.dataOutBytes = transfer.lengthBytes
      this.#dropTransfer(task)
      this.#execute(task)
    } else if (transfer.needsSolicitation) this.#solicit(task, transfer)
  }

  #solicit(task: IscsiTask, transfer: DataOutTransfer): void {
    if (transfer.admission !== undefined) {
      if (transfer.isAdmitted) this.#putR2Ts(task, transfer)
      return
    }
    transfer.admission = () => {
      transfer.isAdmitted = true
      this.#putR2Ts(task, transfer)
      this.#host.flushSoon()
    }
    this.#host.budget.ask(transfer.wantedBytes, transfer.admission)
  }

  #putR2Ts(task: IscsiTask, transfer: DataOutTransfer): void {
    const { writer } = this.#host
    while (transfer.needsSolicitation) {
      const { tag, sn, offset, lengthBytes } = transfer.solicit(this.#takeTransferTag())
      task.dataSn = sn + 1
      writer.put(ReadyToTransfer, {
        lun: task.lun.readBigUInt64BE(),
        initiatorTaskTag: task.tag,
        targetTransferTag: tag,
        ...writer.serials(false),
        r2tSn: sn,
        bufferOffset: offset,
        desiredDataTransferLength: lengthBytes,
      })
    }
  }

  #takeTransferTag(): number {
    const tag = this.#nextTransferTag
    this.#nextTransferTag = tag + 1 === reservedTag ? 1 : tag + 1
    return tag
  }

  #dropTransfer(task: IscsiTask): void {
    const { transfer } = task
    if (transfer === undefined) return
    task.transfer = undefined
    if (transfer.admission !== undefined && !this.#host.budget.withdraw(transfer.admission)) this.#host.budget.giveBack(transfer.wantedBytes)
  }

  #execute(task: IscsiTask): void {
    if (task.isOrphan) this.#host.orphaned.repeated.add()
    const result = this.#host.device.execute(task.lun, task)
    if (!(result instanceof Promise)) return this.#finish(task, result)
    if (task.region !== undefined) this.#detach(task)
    this.#host.beginAsync()
    const { endAsync } = this.#host
    task.running = result.then(late => {
      endAsync()
      task.connection.finish(task, late)
    })
  }

  // Data in

  dataIn(task: IscsiTask, lengthBytes: number): readonly Buffer[] {
    const { writer, dataIn } = this.#host
    task.region = reserved(writer, dataInWireBytes(lengthBytes, dataIn, writer))
    // A command that takes longer has room of its own from the beginning.
    if (task.running !== undefined) this.#detach(task)
    return dataInPayloads(task.region, lengthBytes, dataIn, writer)
  }

  /** Within a batch nobody else has a turn before it is sent. Digests are of what is in memory, and so is what may be asked for again (SNACK). */
  get sendsFiles(): boolean {
    const { writer } = this.#host
    return this.#host.isInBatch() && !writer.digests.data && writer.retention === undefined && writer.out.sendsFiles
  }

  #detach(task: IscsiTask): void {
    task.detached = this.#host.writer.out.detach()
    task.region = task.detached.bytes
  }

  // Ends

  finish(task: IscsiTask, result: TaskResult): void {
    this.#finish(task, result)
    this.#host.flushSoon()
  }

  #finish(task: IscsiTask, end: TaskResult): void {
    const result = this.#withRoom(task, end)
    const hasData = task.payloads !== undefined && result.status === Status.good && result.sense === undefined
    if (!hasData || task.isAborted) this.#dropRegion(task)
    this.#end(task)
    // Somebody else's doing is told (TAS, SAM-5 5.6); to what the initiator itself has aborted there is no answer.
    if (!task.isAborted || result.status === Status.taskAborted) {
      task.measure.done(task, result)
      if (hasData) this.#putDataIn(task, result)
      else this.#putResponse(task, result)
    }
    this.#release(task)
  }

  /** What it came in ends with its answer. */
  #release(task: IscsiTask): void {
    task.release(message => this.#host.writer.finish(message))
  }

  /** What was read for a connection that has failed goes where this one sends from. */
  #withRoom(task: IscsiTask, result: TaskResult): TaskResult {
    if (task.payloads === undefined || task.region !== undefined || task.isAborted || result.status !== Status.good) return result
    try {
      this.#copyToRegion(task)
      return result
    } catch (error) {
      if (!(error instanceof NoRoomForData)) throw error
      return comeAgain
    }
  }

  #end(task: IscsiTask): void {
    this.#dropTransfer(task)
    this.#host.session.end(task)
  }

  #dropRegion(task: IscsiTask): void {
    if (task.detached !== undefined) this.#host.writer.out.discard(task.detached)
    else if (task.region !== undefined) this.#host.writer.out.cancel()
    task.region = task.detached = undefined
  }

  /** Data and good status (11.7.3: phase collapse). */
  #putDataIn(task: IscsiTask, result: TaskResult): void {
    const { writer, dataIn, session } = this.#host
    const total = task.payloadBytes
    session.traffic.readBytes += total
    const region = task.region!
    const residual = residualOf(task, result)
    const statSn = writer.takeStatSn()
    const { numbers } = writer
    const { place } = task
    const files: FilePiece[] = []
    eachDataIn(total, dataIn, writer, (at, offset, lengthBytes, endsBurst) => {
      const isLast = offset + lengthBytes === total
      DataIn.encode(
        {
          flags: isLast ? DataInFlags.final | DataInFlags.status | residual.flags : endsBurst ? DataInFlags.final : 0,
          initiatorTaskTag: task.tag,
          statSn: isLast ? statSn : 0,
          expCmdSn: numbers.expected,
          maxCmdSn: numbers.maximum,
          dataSn: task.dataSn++,
          bufferOffset: offset,
          residualCount: isLast ? residual.count : 0,
        },
        region,
        at,
      )
      writer.seal(region, at, lengthBytes)
      if (place) files.push({ at: at + writer.payloadStart, lengthBytes, descriptor: place.descriptor, offset: place.offset + offset })
    })
    this.#sendRegion(task, files)
    task.region = task.detached = undefined
  }

  #copyToRegion(task: IscsiTask): void {
    const payloads = task.payloads!
    const into = task.dataIn(task.payloadBytes)
    let rest = payloads.length === 1 ? payloads[0] : Buffer.concat(payloads)
    for (const piece of into) {
      rest.copy(piece)
      rest = rest.subarray(piece.length)
    }
  }

  #sendRegion({ detached, messages }: IscsiTask, files: readonly FilePiece[]): void {
    const { writer } = this.#host
    if (detached === undefined) writer.commit(files)
    else writer.send(detached, messages.splice(0))
  }

  #putResponse(task: IscsiTask, result: TaskResult): void {
    const { writer } = this.#host
    if (result.status === Status.good) this.#host.session.traffic.writtenBytes += task.dataOutBytes
    const residual = residualOf(task, result)
    const sense = result.sense === undefined ? noSense : SenseData.toBytes({ sense: result.sense })
    writer.put(
      ScsiResponse,
      {
        flags: finalBit | residual.flags,
        status: result.status,
        initiatorTaskTag: task.tag,
        ...writer.serials(),
        expDataSn: task.dataSn,
        residualCount: residual.count,
      },
      sense,
    )
  }

  #fail(task: IscsiTask, problem: DataOutProblem | 'digest'): void {
    const sense = { key: SenseKey['ABORTED COMMAND'], code: AdditionalSense[problemSense[problem]], isDeferred: false }
    this.#finish(task, { status: Status.checkCondition, sense: senseData(sense, false), dataInBytes: 0, dataOutBytes: 0 })
  }
}

/** Room for data-in. It may be had when others have been sent: until then the unit is busy. */
function reserved(writer: PduWriter, lengthBytes: number): Buffer {
  try {
    return writer.out.reserve(lengthBytes)
  } catch (error) {
    throw error instanceof OutOfSharedMemory ? new NoRoomForData() : error
  }
}

const noResidual = { flags: 0, count: 0 }

/** What was left over or missing (11.4.5): `ScsiResponseFlags` are those of a Data-In as well. */
function residualOf(task: IscsiTask, result: TaskResult): { readonly flags: number; readonly count: number } {
  // What a command that failed does not tell it had been given all the same.
  const had = !task.isWrite
    ? result.dataInBytes
    : result.status === Status.good
      ? result.dataOutBytes
      : Math.max(result.dataOutBytes, task.dataOutBytes)
  if (had === task.expectedBytes) return noResidual
  return had > task.expectedBytes
    ? { flags: ScsiResponseFlags.overflow, count: had - task.expectedBytes }
    : { flags: ScsiResponseFlags.underflow, count: task.expectedBytes - had }
}
