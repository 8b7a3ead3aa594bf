/**
 * Who decides where a connection's next request goes: the director's program, for requests that are known, or the agent. One of the two has the lead at a time, so that no request is sent on twice to
 * different owners, and what the agent knows of a connection is what there is, once it has taken the lead.
 */

import type { BpfProgram } from '@holdfast/posix/bpf'
import { FlowKey } from './entries.ts'
import { leadBytes, leadFields } from './programs/lead.ts'

/** Where the program has got to. One object is used again and again. */
export interface Lead {
  /** The client's sequence number at which its next request begins. */
  sequence: number
  /** What the client had acknowledged when the last one was sent on. */
  acknowledgement: number
}

/** Gives the lead, and takes it. */
export class RequestLead implements Disposable {
  readonly #giver: BpfProgram
  readonly #taker: BpfProgram
  readonly #given = Buffer.alloc(leadBytes)
  readonly #lead: Lead = { sequence: 0, acknowledgement: 0 }

  /** Programs that `giveLeadProgram` and `takeLeadProgram` make. */
  constructor(giver: BpfProgram, taker: BpfProgram) {
    this.#giver = giver
    this.#taker = taker
  }

  /** The program has it from now on, beginning with the request at `sequence`. False: there is no entry, or it is not `split`. */
  give(key: Buffer, sequence: number, acknowledgement: number): boolean {
    const given = this.#given
    key.copy(given, 0, 0, FlowKey.fixedSize)
    given.writeUInt32LE(sequence, leadFields.sequence)
    given.writeUInt32LE(acknowledgement, leadFields.acknowledgement)
    return this.#giver.run(given) === 0
  }

  /** The agent has it from now on; `forwardUntil` of the entry is where the program got to. Undefined: the program had it not. Good until the next. */
  take(key: Buffer): Lead | undefined {
    const given = this.#given
    key.copy(given, 0, 0, FlowKey.fixedSize)
    if (this.#taker.run(given) !== 0) return undefined
    this.#lead.sequence = given.readUInt32LE(leadFields.sequence)
    this.#lead.acknowledgement = given.readUInt32LE(leadFields.acknowledgement)
    return this.#lead
  }

  [Symbol.dispose](): void {
    this.#giver[Symbol.dispose]()
    this.#taker[Symbol.dispose]()
  }
}
