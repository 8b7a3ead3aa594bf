/** What a transport and a logical unit say to each other (SAM-5 5.4: Execute Command). */

import type { FilePlace } from '@holdfast/storage/block'

/** An initiator port, a target port and the relation of the two (SAM-5 4.5.5). One per session; `key` is the same for the same ports after a new login. */
export interface Nexus {
  /** `iqn.…,i,0x00023D000000`: initiator port name (RFC 7143 4.2.8). */
  readonly initiatorPort: string
  /** Node name of the initiator. */
  readonly initiatorName: string
  /** `iqn.…,t,0x0001` */
  readonly targetPort: string
  readonly relativeTargetPort: number
  /** TransportID of the initiator port (SPC-4 7.6.4.6), with its ISID. */
  readonly transportId: Buffer
  /** The two ports: the identity under which reservations and unit attentions are kept. */
  readonly key: string
}

/** One command. Its buffers are shared memory, valid until the result is given. */
export interface ScsiTask {
  readonly nexus: Nexus
  /** What the log calls it. */
  readonly requestId?: string
  /** 6 to 260 bytes: the control byte is where the CDB's format has it. */
  readonly cdb: Buffer
  readonly attribute: number
  /** All of the data-out buffer that the initiator gave, as it came in pieces. May be less than the CDB asks for. */
  readonly dataOut: readonly Buffer[]
  readonly dataOutBytes: number
  /** How much data-out the initiator would have given, where the transport fetched no more than the CDB asks for. Left out: `dataOutBytes`. */
  readonly dataOutOfferedBytes?: number
  /** How much data-in the initiator takes at most. */
  readonly dataInLimitBytes: number
  /**
   * True when it was aborted: no more changes, its result goes nowhere, unless its status is TASK ABORTED (TAS). Set by the transport before it
   * calls `abortTask`, and by the unit on tasks that others have aborted.
   */
  isAborted: boolean
  /**
   * Memory for the first `lengthBytes` of data-in (less where the initiator takes less): fill all of it. Called once, before a result with
   * `dataInBytes`; in pieces, as the transport sends it. Throws `NoRoomForData` where the transport has none now: the command ends with BUSY.
   */
  dataIn(lengthBytes: number): readonly Buffer[]
  /** Instead: the transport takes all of it from a file itself. False where it cannot. The place is `BlockDevice.placeNow`'s. */
  dataInFrom?(lengthBytes: number, place: FilePlace): boolean
}

/** The transport has no memory for data-in at the moment. */
export class NoRoomForData extends Error {
  constructor() {
    super('no room for data-in')
    this.name = 'NoRoomForData'
  }
}

/** How a command ended. */
export interface TaskResult {
  /** `Status` */
  readonly status: number
  /** Sense data, with CHECK CONDITION (and where a command completes GOOD with something to tell). */
  readonly sense?: Buffer
  /** What the device had to give: may be more than was taken (residual overflow). 0 without data-in. */
  readonly dataInBytes: number
  /** What the CDB asked for from the initiator: with what was given it makes the residual. */
  readonly dataOutBytes: number
}
