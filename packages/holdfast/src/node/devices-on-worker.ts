/** Block devices of the calling thread as volumes of a node: they belong to its one worker, and stay as long as it. */

import { createHash } from 'node:crypto'
import type { Store } from '@holdfast/cluster'
import type { BlockDevice } from '@holdfast/storage/block'
import type { Identity } from '../state/folder.ts'
import { readOnlyDevice } from '../volumes/read-only-device.ts'
import { openModes } from '../volumes/modes.ts'
import { openReservations } from '../volumes/reservations.ts'
import { type ServedVolume, targetNameOf } from '../volumes/volume.ts'
import type { NodeDevice } from './node-config.ts'
import type { OpenVolume, WorkerVolumes } from './volumes-on-worker.ts'

/** What `openDevices` is given. */
export interface DevicesOptions {
  readonly devices: readonly NodeDevice[]
  /** By name. */
  readonly objects: ReadonlyMap<string, BlockDevice>
  readonly identity: Identity
  /** Keeps persistent reservations and mode pages. */
  readonly store: Store
  /** The worker's index. */
  readonly owner: number
}

/** Rejects where the store does. */
export async function openDevices({ devices, objects, identity, store, owner }: DevicesOptions): Promise<WorkerVolumes> {
  const opened = await Promise.all(
    devices.map(async (settings): Promise<OpenVolume> => {
      const device = objects.get(settings.name)
      if (device === undefined) throw new Error(`the device ${settings.name} was not handed over`)
      const volume: ServedVolume = {
        ...settings,
        ...diskIdentity(identity, settings.name),
        targetName: targetNameOf(settings.name),
        get sizeBytes() {
          return device.sizeBytes
        },
        owner,
      }
      const [reservations, modes] = [await openReservations(store, volume.id), await openModes(store, volume.id)]
      return { volume, device: settings.readOnly ? readOnlyDevice(device) : device, reservations, modes }
    }),
  )
  const byTarget = new Map(opened.map(each => [each.volume.targetName, each]))
  return {
    list: () => opened.map(({ volume }) => volume),
    find: targetName => byTarget.get(targetName)?.volume,
    open: targetName => byTarget.get(targetName),
    // Nothing comes, nothing goes.
    onChange: () => () => {},
  }
}

/** Who a disk is: the same for as long as the node is who it is. NAA 3h, and 60 bits that nobody else has (SPC-4 7.8.6.6.4). */
export function diskIdentity({ serverGuid }: Identity, name: string): Pick<ServedVolume, 'id' | 'serial' | 'naa'> {
  const digest = createHash('sha256').update(`${serverGuid}/${name}`).digest('hex')
  return { id: `device-${digest.slice(0, 32)}`, serial: digest.slice(0, 32), naa: `3${digest.slice(32, 47)}` }
}

/** Both of them: `volumes`, which change, and `devices`. No name is in both. */
export const withDevices = (volumes: WorkerVolumes, devices: WorkerVolumes): WorkerVolumes => ({
  list: () => [...volumes.list(), ...devices.list()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  find: targetName => devices.find(targetName) ?? volumes.find(targetName),
  open: targetName => devices.open(targetName) ?? volumes.open(targetName),
  onChange: listener => volumes.onChange(listener),
})
