import type { Message } from '@holdfast/engine'
import type { FilePlace } from '@holdfast/storage/block'
import type { Nexus, ScsiTask, TaskResult } from '../scsi/index.ts'
import type { CommandMeasure } from './counters.ts'
import type { DataOutTransfer } from './data-out.ts'
import type { Detached } from './outgoing.ts'

/** The connection that a task belongs to (its allegiance, RFC 7143 4.2.2.2), as the task needs it. */
export interface TaskConnection {
  /** Resolves when nothing more happens for it. */
  abort(task: IscsiTask): Promise<void>
  dataIn(task: IscsiTask, lengthBytes: number): readonly Buffer[]
  /** Whether data-in may go out from files. */
  readonly sendsFiles: boolean
  /** A command that took longer has ended. */
  finish(task: IscsiTask, result: TaskResult): void
}

/** A SCSI command on its way through the target. */
export class IscsiTask implements ScsiTask {
  readonly nexus: Nexus
  /** When it came, by performance.now. */
  readonly arrivedAtMs: number
  readonly measure: CommandMeasure
  /** Initiator Task Tag. */
  readonly tag: number
  readonly lun: Buffer
  readonly cdb: Buffer
  readonly attribute: number
  /** Expected Data Transfer Length (RFC 7143 11.3.4) of the write, or of the read where it is none. */
  readonly expectedBytes: number
  readonly isWrite: boolean
  readonly dataInLimitBytes: number
  dataOut: readonly Buffer[] = noBuffers
  dataOutBytes = 0
  isAborted = false
  connection: TaskConnection
  /** While data-out is coming. */
  transfer: DataOutTransfer | undefined
  /** What the command and its data lie in; released when it has ended. */
  readonly messages: Message[]
  /** Room for its Data-In PDUs, at the end of the connection's batch or, when the command takes longer, its own. */
  region: Buffer | undefined
  detached: Detached | undefined
  /** Where its data-in is, piece by piece; undefined before it has been asked for. */
  payloads: readonly Buffer[] | undefined
  /** The file that its data-in is in, instead. */
  place: FilePlace | undefined
  /** Bytes of all of them. */
  payloadBytes = 0
  /** Settles when a command that takes longer has ended; an abort waits for it. */
  running: Promise<void> | undefined
  /** Data-In and R2T PDUs so far (RFC 7143 11.4.8). */
  dataSn = 0
  #atEnd: (() => void) | undefined

  constructor(of: {
    nexus: Nexus
    tag: number
    lun: Buffer
    cdb: Buffer
    attribute: number
    expectedBytes: number
    isWrite: boolean
    dataInLimitBytes: number
    connection: TaskConnection
    measure: CommandMeasure
    arrivedAtMs: number
    message: Message
  }) {
    this.nexus = of.nexus
    this.tag = of.tag
    this.lun = of.lun
    this.cdb = of.cdb
    this.attribute = of.attribute
    this.expectedBytes = of.expectedBytes
    this.isWrite = of.isWrite
    this.dataInLimitBytes = of.dataInLimitBytes
    this.connection = of.connection
    this.measure = of.measure
    this.arrivedAtMs = of.arrivedAtMs
    this.messages = [of.message]
  }

  /** `iscsi/3/17` is the command with task tag 17 that came over connection 3: what grep finds all its lines in the log by. */
  get requestId(): string {
    return `iscsi/${this.measure.source.connection}/${this.tag}`
  }

  /** A worker that died had it before. */
  get isOrphan(): boolean {
    return this.messages[0]?.orphaned === true
  }

  get dataOutOfferedBytes(): number {
    return this.isWrite ? this.expectedBytes : 0
  }

  dataIn(lengthBytes: number): readonly Buffer[] {
    this.payloadBytes = Math.min(lengthBytes, this.dataInLimitBytes)
    if (this.payloadBytes === 0) return noBuffers
    this.payloads = this.connection.dataIn(this, this.payloadBytes)
    return this.payloads
  }

  /** Only for a command that ends at once: until then nobody else has a turn. */
  dataInFrom(lengthBytes: number, place: FilePlace): boolean {
    if (this.running !== undefined || !this.connection.sendsFiles) return false
    this.dataIn(lengthBytes)
    this.place = place
    return true
  }

  /** Its connection has failed: what is still being read into that one's memory goes to another later. */
  leave(discard: (detached: Detached) => void): void {
    const { detached } = this
    if (detached !== undefined) this.#atEnd = () => discard(detached)
    this.region = this.detached = undefined
  }

  /** Its memory goes back; its messages with what `finish` does, where there is still a connection to answer them. */
  release(finish = (message: Message): void => message.release()): void {
    this.#atEnd?.()
    for (const message of this.messages.splice(0)) finish(message)
    this.dataOut = noBuffers
  }
}

const noBuffers: readonly Buffer[] = []
