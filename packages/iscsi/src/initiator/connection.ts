/** One connection of a session in the full feature phase. */
import { DataInFlags, headerOffset, NopOut, Opcode, opcodeMask, reservedTag, serialAdd, SnackRequest, SnackType, finalBit } from '../pdu/index.ts'
import type { Agreed } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import type { HeaderLayout, PduParts } from './outgoing.ts'
import type { ReceivedPdu } from './receiver.ts'
import { word } from './receiver.ts'
import type { Sender } from './sending.ts'
import { ReceivedSequence } from './sequences.ts'
import type { Run } from './sequences.ts'
import { connectionStates, nextConnectionState } from './states.ts'
import type { ConnectionEvent, ConnectionState } from './states.ts'
import type { Task } from './task.ts'
import type { Transport, TransportOwner } from './transport.ts'

/** Who has a connection. */
export interface ConnectionHost {
  received(connection: Connection, pdu: ReceivedPdu): void
  lost(connection: Connection, error: Error): void
  /** CmdSN for what is immediate. */
  readonly cmdSn: number
}

/** What a login made of a transport. */
export interface ConnectionOptions {
  readonly transport: Transport
  readonly cid: number
  readonly agreed: Readonly<Agreed>
  readonly sendBytesMax: number
  /** Of the last Login Response. */
  readonly statSn: number
  readonly host: ConnectionHost
}

/** PDUs that always have a StatSN of their own. */
const statusOpcodes: ReadonlySet<number> = new Set([
  Opcode.scsiResponse,
  Opcode.taskManagementResponse,
  Opcode.textResponse,
  Opcode.logoutResponse,
  Opcode.reject,
  Opcode.asyncMessage,
])

/** True when a PDU takes a StatSN, so that it can be missing (4.2.2.2). */
export function takesStatSn({ bytes, at }: Pick<ReceivedPdu, 'bytes' | 'at'>): boolean {
  const opcode = bytes[at] & opcodeMask
  if (opcode === Opcode.dataIn) return (bytes[at + headerOffset.flags] & DataInFlags.status) !== 0
  return opcode === Opcode.nopIn ? word(bytes, at + headerOffset.initiatorTaskTag) !== reservedTag : statusOpcodes.has(opcode)
}

/** See the file. */
export class Connection implements Sender, TransportOwner {
  readonly cid: number
  readonly agreed: Readonly<Agreed>
  readonly sendBytesMax: number
  /** StatSN. */
  readonly statuses: ReceivedSequence
  /** It is up, and not to be used yet. */
  isReserved = false
  /** Tasks that have their allegiance here. */
  load = 0
  /** When a NOP-Out went out that has no answer yet, in ms. */
  pingedAtMs: number | undefined
  /** When the last answer to one came, in ms. */
  answeredAtMs = -Infinity
  readonly #transport: Transport
  readonly #host: ConnectionHost
  #state: ConnectionState = 'logged-in'

  constructor({ transport, cid, agreed, sendBytesMax, statSn, host }: ConnectionOptions) {
    this.cid = cid
    this.agreed = agreed
    this.sendBytesMax = sendBytesMax
    this.statuses = new ReceivedSequence(serialAdd(statSn, 1))
    this.#transport = transport
    this.#host = host
    transport.owner = this
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** True when commands may be sent on it. */
  get isReady(): boolean {
    return connectionStates[this.#state].carries && !this.isReserved
  }

  /** When something was received last, in ms. */
  get receivedAtMs(): number {
    return this.#transport.receivedAtMs
  }

  /** What to say that has come. */
  get expStatSn(): number {
    return this.statuses.isComplete && !this.statuses.isHeld ? this.statuses.next : this.statuses.expected
  }

  go(event: ConnectionEvent): void {
    this.#state = nextConnectionState(this.#state, event)
  }

  put<In>(layout: HeaderLayout<In>, value: In, parts?: PduParts): void {
    this.#transport.put(layout, value, parts)
  }

  received(pdu: ReceivedPdu): void {
    if (this.#state === 'cleanup-wait' || this.#state === 'free') return
    this.#host.received(this, pdu)
  }

  ended(error: Error | undefined): void {
    this.fail(error ?? new IscsiError('CONNECTION_LOST', 'the target closed the connection'))
  }

  /** Ends it because of an error: the host is told, once. */
  fail(error: Error): void {
    if (this.#state === 'cleanup-wait' || this.#state === 'free') return
    this.go('fail')
    this.#transport.destroy()
    this.#host.lost(this, error)
  }

  /** Ends it on purpose: nobody is told. */
  close(): void {
    if (this.#state !== 'free') {
      if (this.#state !== 'cleanup-wait') this.go('fail')
      this.go('clean')
    }
    this.#transport.destroy()
  }

  /** A NOP-Out: a ping when it has a tag, else the answer to a NOP-In. */
  nop(tag: number, answers?: { readonly lun: bigint; readonly transferTag: number }): void {
    this.put(NopOut, {
      lun: answers?.lun ?? 0n,
      initiatorTaskTag: tag,
      targetTransferTag: answers?.transferTag ?? reservedTag,
      cmdSn: this.#host.cmdSn,
      expStatSn: this.expStatSn,
    })
  }

  /** Asks for statuses that are missing. */
  snackStatuses(runs: readonly Run[]): void {
    for (const { begin, length } of runs) this.#snack(SnackType.status, { begRun: begin, runLength: length })
  }

  /** Asks for Data-Ins or R2Ts of a task; a length of 0 asks for all that follow. */
  snackNumbers(task: Task, runs: readonly Run[]): void {
    for (const { begin, length } of runs)
      this.#snack(SnackType.dataOrR2t, { lun: task.command.lun, initiatorTaskTag: task.tag, begRun: begin, runLength: length })
  }

  /** Says that all Data-Ins before `next` have come (11.16: DataACK). */
  acknowledgeData(of: { readonly lun: bigint; readonly targetTransferTag: number; readonly next: number }): void {
    this.#snack(SnackType.dataAck, { lun: of.lun, targetTransferTag: of.targetTransferTag, begRun: of.next })
  }

  #snack(type: SnackType, value: Omit<Parameters<typeof SnackRequest.toBytes>[0], 'flags' | 'expStatSn'>): void {
    this.put(SnackRequest, { ...value, flags: finalBit | type, expStatSn: this.expStatSn })
  }
}
