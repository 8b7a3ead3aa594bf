/** A logical unit as a block device. */
import { UsageError } from '@holdfast/wire'
import { AdditionalSense } from '../../scsi/additional-sense.ts'
import type { Sense } from '../../scsi/sense.ts'
import { Status } from '../../scsi/status.ts'
import type { SessionOptions } from '../options.ts'
import { IscsiSession, lunField } from '../session.ts'
import type { SessionState } from '../states.ts'
import type { CommandResult } from '../task.ts'
import * as cdbs from './cdbs.ts'
import type { Blocks } from './cdbs.ts'
import { inspectDisk, readCapacity } from './inspect.ts'
import type { DiskCapacity, DiskIdentity, DiskLimits } from './inspect.ts'
import { withRetries } from './retry.ts'
import { scsiError } from './scsi-error.ts'

/** Bytes of one READ or WRITE, where the disk names no optimum: what MaxBurstLength offers. */
const transferBytes = 1 << 20
/** UNMAP descriptors in one command: its parameter list is counted by 16 bits. */
const unmapRangesMax = 4095
/** Blocks of one command: the field has 32 bits. */
const countMax = 0xffff_ffff

/** Settings of one call. */
export interface DiskCallOptions {
  /** Aborts it at the target too; then whether it was carried out cannot be told. */
  readonly signal?: AbortSignal
}

/** Settings of a write. */
export interface DiskWriteOptions extends DiskCallOptions {
  /** On stable storage when it resolves (FUA). */
  readonly fua?: boolean
}

/** A range of bytes. */
export interface ByteRange {
  readonly offset: number
  readonly lengthBytes: number
}

/** Data of a raw command. */
export interface RawCommandOptions extends DiskCallOptions {
  readonly dataOut?: Buffer
  /** Most bytes of data-in. */
  readonly dataInBytes?: number
  /** SAM-5 task attribute. */
  readonly attribute?: number
  /** True when it may be carried out twice; by default what is known of its opcode. */
  readonly isRepeatable?: boolean
}

/** Where a disk is, and which of the target's units: number 0 by default. */
export interface DiskOptions extends SessionOptions {
  readonly lun?: number
}

/** A disk's session is its own, or somebody else's. */
interface Attachment {
  readonly session: IscsiSession
  readonly ownsSession: boolean
  readonly lun: number
}

/**
 * A disk. Offsets and lengths are bytes and multiples of `blockBytes`. Calls may be made at the same time; what overlaps has no order. Long ones are
 * split as the disk likes it. Errors are `ScsiError` from the disk and `IscsiError` from the way to it, UsageError `unaligned` and `out-of-range`.
 *
 * @example
 * await using disk = await connectDisk({ ...portal, target: 'iqn.2026-11.io.holdfast:disk0', user: 'alice', password })
 * await disk.write(0, Buffer.alloc(4096, 'x'), { fua: true })
 * String(await disk.read(512, 512)).slice(0, 3) // => 'xxx'
 * await disk.unmap([{ offset: 0, lengthBytes: 4096 }])
 * await disk.flush()
 * @example
 * // A counter that several machines share: whoever has the old value writes the new one.
 * await using disk = await connectDisk({ ...portal, target: 'iqn.2026-11.io.holdfast:disk0', user: 'alice', password })
 * const before = await disk.read(0, disk.blockBytes)
 * const after = Buffer.from(before)
 * after.writeUInt32LE(before.readUInt32LE() + 1)
 * try {
 *   await disk.compareAndWrite(0, before, after, { fua: true })
 * } catch (error) {
 *   if (!(error instanceof ScsiError && error.code === 'MISCOMPARE')) throw error // somebody else was faster
 * }
 */
export class IscsiDisk implements AsyncDisposable {
  readonly identity: DiskIdentity
  readonly limits: DiskLimits
  readonly session: IscsiSession
  readonly lun: number
  readonly #lunField: bigint
  readonly #ownsSession: boolean
  #capacity: DiskCapacity
  #isCapacityStale = false

  private constructor({ session, ownsSession, lun }: Attachment, found: { identity: DiskIdentity; limits: DiskLimits; capacity: DiskCapacity }) {
    this.session = session
    this.#ownsSession = ownsSession
    this.lun = lun
    this.#lunField = lunField(lun)
    this.identity = found.identity
    this.limits = found.limits
    this.#capacity = found.capacity
  }

  /** Attaches to a unit of a session, which stays the caller's. Rejects with ScsiError, e.g. `NO_SUCH_UNIT`. */
  static async attach(session: IscsiSession, lun = 0): Promise<IscsiDisk> {
    return IscsiDisk.#attach({ session, ownsSession: false, lun })
  }

  /** See `connectDisk`. */
  static async connect({ lun = 0, ...options }: DiskOptions): Promise<IscsiDisk> {
    const session = await IscsiSession.connect(options)
    try {
      return await IscsiDisk.#attach({ session, ownsSession: true, lun })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  static async #attach(attachment: Attachment): Promise<IscsiDisk> {
    const { session, lun } = attachment
    const read = async (cdb: Buffer, allocationBytes: number): Promise<Buffer> => {
      const dataIn = Buffer.alloc(allocationBytes)
      const result = await withRetries(async () => session.execute({ lun: lunField(lun), cdb, dataIn, isRepeatable: true }))
      if (result.status !== Status.good) throw scsiError(cdbs.cdbKind(cdb).name, result.status, result.sense)
      return dataIn.subarray(0, result.dataInBytes)
    }
    const { identity, limits } = await inspectDisk(read)
    // A unit that is not there answers INQUIRY all the same (SPC-4 6.6.2), and this with LOGICAL UNIT NOT SUPPORTED.
    return new IscsiDisk(attachment, { identity, limits, capacity: await readCapacity(read) })
  }

  /** As READ CAPACITY said last; a disk that grew tells by a unit attention with the next command, see `refresh`. */
  get sizeBytes(): number {
    return this.#capacity.blocks * this.#capacity.blockBytes
  }

  get blockBytes(): number {
    return this.#capacity.blockBytes
  }

  get physicalBlockBytes(): number {
    return this.#capacity.physicalBlockBytes
  }

  /** `unmap` gives space back. */
  get isThin(): boolean {
    return this.#capacity.isThin
  }

  get state(): SessionState {
    return this.session.state
  }

  /** True when the disk said that its size has changed. */
  get isCapacityStale(): boolean {
    return this.#isCapacityStale
  }

  /** Asks for the size again. */
  async refresh(): Promise<void> {
    this.#isCapacityStale = false
    this.#capacity = await readCapacity(async (cdb, bytes) => (await this.execute(cdb, { dataInBytes: bytes })).data)
  }

  /** Reads so many bytes, or as many as a buffer has, into it. */
  async read(offset: number, into: number | Buffer, { signal }: DiskCallOptions = {}): Promise<Buffer> {
    const buffer = typeof into === 'number' ? Buffer.allocUnsafeSlow(into) : into
    await this.#inPieces(offset, buffer, async (blocks, dataIn) => this.#must(cdbs.read16(blocks), { dataIn, signal }))
    return buffer
  }

  /** Writes a buffer, which must stay as it is until then. */
  async write(offset: number, data: Buffer, { fua = false, signal }: DiskWriteOptions = {}): Promise<void> {
    await this.#inPieces(offset, data, async (blocks, dataOut) => this.#must(cdbs.write16(blocks, { fua }), { dataOut, signal }))
  }

  /** All that was written before the call is on stable storage when it resolves. */
  async flush({ signal }: DiskCallOptions = {}): Promise<void> {
    await this.#must(cdbs.synchronizeCache16(), { signal })
  }

  /** Gives the space of ranges back; what they read as then is the disk's affair (`readsZeros` of READ CAPACITY, as a rule). */
  async unmap(ranges: readonly ByteRange[], { signal }: DiskCallOptions = {}): Promise<void> {
    const { unmapBlocks, unmapRanges } = this.limits
    // A disk that takes UNMAP and names no limit takes what fits.
    const most = unmapBlocks === 0 ? countMax : Math.min(unmapBlocks, countMax)
    const atOnce = unmapRanges === 0 ? 1 : Math.min(unmapRanges, unmapRangesMax)
    let batch: Blocks[] = []
    let room = most
    const send = async (): Promise<void> => {
      const dataOut = cdbs.unmapParameters(batch)
      if (batch.length > 0) await this.#must(cdbs.unmap(dataOut.length), { dataOut, signal })
      batch = []
      room = most
    }
    for (const range of ranges) {
      let { lba, count } = this.#blocksOf(range.offset, range.lengthBytes)
      while (count > 0) {
        if (room === 0 || batch.length === atOnce) await send()
        const taken = Math.min(count, room)
        batch.push({ lba, count: taken })
        lba += taken
        count -= taken
        room -= taken
      }
    }
    await send()
  }

  /** Writes one block over and over. */
  async writeSame({ offset, lengthBytes }: ByteRange, block: Buffer, options: DiskCallOptions & { readonly unmap?: boolean } = {}): Promise<void> {
    if (block.length !== this.blockBytes) throw new UsageError('unaligned', `a block has ${this.blockBytes} bytes, not ${block.length}`)
    const { signal, unmap = false } = options
    const most = Math.min(this.limits.writeSameBlocks, countMax)
    for (let { lba, count } = this.#blocksOf(offset, lengthBytes); count > 0;) {
      const taken = Math.min(count, most)
      await this.#must(cdbs.writeSame16({ lba, count: taken }, { unmap }), { dataOut: block, signal })
      lba += taken
      count -= taken
    }
  }

  /** Makes a range read as zeros. With `unmap` it may give its space back. */
  async zero(range: ByteRange, options: DiskCallOptions & { readonly unmap?: boolean } = {}): Promise<void> {
    await this.writeSame(range, Buffer.alloc(this.blockBytes), options)
  }

  /**
   * Writes `data` if the disk holds `expected`, which is as long, and nobody comes between. Rejects with ScsiError `MISCOMPARE`, whose
   * `sense.information` is the first byte that differs. It is not repeated: `OUTCOME_UNKNOWN` when the connection is lost, ScsiError
   * `ABORTED_COMMAND` when the target does not know whether it came to its end.
   */
  async compareAndWrite(offset: number, expected: Buffer, data: Buffer, { fua = false, signal }: DiskWriteOptions = {}): Promise<void> {
    if (expected.length !== data.length) throw new UsageError('unaligned', 'what is expected and what is written are not of one length')
    const blocks = this.#blocksOf(offset, data.length)
    const most = this.limits.compareAndWriteBlocks
    if (blocks.count > most) throw new UsageError('out-of-range', `the disk compares and writes ${most} blocks at once, not ${blocks.count}`)
    await this.#must(cdbs.compareAndWrite(blocks, { fua }), { dataOut: Buffer.concat([expected, data]), signal, isRepeatable: false })
  }

  /**
   * Carries out any command. Rejects with ScsiError unless the status is GOOD or CONDITION MET; conditions that pass (busy, unit attentions)
   * are waited out.
   */
  async execute(
    cdb: Buffer,
    { dataOut, dataInBytes = 0, attribute, isRepeatable, signal }: RawCommandOptions = {},
  ): Promise<{
    readonly status: number
    readonly data: Buffer
    readonly residualBytes: number
  }> {
    const dataIn = dataInBytes === 0 ? undefined : Buffer.alloc(dataInBytes)
    const { status, dataInBytes: got, residualBytes } = await this.#must(cdb, { dataOut, dataIn, attribute, isRepeatable, signal })
    return { status, data: dataIn?.subarray(0, got) ?? Buffer.alloc(0), residualBytes }
  }

  /** Detaches; logs out when the session is the disk's own. */
  async close(): Promise<void> {
    if (this.#ownsSession) await this.session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #blocksOf(offset: number, lengthBytes: number): Blocks {
    const { blockBytes, sizeBytes } = this
    if (offset % blockBytes !== 0 || lengthBytes % blockBytes !== 0)
      throw new UsageError('unaligned', `${lengthBytes} bytes at ${offset} are no whole blocks of ${blockBytes} bytes`)
    // One that grew may have them: the disk itself will say.
    const isWithin = offset >= 0 && lengthBytes >= 0 && (this.#isCapacityStale || offset + lengthBytes <= sizeBytes)
    if (!isWithin) throw new UsageError('out-of-range', `${lengthBytes} bytes at ${offset} of a disk of ${sizeBytes}`)
    return { lba: offset / blockBytes, count: lengthBytes / blockBytes }
  }

  /** Carries out a transfer, in as many commands as the disk needs, all at the same time. */
  async #inPieces(offset: number, buffer: Buffer, each: (blocks: Blocks, piece: Buffer) => Promise<unknown>): Promise<void> {
    const all = this.#blocksOf(offset, buffer.length)
    const { blockBytes } = this
    const most = Math.max(1, Math.min(this.limits.transferBlocks, Math.floor(transferBytes / blockBytes)))
    if (all.count === 0) return
    if (all.count <= most) return void (await each(all, buffer))
    const pieces: Promise<unknown>[] = []
    for (let done = 0; done < all.count; done += most) {
      const count = Math.min(most, all.count - done)
      pieces.push(each({ lba: all.lba + done, count }, buffer.subarray(done * blockBytes, (done + count) * blockBytes)))
    }
    // The buffer is in use until the last has ended, whatever became of the others.
    const failed = (await Promise.allSettled(pieces)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  async #must(
    cdb: Buffer,
    of: {
      readonly dataOut?: Buffer | undefined
      readonly dataIn?: Buffer | undefined
      readonly attribute?: number | undefined
      readonly isRepeatable?: boolean | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<CommandResult> {
    const command = { ...of, lun: this.#lunField, cdb, isRepeatable: of.isRepeatable ?? cdbs.cdbKind(cdb).isRepeatable }
    let result = await this.session.execute(command)
    if (result.status !== Status.good) {
      let isFirst = true
      const again = async (): Promise<CommandResult> => {
        if (!isFirst) return this.session.execute(command)
        isFirst = false
        return result
      }
      result = await withRetries(again, {
        isRepeatable: command.isRepeatable,
        signal: of.signal,
        onUnitAttention: sense => this.#onUnitAttention(sense),
      })
    }
    if (result.status === Status.good || result.status === Status.conditionMet) return result
    throw scsiError(cdbs.cdbKind(cdb).name, result.status, result.sense)
  }

  #onUnitAttention({ code }: Sense): void {
    if (code === AdditionalSense['CAPACITY DATA HAS CHANGED']) this.#isCapacityStale = true
  }
}

/**
 * Connects to a target and attaches to a unit of its. Rejects with IscsiError: `CONNECTION_FAILED`, `TIMEOUT`, `AUTHENTICATION_FAILED`,
 * `NO_SUCH_TARGET`, …; with ScsiError: `NO_SUCH_UNIT`; with UsageError for options that make no sense; with the signal's reason.
 *
 * @example
 * await using disk = await connectDisk({
 *   ...portal, // { host: '192.0.2.1', port: 3260 }
 *   target: 'iqn.2026-11.io.holdfast:disk0',
 *   user: 'alice',
 *   password,
 *   onInterruption: ({ kind, pauseMs }) => console.log(kind, pauseMs), // restored 12
 * })
 * disk.sizeBytes // => 1073741824
 */
export async function connectDisk(options: DiskOptions): Promise<IscsiDisk> {
  return IscsiDisk.connect(options)
}
