/** Command numbering (RFC 7143 4.2.2.1): which CmdSN is next, and how far the target lets us go. */
import { serialAdd, serialBefore, serialDistance } from '../pdu/index.ts'

/** Of one session. */
export class CommandWindow {
  #cmdSn: number
  #expCmdSn: number
  #maxCmdSn: number

  /** `cmdSn` is that of the leading login, and of the first command. */
  constructor(cmdSn: number) {
    this.#cmdSn = cmdSn
    this.#expCmdSn = cmdSn
    this.#maxCmdSn = cmdSn
  }

  /** CmdSN of the next command; immediate ones carry it and do not take it. */
  get cmdSn(): number {
    return this.#cmdSn
  }

  /** The first CmdSN that the target has not got. */
  get expCmdSn(): number {
    return this.#expCmdSn
  }

  /** True when the target takes another command. */
  get isOpen(): boolean {
    return serialDistance(this.#cmdSn, this.#maxCmdSn) >= 0
  }

  /** How many commands the target takes. */
  get room(): number {
    return Math.max(0, serialDistance(this.#cmdSn, this.#maxCmdSn) + 1)
  }

  /** The CmdSN for a command. */
  take(): number {
    const taken = this.#cmdSn
    this.#cmdSn = serialAdd(taken, 1)
    return taken
  }

  /** Takes ExpCmdSN and MaxCmdSN of any PDU. Those of one that was overtaken change nothing, nor does a window that is none. */
  update(expCmdSn: number, maxCmdSn: number): void {
    if (serialDistance(expCmdSn, maxCmdSn) < -1) return
    if (serialBefore(this.#maxCmdSn, maxCmdSn)) this.#maxCmdSn = maxCmdSn
    // What we never sent cannot have come.
    if (serialBefore(this.#expCmdSn, expCmdSn) && !serialBefore(this.#cmdSn, expCmdSn)) this.#expCmdSn = expCmdSn
  }

  /** True when the target has the command with this CmdSN. */
  isAcknowledged(cmdSn: number): boolean {
    return serialBefore(cmdSn, this.#expCmdSn)
  }
}
