/** An iSCSI target (RFC 7143) for the connection manager: what runs on each worker. */
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import type { IscsiTargetOptions } from './options.ts'
import { TargetNode } from './target-node.ts'

export { iscsiFraming } from './framing.ts'
export { defaultIscsiLimits } from './options.ts'
export type { Credentials, IscsiLimits, IscsiTargetOptions, LoginInformation, Portal, TargetDescription, TargetDirectory } from './options.ts'

/** The protocol as a worker of the engine runs it; to be listened for with `iscsiFraming`, distributed. */
export function createIscsiTarget(worker: WorkerNode, options: IscsiTargetOptions): WorkerProtocol {
  const node = new TargetNode(worker, options)
  return {
    accept: (connection, checkpoints) => node.accept(connection, checkpoints),
    close: async () => node.close(),
  }
}
