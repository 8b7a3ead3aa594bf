import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDevice } from '@holdfast/storage/block'
import * as fc from 'fast-check'
import { AdditionalSense } from '../../additional-sense.ts'
import { Status } from '../../status.ts'
import { cdb10, cdb16, cdb32, TestDisk, testIdentity } from './test-disk.ts'
import type { Command } from './test-disk.ts'

const blockBytes = 512
const blocks = 64
const sizeBytes = blocks * blockBytes

/** The disk as an array of bytes. */
class Model {
  readonly bytes = Buffer.alloc(sizeBytes)
  /** Blocks that have been written, or zeroed with their space kept, and not been unmapped since. */
  readonly mapped = new Set<number>()

  range(lba: number, count: number): Buffer {
    return this.bytes.subarray(lba * blockBytes, (lba + count) * blockBytes)
  }

  store(lba: number, data: Buffer): void {
    data.copy(this.bytes, lba * blockBytes)
    for (let index = 0; index < data.length / blockBytes; index++) this.mapped.add(lba + index)
  }

  unmap(lba: number, count: number): void {
    this.range(lba, count).fill(0)
    for (let index = 0; index < count; index++) this.mapped.delete(lba + index)
  }
}

/** A command, what it does to the model, and how it has to end. */
interface Step {
  readonly name: string
  command(model: Model): Command
  /** Returns the code of the sense data it ends with; 0 for GOOD. Data-in is compared with `expected`. */
  apply(model: Model): { readonly code: number; readonly information?: number; readonly expected?: Buffer }
}

interface Parameters {
  readonly lba: number
  readonly count: number
  readonly seed: number
  readonly pieceBytes: number
}

const outOfRange = AdditionalSense['LOGICAL BLOCK ADDRESS OUT OF RANGE']
const miscompare = AdditionalSense['MISCOMPARE DURING VERIFY OPERATION']

const dataOf = ({ count, seed }: Parameters): Buffer => {
  const data = Buffer.alloc(count * blockBytes)
  for (let index = 0; index < data.length; index++) data[index] = Math.imul(index + 1, seed) >>> 13
  return data
}

/** Runs `change` where the blocks are there; else the command fails and nothing changes. */
function inRange({ lba, count }: Parameters, change: () => ReturnType<Step['apply']> | void): ReturnType<Step['apply']> {
  if (lba + count > blocks) return { code: outOfRange, information: Math.max(lba, blocks) }
  return change() ?? { code: 0 }
}

type Maker = (parameters: Parameters) => Step

const write =
  (name: string, cdbOf: (lba: number, count: number) => Buffer): Maker =>
  parameters => ({
    name: `${name} ${parameters.lba}+${parameters.count}`,
    command: () => ({ cdb: cdbOf(parameters.lba, parameters.count), dataOut: dataOf(parameters), pieceBytes: parameters.pieceBytes }),
    apply: model => inRange(parameters, () => model.store(parameters.lba, dataOf(parameters))),
  })

const read =
  (name: string, cdbOf: (lba: number, count: number) => Buffer): Maker =>
  parameters => ({
    name: `${name} ${parameters.lba}+${parameters.count}`,
    command: () => ({ cdb: cdbOf(parameters.lba, parameters.count), pieceBytes: parameters.pieceBytes }),
    apply: model => inRange(parameters, () => ({ code: 0, expected: Buffer.from(model.range(parameters.lba, parameters.count)) })),
  })

const writeAtomicCdb = (lba: number, count: number): Buffer => {
  const cdb = cdb16(0x9c, 0, lba, 0)
  cdb.writeUInt16BE(count, 12)
  return cdb
}

/** Zeros one time in two. */
const sameBlock = (parameters: Parameters): Buffer => (parameters.seed % 2 === 0 ? Buffer.alloc(blockBytes) : dataOf({ ...parameters, count: 1 }))

const writeSame =
  (flags: number): Maker =>
  given => {
    const parameters = { ...given, count: Math.max(1, given.count) }
    const block = sameBlock(parameters)
    return {
      name: `WRITE SAME ${flags.toString(16)} ${parameters.lba}+${parameters.count}`,
      command: () => ({ cdb: cdb16(0x93, flags, parameters.lba, parameters.count), dataOut: block, pieceBytes: parameters.pieceBytes }),
      apply: model =>
        inRange(parameters, () => {
          const isUnmapped = flags === 0x08 && block.every(byte => byte === 0)
          if (isUnmapped) model.unmap(parameters.lba, parameters.count)
          else model.store(parameters.lba, Buffer.alloc(parameters.count * blockBytes, block))
        }),
    }
  }

const unmap: Maker = parameters => ({
  name: `UNMAP ${parameters.lba}+${parameters.count}`,
  command() {
    const list = Buffer.alloc(24)
    list.writeUInt16BE(22, 0)
    list.writeUInt16BE(16, 2)
    list.writeBigUInt64BE(BigInt(parameters.lba), 8)
    list.writeUInt32BE(parameters.count, 16)
    const cdb = cdb10(0x42, 0, 0, 24)
    return { cdb, dataOut: list, pieceBytes: parameters.pieceBytes }
  },
  apply: model => (parameters.count === 0 ? { code: 0 } : inRange(parameters, () => model.unmap(parameters.lba, parameters.count))),
})

/** Every other one expects what is there. */
const compareAndWrite: Maker = given => {
  const parameters = { ...given, lba: given.lba % blocks, count: Math.max(1, Math.min(given.count, blocks - (given.lba % blocks))) }
  const at = given.seed % (parameters.count * blockBytes)
  const isWrong = given.seed % 3 === 0
  return {
    name: `COMPARE AND WRITE ${parameters.lba}+${parameters.count}${isWrong ? ` wrong at ${at}` : ''}`,
    command(model) {
      const cdb = cdb16(0x89, 0, parameters.lba, 0)
      cdb[13] = parameters.count
      const expected = Buffer.from(model.range(parameters.lba, parameters.count))
      if (isWrong) expected[at] ^= 0xff
      return { cdb, dataOut: Buffer.concat([expected, dataOf(parameters)]), pieceBytes: parameters.pieceBytes }
    },
    apply(model) {
      if (isWrong) return { code: miscompare, information: at }
      model.store(parameters.lba, dataOf(parameters))
      return { code: 0 }
    },
  }
}

const orWrite: Maker = parameters => ({
  name: `ORWRITE ${parameters.lba}+${parameters.count}`,
  command: () => ({ cdb: cdb16(0x8b, 0, parameters.lba, parameters.count), dataOut: dataOf(parameters), pieceBytes: parameters.pieceBytes }),
  apply: model =>
    inRange(parameters, () => {
      const bits = dataOf(parameters)
      const before = model.range(parameters.lba, parameters.count)
      model.store(parameters.lba, Buffer.from(bits.map((byte, index) => byte | before[index])))
    }),
})

const verify: Maker = parameters => {
  const at = parameters.seed % Math.max(1, parameters.count * blockBytes)
  const isWrong = parameters.seed % 3 === 0 && parameters.count > 0
  return {
    name: `VERIFY ${parameters.lba}+${parameters.count}`,
    command(model) {
      const expected = Buffer.alloc(parameters.count * blockBytes)
      model.range(parameters.lba, parameters.count).copy(expected)
      if (isWrong) expected[at] ^= 0x01
      return { cdb: cdb10(0x2f, 0x02, parameters.lba, parameters.count), dataOut: expected, pieceBytes: parameters.pieceBytes }
    },
    apply: () => inRange(parameters, () => (isWrong ? { code: miscompare, information: at } : undefined)),
  }
}

/** One segment, from where the seed says to `lba`. */
const extendedCopy: Maker = parameters => {
  const from = parameters.seed % (blocks + 4)
  return {
    name: `EXTENDED COPY ${from}+${parameters.count} -> ${parameters.lba}`,
    command() {
      const list = Buffer.alloc(16 + 32 + 28)
      list.writeUInt16BE(32, 2)
      list.writeUInt32BE(28, 8)
      list.set([0xe4, 0, 0, 0, 1, 3, 0, testIdentity.naa.length], 16)
      testIdentity.naa.copy(list, 24)
      list.writeUIntBE(blockBytes, 45, 3)
      list.set([0x02, 0, 0, 24], 48)
      list.writeUInt16BE(parameters.count, 58)
      list.writeBigUInt64BE(BigInt(from), 60)
      list.writeBigUInt64BE(BigInt(parameters.lba), 68)
      return { cdb: cdb16(0x83, 0, 0, list.length), dataOut: list, pieceBytes: parameters.pieceBytes }
    },
    apply(model) {
      const isThere = from + parameters.count <= blocks && parameters.lba + parameters.count <= blocks
      if (!isThere) return { code: -1 }
      const isStored = Array.from({ length: parameters.count }, (_, index) => model.mapped.has(from + index))
      // What is not stored is not stored afterwards either, as far as physical blocks go.
      if (isStored.includes(true)) model.store(parameters.lba, Buffer.from(model.range(from, parameters.count)))
      else model.unmap(parameters.lba, parameters.count)
      return { code: 0 }
    },
  }
}

const makers: readonly Maker[] = [
  write('WRITE (10)', (lba, count) => cdb10(0x2a, 0, lba, count)),
  write('WRITE (16) FUA', (lba, count) => cdb16(0x8a, 0x08, lba, count)),
  write('WRITE (32)', (lba, count) => cdb32(0x000b, 0, lba, count)),
  write('WRITE AND VERIFY', (lba, count) => cdb10(0x2e, 0x02, lba, count)),
  write('WRITE ATOMIC', writeAtomicCdb),
  read('READ (10)', (lba, count) => cdb10(0x28, 0, lba, count)),
  read('READ (16) FUA', (lba, count) => cdb16(0x88, 0x08, lba, count)),
  read('READ (32)', (lba, count) => cdb32(0x0009, 0, lba, count)),
  writeSame(0x00),
  writeSame(0x08),
  writeSame(0x18),
  unmap,
  compareAndWrite,
  orWrite,
  verify,
  extendedCopy,
]

const steps = fc.array(
  fc
    .record({
      maker: fc.constantFrom(...makers),
      lba: fc.integer({ min: 0, max: blocks + 2 }),
      count: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: blocks })),
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      pieceBytes: fc.constantFrom(1 << 30, 512, 700, 4096),
    })
    .map(({ maker, ...parameters }) => maker(parameters)),
  { minLength: 1, maxLength: 40, size: 'max' },
)

/** GET LBA STATUS: what is stored is mapped, and what is deallocated reads as zeros. */
async function checkStatus(disk: TestDisk<ReturnType<typeof memoryDevice>>, model: Model): Promise<void> {
  const data = await disk.good(cdb16(0x9e, 0x12, 0, 8 + 16 * blocks))
  let next = 0
  for (let at = 8; at < data.length; at += 16) {
    const [lba, count, status] = [Number(data.readBigUInt64BE(at)), data.readUInt32BE(at + 8), data[at + 12]]
    assert.equal(lba, next)
    next += count
    if (status === 0) continue
    for (let index = lba; index < next; index++) assert.ok(!model.mapped.has(index), `block ${index} is deallocated`)
    assert.ok(model.range(lba, count).every(byte => byte === 0))
  }
  assert.equal(next, blocks)
}

test('random commands leave a disk as they leave an array of bytes', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async list => {
      const disk = new TestDisk(memoryDevice({ sizeBytes }))
      const model = new Model()
      for (const step of list) {
        const command = step.command(model)
        const { code, information, expected } = step.apply(model)
        const { result, dataIn, sense } = await disk.run(command)
        assert.equal(result.status, code === 0 ? Status.good : Status.checkCondition, step.name)
        if (code > 0) assert.deepEqual([sense?.code, sense?.information], [code, information], step.name)
        if (expected !== undefined) assert.ok(dataIn.equals(expected), step.name)
      }
      const whole = await disk.good(cdb10(0x28, 0, 0, blocks))
      assert.ok(whole.equals(model.bytes))
      await checkStatus(disk, model)
    }),
    { numRuns: 300 },
  )
})
