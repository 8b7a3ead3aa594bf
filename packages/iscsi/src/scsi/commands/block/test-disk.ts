/** For tests: a unit over memory, commands as their bytes, answers as what they say. */
import assert from 'node:assert/strict'
import { memoryDevice } from '@holdfast/storage/block'
import type { BlockDevice, BlockWriteOptions } from '@holdfast/storage/block'
import { AdditionalSense, SenseKey } from '../../additional-sense.ts'
import type { AdditionalSenseName, SenseKeyName } from '../../additional-sense.ts'
import { LogicalUnit } from '../../logical-unit.ts'
import type { LogicalUnitOptions } from '../../logical-unit.ts'
import { iscsiTransportId } from '../../reservations/transport-id.ts'
import { decodeSense } from '../../sense.ts'
import type { Sense } from '../../sense.ts'
import { Status, TaskAttribute } from '../../status.ts'
import type { Nexus, ScsiTask, TaskResult } from '../../task.ts'

/** Initiators told apart by a number. */
export function testNexus(number = 1): Nexus {
  const initiatorName = `iqn.2026-01.example:initiator-${number}`
  const isid = Buffer.from([0, 2, 0x3d, 0, 0, number])
  const initiatorPort = `${initiatorName},i,0x${isid.toString('hex')}`
  return {
    initiatorPort,
    initiatorName,
    targetPort: 'iqn.2026-01.example:target,t,0x0001',
    relativeTargetPort: 1,
    transportId: iscsiTransportId(initiatorName, isid),
    key: `${initiatorPort} 1`,
  }
}

/** What goes with a CDB. */
export interface Command {
  readonly cdb: Buffer
  readonly dataOut?: Buffer
  readonly dataOutOfferedBytes?: number
  readonly dataInLimitBytes?: number
  readonly nexus?: Nexus
  /** Data comes and goes in pieces of that size. Default: all in one. */
  readonly pieceBytes?: number
}

/** What came back. */
export interface Answer {
  readonly result: TaskResult
  /** What an initiator would have got, of the length it would believe. */
  readonly dataIn: Buffer
  readonly sense: Sense | undefined
}

const pieces = (bytes: Buffer, sizeBytes: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / sizeBytes) }, (_, index) => bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes))

/** A task as a transport makes it. Its data-in is full of EEh until somebody fills it. */
export class TestTask implements ScsiTask {
  readonly cdb: Buffer
  readonly nexus: Nexus
  readonly attribute = TaskAttribute.simple
  readonly dataOut: readonly Buffer[]
  readonly dataOutBytes: number
  readonly dataOutOfferedBytes: number
  readonly dataInLimitBytes: number
  isAborted = false
  received = Buffer.alloc(0)
  readonly #pieceBytes: number

  constructor(
    { cdb, dataOut = Buffer.alloc(0), dataOutOfferedBytes = dataOut.length, dataInLimitBytes = 1 << 30, nexus, pieceBytes = 1 << 30 }: Command,
    ownNexus: Nexus,
  ) {
    this.cdb = cdb
    this.nexus = nexus ?? ownNexus
    this.dataOut = pieces(dataOut, pieceBytes)
    this.dataOutBytes = dataOut.length
    this.dataOutOfferedBytes = dataOutOfferedBytes
    this.dataInLimitBytes = dataInLimitBytes
    this.#pieceBytes = pieceBytes
  }

  dataIn(lengthBytes: number): readonly Buffer[] {
    this.received = Buffer.alloc(Math.min(lengthBytes, this.dataInLimitBytes), 0xee)
    return pieces(this.received, this.#pieceBytes)
  }
}

/** A unit and a device under test. */
export class TestDisk<Device extends BlockDevice> {
  readonly device: Device
  readonly unit: LogicalUnit
  readonly nexus = testNexus()

  constructor(device: Device, options: Partial<LogicalUnitOptions> = {}) {
    this.device = device
    this.unit = new LogicalUnit({ device, identity: testIdentity, ...options })
    this.login(this.nexus)
  }

  /** Its POWER ON unit attention is told and forgotten. */
  login(nexus: Nexus): void {
    this.unit.addNexus(nexus)
    const told = this.unit.execute(new TestTask({ cdb: Buffer.alloc(6), nexus }, nexus))
    assert.equal((told as TaskResult).status, Status.checkCondition)
  }

  task(command: Command): TestTask {
    return new TestTask(command, this.nexus)
  }

  async run(command: Command): Promise<Answer> {
    const task = this.task(command)
    return answerOf(task, await this.unit.execute(task))
  }

  /** Runs what has to end well, and returns its data-in. */
  async good(cdb: Buffer, dataOut?: Buffer): Promise<Buffer> {
    const { result, dataIn, sense } = await this.run({ cdb, ...(dataOut === undefined ? {} : { dataOut }) })
    assert.equal(result.status, Status.good, JSON.stringify(sense))
    return dataIn
  }

  /** Runs what has to end with that sense data; what is not told must not be there. */
  async fails(command: Command | Buffer, key: SenseKeyName, code: AdditionalSenseName, details: Partial<Sense> = {}): Promise<void> {
    const { result, sense } = await this.run(Buffer.isBuffer(command) ? { cdb: command } : command)
    assert.equal(result.status, Status.checkCondition)
    assert.deepEqual(sense, { key: SenseKey[key], code: AdditionalSense[code], isDeferred: false, ...details })
  }

  /** INVALID FIELD IN CDB, at that byte. */
  async refuses(command: Command | Buffer, byte: number, bit?: number): Promise<void> {
    await this.fails(command, 'ILLEGAL REQUEST', 'INVALID FIELD IN CDB', { field: { in: 'cdb', byte, ...(bit === undefined ? {} : { bit }) } })
  }

  /** LOGICAL BLOCK ADDRESS OUT OF RANGE. */
  async outOfRange(command: Command | Buffer, information: number): Promise<void> {
    await this.fails(command, 'ILLEGAL REQUEST', 'LOGICAL BLOCK ADDRESS OUT OF RANGE', information <= 0xffffffff ? { information } : {})
  }
}

const answerOf = (task: TestTask, result: TaskResult): Answer => ({
  result,
  dataIn: task.received.subarray(0, result.dataInBytes),
  sense: result.sense === undefined ? undefined : decodeSense(result.sense),
})

/** NAA 6h. */
export const testIdentity = {
  vendor: 'HOLDFAST',
  product: 'VOLUME',
  revision: '0001',
  serial: 'test-1',
  naa: Buffer.from('6001405000000000000000000000abcd', 'hex'),
} as const

/** A disk of 1 MiB: 2,048 blocks of 512 bytes. */
export const smallDisk = (options: Partial<LogicalUnitOptions> = {}): TestDisk<ReturnType<typeof memoryDevice>> =>
  new TestDisk(memoryDevice({ sizeBytes: 1 << 20 }), options)

/** Block `n` of a pattern in which no two blocks are alike. */
export const patternBlocks = (first: number, blocks: number, blockBytes = 512): Buffer => {
  const bytes = Buffer.alloc(blocks * blockBytes)
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE((first * blockBytes + at + 0x1234) >>> 0, at)
  return bytes
}

/** CDBs of each size: opcode, byte 1, LBA, length. */
export const cdb6 = (opcode: number, lba: number, length: number): Buffer => Buffer.from([opcode, lba >> 16, lba >> 8, lba, length, 0])
/** CDB of 10 bytes. */
export function cdb10(opcode: number, flags: number, lba: number, length: number): Buffer {
  const cdb = Buffer.from([opcode, flags, 0, 0, 0, 0, 0, 0, 0, 0])
  cdb.writeUInt32BE(lba, 2)
  cdb.writeUInt16BE(length, 7)
  return cdb
}
/** CDB of 12 bytes. */
export function cdb12(opcode: number, flags: number, lba: number, length: number): Buffer {
  const cdb = Buffer.alloc(12)
  cdb.set([opcode, flags])
  cdb.writeUInt32BE(lba, 2)
  cdb.writeUInt32BE(length, 6)
  return cdb
}
/** CDB of 16 bytes. */
export function cdb16(opcode: number, flags: number, lba: number | bigint, length: number): Buffer {
  const cdb = Buffer.alloc(16)
  cdb.set([opcode, flags])
  cdb.writeBigUInt64BE(BigInt(lba), 2)
  cdb.writeUInt32BE(length, 10)
  return cdb
}
/** CDB of 32 bytes. */
export function cdb32(serviceAction: number, flags: number, lba: number | bigint, length: number): Buffer {
  const cdb = Buffer.alloc(32)
  cdb.set([0x7f, 0, 0, 0, 0, 0, 0, 0x18, 0, serviceAction, flags])
  cdb.writeBigUInt64BE(BigInt(lba), 12)
  cdb.writeUInt32BE(length, 28)
  return cdb
}

/** A device that does nothing at once, and counts what is asked of it. */
export class ProbeDevice implements BlockDevice {
  readonly calls: string[] = []
  readonly physicalBlockBytes = 4096
  isReadOnly = false
  isThin = true
  /** What the next call of that name fails with. */
  readonly failures = new Map<string, Error>()
  /** What calls of that name wait for. */
  readonly gates = new Map<string, Promise<unknown>>()
  readonly #inner

  constructor(sizeBytes = 1 << 20) {
    this.#inner = memoryDevice({ sizeBytes })
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes
  }

  async #call<Result>(name: string, text: string, work: () => Promise<Result>): Promise<Result> {
    this.calls.push(text)
    await this.gates.get(name)
    const failure = this.failures.get(name)
    this.failures.delete(name)
    if (failure !== undefined) throw failure
    return work()
  }

  readNow(): boolean {
    return false
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    return this.#call('read', `read ${offset}`, async () => this.#inner.read(into, offset))
  }

  writeNow(): boolean {
    return false
  }

  async write(from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    const text = `write ${offset}${options?.isAtomic === true ? ' atomic' : ''}${options?.isDurable === true ? ' durable' : ''}`
    return this.#call('write', text, async () => this.#inner.write(from, offset))
  }

  async flush(): Promise<void> {
    return this.#call('flush', 'flush', async () => this.#inner.flush())
  }

  async unmap(offset: number, lengthBytes: number): Promise<void> {
    return this.#call('unmap', `unmap ${offset} ${lengthBytes}`, async () => this.#inner.unmap(offset, lengthBytes))
  }

  async zero(offset: number, lengthBytes: number): Promise<void> {
    return this.#call('zero', `zero ${offset} ${lengthBytes}`, async () => this.#inner.zero(offset, lengthBytes))
  }

  async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<number> {
    const text = `compareAndWrite ${offset}${options?.isDurable === true ? ' durable' : ''}`
    return this.#call('compareAndWrite', text, async () => this.#inner.compareAndWrite(expected, from, offset))
  }

  async orWrite(bits: readonly Buffer[], offset: number, options?: BlockWriteOptions): Promise<void> {
    const text = `orWrite ${offset}${options?.isDurable === true ? ' durable' : ''}`
    return this.#call('orWrite', text, async () => this.#inner.orWrite(bits, offset))
  }

  async provisioning(offset: number, lengthBytes: number, maxRuns: number): ReturnType<BlockDevice['provisioning']> {
    return this.#inner.provisioning(offset, lengthBytes, maxRuns)
  }

  async usage(): ReturnType<BlockDevice['usage']> {
    return this.#inner.usage()
  }

  onResize(listener: (sizeBytes: number) => void): () => void {
    return this.#inner.onResize(listener)
  }
}
