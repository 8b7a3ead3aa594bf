/** What is in volumes, looked at and copied on the workers that own them. */

import type { WorkerNode } from '@holdfast/engine'
import type { BlockDevice } from '@holdfast/storage/block'
import type { WorkerVolumes } from '../node/volumes-on-worker.ts'
import { copyImagePart } from './image.ts'
import { ownerOfVolume, targetNameOf } from './volume.ts'
import { VolumeError } from '@holdfast/storage/block'

/** Which pieces of a volume have content. */
export interface VolumeMapView {
  readonly sizeBytes: number
  readonly cellBytes: number
  /** One byte a cell, in base64: the share of it that is stored, from 0 (nothing) to 255. */
  readonly cells: string
}

/** What can be asked for on any worker. */
export interface VolumeContent {
  map(name: string): Promise<VolumeMapView>
  /** Copies a part of a raw image to the same place of a volume that is new; resolves with the offset of the next part when this one is on stable storage. */
  copyImage(part: ImagePart): Promise<number>
}

/** Bytes of a file of the node, for the same place of a volume. */
export interface ImagePart {
  readonly volume: string
  /** Absolute. */
  readonly path: string
  readonly offset: number
  readonly lengthBytes: number
}

const objectId = 'volume-content'
const cellsMax = 4096
const cellBytesMin = 4 << 20
const runsAtOnce = 1024

/** Registers this worker's part, and gives the way to all of them. */
export function volumeContentOnWorker(node: WorkerNode, volumes: WorkerVolumes): VolumeContent {
  const deviceOf = (name: string): BlockDevice => {
    const open = volumes.open(targetNameOf(name))
    if (open === undefined) throw new VolumeError('UNKNOWN_VOLUME', `there is no volume "${name}", or it is not served`)
    return open.device
  }
  const here: VolumeContent = {
    map: async name => mapOf(deviceOf(name)),
    copyImage: async ({ volume, ...part }) => copyImagePart(deviceOf(volume), part),
  }
  node.register(objectId, { ...here })
  const owner = (name: string): number => ownerOfVolume(name, node.workers)
  return {
    map: name => node.call(owner(name), objectId, 'map', name) as Promise<VolumeMapView>,
    copyImage: part => node.call(owner(part.volume), objectId, 'copyImage', part) as Promise<number>,
  }
}

/** See `VolumeContent.map`. */
export async function mapOf(device: BlockDevice): Promise<VolumeMapView> {
  const { sizeBytes } = device
  const cellBytes = Math.max(cellBytesMin, Math.ceil(sizeBytes / cellsMax / cellBytesMin) * cellBytesMin)
  const stored = new Float64Array(Math.ceil(sizeBytes / cellBytes))
  for (let offset = 0; offset < sizeBytes;) {
    const runs = await device.provisioning(offset, sizeBytes - offset, runsAtOnce)
    for (const run of runs) if (run.isMapped) addRun(stored, cellBytes, run)
    const last = runs.at(-1)
    if (last === undefined) break
    offset = last.offset + last.lengthBytes
  }
  const cells = Buffer.from(stored.map(bytes => Math.ceil((255 * bytes) / cellBytes)))
  return { sizeBytes, cellBytes, cells: cells.toString('base64') }
}

function addRun(stored: Float64Array, cellBytes: number, run: { readonly offset: number; readonly lengthBytes: number }): void {
  const end = run.offset + run.lengthBytes
  for (let at = run.offset; at < end;) {
    const cell = Math.floor(at / cellBytes)
    const next = Math.min(end, (cell + 1) * cellBytes)
    stored[cell] += next - at
    at = next
  }
}
