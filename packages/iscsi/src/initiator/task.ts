/** One SCSI command, from the call to its result, over as many connections as it takes. */
import type { Connection } from './connection.ts'
import { ReceivedSequence } from './sequences.ts'
import { nextTaskState } from './states.ts'
import type { TaskEvent, TaskState } from './states.ts'

/** A command as a caller wants it carried out. */
export interface CommandOptions {
  /** LUN field of the PDUs, as eight bytes big-endian. */
  readonly lun: bigint
  /** 6 to 260 bytes. */
  readonly cdb: Buffer
  /** Must stay as it is until the command has its result. */
  readonly dataOut?: Buffer | undefined
  /** Where data-in goes; as long as what is expected. */
  readonly dataIn?: Buffer | undefined
  /** SAM-5 task attribute; default SIMPLE. */
  readonly attribute?: number | undefined
  /** True when the command may be carried out once more although it may have been already. */
  readonly isRepeatable: boolean
  /** Aborts the task. */
  readonly signal?: AbortSignal | undefined
}

/** How a command ended. */
export interface CommandResult {
  /** SAM-5 status. */
  readonly status: number
  /** Empty without sense data. */
  readonly sense: Buffer
  /** Bytes of `dataIn` that were filled. */
  readonly dataInBytes: number
  /** Bytes that were expected and not used; negative: that would have been needed more (RFC 7143 11.4.5). */
  readonly residualBytes: number
}

/** What the target said of a task's end. */
export interface TaskEnd {
  readonly status: number
  readonly sense: Buffer
  readonly residualBytes: number
  /** How many Data-In and R2T PDUs there were; undefined where the target does not say. */
  readonly numbered: number | undefined
}

/** See the file. */
export class Task {
  readonly command: CommandOptions
  /** Initiator task tag. */
  tag: number
  readonly resolve: (result: CommandResult) => void
  readonly reject: (reason: unknown) => void
  state: TaskState = 'queued'
  cmdSn = 0
  /** The connection that has the task's allegiance. */
  connection: Connection | undefined
  /** DataSN and R2TSN. */
  readonly numbers: ReceivedSequence = new ReceivedSequence()
  /** Its numbers begin anew where the target begins, after a reassignment. */
  adoptsNumbers = false
  /** How often it was asked after without anything coming of it. */
  asked = 0
  /** How far data-in came, in bytes. */
  dataInBytes = 0
  /** Bytes of data-out that were sent or asked for. */
  solicitedBytes = 0
  end: TaskEnd | undefined
  /** StatSN of its end while data is missing: acknowledged, the target would throw the data away. */
  heldStatSn: number | undefined
  /** When something was heard of it last, in ms. */
  heardAtMs = 0
  /** Ends listening to the signal. */
  unlisten: (() => void) | undefined

  constructor(command: CommandOptions, tag: number, resolve: (result: CommandResult) => void, reject: (reason: unknown) => void) {
    this.command = command
    this.tag = tag
    this.resolve = resolve
    this.reject = reject
  }

  go(event: TaskEvent): void {
    this.state = nextTaskState(this.state, event)
  }

  /** Forgets what became of it: it is sent as a new task. */
  restart(tag: number): void {
    this.tag = tag
    this.connection = undefined
    this.numbers.restart(0)
    this.adoptsNumbers = false
    this.asked = 0
    this.dataInBytes = 0
    this.solicitedBytes = 0
    this.end = undefined
    this.heldStatSn = undefined
  }

  /** True when everything that belongs to its end has come. */
  get isWhole(): boolean {
    const { end, numbers } = this
    return end !== undefined && numbers.isComplete && (end.numbered === undefined || numbers.next === end.numbered)
  }

  /** Hands the result over. */
  finish(): void {
    const { status, sense, residualBytes } = this.end!
    this.go('answer')
    this.unlisten?.()
    this.resolve({ status, sense, dataInBytes: this.dataInBytes, residualBytes })
  }

  /** Ends it without a result. */
  fail(reason: unknown): void {
    if (this.state === 'done') return
    this.go('drop')
    this.unlisten?.()
    this.reject(reason)
  }
}
