/** What is done to volumes where they belong: on the worker that owns them, or in a command without a node. */

import { Serial, type Store } from '@holdfast/cluster'
import { type NewVolume, VolumeError, type VolumeManager, type VolumeRecord } from '@holdfast/storage/block'
import type { VolumeAccess } from '../config/volumes.ts'
import { AccessStore } from './access-store.ts'
import { forgetModes } from './modes.ts'
import { forgetReservations } from './reservations.ts'
import { type SnapshotView, type VolumeRequest, type VolumeView, volumeView } from './volume.ts'

/** Who hears of what becomes of volumes; each resolves when everybody has. */
export interface VolumeAudience {
  /** Nobody shall use it any more. */
  withdraw(name: string): Promise<void>
  /** It is not what it was: made, changed, or gone. */
  announce(name: string): Promise<void>
}

export interface VolumeOwnerOptions {
  readonly manager: VolumeManager
  readonly store: Pick<Store, 'txn' | 'range'>
  readonly audience: VolumeAudience
  /** Whether a volume belongs here. */
  owns(name: string): boolean
  /** Makes a volume where the one whose snapshot it begins with belongs, if that is not here. */
  makeElsewhere?(source: string, volume: NewVolume): Promise<VolumeRecord>
}

/** Methods by name, with one argument each that can be sent to another thread. They reject with `VolumeError`. */
export class VolumeOwner {
  readonly #options: VolumeOwnerOptions
  readonly #access: AccessStore
  readonly #serial = new Serial()

  constructor(options: VolumeOwnerOptions) {
    this.#options = options
    this.#access = new AccessStore(options.store)
  }

  async views(_all?: undefined): Promise<readonly VolumeView[]> {
    const [records, access] = await Promise.all([this.#options.manager.list(), this.#access.load()])
    const mine = records.filter(({ name }) => this.#options.owns(name))
    return Promise.all(mine.map(record => this.#view(record, access.get(record.name))))
  }

  async view(name: string): Promise<VolumeView> {
    return this.#view(await this.#options.manager.get(name))
  }

  create({ name, sizeBytes, from, access, ...options }: VolumeRequest): Promise<VolumeView> {
    const { audience } = this.#options
    return this.#serial.run(name, async () => {
      if ((await this.#find(name)) !== undefined) throw new VolumeError('VOLUME_EXISTS', `there is a volume "${name}" already`)
      // Before there is anything to use: a crash in between leaves no volume that lets in whom it should not.
      await this.#access.put(name, access)
      const record = await this.#make({
        name,
        ...(sizeBytes !== undefined && { sizeBytes }),
        ...(from && { from }),
        options,
      })
      await audience.announce(name)
      return this.#view(record, access)
    })
  }

  /** For owners of other volumes: whoever makes a volume of a snapshot reads the one that has it. */
  make(volume: NewVolume): Promise<VolumeRecord> {
    return this.#options.manager.create(volume)
  }

  resize({ name, sizeBytes }: { readonly name: string; readonly sizeBytes: number }): Promise<VolumeView> {
    return this.#change(name, () => this.#options.manager.resize(name, sizeBytes))
  }

  setAccess({ name, access }: { readonly name: string; readonly access: VolumeAccess }): Promise<VolumeView> {
    return this.#change(name, async () => {
      await this.#options.manager.get(name)
      await this.#access.put(name, access)
    })
  }

  createSnapshot({ name, snapshot }: { readonly name: string; readonly snapshot: string }): Promise<SnapshotView> {
    return this.#serial.run(name, () => this.#options.manager.snapshot(name, snapshot))
  }

  deleteSnapshot({ name, snapshot }: { readonly name: string; readonly snapshot: string }): Promise<void> {
    return this.#serial.run(name, () => this.#options.manager.deleteSnapshot(name, snapshot))
  }

  delete(name: string): Promise<void> {
    const { manager, store, audience } = this.#options
    return this.#serial.run(name, async () => {
      const record = await this.#find(name)
      // Of one that was being deleted when its owner died, that goes on.
      if (record === undefined) return manager.delete(name)
      await audience.withdraw(name)
      try {
        await manager.delete(name)
        await this.#access.remove(name)
        await forgetReservations(store, record.id)
        await forgetModes(store, record.id)
      } finally {
        // Where it could not be deleted it is there again.
        await audience.announce(name)
      }
    })
  }

  #make(volume: NewVolume): Promise<VolumeRecord> {
    const { owns, makeElsewhere } = this.#options
    const source = volume.from?.volume
    return source === undefined || owns(source) || makeElsewhere === undefined ? this.make(volume) : makeElsewhere(source, volume)
  }

  #change(name: string, action: () => Promise<unknown>): Promise<VolumeView> {
    return this.#serial.run(name, async () => {
      await action()
      await this.#options.audience.announce(name)
      return this.view(name)
    })
  }

  async #find(name: string): Promise<VolumeRecord | undefined> {
    try {
      return await this.#options.manager.get(name)
    } catch (error) {
      if (error instanceof VolumeError && error.code === 'UNKNOWN_VOLUME') return undefined
      throw error
    }
  }

  async #view(record: VolumeRecord, access?: VolumeAccess): Promise<VolumeView> {
    return volumeView(record, access ?? (await this.#access.get(record.name)), await this.#usage(record.name))
  }

  async #usage(name: string): Promise<{ readonly usedBytes: number } | { readonly problem: string }> {
    try {
      const device = await this.#options.manager.open(name)
      return { usedBytes: (await device.usage()).usedBytes }
    } catch (error) {
      return { problem: (error as Error).message }
    }
  }
}

/** What others may ask an owner for, by the names under which they do. */
export type VolumeOwnerMethod = 'views' | 'view' | 'create' | 'make' | 'resize' | 'setAccess' | 'createSnapshot' | 'deleteSnapshot' | 'delete'
