/** The files of a volume's partitions: which there are, and how they are opened. */
import { BlockDeviceError } from '../block-device.ts'
import { BackingFile } from './backing-file.ts'
import { CheckedFile, sumsFileBytes } from './checked-file.ts'
import { VolumeError } from './errors.ts'
import { LayerMap, mapBytesOf } from './layer-map.ts'
import type { LayerMapShape } from './layer-map.ts'
import { closeLayers } from './layer.ts'
import type { Layer, LayerFile } from './layer.ts'
import { LocalPartition } from './partition.ts'
import { partitionSizes } from './record.ts'
import type { StoredVolume } from './record.ts'
import { filesystemError } from './volume-files.ts'
import type { NewFile, VolumeFiles } from './volume-files.ts'

/** Where files are, and who hears of what is wrong in them: places of the volume. */
export interface OpenLayersOptions {
  readonly files: VolumeFiles
  readonly onCorrupt: (offset: number) => void
}

/** Which files a partition has for these layers. The base, where it is one of them, has no map. */
export const filesOf = (shape: StoredVolume, partition: number, layers: readonly number[]): NewFile[] => {
  const { partitionBytes } = shape
  const hasMap = (layer: number): boolean => shape.snapshotKind === 'layers' && layer !== shape.layers[0]
  return layers.flatMap((layer): NewFile[] => [
    { partition, layer, sizeBytes: partitionSizes(shape)[partition] },
    ...(hasMap(layer) ? [{ partition, layer, part: 'map' as const, sizeBytes: mapBytesOf(mapShapeOf(shape)), isFull: true }] : []),
    ...(shape.options.checksums === true ? [{ partition, layer, part: 'sums' as const, sizeBytes: sumsFileBytes(partitionBytes) }] : []),
  ])
}

/** Opens partitions, from the one with the number `first` on, with these layers: all of them, or none. Rejects with `VolumeError`. */
export const openPartitions = async (
  shape: StoredVolume,
  layers: readonly number[],
  options: OpenLayersOptions,
  first = 0,
): Promise<LocalPartition[]> => {
  const { pageBytes, physicalBlockBytes: blockBytes } = shape
  const partitions: LocalPartition[] = []
  try {
    for (const [partition, sizeBytes] of partitionSizes(shape).entries()) {
      if (partition < first) continue
      const opened = await openLayers(layers.map((number, index) => openLayer(shape, { partition, number, isBase: index === 0 }, options)))
      partitions.push(new LocalPartition({ sizeBytes, blockBytes, pageBytes, layers: opened }))
    }
  } catch (error) {
    await Promise.all(partitions.map(partition => partition.close()))
    throw error
  }
  return partitions
}

/** All of them, or none. */
export const openLayers = async (opening: readonly Promise<Layer>[]): Promise<Layer[]> => {
  const results = await Promise.allSettled(opening)
  const opened = results.filter(result => result.status === 'fulfilled').map(result => result.value)
  const failed = results.find(result => result.status === 'rejected')
  if (failed === undefined) return opened
  await closeLayers(opened)
  throw failed.reason
}

/** One layer of one partition. */
export const openLayer = async (
  shape: StoredVolume,
  { partition, number, isBase }: { readonly partition: number; readonly number: number; readonly isBase: boolean },
  options: OpenLayersOptions,
): Promise<Layer> => {
  const { files } = options
  const file = await openLayerFile(shape, { partition, number }, options)
  if (isBase) return { number, file, validity: undefined }
  try {
    return { number, file, validity: await openMap(openFile(files.pathOf(partition, number, 'map'), files), file, shape) }
  } catch (error) {
    await file.close()
    throw error
  }
}

const openLayerFile = async (
  { options: { checksums }, partitionBytes }: StoredVolume,
  { partition, number }: { readonly partition: number; readonly number: number },
  { files, onCorrupt }: OpenLayersOptions,
): Promise<LayerFile> => {
  const data = openFile(files.pathOf(partition, number), files)
  if (checksums !== true) return data
  try {
    const sums = openFile(files.pathOf(partition, number, 'sums'), files)
    const hear = (offset: number): void => onCorrupt(partition * partitionBytes + offset)
    return await deviceAttempt(() => CheckedFile.open({ data, sums, partitionBytes, onCorrupt: hear }))
  } catch (error) {
    await data.close()
    throw error
  }
}

const openMap = async (file: BackingFile, data: LayerFile, shape: StoredVolume): Promise<LayerMap> => {
  try {
    return await deviceAttempt(() => LayerMap.open(mapShapeOf(shape), { file, data }))
  } catch (error) {
    await file.close()
    throw error
  }
}

const mapShapeOf = ({ physicalBlockBytes: blockBytes, pageBytes, partitionBytes }: StoredVolume): LayerMapShape => ({
  blockBytes,
  pageBytes,
  partitionBytes,
})

/** A file that has to be there. Throws `VolumeError`. */
export const openFile = (path: string, files: VolumeFiles): BackingFile => {
  try {
    return new BackingFile(path)
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (isMissing) throw new VolumeError('DAMAGED', `${path} is missing: put it back, or delete the volume`, { cause: error })
    throw filesystemError(error, files.path)
  }
}

/** What a file of the volume says of its bytes, said of the volume. */
export const deviceAttempt = async <T>(action: () => Promise<T>): Promise<T> => {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof BlockDeviceError)) throw error
    throw new VolumeError(error.code === 'NO_SPACE' ? 'NO_SPACE' : 'FOLDER_UNUSABLE', error.message, { cause: error })
  }
}
