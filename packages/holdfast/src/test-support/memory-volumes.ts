/** Volumes in memory, for tests of what manages and serves them. */

import { randomUUID } from 'node:crypto'
import {
  type BlockDevice,
  BlockDeviceError,
  memoryDevice,
  type NewVolume,
  type SnapshotRecord,
  VolumeError,
  type VolumeDevice,
  type VolumeManager,
  type VolumeRecord,
} from '@holdfast/storage/block'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
interface Volume {
  record: Mutable<VolumeRecord>
  readonly device: ReturnType<typeof memoryDevice>
}

/** What the managers of several workers share. */
export class MemoryVolumes {
  readonly volumes = new Map<string, Volume>()
  /** Volumes that no manager can open. */
  readonly damaged = new Set<string>()
  /** Steps of managers, in order: `0 create disk0`. */
  readonly steps: string[] = []

  /** One more manager of the same volumes, by the name of which its steps are noted. */
  manager(name = '0'): VolumeManager {
    return new MemoryVolumeManager(this, name)
  }
}

const moment = '2026-11-21T03:00:00.000Z'

class MemoryVolumeManager implements VolumeManager {
  readonly #shared: MemoryVolumes
  readonly #name: string

  constructor(shared: MemoryVolumes, name: string) {
    this.#shared = shared
    this.#name = name
  }

  async create({ name, sizeBytes, from, options = {} }: NewVolume): Promise<VolumeRecord> {
    if (this.#shared.volumes.has(name)) throw new VolumeError('VOLUME_EXISTS')
    const source = from && (await this.#snapshotOf(from.volume, from.snapshot))
    const bytes = sizeBytes ?? source?.sizeBytes ?? 0
    const id = randomUUID()
    const record: VolumeRecord = {
      id,
      name,
      sizeBytes: bytes,
      createdAt: moment,
      serial: id.replaceAll('-', ''),
      naa: `3${id.replaceAll('-', '').slice(0, 15)}`,
      options,
      snapshots: [],
    }
    this.#shared.steps.push(`${this.#name} create ${name}`)
    this.#shared.volumes.set(name, { record, device: memoryDevice({ sizeBytes: bytes }) })
    return record
  }

  async list(): Promise<readonly VolumeRecord[]> {
    return [...this.#shared.volumes.values()].map(({ record }) => record)
  }

  async get(name: string): Promise<VolumeRecord> {
    return { ...this.#volume(name).record }
  }

  async resize(name: string, sizeBytes: number): Promise<VolumeRecord> {
    const { record } = this.#volume(name)
    if (sizeBytes < record.sizeBytes) throw new VolumeError('SIZE_TOO_SMALL')
    record.sizeBytes = sizeBytes
    return { ...record }
  }

  async snapshot(name: string, snapshotName: string): Promise<SnapshotRecord> {
    const { record } = this.#volume(name)
    if (record.snapshots.some(snapshot => snapshot.name === snapshotName)) throw new VolumeError('SNAPSHOT_EXISTS')
    const made = { name: snapshotName, sizeBytes: record.sizeBytes, createdAt: moment }
    record.snapshots = [...record.snapshots, made]
    return made
  }

  async deleteSnapshot(name: string, snapshotName: string): Promise<void> {
    await this.#snapshotOf(name, snapshotName)
    const { record } = this.#volume(name)
    record.snapshots = record.snapshots.filter(snapshot => snapshot.name !== snapshotName)
  }

  async delete(name: string): Promise<void> {
    this.#volume(name)
    this.#shared.steps.push(`${this.#name} delete ${name}`)
    this.#shared.volumes.delete(name)
  }

  async open(name: string): Promise<VolumeDevice> {
    const { record, device } = this.#volume(name)
    if (this.#shared.damaged.has(name)) throw new VolumeError('DAMAGED', 'its files are missing')
    return Object.assign(device, { record })
  }

  async openSnapshot(): Promise<BlockDevice> {
    throw new BlockDeviceError('GONE')
  }

  async release(): Promise<void> {}
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  #volume(name: string): Volume {
    const found = this.#shared.volumes.get(name)
    if (found === undefined) throw new VolumeError('UNKNOWN_VOLUME', `there is no volume "${name}"`)
    return found
  }

  async #snapshotOf(name: string, snapshotName: string): Promise<SnapshotRecord> {
    const found = this.#volume(name).record.snapshots.find(snapshot => snapshot.name === snapshotName)
    if (found === undefined) throw new VolumeError('UNKNOWN_SNAPSHOT')
    return found
  }
}
