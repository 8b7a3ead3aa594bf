/** `VolumeManager`: by name, one thing after the other. */
import { randomBytes, randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import { Serial } from '@holdfast/cluster'
import type { BlockDevice } from '../block-device.ts'
import { copyDevice } from './copy-device.ts'
import { VolumeError } from './errors.ts'
import { checkName, checkSize, shapeOf } from './limits.ts'
import type { NewVolume, VolumeDevice, VolumeManager, VolumeManagerOptions } from './manager.ts'
import { filesOf } from './open-layers.ts'
import { partitionSizes, publicRecord } from './record.ts'
import type { SnapshotRecord, StoredSnapshot, StoredVolume, VolumeRecord } from './record.ts'
import { findSnapshotKind } from './snapshot-kind.ts'
import { VolumeFiles, filesystemError } from './volume-files.ts'
import { Volume } from './volume.ts'
import type { VolumeContext } from './volume.ts'

/** A snapshot that a new volume is made from. */
interface Source {
  readonly volume: Volume
  readonly snapshot: StoredSnapshot
}

class Manager implements VolumeManager {
  readonly #options: VolumeManagerOptions
  readonly #open = new Map<string, Volume>()
  readonly #serial = new Serial()
  #isClosed = false

  constructor(options: VolumeManagerOptions) {
    this.#options = options
  }

  async create(volume: NewVolume): Promise<VolumeRecord> {
    checkName(volume.name, 'volume')
    const { from } = volume
    return this.#serially([volume.name, ...(from === undefined ? [] : [from.volume])], async () => {
      if ((await this.#find(volume.name)) !== undefined) {
        throw new VolumeError('VOLUME_EXISTS', `there is a volume "${volume.name}": choose another name, or delete it first`)
      }
      const source = from && (await this.#source(from))
      const record = newRecord(volume, source)
      const { metadata } = this.#options
      await this.#step('save record')
      await metadata.save(record)
      try {
        return publicRecord(await this.#make(record, source))
      } catch (error) {
        await this.#remove(record).catch(() => undefined) // whoever claims the name next does it
        throw error
      }
    })
  }

  async #source({ volume: name, snapshot: snapshotName }: NonNullable<NewVolume['from']>): Promise<Source> {
    const volume = await this.#opened(name)
    return { volume, snapshot: findSnapshot(volume.record, snapshotName) }
  }

  async #make(record: StoredVolume, source: Source | undefined): Promise<StoredVolume> {
    const files = this.#filesOf(record)
    await files.makeFolder()
    const { kind, blockBytes } = await findSnapshotKind(files.path)
    checkSize(record.sizeBytes, { ...record, blockBytes })
    const ready: StoredVolume = { ...record, state: 'ready', snapshotKind: kind, physicalBlockBytes: blockBytes }
    await files.make(partitionSizes(ready).flatMap((_, partition) => filesOf(ready, partition, ready.layers)))
    if (source !== undefined) await this.#fill(ready, source)
    await this.#step('save record')
    await this.#options.metadata.save(ready)
    return ready
  }

  /** Gives a new volume the content of a snapshot. */
  async #fill(record: StoredVolume, { volume, snapshot }: Source): Promise<void> {
    const files = this.#filesOf(record)
    const isAlike = record.partitionBytes === volume.record.partitionBytes && record.options.checksums === volume.record.options.checksums
    if (isAlike && (await volume.cloneSnapshot(snapshot, { files, sizes: partitionSizes(record) }))) return
    const target = await Volume.open({ ...record, options: { ...record.options, isReadOnly: false } }, this.#contextOf(record))
    try {
      await copyDevice(await volume.openSnapshot(snapshot.name), target.device)
      await target.device.flush()
    } finally {
      await target.close({ withFlush: false })
    }
  }

  async list(): Promise<readonly VolumeRecord[]> {
    this.#checkOpen()
    const records = (await this.#options.metadata.load()).filter(({ state }) => state === 'ready')
    return records.sort((a, b) => (a.name < b.name ? -1 : 1)).map(publicRecord)
  }

  async get(name: string): Promise<VolumeRecord> {
    const record = (await this.list()).find(one => one.name === name)
    return record ?? this.#unknown(name)
  }

  async resize(name: string, sizeBytes: number): Promise<VolumeRecord> {
    return this.#withVolume(name, async volume => {
      const { record } = volume
      checkSize(sizeBytes, { ...record, blockBytes: record.physicalBlockBytes })
      if (sizeBytes < record.sizeBytes) {
        const fix = 'a volume can only grow; make a smaller one and copy what you need'
        throw new VolumeError('SIZE_TOO_SMALL', `volume "${name}" has ${record.sizeBytes} bytes, which is more than ${sizeBytes}: ${fix}`)
      }
      if (sizeBytes > record.sizeBytes) await volume.grow(sizeBytes)
      return publicRecord(volume.record)
    })
  }

  async snapshot(name: string, snapshotName: string): Promise<SnapshotRecord> {
    checkName(snapshotName, 'snapshot')
    return this.#withVolume(name, async volume => {
      if (volume.record.snapshots.some(snapshot => snapshot.name === snapshotName)) {
        const fix = 'choose another name, or delete it first'
        throw new VolumeError('SNAPSHOT_EXISTS', `volume "${name}" has a snapshot "${snapshotName}": ${fix}`)
      }
      return volume.snapshot(snapshotName)
    })
  }

  async deleteSnapshot(name: string, snapshotName: string): Promise<void> {
    await this.#withVolume(name, async volume => {
      findSnapshot(volume.record, snapshotName)
      await volume.deleteSnapshot(snapshotName)
    })
  }

  async delete(name: string): Promise<void> {
    await this.#serially([name], async () => {
      const record = this.#open.get(name)?.record ?? (await this.#find(name)) ?? (await this.#unknown(name))
      await this.#step('save record')
      try {
        await this.#options.metadata.save({ ...record, state: 'deleting' })
      } finally {
        // Also where it is unknown whether it was saved: whoever claims it next knows.
        await this.#release(name, false)
      }
      await this.#remove(record)
    })
  }

  async open(name: string): Promise<VolumeDevice> {
    return this.#withVolume(name, async volume => volume.device)
  }

  async openSnapshot(name: string, snapshotName: string): Promise<BlockDevice> {
    return this.#withVolume(name, async volume => {
      findSnapshot(volume.record, snapshotName)
      return volume.openSnapshot(snapshotName)
    })
  }

  async release(name: string): Promise<void> {
    await this.#serially([name], () => this.#release(name, true))
  }

  /** See `recoverVolumes`. */
  async recover(): Promise<void> {
    for (const { name, state } of await this.#options.metadata.load()) {
      if (state !== 'ready') await this.#serially([name], () => this.#find(name))
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await Promise.all([...this.#open.keys()].map(name => this.#serial.run(name, () => this.#release(name, true))))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #serially<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
    return this.#serial.run(names, async () => {
      this.#checkOpen()
      return action()
    })
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new VolumeError('CLOSED')
  }

  async #withVolume<T>(name: string, action: (volume: Volume) => Promise<T>): Promise<T> {
    return this.#serially([name], async () => {
      const volume = await this.#opened(name)
      try {
        return await action(volume)
      } finally {
        if (volume.isLost) await this.#release(name, false)
      }
    })
  }

  async #opened(name: string): Promise<Volume> {
    const open = this.#open.get(name)
    if (open !== undefined && !open.isLost) return open
    if (open !== undefined) await this.#release(name, false)
    const record = (await this.#find(name)) ?? (await this.#unknown(name))
    const volume = await Volume.open(record, this.#contextOf(record))
    this.#open.set(name, volume)
    return volume
  }

  /** Claims a volume, and finishes what a crash left of one that is not ready. */
  async #find(name: string): Promise<StoredVolume | undefined> {
    const record = this.#open.get(name)?.record ?? (await this.#options.metadata.claim(name))
    if (record === undefined || record.state === 'ready') return record
    await this.#remove(record)
    return undefined
  }

  async #remove(record: StoredVolume): Promise<void> {
    await this.#filesOf(record).removeAll()
    await this.#step('remove record')
    await this.#options.metadata.remove(record.name)
  }

  async #release(name: string, withFlush: boolean): Promise<void> {
    const volume = this.#open.get(name)
    this.#open.delete(name)
    await volume?.close({ withFlush })
  }

  async #unknown(name: string): Promise<never> {
    const names = (await this.list()).map(record => record.name)
    throw new VolumeError('UNKNOWN_VOLUME', `there is no volume "${name}": ${listed(names)}`)
  }

  #filesOf({ id }: StoredVolume): VolumeFiles {
    return new VolumeFiles({ folder: this.#options.folder, id, onStep: step => this.#step(step) })
  }

  #contextOf(record: StoredVolume): VolumeContext {
    return {
      files: this.#filesOf(record),
      metadata: this.#options.metadata,
      onStep: step => this.#step(step),
      onCorrupt: offset => this.#options.onCorrupt?.({ volume: record.name, offset }),
    }
  }

  async #step(step: string): Promise<void> {
    await this.#options.onStep?.(step)
  }
}

const listed = (names: readonly string[]): string => (names.length === 0 ? 'there is none' : `there is ${names.join(', ')}`)

const findSnapshot = ({ name, snapshots }: StoredVolume, snapshotName: string): StoredSnapshot => {
  const snapshot = snapshots.find(one => one.name === snapshotName)
  if (snapshot !== undefined) return snapshot
  throw new VolumeError('UNKNOWN_SNAPSHOT', `volume "${name}" has no snapshot "${snapshotName}": ${listed(snapshots.map(one => one.name))}`)
}

/** NAA 3h, and 60 bits that nobody else has (SPC-4 7.8.6.6.4). */
const newNaa = (): string => `3${randomBytes(8).toString('hex').slice(1)}`

const newRecord = (volume: NewVolume, source: Source | undefined): StoredVolume => {
  const id = randomUUID()
  return {
    id,
    name: volume.name,
    createdAt: new Date().toISOString(),
    serial: id.replaceAll('-', ''),
    naa: newNaa(),
    options: volume.options ?? {},
    snapshots: [],
    state: 'creating',
    ...shapeOf(volume, source && { ...source.volume.record, sizeBytes: source.snapshot.sizeBytes }),
    // Found out when the folder is there.
    snapshotKind: 'none',
    physicalBlockBytes: 4096,
    layers: [0],
    nextLayer: 1,
  }
}

/**
 * Opens the volumes in a folder. Rejects with `FOLDER_UNUSABLE` where it is not there and cannot be made.
 *
 * @example
 * // Records in a SQLite file: what is made is there again after a restart.
 * import { sqliteStore } from '@holdfast/cluster'
 *
 * await using store = await sqliteStore({ path: './store.sqlite' })
 * const options = { folder: './volumes', metadata: storeVolumeMetadata(store) }
 * await recoverVolumes(options)
 * await using volumes = await openVolumes(options)
 * await volumes.create({ name: 'disk0', sizeBytes: 1 << 30 })
 * const device = await volumes.open('disk0')
 * await device.write([Buffer.alloc(4096, 'x')], 0, { isDurable: true })
 * const into = Buffer.alloc(512)
 * if (!device.readNow([into], 512)) await device.read([into], 512)
 * String(into).slice(0, 3) // => 'xxx'
 */
export const openVolumes = async (options: VolumeManagerOptions): Promise<VolumeManager> => {
  try {
    await fs.mkdir(options.folder, { recursive: true })
  } catch (error) {
    throw filesystemError(error, options.folder)
  }
  return new Manager(options)
}

/**
 * Finishes, or undoes, what a crash has left half done: call it once at the start of a node, before anybody opens its volumes (what others are
 * doing at the moment would be undone as well). Without it, that is done for a volume when its name is used next.
 */
export const recoverVolumes = async (options: VolumeManagerOptions): Promise<void> => {
  await using manager = new Manager(options)
  await manager.recover()
}
