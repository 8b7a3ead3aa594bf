/** A disk as its initiators see it. */
import type { BlockDevice } from '@holdfast/storage/block'
import { cdbFault, CommandTable } from './command-table.ts'
import type { TableEntry } from './command-table.ts'
import { copyManagerOf } from './commands/block/copy/copy-operation.ts'
import type { DeviceOperation } from './commands/block/device-operation.ts'
import { commands } from './commands/index.ts'
import { Admission } from './admission.ts'
import { blockDeviceSense } from './device-errors.ts'
import type { UnitIdentity } from './identity.ts'
import { limitsOf } from './limits.ts'
import type { BlockLimits } from './limits.ts'
import { ModeParameters } from './mode/parameters.ts'
import type { ModeStore } from './mode/parameters.ts'
import { Gate, Nexuses } from './nexuses.ts'
import type { NexusState } from './nexuses.ts'
import { staticPortGroup } from './ports.ts'
import type { TargetPortGroups } from './ports.ts'
import { Reservations } from './reservations/reservations.ts'
import { memoryReservationStore } from './reservations/record.ts'
import type { ReservationStore } from './reservations/record.ts'
import { busy, taskAborted, taskSetFull } from './results.ts'
import { CheckCondition, encodeSense } from './sense.ts'
import { Status, TaskAttribute } from './status.ts'
import { NoRoomForData } from './task.ts'
import type { Nexus, ScsiTask, TaskResult } from './task.ts'
import { TaskSet } from './task-set.ts'

/** Another unit that a third-party copy means, on behalf of the initiator that asks for the copy. */
export interface CopyTargetRequest {
  /** Of its Device Identification page. */
  readonly designator: Buffer
  readonly initiatorName: string
  readonly access: 'read' | 'write'
}

/** What a unit is made of. */
export interface LogicalUnitOptions {
  readonly device: BlockDevice
  readonly identity: UnitIdentity
  /** 512, the default, or 4096. */
  readonly blockBytes?: number
  /** Default: in memory. */
  readonly reservations?: ReservationStore
  /** Where saved mode parameters are. Default: they cannot be saved. */
  readonly modes?: ModeStore
  /** Default: one group of one port, active and optimized. */
  readonly ports?: TargetPortGroups
  /** The device that a third-party copy means, where the unit that has it admits it (`admitsCopy`). */
  copyTargets?(asked: CopyTargetRequest): BlockDevice | undefined | Promise<BlockDevice | undefined>
  /** Tasks that may wait or run at once; more get TASK SET FULL. Default 1,024. */
  readonly maxTasks?: number
  /**
   * Commands with longer CDBs are carried out, and told of when they are asked for by name, but not listed with all others. Default: all are
   * listed. With 16, the list fits initiators that know no variable length CDBs (libiscsi).
   */
  readonly maxListedCdbBytes?: number
  /** Told of what should not have happened: the command ended with INTERNAL TARGET FAILURE. */
  onFault?(error: unknown, task?: ScsiTask): void
  /** Milliseconds since 1970. */
  now?(): number
}

/**
 * A logical unit (SAM-5 4.8): device server and task manager in one.
 *
 * @example
 * const identity = { vendor: 'EXAMPLE', product: 'DISK', revision: '1', serial: '0001', naa: Buffer.from('3000000000000001', 'hex') }
 * const unit = new LogicalUnit({ device: memoryDevice({ sizeBytes: 1 << 20 }), identity })
 * // What a transport says of one of its sessions, and hands over for one command.
 * const nexus = {
 *   initiatorPort: 'iqn.2026-11.com.example:host,i,0x00023d000001',
 *   initiatorName: 'iqn.2026-11.com.example:host',
 *   targetPort: 'iqn.2026-11.com.example:disk,t,0x0001',
 *   relativeTargetPort: 1,
 *   transportId: iscsiTransportId('iqn.2026-11.com.example:host', Buffer.from('00023d000001', 'hex')),
 *   key: 'host,0x00023d000001 disk,0x0001',
 * }
 * const data = Buffer.alloc(36)
 * const result = await unit.execute({
 *   nexus,
 *   cdb: Buffer.from('120000002400', 'hex'), // INQUIRY
 *   attribute: TaskAttribute.simple,
 *   dataOut: [],
 *   dataOutBytes: 0,
 *   dataInLimitBytes: data.length,
 *   isAborted: false,
 *   dataIn: lengthBytes => [data.subarray(0, lengthBytes)],
 * })
 * result.status // => Status.good
 * String(data.subarray(8, 16)) // => 'EXAMPLE '
 */
export class LogicalUnit {
  readonly device: BlockDevice
  readonly identity: UnitIdentity
  readonly blockBytes: number
  readonly limits: BlockLimits
  readonly ports: TargetPortGroups
  readonly copyTargets: (asked: CopyTargetRequest) => BlockDevice | undefined | Promise<BlockDevice | undefined>
  readonly now: () => number
  readonly maxListedCdbBytes: number
  readonly mode: ModeParameters
  readonly reservations: Reservations
  readonly nexuses: Nexuses
  readonly commands: CommandTable
  /** Units of the same target, for REPORT LUNS. */
  luns: () => readonly number[] = () => [0]
  /** Number of logical blocks. Grows with the device. */
  blocks: number
  /** By the device, or by SWP of the control mode page. */
  isReadOnly: boolean
  /** WCE of the caching mode page: without it, writes are durable before they are answered. */
  isWriteCacheEnabled = true
  /** D_SENSE of the control mode page. */
  isDescriptorSense = false
  /** By START STOP UNIT. */
  isStopped = false
  /** SANITIZE or FORMAT UNIT at work, or failed: while it is there, commands end with its `condition` (`isAllowedDuringOperation`). */
  operation: DeviceOperation | undefined

  readonly #byOpcode: readonly (TableEntry | undefined)[]
  readonly #tasks: TaskSet
  readonly #admission: Admission
  readonly #onFault: (error: unknown, task: ScsiTask | undefined) => void
  readonly #stops: (() => void)[]

  constructor(options: LogicalUnitOptions) {
    const { device, blockBytes = 512 } = options
    this.device = device
    this.identity = options.identity
    this.blockBytes = blockBytes
    this.limits = limitsOf(device, blockBytes)
    this.ports = options.ports ?? staticPortGroup()
    this.copyTargets = asked => options.copyTargets?.(asked)
    this.now = options.now ?? Date.now
    this.maxListedCdbBytes = options.maxListedCdbBytes ?? Infinity
    this.blocks = Math.floor(device.sizeBytes / blockBytes)
    this.isReadOnly = device.isReadOnly
    this.#onFault = (error, task) => options.onFault?.(error, task)
    this.#tasks = new TaskSet(options.maxTasks ?? 1024)
    this.#admission = new Admission(this)
    this.nexuses = new Nexuses(state => this.#admission.gateOf(state))
    this.reservations = new Reservations(this, options.reservations ?? memoryReservationStore())
    this.mode = new ModeParameters(this, options.modes)
    this.modeChanged()
    this.commands = new CommandTable(commands, this)
    this.#byOpcode = this.commands.byOpcode
    this.#stops = [device.onResize(sizeBytes => this.#resized(sizeBytes)), this.ports.onChange(() => this.#portsChanged())]
  }

  /** Throws DATA PROTECT where writes are refused. */
  assertWritable(): void {
    if (this.isReadOnly)
      throw new CheckCondition('DATA PROTECT', this.device.isReadOnly ? 'WRITE PROTECTED' : 'LOGICAL UNIT SOFTWARE WRITE PROTECTED')
  }

  /** How much data-out the CDB asks for: what the transport has to fetch before `execute`. 0 for CDBs that `execute` will refuse. */
  dataOutBytes(cdb: Buffer): number {
    const entry = this.#byOpcode[cdb[0]] ?? this.commands.find(cdb)
    if (entry?.command.dataOutBytes === undefined || cdb.length < entry.allowed.length) return 0
    return entry.command.dataOutBytes(cdb, this)
  }

  /** Runs a command. At once where nothing has to be waited for. Never throws, never rejects. */
  execute(task: ScsiTask): TaskResult | Promise<TaskResult> {
    const state = this.nexuses.stateOf(task.nexus)
    const entry = this.#byOpcode[task.cdb[0]]
    if (entry === undefined || state.gate !== 0 || this.operation !== undefined || task.attribute > TaskAttribute.simple || !this.#tasks.isOpen)
      return this.#executeInOrder(task, state)
    const result = this.#run(task, entry)
    return result instanceof Promise ? this.#tasks.follow(task, result) : result
  }

  /** What does not take the short way: it waits for its turn, and then for leave. */
  #executeInOrder(task: ScsiTask, state: NexusState): TaskResult | Promise<TaskResult> {
    if (task.attribute > TaskAttribute.headOfQueue) return this.#failed(new CheckCondition('ILLEGAL REQUEST', 'INVALID MESSAGE ERROR'))
    if (this.#tasks.isFull) return taskSetFull
    return this.#tasks.enter(task, () => {
      const entry = this.commands.find(task.cdb)
      const refusal = this.#admission.refusalOf(task.cdb, entry, state)
      if (refusal instanceof CheckCondition) return this.#failed(refusal)
      return refusal ?? this.#run(task, entry as TableEntry) // no entry is a refusal
    })
  }

  #run(task: ScsiTask, entry: TableEntry): TaskResult | Promise<TaskResult> {
    const fault = cdbFault(task.cdb, entry)
    if (fault !== undefined) return this.#failed(fault)
    try {
      const result = entry.command.execute(task, this)
      return result instanceof Promise ? result.then(undefined, (error: unknown) => this.#failed(error, task)) : result
    } catch (error) {
      return this.#failed(error, task)
    }
  }

  /** CHECK CONDITION, whatever it was; but for data-in that there is no room for. */
  #failed(error: unknown, task?: ScsiTask): TaskResult {
    if (error instanceof NoRoomForData) return busy
    return { status: Status.checkCondition, sense: encodeSense(this.senseOf(error, task), this.isDescriptorSense), dataInBytes: 0, dataOutBytes: 0 }
  }

  /** What sense data says of an error of a command. */
  senseOf(error: unknown, task?: ScsiTask): CheckCondition {
    if (error instanceof CheckCondition) return error
    const ofDevice = blockDeviceSense(error, this.blockBytes)
    if (ofDevice !== undefined) return ofDevice
    this.#onFault(error, task)
    return new CheckCondition('HARDWARE ERROR', 'INTERNAL TARGET FAILURE')
  }

  /** An initiator has come (SAM-5 6.3: its unit attentions begin). Again after each login. */
  addNexus(nexus: Nexus): void {
    const predecessor = this.nexuses.predecessorOf(nexus)
    if (predecessor !== undefined) this.reservations.releaseReserve(predecessor)
    this.nexuses.add(nexus)
  }

  /**
   * Whether a copy that another unit makes for an initiator may read here, or write: where it could do so itself, being logged in and with
   * nobody's reservation against it (SPC-4 5.17.2).
   */
  admitsCopy({ initiatorName, access }: Pick<CopyTargetRequest, 'initiatorName' | 'access'>): boolean {
    const against = Gate.reserved | Gate.notAccessible | Gate.stopped | (access === 'read' ? Gate.readConflict : Gate.writeConflict)
    const mayPass = ({ isPresent, nexus, gate }: NexusState): boolean => isPresent && nexus.initiatorName === initiatorName && (gate & against) === 0
    return this.operation === undefined && [...this.nexuses.all].some(mayPass)
  }

  /**
   * Its session is gone: its tasks are aborted, reservations of RESERVE are released, persistent ones stay (SAM-5 6.3.4). A session that has
   * taken its place is left alone.
   */
  async nexusLoss(nexus: Nexus): Promise<void> {
    const state = this.nexuses.lose(nexus)
    const ended = this.#tasks.abort(
      task => task.nexus === nexus,
      () => silentlyAborted,
    )
    if (state === undefined) return ended
    this.reservations.releaseReserve(state)
    await Promise.all([ended, copyManagerOf(this).discard(nexus)])
  }

  /** ABORT TASK (SAM-5 7.2): resolves when nothing more happens for it. */
  async abortTask(task: ScsiTask): Promise<void> {
    await this.#tasks.abort(
      other => other === task,
      () => silentlyAborted,
    )
  }

  /** ABORT TASK SET (SAM-5 7.3): all tasks of the nexus. */
  async abortTaskSet(nexus: Nexus): Promise<void> {
    await this.abortTasks(other => other.key === nexus.key, nexus)
  }

  /** CLEAR TASK SET (SAM-5 7.5): the tasks of all; others are told. */
  async clearTaskSet(nexus: Nexus): Promise<void> {
    await this.abortTasks(() => true, nexus)
  }

  /**
   * LOGICAL UNIT RESET (SAM-5 7.7, 6.3.3), also on behalf of TARGET WARM RESET and TARGET COLD RESET. `nexus`: who asked for it, where it was
   * an initiator.
   */
  async logicalUnitReset(nexus?: Nexus): Promise<void> {
    const ended = this.#tasks.abort(
      () => true,
      task => this.#endOfAborted(task, nexus),
    )
    this.reservations.releaseReserve()
    this.mode.reset()
    this.isStopped = false
    this.nexuses.tellAll('BUS DEVICE RESET FUNCTION OCCURRED')
    this.nexuses.refreshAll()
    await ended
  }

  /**
   * Aborts the tasks of nexuses, on behalf of one. Tasks of others end with TASK ABORTED where TAS is set; where it is not, their initiators
   * are told by a unit attention (SAM-5 5.6).
   */
  async abortTasks(ofNexus: (nexus: Nexus) => boolean, by: Nexus, except?: ScsiTask): Promise<void> {
    const isToAbort = (task: ScsiTask): boolean => task !== except && ofNexus(task.nexus)
    if (!this.mode.isTaskAbortedStatus) {
      const others = this.#tasks.tasks.filter(task => isToAbort(task) && task.nexus.key !== by.key)
      for (const { nexus } of others) this.nexuses.tell(this.nexuses.stateOf(nexus), 'COMMANDS CLEARED BY ANOTHER INITIATOR')
    }
    await this.#tasks.abort(isToAbort, task => this.#endOfAborted(task, by))
  }

  /** Its own tasks an initiator needs not be told of. */
  #endOfAborted({ nexus }: ScsiTask, by: Nexus | undefined): TaskResult {
    const isOfOther = by !== undefined && nexus.key !== by.key
    return isOfOther && this.mode.isTaskAbortedStatus ? taskAborted : silentlyAborted
  }

  /** Tasks that wait or run. */
  get pendingTasks(): number {
    return this.#tasks.size
  }

  /** Mode parameters have changed: what of them commands look at is kept where it is found fast. */
  modeChanged(): void {
    const { mode } = this
    this.isWriteCacheEnabled = mode.isWriteCacheEnabled
    this.isDescriptorSense = mode.isDescriptorSense
    this.isReadOnly = this.device.isReadOnly || mode.isSoftwareWriteProtected
  }

  #resized(sizeBytes: number): void {
    this.blocks = Math.floor(sizeBytes / this.blockBytes)
    this.nexuses.tellAll('CAPACITY DATA HAS CHANGED')
  }

  #portsChanged(): void {
    this.nexuses.tellAll('ASYMMETRIC ACCESS STATE CHANGED')
    this.nexuses.refreshAll()
  }

  /** Forgets everybody; the device stays open. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop()
    this.nexuses.clear()
  }
}

/** Its transport sends nothing: the task is aborted. */
const silentlyAborted: TaskResult = { status: Status.good, dataInBytes: 0, dataOutBytes: 0 }
