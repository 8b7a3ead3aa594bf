/** What /metrics and the log say of a target. */
import type { Counter, Counters, Histogram, WorkerNode } from '@holdfast/engine'
import { boundedLabel, durationBounds } from '@holdfast/engine/metrics'
import { commandIndexOf, commandNames, Status } from '../scsi/index.ts'
import type { TaskResult } from '../scsi/index.ts'
import type { IscsiTask } from './task.ts'

/** Statuses (SAM-5 5.3.1) as the standard writes them; the last one is for what is none. */
const statusNames: readonly (readonly [status: number | undefined, name: string])[] = [
  [Status.good, 'GOOD'],
  [Status.checkCondition, 'CHECK CONDITION'],
  [Status.conditionMet, 'CONDITION MET'],
  [Status.busy, 'BUSY'],
  [Status.reservationConflict, 'RESERVATION CONFLICT'],
  [Status.taskSetFull, 'TASK SET FULL'],
  [Status.acaActive, 'ACA ACTIVE'],
  [Status.taskAborted, 'TASK ABORTED'],
  [undefined, 'other'],
]
const otherStatus = statusNames.length - 1
/** Where a status, which is one byte, is among them. */
const statusIndices = Uint8Array.from({ length: 256 }, (_, status) => {
  const index = statusNames.findIndex(([known]) => known === status)
  return index === -1 ? otherStatus : index
})
const statusNameOf = (status: number): string => statusNames[statusIndices[status]][1]

/** Commands whose data is blocks of the medium: the data of others tells nothing of the volume. */
const readsBlocks = commandNames.map(name => /^READ \(\d+\)$/.test(name))
const writesBlocks = commandNames.map(name => /^(WRITE|WRITE AND VERIFY|WRITE ATOMIC|ORWRITE) \(\d+\)$/.test(name))

/** Volumes that have a name in /metrics; the rest, as they are met, is `other`. */
const namedVolumes = 100

/** Whose commands they are, and over which connection they come. */
export interface CommandSource {
  readonly volume: string
  readonly connection: number
  readonly user: string | undefined
}

interface CommandEnd {
  readonly source: CommandSource
  readonly command: number
  readonly status: number
  readonly seconds: number
  readonly bytes: number
}

/** Carried out (again), told to come again, or told that it may have been carried out. */
export type OrphanOutcome = 'repeated' | 'busy' | 'aborted'

/** The numbers of a worker's target. */
export class TargetCounters {
  readonly sessions: Counter
  readonly loginFailures: Counter
  readonly resumed: Counter
  /** Commands whose worker died before they were answered, by what became of them. */
  readonly orphaned: Readonly<Record<OrphanOutcome, Counter>>
  readonly #worker: WorkerNode
  readonly #counters: Counters
  /** Each command's end is in the log, with the level debug. */
  readonly tellsCommands: boolean
  readonly #volumeLabel = boundedLabel(namedVolumes)
  /** By command and status. */
  readonly #commands: (Counter | undefined)[] = []
  /** By command. */
  readonly #durations: (Histogram | undefined)[] = []

  constructor(worker: WorkerNode, { tellsCommands }: { readonly tellsCommands: boolean }) {
    const { counters } = worker
    this.#worker = worker
    this.#counters = counters
    this.tellsCommands = tellsCommands
    this.sessions = counters.gauge('holdfast_iscsi_sessions', 'iSCSI sessions, those that only look for targets among them')
    this.loginFailures = counters.counter('holdfast_iscsi_login_failures_total', 'iSCSI logins that were refused')
    this.resumed = counters.counter('holdfast_iscsi_connections_resumed_total', 'iSCSI connections that went on with another worker, as theirs died')
    const orphaned = (outcome: OrphanOutcome): Counter =>
      counters.counter('holdfast_iscsi_orphaned_commands_total', 'SCSI commands whose worker died before they were answered', { outcome })
    this.orphaned = { repeated: orphaned('repeated'), busy: orphaned('busy'), aborted: orphaned('aborted') }
  }

  /** What counts the commands of one connection. */
  measure(source: CommandSource): CommandMeasure {
    const labels = { volume: this.#volumeLabel(source.volume) }
    return new CommandMeasure(source, this, {
      read: this.#counters.counter('holdfast_iscsi_read_bytes_total', 'Bytes of volumes that READ commands have answered with', labels),
      written: this.#counters.counter('holdfast_iscsi_written_bytes_total', 'Bytes of volumes that WRITE commands have brought', labels),
    })
  }

  /** A command was answered, `seconds` after it came. */
  count(command: number, status: number, seconds: number): void {
    const counter = this.#commands[command * statusNames.length + statusIndices[status]] ?? this.#makeCounter(command, status)
    counter.add(1)
    const duration = this.#durations[command] ?? this.#makeDuration(command)
    duration.observe(seconds)
  }

  tell(task: IscsiTask, done: CommandEnd): void {
    const { source, bytes } = done
    this.#worker.log('debug', 'command done', {
      request: task.requestId,
      connection: source.connection,
      command: commandNames[done.command],
      status: statusNameOf(done.status),
      durationMs: Math.round(done.seconds * 1e6) / 1000,
      ...(bytes > 0 && { bytes }),
      ...(source.user !== undefined && { user: source.user }),
      volume: source.volume,
    })
  }

  #makeCounter(command: number, status: number): Counter {
    const labels = { command: commandNames[command], status: statusNameOf(status) }
    return (this.#commands[command * statusNames.length + statusIndices[status]] = this.#counters.counter(
      'holdfast_iscsi_commands_total',
      'SCSI commands answered',
      labels,
    ))
  }

  #makeDuration(command: number): Histogram {
    const help = 'Time from the arrival of a SCSI command at its worker to its answer, with that of its data'
    const labels = { command: commandNames[command] }
    return (this.#durations[command] = this.#counters.histogram('holdfast_iscsi_command_duration_seconds', help, durationBounds, labels))
  }
}

/** Counts the commands of one connection. */
export class CommandMeasure {
  readonly source: CommandSource
  readonly #counters: TargetCounters
  readonly #bytes: { readonly read: Counter; readonly written: Counter }

  constructor(source: CommandSource, counters: TargetCounters, bytes: { readonly read: Counter; readonly written: Counter }) {
    this.source = source
    this.#counters = counters
    this.#bytes = bytes
  }

  /** Called with each command that is answered. */
  done(task: IscsiTask, result: TaskResult): void {
    const command = commandIndexOf(task.cdb)
    const { status } = result
    const isGood = status === Status.good
    const seconds = (performance.now() - task.arrivedAtMs) / 1000
    const bytesRead = isGood && readsBlocks[command] ? task.payloadBytes : 0
    const bytesWritten = isGood && writesBlocks[command] ? task.dataOutBytes : 0
    if (bytesRead > 0) this.#bytes.read.add(bytesRead)
    if (bytesWritten > 0) this.#bytes.written.add(bytesWritten)
    this.#counters.count(command, status, seconds)
    if (this.#counters.tellsCommands) this.#counters.tell(task, { source: this.source, command, status, seconds, bytes: bytesRead + bytesWritten })
  }
}
