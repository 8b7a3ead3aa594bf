import { ConnectionManager } from '@holdfast/engine'
import type { ManagerOptions } from '@holdfast/engine'
import { memoryDevice } from '@holdfast/storage/block'
import { LogicalUnit, TargetDevice } from '../../scsi/index.ts'
import { createIscsiTarget, iscsiFraming } from '../index.ts'
import type { IscsiTarget, IscsiTargetOptions, TargetDescription } from '../index.ts'

/** Names of the targets of `startTarget`. */
export const targetNames = { open: 'iqn.2026-11.test:open', locked: 'iqn.2026-11.test:locked', guarded: 'iqn.2026-11.test:guarded' } as const
/** The one initiator that `guarded` lets in. */
export const guest = 'iqn.2026-11.test:guest'
/** The one user of `locked`. */
export const alice = { name: 'alice', secret: 'a long enough secret' } as const
/** One who has a secret, the same, and may use none of them that ask for one. */
export const bob = { name: 'bob' } as const
/** What the target proves itself with. */
export const own = { name: 'holdfast', secret: 'another long secret' } as const

const descriptions: readonly TargetDescription[] = [
  { name: targetNames.open, alias: 'everybody', owner: 0, needsAuthentication: false },
  { name: targetNames.locked, owner: 0, needsAuthentication: true, users: ['Alice'] },
  { name: targetNames.guarded, owner: 0, needsAuthentication: false, initiators: [guest] },
]

/** Stopped with `await using`. */
export interface RunningTarget extends AsyncDisposable {
  readonly port: number
  readonly protocol: IscsiTarget
  /** What the connection manager counts under a name, and these labels. */
  metric(name: string, labels?: Readonly<Record<string, string>>): number
  /** Says that a target goes away. */
  remove(name: string): Promise<void>
}

/** A target in this thread, with a disk of 1 MiB behind each name. */
export async function startTarget(more: Partial<IscsiTargetOptions> = {}, { onLog }: Pick<ManagerOptions, 'onLog'> = {}): Promise<RunningTarget> {
  let remove: (name: string) => Promise<void> = async () => undefined
  const devices = new Map(descriptions.map(({ name }) => [name, deviceOf()]))
  let protocol: IscsiTarget | undefined
  const manager = await ConnectionManager.start({
    ...(onLog && { onLog }),
    inThread: {
      iscsi: {
        framing: iscsiFraming,
        create: node =>
          (protocol = createIscsiTarget(node, {
            targets: {
              find: name => descriptions.find(description => description.name === name),
              list: () => descriptions,
              device: async name => devices.get(name)!,
              onRemove: listener => void (remove = listener),
            },
            credentials: { secretOf: async name => (name === alice.name || name === bob.name ? alice.secret : undefined), own },
            portals: local => [{ ...local, portalGroupTag: 1 }],
            ...more,
          })),
      },
    },
  })
  const { port } = await manager.listen({ protocol: 'iscsi', framing: iscsiFraming, distributed: true, host: '127.0.0.1', port: 0 })
  const metric = (name: string, labels: Readonly<Record<string, string>> = {}): number =>
    manager.snapshot().find(sample => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value ??
    Number.NaN
  return { port, protocol: protocol!, metric, remove: name => remove(name), [Symbol.asyncDispose]: () => manager.close() }
}

function deviceOf(): TargetDevice {
  const device = new TargetDevice()
  const identity = { vendor: 'HOLDFAST', product: 'TEST', revision: '1', serial: '1', naa: Buffer.from('3000000000000001', 'hex') }
  device.addUnit(0, new LogicalUnit({ device: memoryDevice({ sizeBytes: 1 << 20 }), identity }))
  return device
}
