/** The iSCSI target on a worker: one target per volume, the volume is its LUN 0. */

import type { WorkerNode } from '@holdfast/engine'
import { LogicalUnit, TargetDevice } from '@holdfast/iscsi/scsi'
import { createIscsiTarget } from '@holdfast/iscsi/target'
import type { IscsiTarget, Portal, TargetDescription } from '@holdfast/iscsi/target'
import { LoginThrottle } from '@holdfast/smb/security'
import { levelTold } from './log-level.ts'
import { CopyTargets } from './copy-targets.ts'
import type { NodeConfig } from './node-config.ts'
import type { ServedVolume, WorkerVolumes } from './volumes-on-worker.ts'

/** Everything that is listened on is one portal group. */
const portalGroupTag = 1

/** What the disks say of themselves (INQUIRY). */
const model = { vendor: 'HOLDFAST', product: 'VOLUME', revision: '0001' } as const

/** What the target on a worker is made of. */
export interface IscsiOnWorker {
  readonly node: WorkerNode
  readonly config: NodeConfig
  readonly volumes: WorkerVolumes
  /** The secret of a user for CHAP; undefined for one who has none. */
  readonly secretOf: (user: string) => string | undefined
}

/** Builds the protocol for one worker. */
export function createIscsiOnWorker({ node, config, volumes, secretOf }: IscsiOnWorker): IscsiTarget {
  const units = new Units(volumes, node)
  return createIscsiTarget(node, {
    targets: {
      find: name => describe(volumes.find(name)),
      list: () => volumes.list().map(volume => describe(volume)),
      device: async name => units.device(name),
      onRemove: listener =>
        void volumes.onChange(async ({ kind, volume }) => {
          if (kind === 'removed') await listener(volume.targetName)
        }),
    },
    credentials: {
      secretOf: async user => secretOf(user),
      get own() {
        const { mutualChap: name } = config
        const secret = name === undefined ? undefined : secretOf(name)
        return name === undefined || secret === undefined ? undefined : { name, secret }
      },
    },
    tellsCommands: levelTold('debug', config.logLevel),
    throttle: new LoginThrottle(),
    portals: local => config.iscsi.map(address => portalOf(address, local)),
  })
}

function describe(volume: ServedVolume): TargetDescription
function describe(volume: ServedVolume | undefined): TargetDescription | undefined
function describe(volume: ServedVolume | undefined): TargetDescription | undefined {
  return (
    volume && {
      name: volume.targetName,
      alias: volume.name,
      owner: volume.owner,
      needsAuthentication: !volume.noAuth,
      ...(volume.users && { users: volume.users }),
      ...(volume.initiators && { initiators: volume.initiators }),
    }
  )
}

/** What listens everywhere, or on a port that was found, is told as the initiator has reached it. */
function portalOf(address: { readonly host: string; readonly port: number }, local: { readonly host: string; readonly port: number }): Portal {
  return { host: address.host === '' ? local.host : address.host, port: address.port === 0 ? local.port : address.port, portalGroupTag }
}

/** The logical units of the volumes that this worker owns. */
class Units {
  readonly #volumes: WorkerVolumes
  readonly #node: WorkerNode
  readonly #devices = new Map<string, { readonly device: TargetDevice; readonly unit: LogicalUnit }>()
  readonly #copyTargets: CopyTargets

  constructor(volumes: WorkerVolumes, node: WorkerNode) {
    this.#volumes = volumes
    this.#node = node
    this.#copyTargets = new CopyTargets(node, volumes, name => this.#devices.get(name)?.unit)
    volumes.onChange(({ kind, volume }) => {
      if (kind === 'removed') this.#remove(volume.targetName)
    })
  }

  /** Throws where the volume cannot be opened. */
  device(targetName: string): TargetDevice {
    const known = this.#devices.get(targetName)
    if (known !== undefined) return known.device
    const open = this.#volumes.open(targetName)
    if (open === undefined) throw new Error(`${targetName} cannot be opened here`)
    const { volume } = open
    const unit = new LogicalUnit({
      device: open.device,
      identity: { ...model, serial: volume.serial, naa: Buffer.from(volume.naa, 'hex') },
      blockBytes: volume.blockBytes,
      // Longer ones are for protection information; there are initiators that cannot take reports of them.
      maxListedCdbBytes: 16,
      reservations: open.reservations,
      modes: open.modes,
      copyTargets: asked => this.#copyTargets.find(asked),
      onFault: (error, task) =>
        this.#node.log('error', 'iscsi: a command failed inside', {
          ...(task?.requestId !== undefined && { request: task.requestId }),
          volume: volume.name,
          error: String(error),
        }),
    })
    const device = new TargetDevice()
    device.addUnit(0, unit)
    this.#devices.set(targetName, { device, unit })
    return device
  }

  #remove(targetName: string): void {
    const known = this.#devices.get(targetName)
    if (known === undefined) return
    this.#devices.delete(targetName)
    known.device.removeUnit(0)
    known.unit.close()
  }
}
