/**
 * Serves a disk that is kept compressed in memory: as a scratch disk it is larger than what it takes.
 *
 *     node examples/compressed-disk.ts 8            # 8 GiB, in at most 1 GiB of memory
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { BlockDeviceError, bytesOf, firstDifference } from '@holdfast/storage/block'
import type { BlockDevice, ProvisioningRun } from '@holdfast/storage/block'
import { serve } from 'holdfast'

/** What is compressed at a time: enough to find repetitions in, little enough to be taken apart for a write of 512 bytes. */
const blockBytes = 16_384
const zeros = Buffer.alloc(blockBytes)
const first = (offset: number): number => Math.floor(offset / blockBytes)

/**
 * Nothing here waits for anything. So every call is atomic against the others, as a BlockDevice has to be, and `readNow` and `writeNow` do all
 * of it. A device that has to wait returns false there, and does it in `read` and `write`.
 */
export class CompressedDisk implements BlockDevice {
  readonly sizeBytes: number
  readonly physicalBlockBytes = blockBytes
  readonly isReadOnly = false
  readonly isThin = true
  readonly #memoryBytes: number
  /** By number. Blocks that are not here are zeros. */
  readonly #blocks = new Map<number, Buffer>()
  #usedBytes = 0

  /** At most `memoryBytes` of compressed blocks. */
  constructor({ sizeBytes, memoryBytes }: { readonly sizeBytes: number; readonly memoryBytes: number }) {
    this.sizeBytes = sizeBytes
    this.#memoryBytes = memoryBytes
  }

  /** What the compressed blocks take. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  readNow(into: readonly Buffer[], offset: number): boolean {
    const bytes = this.#get(offset, bytesOf(into))
    let at = 0
    for (const buffer of into) at += bytes.copy(buffer, 0, at)
    return true
  }

  async read(into: readonly Buffer[], offset: number): Promise<void> {
    this.readNow(into, offset)
  }

  writeNow(from: readonly Buffer[], offset: number): boolean {
    const bytes = Buffer.concat(from)
    const next = new Map<number, Buffer>()
    for (let index = first(offset); index * blockBytes < offset + bytes.length; index++) {
      const begin = index * blockBytes
      const block = Buffer.from(this.#block(index))
      bytes.copy(block, Math.max(0, offset - begin), Math.max(0, begin - offset))
      next.set(index, zstdCompressSync(block))
    }
    return this.#take(next)
  }

  async write(from: readonly Buffer[], offset: number): Promise<void> {
    // Initiators are told SPACE ALLOCATION FAILED; Linux makes ENOSPC of it.
    if (!this.writeNow(from, offset)) throw new BlockDeviceError('NO_SPACE', { offset })
  }

  async flush(): Promise<void> {
    // Memory has nothing that is more stable.
  }

  async unmap(offset: number, lengthBytes: number): Promise<void> {
    for (let index = first(offset); index * blockBytes < offset + lengthBytes; index++) {
      const [from, to] = [Math.max(offset, index * blockBytes), Math.min(offset + lengthBytes, (index + 1) * blockBytes)]
      if (to - from === blockBytes) this.#forget(index)
      else if (this.#blocks.has(index)) await this.write([zeros.subarray(0, to - from)], from)
    }
  }

  async zero(offset: number, lengthBytes: number): Promise<void> {
    await this.write([Buffer.alloc(lengthBytes)], offset)
  }

  async compareAndWrite(expected: readonly Buffer[], from: readonly Buffer[], offset: number): Promise<number> {
    const mismatchAt = firstDifference(expected, [this.#get(offset, bytesOf(expected))])
    if (mismatchAt === -1) await this.write(from, offset)
    return mismatchAt
  }

  async orWrite(bits: readonly Buffer[], offset: number): Promise<void> {
    const bytes = this.#get(offset, bytesOf(bits))
    for (const [at, bit] of Buffer.concat(bits).entries()) bytes[at] |= bit
    await this.write([bytes], offset)
  }

  async provisioning(offset: number, lengthBytes: number, maxRuns: number): Promise<readonly ProvisioningRun[]> {
    const runs: ProvisioningRun[] = []
    const end = Math.min(offset + lengthBytes, this.sizeBytes)
    for (let at = offset; at < end && runs.length < maxRuns;) {
      const begin = at
      const isMapped = this.#blocks.has(first(at))
      while (at < end && this.#blocks.has(first(at)) === isMapped) at = Math.min(end, (first(at) + 1) * blockBytes)
      runs.push({ offset: begin, lengthBytes: at - begin, isMapped })
    }
    return runs
  }

  /** In bytes of the disk, not of memory: initiators reckon with what they have written. */
  async usage(): Promise<{ readonly usedBytes: number; readonly availableBytes: number }> {
    const usedBytes = this.#blocks.size * blockBytes
    return { usedBytes, availableBytes: this.sizeBytes - usedBytes }
  }

  onResize(): () => void {
    // It never grows.
    return () => {}
  }

  #block(index: number): Buffer {
    const compressed = this.#blocks.get(index)
    return compressed === undefined ? zeros : zstdDecompressSync(compressed)
  }

  #get(offset: number, lengthBytes: number): Buffer {
    const blocks: Buffer[] = []
    for (let index = first(offset); index * blockBytes < offset + lengthBytes; index++) blocks.push(this.#block(index))
    const within = offset % blockBytes
    return Buffer.concat(blocks).subarray(within, within + lengthBytes)
  }

  /** All of these blocks, or none where there is no room for them. */
  #take(next: ReadonlyMap<number, Buffer>): boolean {
    let usedBytes = this.#usedBytes
    for (const [index, { length }] of next) usedBytes += length - (this.#blocks.get(index)?.length ?? 0)
    if (usedBytes > this.#memoryBytes) return false
    for (const [index, block] of next) this.#blocks.set(index, block)
    this.#usedBytes = usedBytes
    return true
  }

  #forget(index: number): void {
    this.#usedBytes -= this.#blocks.get(index)?.length ?? 0
    this.#blocks.delete(index)
  }
}

if (import.meta.main) {
  const sizeBytes = Number(process.argv[2] ?? 8) * 2 ** 30
  const device = new CompressedDisk({ sizeBytes, memoryBytes: sizeBytes / 8 })
  const server = await serve({ volumes: { scratch: { device } }, users: { me: process.env['DISK_PASSWORD'] ?? 'change-me-please' } })
  console.log(`iscsi://me@${server.iscsi[0]}/iqn.2026-11.io.holdfast:scratch/0`)
}
