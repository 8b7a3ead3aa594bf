/** The disks that a third-party copy (EXTENDED COPY) may mean besides the one that makes it, whichever worker has them. */

import type { WorkerNode, WorkerObject } from '@holdfast/engine'
import type { CopyTargetRequest, LogicalUnit } from '@holdfast/iscsi/scsi'
import { type BlockDevice, type ProvisioningRun, type RemotePartition, RoutedVolume } from '@holdfast/storage/block'
import type { WorkerVolumes } from './volumes-on-worker.ts'

/** The worker object of this name is on every worker. */
const objectId = 'copy-targets'

/** What another worker is told of a disk that it may use. */
interface RemoteDisk {
  readonly sizeBytes: number
  readonly physicalBlockBytes: number
  readonly isReadOnly: boolean
}

interface Asked {
  readonly targetName: string
  readonly initiatorName: string
  readonly access: 'read' | 'write'
}

/** A range of a disk. */
interface Range {
  readonly targetName: string
  readonly offset: number
  readonly lengthBytes: number
}

/** Of one worker: finds those of all workers, and serves its own to the others. */
export class CopyTargets {
  readonly #node: WorkerNode
  readonly #volumes: WorkerVolumes
  /** The unit of a target that somebody has logged in to here. */
  readonly #unitOf: (targetName: string) => LogicalUnit | undefined

  constructor(node: WorkerNode, volumes: WorkerVolumes, unitOf: (targetName: string) => LogicalUnit | undefined) {
    this.#node = node
    this.#volumes = volumes
    this.#unitOf = unitOf
    node.register(objectId, this.#service())
  }

  /** The disk with this NAA designator, if it admits the copy: undefined where it does not, or there is none. */
  async find({ designator, initiatorName, access }: CopyTargetRequest): Promise<BlockDevice | undefined> {
    const naa = designator.toString('hex')
    const volume = this.#volumes.list().find(each => each.naa === naa)
    if (volume === undefined) return undefined
    const { targetName, owner } = volume
    const asked: Asked = { targetName, initiatorName, access }
    if (owner === this.#node.index) return this.#admitted(asked)
    const disk = (await this.#node.call(owner, objectId, 'admit', asked)) as RemoteDisk | undefined
    if (disk === undefined) return undefined
    const partition = this.#remote(owner, targetName)
    return new RoutedVolume({ ...disk, partitionBytes: disk.sizeBytes, partitionAt: () => partition })
  }

  #admitted({ targetName, initiatorName, access }: Asked): BlockDevice | undefined {
    const unit = this.#unitOf(targetName)
    return unit?.admitsCopy({ initiatorName, access }) === true ? unit.device : undefined
  }

  #remote(owner: number, targetName: string): RemotePartition {
    const call = (method: string, argument: object): Promise<unknown> => this.#node.call(owner, objectId, method, { targetName, ...argument })
    const never = (): Promise<never> => Promise.reject(new Error('a copy does not do this'))
    return {
      async read(into, offset) {
        const bytes = (await call('read', { offset, lengthBytes: lengthOf(into) })) as Uint8Array
        let at = 0
        for (const buffer of into) {
          buffer.set(bytes.subarray(at, at + buffer.length))
          at += buffer.length
        }
      },
      write: async (from, offset) => void (await call('write', { offset, bytes: Buffer.concat(from) })),
      flush: async () => void (await call('flush', {})),
      unmap: async (offset, lengthBytes) => void (await call('unmap', { offset, lengthBytes })),
      provisioning: async (offset, lengthBytes, maxRuns) =>
        (await call('provisioning', { offset, lengthBytes, maxRuns })) as readonly ProvisioningRun[],
      zero: never,
      compareAndWrite: never,
      orWrite: never,
      usage: never,
    }
  }

  #service(): WorkerObject {
    const device = ({ targetName }: Pick<Range, 'targetName'>): BlockDevice => {
      const unit = this.#unitOf(targetName)
      if (unit === undefined) throw new Error(`${targetName} is not here`)
      return unit.device
    }
    return {
      admit: (asked: Asked): RemoteDisk | undefined => {
        const disk = this.#admitted(asked)
        return disk && { sizeBytes: disk.sizeBytes, physicalBlockBytes: disk.physicalBlockBytes, isReadOnly: disk.isReadOnly }
      },
      read: async (range: Range) => {
        const bytes = Buffer.alloc(range.lengthBytes)
        await device(range).read([bytes], range.offset)
        return bytes
      },
      write: ({ bytes, ...range }: Omit<Range, 'lengthBytes'> & { readonly bytes: Uint8Array }) =>
        device(range).write([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)], range.offset),
      flush: (range: Pick<Range, 'targetName'>) => device(range).flush(),
      unmap: (range: Range) => device(range).unmap(range.offset, range.lengthBytes),
      provisioning: ({ maxRuns, ...range }: Range & { readonly maxRuns: number }) =>
        device(range).provisioning(range.offset, range.lengthBytes, maxRuns),
    }
  }
}

const lengthOf = (buffers: readonly Buffer[]): number => buffers.reduce((sum, { length }) => sum + length, 0)
