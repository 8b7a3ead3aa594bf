/** A volume for the compliance suite. */
import fs from 'node:fs'
import path from 'node:path'
import type { BlockDevice } from '../../block-device.ts'
import type { BlockDeviceUnderTest } from '../../compliance.ts'
import { VolumeRecords, memoryVolumeMetadata, openVolumes } from '../index.ts'
import type { NewVolume, SnapshotKind, VolumeManager } from '../index.ts'

const name = 'disk'

/** Removes its folder. */
export class VolumeSubject implements BlockDeviceUnderTest, AsyncDisposable {
  readonly folder: string
  readonly #records: VolumeRecords
  /** Those that were left as if their process had ended. */
  readonly #left: VolumeManager[] = []
  #manager: VolumeManager
  device: BlockDevice
  /** Of a volume without snapshots. */
  readonly damage?: (offset: number) => void

  private constructor(folder: string, records: VolumeRecords, manager: VolumeManager, device: BlockDevice) {
    if (records.byName.get(name)?.options.checksums === true) this.damage = offset => this.#damage(offset)
    this.folder = folder
    this.#records = records
    this.#manager = manager
    this.device = device
  }

  static async make(folder: string, shape: Partial<NewVolume>): Promise<VolumeSubject> {
    const records = new VolumeRecords()
    const manager = await openVolumes({ folder, metadata: memoryVolumeMetadata(records) })
    await manager.create({ sizeBytes: 2 << 20, ...shape, name })
    return new VolumeSubject(folder, records, manager, await manager.open(name))
  }

  get snapshotKind(): SnapshotKind | undefined {
    return this.#records.byName.get(name)?.snapshotKind
  }

  /** Names, oldest first. */
  get snapshots(): readonly string[] {
    return this.#records.byName.get(name)!.snapshots.map(snapshot => snapshot.name)
  }

  /** Where the filesystem takes nothing any more: what is open is closed all the same. */
  async closeFiles(): Promise<void> {
    for (const manager of [...this.#left.splice(0), this.#manager]) await manager.close().catch(() => undefined)
  }

  #damage(offset: number): void {
    const { id, partitionBytes } = this.#records.byName.get(name)!
    const fd = fs.openSync(path.join(this.folder, id, `${Math.floor(offset / partitionBytes)}.0`), 'r+')
    const byte = Buffer.alloc(1)
    fs.readSync(fd, byte, 0, 1, offset % partitionBytes)
    byte[0] ^= 0x10
    fs.writeSync(fd, byte, 0, 1, offset % partitionBytes)
    fs.closeSync(fd)
  }

  async resize(sizeBytes: number): Promise<void> {
    await this.#manager.resize(name, sizeBytes)
  }

  async reopen(isClean: boolean): Promise<BlockDevice> {
    if (isClean) await this.#manager.close()
    else this.#left.push(this.#manager)
    this.#manager = await openVolumes({ folder: this.folder, metadata: memoryVolumeMetadata(this.#records) })
    this.device = await this.#manager.open(name)
    return this.device
  }

  async snapshot(snapshot: string): Promise<void> {
    await this.#manager.snapshot(name, snapshot)
  }

  openSnapshot(snapshot: string): Promise<BlockDevice> {
    return this.#manager.openSnapshot(name, snapshot)
  }

  deleteSnapshot(snapshot: string): Promise<void> {
    return this.#manager.deleteSnapshot(name, snapshot)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async dispose(): Promise<void> {
    for (const manager of [...this.#left, this.#manager]) await manager.close()
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}
