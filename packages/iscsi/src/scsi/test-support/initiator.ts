/** An initiator without a transport, for tests: CDBs as hex, results with their data. */
import { hex } from '@holdfast/wire'
import { memoryDevice } from '@holdfast/storage/block'
import type { UnitIdentity } from '../identity.ts'
import { LogicalUnit } from '../logical-unit.ts'
import type { LogicalUnitOptions } from '../logical-unit.ts'
import { iscsiTransportId } from '../reservations/transport-id.ts'
import { decodeSense, describeSense } from '../sense.ts'
import type { Sense } from '../sense.ts'
import { TaskAttribute } from '../status.ts'
import type { Nexus, ScsiTask, TaskResult } from '../task.ts'

/** Who a unit of a test is. */
export const testIdentity: UnitIdentity = {
  vendor: 'HOLDFAST',
  product: 'VOLUME',
  revision: '0001',
  serial: '0123456789abcdef',
  naa: hex('60123456789abcdef0123456789abcde'),
}

/** A nexus of the initiator and target port of those numbers. */
export function testNexus(initiator = 1, port = 1): Nexus {
  const name = `iqn.2026-11.example:host${initiator}`
  const isid = Buffer.from([0, 2, 0x3d, 0, 0, initiator])
  const initiatorPort = `${name},i,0x${isid.toString('hex')}`
  const targetPort = `iqn.2026-11.io.holdfast:disk0,t,0x${port.toString(16).padStart(4, '0')}`
  return {
    initiatorPort,
    initiatorName: name,
    targetPort,
    relativeTargetPort: port,
    transportId: iscsiTransportId(name, isid),
    key: `${initiatorPort} ${targetPort}`,
  }
}

/** A task with data-in in two pieces, as a transport may have it. */
export class TestTask implements ScsiTask {
  readonly nexus: Nexus
  readonly cdb: Buffer
  readonly attribute: number
  readonly dataOut: readonly Buffer[]
  readonly dataOutBytes: number
  readonly dataInLimitBytes: number
  isAborted = false
  received: Buffer[] = []

  constructor(nexus: Nexus, cdb: Buffer, options: { readonly dataOut?: Buffer; readonly attribute?: number; readonly limit?: number } = {}) {
    const { dataOut = Buffer.alloc(0), attribute = TaskAttribute.simple, limit = 1024 * 1024 } = options
    const half = dataOut.length >> 1
    this.nexus = nexus
    this.cdb = cdb
    this.attribute = attribute
    this.dataOut = dataOut.length === 0 ? [] : [dataOut.subarray(0, half), dataOut.subarray(half)]
    this.dataOutBytes = dataOut.length
    this.dataInLimitBytes = limit
  }

  dataIn(lengthBytes: number): readonly Buffer[] {
    const bytes = Buffer.alloc(Math.min(lengthBytes, this.dataInLimitBytes), 0xee)
    const half = bytes.length >> 1
    this.received = [bytes.subarray(0, half), bytes.subarray(half)]
    return this.received
  }
}

/** What came of a command. */
export interface Reply extends TaskResult {
  readonly data: Buffer
  /** Decoded; undefined without. */
  readonly error: Sense | undefined
  /** `ILLEGAL REQUEST: INVALID FIELD IN CDB`; empty without sense data. */
  readonly text: string
}

/** One initiator with a unit. */
export class TestInitiator {
  readonly unit: { execute(task: ScsiTask): TaskResult | Promise<TaskResult> }
  readonly nexus: Nexus

  constructor(unit: { execute(task: ScsiTask): TaskResult | Promise<TaskResult> }, nexus: Nexus) {
    this.unit = unit
    this.nexus = nexus
  }

  task(cdb: string | Buffer, options: ConstructorParameters<typeof TestTask>[2] = {}): TestTask {
    return new TestTask(this.nexus, typeof cdb === 'string' ? hex(cdb) : cdb, options)
  }

  /** Runs a command and waits for it. */
  async send(cdb: string | Buffer, dataOut?: string | Buffer): Promise<Reply> {
    const bytes = typeof dataOut === 'string' ? hex(dataOut) : dataOut
    return this.run(this.task(cdb, bytes === undefined ? {} : { dataOut: bytes }))
  }

  async run(task: TestTask): Promise<Reply> {
    const result = await this.unit.execute(task)
    const error = result.sense === undefined ? undefined : decodeSense(result.sense)
    return { ...result, data: Buffer.concat(task.received), error, text: error === undefined ? '' : describeSense(error) }
  }

  /** Hears all its unit attentions; returns them. */
  async attentions(): Promise<string[]> {
    const result: string[] = []
    for (;;) {
      const { text } = await this.send('000000000000')
      if (!text.startsWith('UNIT ATTENTION')) return result
      result.push(text.replace('UNIT ATTENTION: ', ''))
    }
  }
}

/** A unit on a disk in memory, with initiators that have heard their first unit attention. */
export async function testUnit(
  initiators: number,
  options: Partial<LogicalUnitOptions> = {},
): Promise<{ readonly unit: LogicalUnit; readonly initiators: readonly TestInitiator[] }> {
  const unit = new LogicalUnit({
    device: memoryDevice({ sizeBytes: 16 * 1024 * 1024 }),
    identity: testIdentity,
    onFault: error => {
      throw error
    },
    ...options,
  })
  const all = Array.from({ length: initiators }, (_, index) => new TestInitiator(unit, testNexus(index + 1)))
  for (const initiator of all) await initiator.attentions()
  return { unit, initiators: all }
}
