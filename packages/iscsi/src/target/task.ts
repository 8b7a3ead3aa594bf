import type { Message } from '@holdfast/engine'
import type { Nexus, ScsiTask, TaskResult } from '../scsi/index.ts'
import type { DataOutTransfer } from './data-out.ts'
import type { Detached } from './outgoing.ts'

/** The connection that a task belongs to (its allegiance, RFC 7143 4.2.2.2), as the task needs it. */
export interface TaskConnection {
  /** Resolves when nothing more happens for it. */
  abort(task: IscsiTask): Promise<void>
  dataIn(task: IscsiTask, lengthBytes: number): readonly Buffer[]
  /** A command that took longer has ended. */
  finish(task: IscsiTask, result: TaskResult): void
}

/** A SCSI command on its way through the target. */
export class IscsiTask implements ScsiTask {
  readonly nexus: Nexus
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
    this.messages = [of.message]
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

  /** Its connection has failed: what is still being read into that one's memory goes to another later. */
  leave(discard: (detached: Detached) => void): void {
    const { detached } = this
    if (detached !== undefined) this.#atEnd = () => discard(detached)
    this.region = this.detached = undefined
  }

  /** Its memory goes back. */
  release(): void {
    this.#atEnd?.()
    for (const message of this.messages) message.release()
    this.messages.length = 0
    this.dataOut = noBuffers
  }
}

const noBuffers: readonly Buffer[] = []
