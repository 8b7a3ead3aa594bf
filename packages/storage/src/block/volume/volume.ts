/** A volume that is open: its device, and what is done to it as a whole. */
import { BlockDeviceError } from '../block-device.ts'
import type { BlockDevice } from '../block-device.ts'
import { AtomicJournal, journalBytes, readEntries } from './atomic-journal.ts'
import type { BackingFile } from './backing-file.ts'
import { VolumeError } from './errors.ts'
import { closeLayers } from './layer.ts'
import type { LayerFile } from './layer.ts'
import type { StepHook, VolumeDevice } from './manager.ts'
import type { VolumeMetadata } from './metadata.ts'
import { deviceAttempt, filesOf, openFile, openLayer, openLayers, openPartitions } from './open-layers.ts'
import type { OpenLayersOptions } from './open-layers.ts'
import type { LocalPartition } from './partition.ts'
import { allLayers, partitionSizes, publicRecord } from './record.ts'
import type { SnapshotRecord, StoredSnapshot, StoredVolume, VolumeRecord } from './record.ts'
import { RoutedVolume } from './routed-volume.ts'
import type { RoutedVolumeOptions } from './routed-volume.ts'
import type { VolumeFiles } from './volume-files.ts'

/** What an open volume needs. */
export interface VolumeContext extends OpenLayersOptions {
  readonly metadata: VolumeMetadata
  readonly onStep: StepHook
}

class Device extends RoutedVolume implements VolumeDevice {
  readonly #record: () => VolumeRecord

  constructor(options: RoutedVolumeOptions, record: () => VolumeRecord) {
    super(options)
    this.#record = record
  }

  get record(): VolumeRecord {
    return this.#record()
  }
}

interface OpenSnapshot {
  readonly device: RoutedVolume
  /** Of a clone: a layer of the volume belongs to the volume. */
  readonly partitions: readonly LocalPartition[]
}

/**
 * Whoever calls has claimed the volume, and does one thing after the other. Everything rejects with `VolumeError`. A record is saved in one
 * step: files are made and synced before a record names them, and removed after none does any more. Those that no record names are left-overs,
 * and removed when the volume is opened.
 */
export class Volume {
  readonly device: VolumeDevice
  readonly #device: RoutedVolume
  readonly #journal: AtomicJournal
  readonly #context: VolumeContext
  readonly #partitions: LocalPartition[]
  readonly #snapshots = new Map<string, OpenSnapshot>()
  #record: StoredVolume
  #isClosing = false
  #isLost = false
  #merging: Promise<void> | undefined

  private constructor(record: StoredVolume, partitions: LocalPartition[], context: VolumeContext) {
    this.#record = record
    this.#partitions = partitions
    this.#context = context
    this.#journal = new AtomicJournal({
      make: () => makeJournal(context.files),
      onStep: context.onStep,
      onTorn: () => this.#lose(),
    })
    const device = new Device({ ...this.#deviceOptions(record, index => this.#partitions[index]), atomicWrites: this.#journal }, () =>
      publicRecord(this.#record),
    )
    this.device = device
    this.#device = device
  }

  /** A record that is `ready`. Removes left-overs; does again what a crash may have left half written; goes on with what is being merged. */
  static async open(record: StoredVolume, context: VolumeContext): Promise<Volume> {
    const partitions = partitionSizes(record).length
    await context.files.keepOnly({ partitions, layers: allLayers(record) })
    const volume = new Volume(record, await openPartitions(record, record.layers, context), context)
    try {
      await volume.#redo()
    } catch (error) {
      await volume.close({ withFlush: false })
      throw error
    }
    if (record.mergingLayer !== undefined) void volume.#startMerging()
    return volume
  }

  /** What the journal has is durable in place before it is forgotten. */
  async #redo(): Promise<void> {
    const { files, onStep } = this.#context
    if (!(await files.hasJournal())) return
    const journal = openFile(files.journalPath, files)
    try {
      await deviceAttempt(async () => {
        for (const { offset, data } of await readEntries(journal)) {
          await onStep(`redo ${offset}`)
          await this.#device.write(data, offset, { isDurable: true })
        }
      })
    } finally {
      await journal.close()
    }
    await files.removeJournal()
  }

  get record(): StoredVolume {
    return this.#record
  }

  /** Its record could not be written, or bytes not as a whole: whoever wants it has to claim and open it again. */
  get isLost(): boolean {
    return this.#isLost
  }

  async grow(sizeBytes: number): Promise<void> {
    await this.#merged()
    await this.#orRemoveLeftOvers(() => this.#grow({ ...this.#record, sizeBytes }))
  }

  async #grow(record: StoredVolume): Promise<void> {
    const { files, onStep } = this.#context
    const count = this.#partitions.length
    const sizes = partitionSizes(record)
    await files.make(sizes.flatMap((_, partition) => (partition < count ? [] : filesOf(record, partition, record.layers))))
    for (const [index, { layers }] of this.#partitions.entries()) {
      await onStep(`grow ${index}`)
      await deviceAttempt(() => Promise.all(layers.map(({ file }) => file.grow(sizes[index]))))
    }
    const added = await openPartitions(record, record.layers, this.#context, count)
    try {
      await this.#save(record)
    } catch (error) {
      await Promise.all(added.map(partition => partition.close()))
      throw error
    }
    for (const [index, partition] of this.#partitions.entries()) partition.grow(sizes[index])
    this.#partitions.push(...added)
    this.#device.grow(record.sizeBytes)
  }

  async snapshot(name: string): Promise<SnapshotRecord> {
    const { snapshotKind } = this.#record
    if (snapshotKind === 'none') throw unsupported(this.#context.files.path)
    await this.#merged()
    const snapshot = { name, sizeBytes: this.#record.sizeBytes, createdAt: new Date().toISOString() }
    await this.#orRemoveLeftOvers(() => (snapshotKind === 'clones' ? this.#snapshotByClones(snapshot) : this.#snapshotByLayers(snapshot)))
    return snapshot
  }

  async #snapshotByClones(snapshot: SnapshotRecord): Promise<void> {
    const { files } = this.#context
    const layer = this.#record.nextLayer
    const sizes = partitionSizes(this.#record)
    await files.make(sizes.flatMap((_, partition) => filesOf(this.#record, partition, [layer])))
    await this.#flush()
    await this.#frozen(async () => {
      for (const [partition, { layers }] of this.#partitions.entries()) {
        if (!(await cloneLayer(layers[0].file, files, { partition, layer }))) throw unsupported(files.path)
      }
    })
    for (const [partition, { layers }] of this.#partitions.entries()) await syncLayer(layers[0].file, files, { partition, layer })
    await this.#save({ ...this.#record, nextLayer: layer + 1, snapshots: [...this.#record.snapshots, { ...snapshot, layer }] })
  }

  /** What was written is flushed before the freeze, and what was written meanwhile within: it is short. */
  async #snapshotByLayers(snapshot: SnapshotRecord): Promise<void> {
    const { files } = this.#context
    const number = this.#record.nextLayer
    const sizes = partitionSizes(this.#record)
    await files.make(sizes.flatMap((_, partition) => filesOf(this.#record, partition, [number])))
    const added = await openLayers(sizes.map((_, partition) => openLayer(this.#record, { partition, number, isBase: false }, this.#context)))
    await this.#flush()
    try {
      await this.#frozen(async () => {
        await this.#flush()
        const layer = this.#record.layers.at(-1)!
        const snapshots = [...this.#record.snapshots, { ...snapshot, layer }]
        await this.#save({ ...this.#record, nextLayer: number + 1, layers: [...this.#record.layers, number], snapshots })
        for (const [partition, layerFile] of added.entries()) this.#partitions[partition].push(layerFile)
      })
    } catch (error) {
      await closeLayers(added)
      throw error
    }
  }

  /** `name` is one that the volume has. */
  async deleteSnapshot(name: string): Promise<void> {
    await this.#merged()
    // One that failed goes on before the next.
    if (this.#record.mergingLayer !== undefined) await this.#startMerging()
    const { layer } = this.#find(name)
    const snapshots = this.#record.snapshots.filter(snapshot => snapshot.name !== name)
    const at = this.#record.layers.indexOf(layer)
    await this.#save({ ...this.#record, snapshots, ...(at >= 0 && { mergingLayer: this.#record.layers[at + 1] }) })
    await this.#closeSnapshot(name)
    if (at < 0) await this.#removeLeftOvers()
    else await this.#startMerging()
  }

  /** `name` is one that the volume has. */
  async openSnapshot(name: string): Promise<BlockDevice> {
    const open = this.#snapshots.get(name)
    if (open !== undefined) return open.device
    const snapshot = this.#find(name)
    const isLayer = this.#record.layers.includes(snapshot.layer)
    const shape = { ...this.#record, sizeBytes: snapshot.sizeBytes }
    const partitions = isLayer ? [] : await openPartitions(shape, [snapshot.layer], this.#context)
    const layerNow = (): number | undefined => this.#record.snapshots.find(one => one.name === name)?.layer
    const options = this.#deviceOptions(shape, index => (isLayer ? this.#partitions[index].view(layerNow) : partitions[index]))
    const device = new RoutedVolume({ ...options, isReadOnly: true })
    this.#snapshots.set(name, { device, partitions })
    return device
  }

  /** Gives layer 0 of another volume's files the content of a snapshot. False: the filesystem cannot, they have to be copied. */
  async cloneSnapshot({ name, layer }: StoredSnapshot, { files, sizes }: { files: VolumeFiles; sizes: readonly number[] }): Promise<boolean> {
    if (this.#record.layers.includes(layer)) return false
    await this.openSnapshot(name)
    for (const [partition, { layers }] of this.#snapshots.get(name)!.partitions.entries()) {
      if (!(await cloneLayer(layers[0].file, files, { partition, layer: 0 }))) return false
      await syncLayer(layers[0].file, files, { partition, layer: 0 }, sizes[partition])
    }
    return true
  }

  /** Devices are gone; what was under way is done. */
  async close({ withFlush }: { readonly withFlush: boolean }): Promise<void> {
    this.#isClosing = true
    await this.#merged()
    for (const name of this.#snapshots.keys()) await this.#closeSnapshot(name)
    try {
      if (withFlush) await this.#flush()
    } finally {
      this.#device.close()
      const hasJournal = await this.#journal.close()
      await Promise.all(this.#partitions.map(partition => partition.close()))
      // Nothing is in it, unless something has to be done again.
      if (hasJournal && !this.#isLost) await this.#context.files.removeJournal()
    }
  }

  #lose(): void {
    this.#isLost = true
    this.#device.close()
  }

  #deviceOptions(shape: StoredVolume, partitionAt: RoutedVolumeOptions['partitionAt']): RoutedVolumeOptions {
    const { sizeBytes, partitionBytes, physicalBlockBytes, options } = shape
    return { sizeBytes, partitionBytes, physicalBlockBytes, partitionAt, isReadOnly: options.isReadOnly === true }
  }

  #find(name: string): StoredSnapshot {
    const snapshot = this.#record.snapshots.find(one => one.name === name)
    if (snapshot === undefined) throw new VolumeError('UNKNOWN_SNAPSHOT')
    return snapshot
  }

  async #closeSnapshot(name: string): Promise<void> {
    const open = this.#snapshots.get(name)
    this.#snapshots.delete(name)
    open?.device.close()
    await Promise.all(open?.partitions.map(partition => partition.close()) ?? [])
  }

  async #removeLeftOvers(): Promise<void> {
    await this.#context.files.keepOnly({ partitions: this.#partitions.length, layers: allLayers(this.#record) })
  }

  /** After a failure too: who waits for it hears of it, and the record says that it goes on. */
  async #merged(): Promise<void> {
    await this.#merging?.catch(() => undefined)
  }

  /** Goes on, after a failure too, the next time that the volume is opened or a snapshot is deleted. */
  #startMerging(): Promise<void> {
    const merging = this.#merge().finally(() => {
      if (this.#merging === merging) this.#merging = undefined
    })
    this.#merging = merging
    merging.catch(() => undefined) // who waits for it hears of it
    return merging
  }

  async #merge(): Promise<void> {
    const { mergingLayer, layers } = this.#record
    const index = layers.indexOf(mergingLayer!)
    for (const partition of this.#partitions) {
      const isWhole = await deviceAttempt(() =>
        partition.merge(partition.layers[index], { isStopped: () => this.#isClosing, onStep: this.#context.onStep }),
      )
      if (!isWhole) return
    }
    const { mergingLayer: _, ...rest } = this.#record
    const beneath = layers[index - 1]
    const merged = await this.#frozen(async () => {
      await this.#save({
        ...rest,
        layers: layers.filter(layer => layer !== mergingLayer),
        snapshots: rest.snapshots.map(snapshot => (snapshot.layer === mergingLayer ? { ...snapshot, layer: beneath } : snapshot)),
      })
      return this.#partitions.map(partition => partition.remove(index))
    })
    await closeLayers(merged)
    await this.#removeLeftOvers()
  }

  async #flush(): Promise<void> {
    await deviceAttempt(() => Promise.all(this.#partitions.map(partition => partition.flush())))
  }

  /** With nothing under way in any partition: all of them stop at the same moment. */
  async #frozen<T>(action: () => Promise<T>): Promise<T> {
    const unfreezeDevice = await deviceAttempt(() => this.#device.freeze())
    const unfreeze = [unfreezeDevice, ...(await Promise.all(this.#partitions.map(partition => partition.freeze())))]
    try {
      return await action()
    } finally {
      for (const end of unfreeze) end()
    }
  }

  /**
   * Where it is unknown what has been saved, the old record is saved again: the files are as that one says. Where that fails, nobody knows what
   * the files have to be: the volume has to be opened again.
   */
  async #save(record: StoredVolume): Promise<void> {
    const { metadata, onStep } = this.#context
    await onStep('save record')
    try {
      await metadata.save(record)
      this.#record = record
    } catch (error) {
      try {
        await metadata.save(this.#record)
      } catch {
        // The first failure says more.
        this.#lose()
      }
      throw error
    }
  }

  async #orRemoveLeftOvers(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (!this.#isLost) await this.#removeLeftOvers()
      throw error
    }
  }
}

/** Which layer of which partition. */
interface LayerPlace {
  readonly partition: number
  readonly layer: number
}

/** Makes a layer's files share the blocks of another's. False: this filesystem does not do that. */
const cloneLayer = async ({ descriptors: { data, sums } }: LayerFile, files: VolumeFiles, target: LayerPlace): Promise<boolean> =>
  (await files.clone(data, target)) && (sums === undefined || (await files.clone(sums, { ...target, part: 'sums' })))

/** What was cloned is on stable storage. */
const syncLayer = async ({ descriptors: { sums } }: LayerFile, files: VolumeFiles, target: LayerPlace, sizeBytes?: number): Promise<void> => {
  await files.sync(target, sizeBytes)
  if (sums !== undefined) await files.sync({ ...target, part: 'sums' })
}

const unsupported = (folder: string): VolumeError =>
  new VolumeError('SNAPSHOTS_UNSUPPORTED', `snapshots cannot be made in ${folder}: use a folder on btrfs, XFS or ext4`)

/** Rejects with `BlockDeviceError`: somebody writes to the device. */
const makeJournal = async (files: VolumeFiles): Promise<BackingFile> => {
  try {
    await files.makeJournal(journalBytes)
    return openFile(files.journalPath, files)
  } catch (error) {
    const isFull = error instanceof VolumeError && error.code === 'NO_SPACE'
    throw new BlockDeviceError(isFull ? 'NO_SPACE' : 'WRITE_FAILED', { cause: error })
  }
}
