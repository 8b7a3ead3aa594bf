/** What has been sent and not been acknowledged, so that it can be sent again (RFC 7143 7: error recovery levels 1 and 2). */
import { basicHeaderBytes, DataInFlags, headerOffset, Opcode, opcodeOf, reservedTag, serialBefore } from '../pdu/index.ts'

/** A PDU without its digests; numbers of the session are written anew when it is sent again. */
export interface RetainedPdu {
  readonly header: Buffer
  readonly data: Buffer
}

/** PDUs that take a StatSN whenever they are sent. */
const statusOpcodes: ReadonlySet<number> = new Set([
  Opcode.scsiResponse,
  Opcode.taskManagementResponse,
  Opcode.textResponse,
  Opcode.logoutResponse,
  Opcode.reject,
  Opcode.asyncMessage,
])

const tagOf = (header: Buffer): number => header.readUInt32BE(headerOffset.initiatorTaskTag)

/** Whether a PDU has a StatSN of its own. */
export function hasStatus(header: Buffer): boolean {
  const opcode = opcodeOf(header)
  if (opcode === Opcode.dataIn) return (header[headerOffset.flags] & DataInFlags.status) !== 0
  // A NOP-In of the target's own tells the next one.
  return opcode === Opcode.nopIn ? tagOf(header) !== reservedTag : statusOpcodes.has(opcode)
}

/** What one connection has sent. */
export class Retention {
  readonly #limitBytes: number
  #bytes = 0
  /** By StatSN, in order. */
  readonly #statuses = new Map<number, RetainedPdu>()
  /** Data-In and R2T, by task and in order of DataSN or R2TSN. */
  readonly #numbered = new Map<number, RetainedPdu[]>()

  /** Data beyond `limitBytes` is not kept: asked for again, it is refused. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Keeps a copy of a PDU that is about to go out. */
  keep(pdu: Buffer, dataStart: number, dataBytes: number): void {
    const header = Buffer.from(pdu.subarray(0, basicHeaderBytes))
    const opcode = opcodeOf(header)
    const isNumbered = opcode === Opcode.dataIn || opcode === Opcode.readyToTransfer
    if (!isNumbered && !hasStatus(header)) return
    if (isNumbered && this.#bytes + dataBytes > this.#limitBytes) return
    this.keepCopy({ header, data: Buffer.from(pdu.subarray(dataStart, dataStart + dataBytes)) })
  }

  /** Keeps a PDU that nobody else changes. */
  keepCopy(kept: RetainedPdu): void {
    const { header, data } = kept
    const opcode = opcodeOf(header)
    this.#bytes += data.length
    if (hasStatus(header)) this.#statuses.set(header.readUInt32BE(headerOffset.statSn), kept)
    if (opcode !== Opcode.dataIn && opcode !== Opcode.readyToTransfer) return
    const others = this.#numbered.get(tagOf(header))
    if (others === undefined) this.#numbered.set(tagOf(header), [kept])
    else others.push(kept)
  }

  /** The initiator has everything before `expStatSn`. */
  acknowledge(expStatSn: number): void {
    for (const [statSn, pdu] of this.#statuses) {
      if (!serialBefore(statSn, expStatSn)) return
      this.#statuses.delete(statSn)
      this.#forget(pdu)
    }
  }

  #forget(status: RetainedPdu): void {
    const tag = tagOf(status.header)
    const numbered = this.#numbered.get(tag) ?? []
    this.#numbered.delete(tag)
    for (const { data } of new Set([...numbered, status])) this.#bytes -= data.length
  }

  /** Data-In or R2T PDUs of a task from `first` on; all where `count` is 0. Undefined when one is not there (any more). */
  numbered(tag: number, first: number, count: number): readonly RetainedPdu[] | undefined {
    const found = (this.#numbered.get(tag) ?? []).filter(({ header }) => {
      const sn = header.readUInt32BE(headerOffset.dataSn)
      return sn >= first && (count === 0 || sn < first + count)
    })
    return found.length === 0 || (count > 0 && found.length < count) ? undefined : found
  }

  /** Responses from StatSN `first` on, likewise. */
  statuses(first: number, count: number): readonly RetainedPdu[] | undefined {
    const found: RetainedPdu[] = []
    for (const [statSn, pdu] of this.#statuses) if (!serialBefore(statSn, first) && (count === 0 || found.length < count)) found.push(pdu)
    return found.length === 0 || (count > 0 && found.length < count) ? undefined : found
  }

  /** The response of a task that has not been acknowledged, and its Data-Ins from `firstData` on. */
  response(tag: number, firstData: number): readonly RetainedPdu[] | undefined {
    const status = [...this.#statuses.values()].find(({ header }) => tagOf(header) === tag)
    if (status === undefined) return undefined
    const data = (this.numbered(tag, firstData, 0) ?? []).filter(({ header }) => opcodeOf(header) === Opcode.dataIn)
    return data.includes(status) ? data : [...data, status]
  }
}
