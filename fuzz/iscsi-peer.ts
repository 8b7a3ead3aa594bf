/** An initiator that keeps to the protocol as far as it wants to. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import {
  basicHeaderBytes,
  crc32c,
  DataOut,
  digestBytes,
  finalBit,
  formatText,
  LoginFlags,
  LoginRequest,
  LoginStage,
  loginStages,
  LogoutRequest,
  NopOut,
  noDigests,
  Opcode,
  opcodeOf,
  paddedBytes,
  parseText,
  pduLengthBytes,
  putDigest,
  ReadyToTransfer,
  ScsiCommand,
  ScsiCommandFlags,
  SnackRequest,
  TaskManagementRequest,
  TextRequest,
} from '@holdfast/iscsi/pdu'
import type { Digests, TextPair } from '@holdfast/iscsi/pdu'
import { mutate } from './mutate.ts'
import type { Random } from './random.ts'

/** CDBs to begin with: one of each kind that a disk knows, and the data-out that goes with it. */
const cdbs: readonly (readonly [cdb: string, dataOutBytes?: number])[] = [
  ['000000000000'],
  ['03000000ff00'],
  ['08000000 0100'],
  ['0a000000 0100', 512],
  ['120000006000'],
  ['12018300ff00'],
  ['1201b000ff00'],
  ['1501000018 00', 24],
  ['160000000000'],
  ['1a003f00ff00'],
  ['25000000000000000000'],
  ['28000000000000000800'],
  ['2a000000000000000800', 4096],
  ['2e000000000000000100', 512],
  ['2f000000000000000100'],
  ['35000000000000000000'],
  ['3c000000000000000000'],
  ['41080000000000000100', 512],
  ['42000000000000001800', 24],
  ['4d000000000000ff0000'],
  ['5a003f000000000000ff'],
  ['5e00000000000000ff00'],
  ['5f000000000000001800', 24],
  ['5f010000000000001800', 24],
  ['83010000000000000000000000300000', 48],
  ['84030000000000000000000000ff0000'],
  ['88000000000000000000000000080000'],
  ['89000000000000000000000000010000', 1024],
  ['8a000000000000000000000000080000', 4096],
  ['8b000000000000000000000000010000', 512],
  ['93080000000000000000000000080000', 512],
  ['9c000000000000000000000000080000', 4096],
  ['9e100000000000000000000000200000'],
  ['9e120000000000000000000000ff0000'],
  ['a000000000000000010000000000'],
  ['a30a00000000000001000000'],
  ['a30c00000000000010000000'],
  ['a40a00000000000008000000', 8],
  ['7f000000000000180009000000000000000000000000000000000000000000000000000001'],
]

const parsed = cdbs.map(([text, dataOutBytes = 0]) => ({ cdb: Buffer.from(text.replaceAll(' ', ''), 'hex'), dataOutBytes }))

/** How long a login may take, and how long the answer to anything else is waited for: often there is none. */
const loginMs = 5000
const answerMs = 15

/** One connection. */
export class IscsiPeer implements AsyncDisposable {
  readonly socket: Socket
  readonly #random: Random
  readonly #onSend: (pdu: Buffer) => void
  #digests: Digests = noDigests
  #bytes = Buffer.alloc(0)
  #cmdSn = 1
  #tag = 1
  #wake: () => void = () => undefined
  sent = 0

  private constructor(socket: Socket, random: Random, onSend: (pdu: Buffer) => void) {
    this.socket = socket
    this.#random = random
    this.#onSend = onSend
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes])
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => this.#wake())
  }

  static async connect(of: { host: string; port: number; localAddress: string; random: Random; onSend: (pdu: Buffer) => void }): Promise<IscsiPeer> {
    const socket = connect({ host: of.host, port: of.port, localAddress: of.localAddress, noDelay: true })
    await once(socket, 'connect')
    return new IscsiPeer(socket, of.random, of.onSend)
  }

  #put(header: Buffer, data: Buffer, isMutated: boolean): void {
    const start = basicHeaderBytes + (this.#digests.header ? digestBytes : 0)
    const end = start + paddedBytes(data.length)
    const pdu = Buffer.alloc(end + (this.#digests.data && data.length > 0 ? digestBytes : 0))
    const bhs = isMutated ? mutate(header, this.#random, { structured: false }) : header
    bhs.copy(pdu, 0, 0, Math.min(bhs.length, basicHeaderBytes))
    // A wrong length makes everything behind it another message: now and then that is wanted.
    if (!this.#random.chance(0.02)) {
      pdu[4] = 0
      pdu.writeUIntBE(data.length, 5, 3)
    }
    data.copy(pdu, start)
    if (this.#digests.header) putDigest(pdu, basicHeaderBytes, crc32c(pdu.subarray(0, basicHeaderBytes)))
    if (end < pdu.length) putDigest(pdu, end, crc32c(pdu.subarray(start, end)))
    this.sent++
    this.#onSend(pdu)
    this.socket.write(pdu)
  }

  async #receive(patienceMs = answerMs): Promise<Buffer | undefined> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const length = this.#bytes.length >= basicHeaderBytes ? pduLengthBytes(this.#bytes, 0, this.#digests) : Infinity
      if (this.#bytes.length >= length) {
        const pdu = this.#bytes.subarray(0, length)
        this.#bytes = this.#bytes.subarray(length)
        return pdu
      }
      if (this.socket.destroyed || performance.now() > deadline) return undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
        setTimeout(resolve, answerMs)
      })
    }
  }

  /** A login; with `isWild` its text and header may be anything. True when it succeeded. */
  async login(target: string, isWild: boolean): Promise<boolean> {
    const random = this.#random
    const pairs: TextPair[] = [
      ['InitiatorName', `iqn.2026-11.fuzz:${random.below(4)}`],
      ['TargetName', target],
      ['HeaderDigest', random.pick(['None', 'CRC32C', 'CRC32C,None'])],
      ['DataDigest', random.pick(['None', 'CRC32C', 'CRC32C,None'])],
      ['ErrorRecoveryLevel', String(random.below(3))],
      ['InitialR2T', random.pick(['Yes', 'No'])],
      ['ImmediateData', random.pick(['Yes', 'No'])],
      ['MaxRecvDataSegmentLength', String(random.pick([512, 8192, 262_144]))],
      ['MaxBurstLength', String(random.pick([512, 65_536, 1_048_576]))],
      ['DefaultTime2Wait', '0'],
      ['DefaultTime2Retain', '1'],
    ]
    const text = formatText(pairs)
    const header = LoginRequest.toBytes({
      flags: LoginFlags.transit | loginStages(random.pick([0, 1, 1, 1]), LoginStage.fullFeature),
      isid: Buffer.from([0x80, 0, 0, random.below(8), 0, 0]),
      tsih: isWild ? random.bits() & 0xffff : 0,
      initiatorTaskTag: 0,
      cid: random.below(2),
      cmdSn: this.#cmdSn,
    })
    this.#put(header, isWild ? mutate(text, random, { structured: false, most: 5 }) : text, isWild)
    const answer = await this.#receive(loginMs)
    if (answer === undefined || opcodeOf(answer) !== Opcode.loginResponse || answer.readUInt16BE(36) !== 0) return false
    if ((answer[1] & LoginFlags.transit) === 0) return false
    const agreed = new Map(parseText(answer.subarray(basicHeaderBytes, basicHeaderBytes + answer.readUIntBE(5, 3))))
    this.#digests = { header: agreed.get('HeaderDigest') === 'CRC32C', data: agreed.get('DataDigest') === 'CRC32C' }
    return true
  }

  /** Sends something, right or wrong, and looks at some answers. */
  async act(): Promise<void> {
    const random = this.#random
    const isMutated = random.chance(0.3)
    if (random.chance(0.7)) await this.#command(isMutated)
    else this.#put(this.#otherHeader(), random.bytes(random.pick([0, 0, 1, 48, 700])), isMutated)
  }

  async #command(isMutated: boolean): Promise<void> {
    const random = this.#random
    const { cdb, dataOutBytes } = random.pick(parsed)
    const changed = random.chance(0.6) ? mutate(cdb, random, { structured: false }) : cdb
    const isWrite = dataOutBytes > 0
    const expected = random.chance(0.2) ? random.pick([0, 1, 511, 512, 65_536, 0xffff_ffff]) : isWrite ? dataOutBytes : 4096
    const immediate =
      isWrite && random.chance(0.7) ? random.bytes(random.chance(0.8) ? dataOutBytes : random.below(2 * dataOutBytes)) : Buffer.alloc(0)
    const header = ScsiCommand.toBytes({
      flags: (random.chance(0.9) ? ScsiCommandFlags.final : 0) | (isWrite ? ScsiCommandFlags.write : ScsiCommandFlags.read) | random.below(8),
      lun: random.chance(0.95) ? 0n : BigInt(random.bits()),
      initiatorTaskTag: random.chance(0.95) ? this.#tag++ : random.below(this.#tag),
      expectedDataTransferLength: expected,
      cmdSn: random.chance(0.95) ? this.#cmdSn++ : random.bits(),
      expStatSn: random.bits(),
      cdb: Buffer.concat([changed, Buffer.alloc(16)], 16),
    })
    this.#put(header, immediate, isMutated)
    const answer = await this.#receive()
    if (answer !== undefined && opcodeOf(answer) === Opcode.readyToTransfer) this.#answerR2T(answer)
  }

  #answerR2T(pdu: Buffer): void {
    const random = this.#random
    const { initiatorTaskTag, targetTransferTag, bufferOffset, desiredDataTransferLength } = ReadyToTransfer.decode(pdu.subarray(0, basicHeaderBytes))
    const bytes = random.bytes(Math.min(65_536, random.chance(0.8) ? desiredDataTransferLength : random.below(desiredDataTransferLength + 600)))
    const header = DataOut.toBytes({ flags: finalBit, initiatorTaskTag, targetTransferTag, expStatSn: 0, dataSn: 0, bufferOffset })
    this.#put(header, bytes, random.chance(0.2))
  }

  #otherHeader(): Buffer {
    const random = this.#random
    const common = { initiatorTaskTag: this.#tag++, cmdSn: random.chance(0.9) ? this.#cmdSn : random.bits(), expStatSn: random.bits() }
    const referencedTaskTag = random.below(this.#tag)
    return random.pick([
      (): Buffer => NopOut.toBytes(common),
      (): Buffer => TaskManagementRequest.toBytes({ ...common, flags: finalBit | random.below(16), referencedTaskTag, refCmdSn: this.#cmdSn - 1 }),
      (): Buffer => TextRequest.toBytes({ ...common, flags: random.pick([0x80, 0x40, 0, 0xc0]) }),
      (): Buffer =>
        SnackRequest.toBytes({
          flags: finalBit | random.below(5),
          initiatorTaskTag: referencedTaskTag,
          expStatSn: 0,
          begRun: random.below(4),
          runLength: random.below(4),
        }),
      (): Buffer => LogoutRequest.toBytes({ ...common, flags: finalBit | (random.chance(0.1) ? random.below(3) : 2), cid: random.below(3) }),
      (): Buffer => DataOut.toBytes({ initiatorTaskTag: referencedTaskTag, expStatSn: 0, dataSn: random.below(3), bufferOffset: random.below(5000) }),
      (): Buffer => random.bytes(basicHeaderBytes),
    ])()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return
    const closed = once(this.socket, 'close')
    this.socket.destroy()
    await closed
  }
}
