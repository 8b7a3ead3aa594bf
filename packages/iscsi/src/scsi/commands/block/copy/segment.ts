/** One segment of a copy: what it means, and copying it. */
import type { BlockDevice } from '@holdfast/storage/block'
import type { LogicalUnit } from '../../../logical-unit.ts'
import { CheckCondition } from '../../../sense.ts'
import type { AdditionalSenseName } from '../../../additional-sense.ts'
import { chunkBytes, chunks } from '../transfer.ts'
import { copyLimits, DescriptorType } from './limits.ts'
import type { CopyParameters, SegmentDescriptor } from './parameter-list.ts'

/** A range of a device to a range of a device, in bytes. */
export interface CopyRange {
  readonly source: BlockDevice
  readonly sourceOffset: number
  readonly destination: BlockDevice
  readonly destinationOffset: number
  readonly lengthBytes: number
}

/** The logical unit of the copy manager (SPC-4 table 'CSCD DESCRIPTOR ID'). */
const copyManagerId = 0xffff
const granularityBytes = 2 ** copyLimits.dataSegmentGranularity
/** Chunks that are read and written at once. */
const concurrentChunks = 4

/** COPY ABORTED, with the number of the segment in COMMAND-SPECIFIC INFORMATION (SPC-4 5.17.7.4). */
export const copyAborted = (name: AdditionalSenseName, segment: number): CheckCondition =>
  new CheckCondition('COPY ABORTED', name, { commandSpecific: segment })

interface Cscd {
  readonly device: BlockDevice
  readonly blockBytes: number
  readonly isReadOnly: boolean
}

/** Who asks for a copy, and for which. */
interface CopyRequest {
  readonly unit: LogicalUnit
  readonly parameters: CopyParameters
  readonly initiatorName: string
}

/** The device that a CSCD DESCRIPTOR ID means: this unit's, or one that the unit's owner knows. */
async function cscdOf({ unit, parameters, initiatorName }: CopyRequest, id: number, access: 'read' | 'write'): Promise<Cscd | undefined> {
  const own: Cscd = { device: unit.device, blockBytes: unit.blockBytes, isReadOnly: unit.isReadOnly }
  if (id === copyManagerId) return own
  const descriptor = parameters.cscds[id]
  if (descriptor === undefined) return undefined
  const { designator, blockBytes } = descriptor
  if (designator.equals(unit.identity.naa)) return own
  const device = await unit.copyTargets({ designator, initiatorName, access })
  return device === undefined ? undefined : { device, blockBytes, isReadOnly: device.isReadOnly }
}

function lengthOf(segment: SegmentDescriptor, source: Cscd, destination: Cscd): number {
  if (segment.type === DescriptorType.blockToBlockWithOffset) return segment.count
  return segment.count * (segment.countsDestination ? destination : source).blockBytes
}

/** What a segment descriptor means. Rejects with COPY ABORTED. */
export async function rangeOf(request: CopyRequest, index: number): Promise<CopyRange> {
  const segment = request.parameters.segments[index]
  const source = await cscdOf(request, segment.source, 'read')
  const destination = await cscdOf(request, segment.destination, 'write')
  if (source === undefined || destination === undefined) throw copyAborted('UNREACHABLE COPY TARGET', index)
  if (destination.isReadOnly) throw copyAborted('INVALID OPERATION FOR COPY SOURCE OR DESTINATION', index)
  const range: CopyRange = {
    source: source.device,
    sourceOffset: segment.sourceLba * source.blockBytes + segment.sourceOffset,
    destination: destination.device,
    destinationOffset: segment.destinationLba * destination.blockBytes + segment.destinationOffset,
    lengthBytes: lengthOf(segment, source, destination),
  }
  assertRange(range, index)
  return range
}

function assertRange({ source, sourceOffset, destination, destinationOffset, lengthBytes }: CopyRange, index: number): void {
  const isCoarse = [sourceOffset, destinationOffset, lengthBytes].every(bytes => bytes % granularityBytes === 0)
  if (!isCoarse || lengthBytes > copyLimits.maxSegmentBytes) throw copyAborted('COPY SEGMENT GRANULARITY VIOLATION', index)
  // What the device server of source or destination would say, LOGICAL BLOCK ADDRESS OUT OF RANGE, is told without its code.
  const isInRange = sourceOffset + lengthBytes <= source.sizeBytes && destinationOffset + lengthBytes <= destination.sizeBytes
  if (!isInRange) throw copyAborted('NO ADDITIONAL SENSE INFORMATION', index)
}

interface Chunk {
  readonly at: number
  readonly lengthBytes: number
}

/** Chunks that may be copied at once, in the order of the batches. Ranges of one device that overlap go one by one, from the end that is safe. */
function batchesOf({ source, sourceOffset, destination, destinationOffset, lengthBytes }: CopyRange): Chunk[][] {
  const all = [...chunks(lengthBytes)]
  if (source === destination && Math.abs(sourceOffset - destinationOffset) < lengthBytes) {
    const ordered = destinationOffset > sourceOffset ? all.reverse() : all
    return ordered.map(chunk => [chunk])
  }
  return Array.from({ length: Math.ceil(all.length / concurrentChunks) }, (_, index) =>
    all.slice(index * concurrentChunks, (index + 1) * concurrentChunks),
  )
}

/** What is not stored in the source is not stored in the destination either, where that is thin. */
async function copyChunk({ source, sourceOffset, destination, destinationOffset }: CopyRange, { at, lengthBytes }: Chunk): Promise<void> {
  if (destination.isThin) {
    const [run] = await source.provisioning(sourceOffset + at, lengthBytes, 1)
    if (!run.isMapped && run.lengthBytes >= lengthBytes) {
      await destination.unmap(destinationOffset + at, lengthBytes)
      return
    }
  }
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, lengthBytes))
  await source.read([buffer], sourceOffset + at)
  await destination.write([buffer], destinationOffset + at)
}

/** Copies a range; `isStopped` is asked before each batch, `onCopied` told after it. */
export async function copyRange(range: CopyRange, isStopped: () => boolean, onCopied: (lengthBytes: number) => void): Promise<void> {
  for (const batch of batchesOf(range)) {
    if (isStopped()) return
    await Promise.all(batch.map(async chunk => copyChunk(range, chunk)))
    onCopied(batch.reduce((sum, chunk) => sum + chunk.lengthBytes, 0))
  }
}
