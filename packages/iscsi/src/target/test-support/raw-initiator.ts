/** An initiator that sends whatever a test wants, and shows what comes back. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Struct } from '@holdfast/wire'
import {
  basicHeaderBytes,
  dataSegmentBytes,
  dataSegmentStart,
  digestBytes,
  formatText,
  layoutOf,
  LoginFlags,
  LoginRequest,
  LoginStage,
  loginStages,
  noDigests,
  Opcode,
  opcodeOf,
  paddedBytes,
  parseText,
  pduLengthBytes,
  ScsiCommand,
  ScsiCommandFlags,
  textMap,
} from '../../pdu/index.ts'
import type { Digests, TextPair } from '../../pdu/index.ts'
import { crc32c, putDigest } from '../../pdu/index.ts'

/** A PDU of the target. */
export interface Answer {
  readonly opcode: number
  /** Fields by the layout's names. */
  readonly fields: Readonly<Record<string, number | bigint>>
  readonly data: Buffer
}

const patienceMs = 5000

/** One connection. */
export class RawInitiator implements AsyncDisposable {
  readonly socket: Socket
  digests: Digests = noDigests
  cmdSn = 100
  #bytes = Buffer.alloc(0)
  #tag = 1
  isEnded = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => void (this.#bytes = Buffer.concat([this.#bytes, bytes])))
    socket.on('error', () => undefined)
    socket.on('close', () => void (this.isEnded = true))
  }

  static async connect(port: number): Promise<RawInitiator> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new RawInitiator(socket)
  }

  nextTag(): number {
    return this.#tag++
  }

  /** Sends a PDU; `spoil` may change its bytes. */
  send<In>(layout: Struct<unknown, In>, header: In, data: Buffer = Buffer.alloc(0), spoil?: (pdu: Buffer) => void): void {
    const start = basicHeaderBytes + (this.digests.header ? digestBytes : 0)
    const end = start + paddedBytes(data.length)
    const pdu = Buffer.alloc(end + (this.digests.data && data.length > 0 ? digestBytes : 0))
    layout.encode(header, pdu, 0)
    pdu.writeUIntBE(data.length, 5, 3)
    data.copy(pdu, start)
    if (this.digests.header) putDigest(pdu, basicHeaderBytes, crc32c(pdu.subarray(0, basicHeaderBytes)))
    if (end < pdu.length) putDigest(pdu, end, crc32c(pdu.subarray(start, end)))
    spoil?.(pdu)
    this.socket.write(pdu)
  }

  /** The next PDU of the target; undefined when it has closed the connection. */
  async receive(): Promise<Answer | undefined> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const length = this.#bytes.length >= basicHeaderBytes ? pduLengthBytes(this.#bytes, 0, this.digests) : Infinity
      if (this.#bytes.length >= length) return this.#take(length)
      if (this.isEnded) return undefined
      if (performance.now() > deadline) throw new Error('the target says nothing')
      await sleep(1)
    }
  }

  #take(length: number): Answer {
    const pdu = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    const opcode = opcodeOf(pdu)
    const start = dataSegmentStart(pdu, 0, this.digests)
    const fields = layoutOf(opcode)!.decode(pdu.subarray(0, basicHeaderBytes)) as Answer['fields']
    return { opcode, fields, data: pdu.subarray(start, start + dataSegmentBytes(pdu)) }
  }

  /** The next PDU, which must be there. */
  async expect(opcode: number): Promise<Answer> {
    const answer = await this.receive()
    if (answer?.opcode !== opcode) throw new Error(`${answer === undefined ? 'the end' : `opcode ${answer.opcode}`} instead of opcode ${opcode}`)
    return answer
  }

  /** One step of a login. */
  async login(
    pairs: readonly TextPair[],
    step: LoginStep = {},
  ): Promise<{ readonly status: number; readonly fields: Answer['fields']; readonly pairs: ReadonlyMap<string, string> }> {
    const { stage = LoginStage.operational, next = LoginStage.fullFeature, tsih = 0, cid = 1, isid = 1, header = {} } = step
    const flags =
      (step.isTransit === false ? loginStages(stage) : LoginFlags.transit | loginStages(stage, next)) |
      (step.continues === true ? LoginFlags.continue : 0)
    const isidBytes = Buffer.from([0x80, 0, 0, isid, 0, 0])
    this.send(LoginRequest, { flags, isid: isidBytes, tsih, initiatorTaskTag: 0, cid, cmdSn: this.cmdSn, ...header }, formatText(pairs))
    const answer = await this.expect(Opcode.loginResponse)
    return { status: Number(answer.fields['status']), fields: answer.fields, pairs: textMap(parseText(answer.data)) }
  }

  /** A SCSI command; its tag. */
  command(
    cdb: readonly number[],
    more: { expectedBytes?: number; isWrite?: boolean; data?: Buffer; cmdSn?: number; tag?: number; isFinal?: boolean } = {},
  ): number {
    const tag = more.tag ?? this.nextTag()
    const { expectedBytes = 0, isWrite = false, isFinal = true } = more
    const direction = expectedBytes === 0 ? 0 : isWrite ? ScsiCommandFlags.write : ScsiCommandFlags.read
    this.send(
      ScsiCommand,
      {
        flags: (isFinal ? ScsiCommandFlags.final : 0) | direction | 1,
        lun: 0n,
        initiatorTaskTag: tag,
        expectedDataTransferLength: expectedBytes,
        cmdSn: more.cmdSn ?? this.cmdSn++,
        expStatSn: 0,
        cdb: Buffer.concat([Buffer.from(cdb), Buffer.alloc(16)], 16),
      },
      more.data,
    )
    return tag
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isEnded) return
    const closed = once(this.socket, 'close')
    this.socket.destroy()
    await closed
  }
}

/** What a login request says besides its text. */
export interface LoginStep {
  readonly stage?: LoginStage
  readonly next?: LoginStage
  readonly isTransit?: boolean
  readonly continues?: boolean
  readonly tsih?: number
  readonly cid?: number
  /** One byte of the ISID. */
  readonly isid?: number
  readonly header?: { readonly versionMin?: number }
}
