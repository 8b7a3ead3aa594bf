/** The volumes of a node on one of its workers: which there are, and the devices of those that this worker owns. */

import { isDeepStrictEqual } from 'node:util'
import { Serial, type Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'
import type { ModeStore, ReservationStore } from '@holdfast/iscsi/scsi'
import { type BlockDevice, VolumeError, type VolumeManager } from '@holdfast/storage/block'
import type { VolumeAccess } from '../config/volumes.ts'
import { AccessStore } from '../volumes/access-store.ts'
import { VolumeOwner, type VolumeOwnerMethod } from '../volumes/owner.ts'
import { readOnlyDevice } from '../volumes/read-only-device.ts'
import { openModes } from '../volumes/modes.ts'
import { openReservations } from '../volumes/reservations.ts'
import { ReopeningDevice } from '../volumes/reopening-device.ts'
import { type CallOwner, routedVolumeService } from '../volumes/routed-service.ts'
import type { VolumeService } from '../volumes/service.ts'
import { ownerOfVolume, type ServedVolume, servedVolume, targetNamePrefix } from '../volumes/volume.ts'

export type { ServedVolume } from '../volumes/volume.ts'

/** What has become of a volume. `changed`: its size, or who may use it. */
export interface VolumeChange {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly volume: ServedVolume
}

/** A volume on the worker that owns it. */
export interface OpenVolume {
  readonly volume: ServedVolume
  /** `isReadOnly` where the volume says so. */
  readonly device: BlockDevice
  /** What persistent reservations leave behind (APTPL). */
  readonly reservations: ReservationStore
  /** What initiators have saved of its mode pages. */
  readonly modes: ModeStore
}

/** What serves volumes on a worker is given. */
export interface WorkerVolumes {
  /** All volumes of the node, by name. */
  list(): readonly ServedVolume[]
  /** By the name of its target; undefined where there is none. */
  find(targetName: string): ServedVolume | undefined
  /**
   * On its owner only: the same object until the volume is removed. Undefined where it is gone, belongs to another worker or could not be
   * opened, which the log says.
   */
  open(targetName: string): OpenVolume | undefined
  /**
   * Called after `list` has changed; a volume that is `added` can be opened, one that is `removed` is closed when the listener has returned (or
   * what it returns has resolved). Returns what stops it.
   */
  onChange(listener: (change: VolumeChange) => void | Promise<void>): () => void
}

/** The worker object of this name is on every worker. */
const objectId = 'volumes'
/** A worker that does not answer for so long is being started again, and looks at everything then. */
const patienceMs = 5000

export interface VolumesOnWorkerOptions {
  readonly node: WorkerNode
  readonly manager: VolumeManager
  readonly store: Store
}

/** Opens the volumes that belong to this worker; those that cannot be opened are in the log. */
export async function openVolumesOnWorker(options: VolumesOnWorkerOptions): Promise<VolumesOnWorker> {
  const volumes = new VolumesOnWorker(options)
  await volumes.begin()
  return volumes
}

/** See `WorkerVolumes`; with what the worker does for the others. */
export class VolumesOnWorker implements WorkerVolumes, AsyncDisposable {
  /** Manages all volumes of the node. */
  readonly service: VolumeService
  readonly #node: WorkerNode
  readonly #call: CallOwner
  readonly #manager: VolumeManager
  readonly #store: Store
  readonly #access: AccessStore
  readonly #serial = new Serial()
  readonly #known = new Map<string, ServedVolume>()
  readonly #open = new Map<string, OpenVolume>()
  readonly #listeners = new Set<(change: VolumeChange) => void | Promise<void>>()
  readonly #lost = new Set<number>()

  constructor({ node, manager, store }: VolumesOnWorkerOptions) {
    this.#node = node
    this.#manager = manager
    this.#store = store
    this.#access = new AccessStore(store)
    // The worker's object has the owner's methods.
    this.#call = ((worker: number, method: VolumeOwnerMethod, argument: unknown) => node.call(worker, objectId, method, argument)) as CallOwner
    this.service = routedVolumeService(node.workers, this.#call)
  }

  list(): readonly ServedVolume[] {
    return [...this.#known.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(targetName: string): ServedVolume | undefined {
    return this.#known.get(nameOf(targetName))
  }

  open(targetName: string): OpenVolume | undefined {
    return this.#open.get(nameOf(targetName))
  }

  onChange(listener: (change: VolumeChange) => void | Promise<void>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Before anybody is served. */
  async begin(): Promise<void> {
    const [records, access] = await Promise.all([this.#manager.list(), this.#access.load()])
    await Promise.all(records.map(({ name }) => this.#look(name, access.get(name))))
    const owner = new VolumeOwner({
      manager: this.#manager,
      store: this.#store,
      audience: { withdraw: name => this.#tellAll('withdraw', name), announce: name => this.#tellAll('look', name) },
      owns: name => this.#owns(name),
      makeElsewhere: (source, volume) => this.#call(ownerOfVolume(source, this.#node.workers), 'make', volume),
    })
    this.#node.register(objectId, {
      ...methodsOf(owner),
      look: (name: string) => this.#look(name),
      withdraw: (name: string) => this.#serial.run(name, () => this.#remove(name)),
      begun: (worker: number) => this.#lookAgain(worker),
    })
    this.#node.onWorkerLost(worker => this.#lost.add(worker))
    for (let worker = 0; worker < this.#node.workers; worker++) {
      if (worker !== this.#node.index) this.#node.post(worker, objectId, 'begun', this.#node.index)
    }
  }

  /** What is written is on stable storage, and others may open the volumes. */
  async close(): Promise<void> {
    this.#node.unregister(objectId)
    await this.#manager.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #owns(name: string): boolean {
    return ownerOfVolume(name, this.#node.workers) === this.#node.index
  }

  /** Resolves when every worker has done it; one that dies or starts meanwhile looks at everything by itself. */
  async #tellAll(method: 'look' | 'withdraw', name: string): Promise<void> {
    const workers = Array.from({ length: this.#node.workers }, (_, worker) => worker)
    const told = Promise.allSettled(workers.map(worker => this.#node.call(worker, objectId, method, name)))
    let timer: NodeJS.Timeout | undefined
    await Promise.race([told, new Promise(resolve => (timer = setTimeout(resolve, patienceMs)))])
    clearTimeout(timer)
  }

  /** A worker has started. One that had died may have changed volumes without telling. */
  #lookAgain(worker: number): void {
    if (!this.#lost.delete(worker)) return
    const look = async (): Promise<void> => {
      const names = new Set([...this.#known.keys(), ...(await this.#manager.list()).map(({ name }) => name)])
      await Promise.all([...names].filter(name => ownerOfVolume(name, this.#node.workers) === worker).map(name => this.#look(name)))
    }
    look().catch((error: unknown) => this.#node.log('error', 'the volumes cannot be listed', { error: String(error) }))
  }

  /** Makes what is known here of a volume what it is. */
  #look(name: string, access?: VolumeAccess): Promise<void> {
    return this.#serial.run(name, async () => {
      const record = await this.#manager.get(name).catch(undefinedIfUnknown)
      const next = record && servedVolume(record, access ?? (await this.#access.get(name)), ownerOfVolume(name, this.#node.workers))
      const before = this.#known.get(name)
      // Whoever serves it has begun with one id and one mode.
      if (before !== undefined && (next?.id !== before.id || next.readOnly !== before.readOnly)) await this.#remove(name)
      if (next !== undefined) await this.#take(next)
    })
  }

  async #take(volume: ServedVolume): Promise<void> {
    const { name } = volume
    const before = this.#known.get(name)
    if (isDeepStrictEqual(before, volume)) return
    const open = this.#open.get(name)
    if (open !== undefined) this.#open.set(name, Object.assign(open, { volume }))
    else if (volume.owner === this.#node.index) await this.#openDevice(volume)
    this.#known.set(name, volume)
    await this.#emit({ kind: before === undefined ? 'added' : 'changed', volume })
  }

  async #openDevice(volume: ServedVolume): Promise<void> {
    try {
      const device = this.#lasting(volume, await this.#manager.open(volume.name))
      const reservations = await openReservations(this.#store, volume.id)
      const modes = await openModes(this.#store, volume.id)
      this.#open.set(volume.name, { volume, device: volume.readOnly ? readOnlyDevice(device) : device, reservations, modes })
    } catch (error) {
      this.#node.log('error', 'a volume cannot be opened', { volume: volume.name, error: (error as Error).message })
    }
  }

  /** The device of a volume for as long as the volume is open here. */
  #lasting({ name, id }: ServedVolume, device: BlockDevice): BlockDevice {
    return new ReopeningDevice(device, {
      reopen: async () => {
        if (this.#open.get(name)?.volume.id !== id) throw new VolumeError('UNKNOWN_VOLUME', 'it is not served here any more')
        return this.#manager.open(name)
      },
      onReopened: failure => {
        if (failure === undefined) this.#node.log('warn', 'a volume had gone from this worker, and has been opened again', { volume: name })
        else this.#node.log('error', 'a volume has gone, and cannot be opened again', { volume: name, error: failure.message })
      },
    })
  }

  async #remove(name: string): Promise<void> {
    const volume = this.#known.get(name)
    if (volume === undefined) return
    this.#known.delete(name)
    await this.#emit({ kind: 'removed', volume })
    this.#open.delete(name)
  }

  async #emit(change: VolumeChange): Promise<void> {
    await Promise.all([...this.#listeners].map(async listener => listener(change)))
  }
}

const nameOf = (targetName: string): string => (targetName.startsWith(targetNamePrefix) ? targetName.slice(targetNamePrefix.length) : '')

function undefinedIfUnknown(error: unknown): undefined {
  if (!(error instanceof VolumeError) || error.code !== 'UNKNOWN_VOLUME') throw error
}

const methodsOf = (owner: VolumeOwner): Record<VolumeOwnerMethod, (argument: never) => unknown> => ({
  views: () => owner.views(),
  view: (name: string) => owner.view(name),
  create: (request: Parameters<VolumeOwner['create']>[0]) => owner.create(request),
  make: (volume: Parameters<VolumeOwner['make']>[0]) => owner.make(volume),
  resize: (request: Parameters<VolumeOwner['resize']>[0]) => owner.resize(request),
  setAccess: (request: Parameters<VolumeOwner['setAccess']>[0]) => owner.setAccess(request),
  createSnapshot: (request: Parameters<VolumeOwner['createSnapshot']>[0]) => owner.createSnapshot(request),
  deleteSnapshot: (request: Parameters<VolumeOwner['deleteSnapshot']>[0]) => owner.deleteSnapshot(request),
  delete: (name: string) => owner.delete(name),
})
