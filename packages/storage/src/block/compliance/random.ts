/** Anything in any order, against a model that is a buffer. */
import assert from 'node:assert/strict'
import type { BlockDevice } from '../block-device.ts'
import { assertRuns } from './provisioning.ts'
import { assertSame, contentOf, cutAt } from './scope.ts'
import type { BlockDeviceUnderTest } from './scope.ts'

const sectorBytes = 512
const maxSnapshots = 4
const maxBytes = 8 << 20

/** Numbers that the seed alone decides (mulberry32). */
class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** From 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }
}

/** What happened so far: it stands in the message of a failure. */
class Run {
  readonly random: Random
  readonly subject: BlockDeviceUnderTest
  readonly snapshots = new Map<string, Buffer>()
  device: BlockDevice
  model: Buffer
  #count = 0
  readonly #log: string[] = []

  constructor(subject: BlockDeviceUnderTest, seed: number) {
    this.subject = subject
    this.random = new Random(seed)
    this.device = subject.device
    this.model = Buffer.alloc(subject.device.sizeBytes)
  }

  note(what: string): void {
    this.#count++
    this.#log.push(`${this.#count}: ${what}`)
  }

  history(): string {
    return this.#log.slice(-40).join('\n')
  }

  /** Small as a rule, and near places where pieces of the device may meet. */
  range(): { offset: number; lengthBytes: number } {
    const { random } = this
    const most = random.pick([sectorBytes, 4096, 16_384, 65_536, 262_144, 1 << 20])
    const lengthBytes = sectorBytes * (1 + random.below(most / sectorBytes))
    const near = random.below(2) === 0 ? random.below(this.model.length) : 65_536 * random.below(this.model.length / 65_536) - lengthBytes / 2
    const offset = Math.max(0, Math.min(near - (near % sectorBytes), this.model.length - lengthBytes))
    const aligned = random.below(3) === 0 ? offset - (offset % 4096) : offset
    return { offset: aligned, lengthBytes: Math.min(lengthBytes, this.model.length - aligned) }
  }

  bytes(lengthBytes: number): Buffer {
    const bytes = Buffer.allocUnsafe(lengthBytes)
    const value = this.random.below(4) === 0 ? 0 : 1 + this.random.below(255)
    for (let at = 0; at < lengthBytes; at += sectorBytes) bytes.fill(value === 0 ? 0 : (value + at / sectorBytes) % 256, at, at + sectorBytes)
    return bytes
  }

  cut(bytes: Buffer): Buffer[] {
    const places = Array.from({ length: this.random.below(4) }, () => this.random.below(bytes.length))
    return cutAt(
      bytes,
      places.sort((a, b) => a - b),
    )
  }
}

type Step = (run: Run) => Promise<void>

const write: Step = async run => {
  const { offset, lengthBytes } = run.range()
  const bytes = run.bytes(lengthBytes)
  const isDurable = run.random.below(8) === 0
  const isNow = run.random.below(2) === 0
  run.note(`write ${lengthBytes} at ${offset}${isDurable ? ', durable' : isNow ? ', now' : ''}`)
  const parts = run.cut(bytes)
  if (isDurable || !isNow || !run.device.writeNow(parts, offset)) await run.device.write(parts, offset, { isDurable })
  bytes.copy(run.model, offset)
}

const writeAtomic: Step = async run => {
  const { offset, lengthBytes } = run.range()
  const { maximumAtomicBytes, physicalBlockBytes } = run.device
  const most = maximumAtomicBytes ?? physicalBlockBytes - (offset % physicalBlockBytes)
  const bytes = run.bytes(Math.min(lengthBytes, most))
  run.note(`write ${bytes.length} at ${offset}, atomic`)
  await run.device.write(run.cut(bytes), offset, { isAtomic: true })
  bytes.copy(run.model, offset)
}

const read: Step = async run => {
  const { offset, lengthBytes } = run.range()
  run.note(`read ${lengthBytes} at ${offset}`)
  const into = Buffer.alloc(lengthBytes, 0xee)
  const parts = run.cut(into)
  if (run.random.below(2) === 0 || !run.device.readNow(parts, offset)) await run.device.read(parts, offset)
  assertSame(into, run.model.subarray(offset, offset + lengthBytes), `read at ${offset}`)
}

const clear =
  (how: 'unmap' | 'zero'): Step =>
  async run => {
    const { offset, lengthBytes } = run.range()
    run.note(`${how} ${lengthBytes} at ${offset}`)
    await run.device[how](offset, lengthBytes)
    run.model.fill(0, offset, offset + lengthBytes)
  }

const compareAndWrite: Step = async run => {
  const { offset, lengthBytes } = run.range()
  const expected = Buffer.from(run.model.subarray(offset, offset + lengthBytes))
  const mismatchAt = run.random.below(2) === 0 ? -1 : run.random.below(lengthBytes)
  if (mismatchAt >= 0) expected[mismatchAt] ^= 0x10
  const bytes = run.bytes(lengthBytes)
  run.note(`compareAndWrite ${lengthBytes} at ${offset}, mismatch at ${mismatchAt}`)
  assert.equal(await run.device.compareAndWrite(run.cut(expected), run.cut(bytes), offset), mismatchAt)
  if (mismatchAt < 0) bytes.copy(run.model, offset)
}

const orWrite: Step = async run => {
  const { offset, lengthBytes } = run.range()
  const bytes = run.bytes(lengthBytes)
  run.note(`orWrite ${lengthBytes} at ${offset}`)
  await run.device.orWrite(run.cut(bytes), offset)
  for (let at = 0; at < lengthBytes; at++) run.model[offset + at] |= bytes[at]
}

const provisioning: Step = async run => {
  const { offset, lengthBytes } = run.range()
  run.note(`provisioning of ${lengthBytes} at ${offset}`)
  const runs = await run.device.provisioning(offset, lengthBytes, 1 + run.random.below(20))
  assertRuns(runs, offset)
  for (const part of runs) {
    if (part.isMapped) continue
    const content = run.model.subarray(part.offset, part.offset + part.lengthBytes)
    assertSame(content, Buffer.alloc(content.length), `what is not mapped at ${part.offset}`)
  }
}

const flush: Step = async run => {
  run.note('flush')
  await run.device.flush()
}

const resize: Step = async run => {
  const sizeBytes = run.model.length + 4096 * run.random.below(512)
  if (sizeBytes > maxBytes) return
  run.note(`resize to ${sizeBytes}`)
  await run.subject.resize?.(sizeBytes)
  assert.equal(run.device.sizeBytes, sizeBytes)
  run.model = Buffer.concat([run.model, Buffer.alloc(sizeBytes - run.model.length)])
}

const snapshot: Step = async run => {
  if (run.snapshots.size === maxSnapshots) return
  const name = `s${run.random.below(1_000_000)}`
  if (run.snapshots.has(name)) return
  run.note(`snapshot ${name}`)
  await run.subject.snapshot?.(name)
  run.snapshots.set(name, Buffer.from(run.model))
}

const readSnapshot: Step = async run => {
  if (run.snapshots.size === 0) return
  const [name, expected] = run.random.pick([...run.snapshots])
  run.note(`read snapshot ${name}`)
  const device = await run.subject.openSnapshot!(name)
  assertSame(await contentOf(device), expected, `snapshot ${name}`)
}

const deleteSnapshot: Step = async run => {
  if (run.snapshots.size === 0) return
  const name = run.random.pick([...run.snapshots.keys()])
  run.note(`delete snapshot ${name}`)
  await run.subject.deleteSnapshot?.(name)
  run.snapshots.delete(name)
}

const reopen: Step = async run => {
  const isClean = run.random.below(2) === 0
  run.note(`reopen ${isClean ? 'after closing' : 'after an end'}`)
  run.device = await run.subject.reopen!(isClean)
  assertSame(await contentOf(run.device), run.model, 'after opening again')
}

const stepsOf = (subject: BlockDeviceUnderTest): readonly Step[] => {
  const each = (count: number, ...steps: Step[]): Step[] => steps.flatMap(step => Array.from({ length: count }, () => step))
  return [
    ...each(12, write, read),
    ...each(4, clear('unmap'), clear('zero'), writeAtomic, compareAndWrite, orWrite, provisioning),
    ...each(2, flush),
    ...each(1, ...(subject.resize ? [resize] : []), ...(subject.reopen ? [reopen] : [])),
    ...each(2, ...(subject.snapshot ? [snapshot, readSnapshot, deleteSnapshot] : [])),
  ]
}

/** Runs `steps` steps that `seed` decides; what differs from the model fails, with what was done last. */
export const runRandomSteps = async (
  subject: BlockDeviceUnderTest,
  { seed, steps }: { readonly seed: number; readonly steps: number },
): Promise<void> => {
  const run = new Run(subject, seed)
  const choices = stepsOf(subject)
  try {
    for (let done = 0; done < steps; done++) await run.random.pick(choices)(run)
    assertSame(await contentOf(run.device), run.model, 'at the end')
    for (const [name, expected] of run.snapshots)
      assertSame(await contentOf(await subject.openSnapshot!(name)), expected, `snapshot ${name} at the end`)
  } catch (error) {
    throw new Error(`with seed ${seed}: ${(error as Error).message}, after\n${run.history()}`, { cause: error })
  }
}
