/** An iSCSI target (RFC 7143) for the connection manager: what runs on each worker. */
import type { WorkerNode, WorkerProtocol } from '@holdfast/engine'
import type { IscsiTargetOptions } from './options.ts'
import type { IscsiSessionView } from './session-view.ts'
import { TargetNode } from './target-node.ts'

export { iscsiFraming } from './framing.ts'
export { defaultIscsiLimits } from './options.ts'
export type {
  Credentials,
  IscsiLimits,
  IscsiTargetOptions,
  LoginAttempt,
  LoginInformation,
  LoginThrottle,
  Portal,
  TargetDescription,
  TargetDirectory,
} from './options.ts'
export type { IscsiConnectionView, IscsiSessionView } from './session-view.ts'

/** An iSCSI target on one worker. */
export interface IscsiTarget extends WorkerProtocol {
  /** The sessions that live on this worker: those with targets that it owns, and discovery sessions. */
  sessions(): readonly IscsiSessionView[]
  /**
   * Ends a session of this worker: its initiator is asked to log out (RFC 7143 11.9.1), and when it has not within `patienceSeconds`, 5 where it
   * is left out, it is told that the session is dropped, and its connections end. False where there is no such session. An initiator that
   * may log in may do so again at once.
   */
  disconnect(tsih: number, patienceSeconds?: number): Promise<boolean>
}

/**
 * The protocol as a worker of the engine runs it; to be listened for with `iscsiFraming`, distributed.
 *
 * `serve` of holdfast does all of this for disks that have no wishes of their own.
 *
 * @example
 * import { ConnectionManager } from '@holdfast/engine'
 * import { LogicalUnit, TargetDevice } from '@holdfast/iscsi/scsi'
 *
 * const identity = { vendor: 'EXAMPLE', product: 'DISK', revision: '1', serial: '0001', naa: Buffer.from('3000000000000001', 'hex') }
 * const disk = new TargetDevice()
 * disk.addUnit(0, new LogicalUnit({ device: memoryDevice({ sizeBytes: 1 << 30 }), identity }))
 * const description = { name: 'iqn.2026-11.com.example:disk', owner: 0, needsAuthentication: true }
 * const secrets = new Map([['alice', 'correct horse']])
 *
 * // In the calling thread; for threads give `workers` and `workerModule` instead of `inThread`.
 * await using manager = await ConnectionManager.start({
 *   inThread: {
 *     iscsi: {
 *       framing: iscsiFraming,
 *       create: worker =>
 *         createIscsiTarget(worker, {
 *           targets: { find: name => (name === description.name ? description : undefined), list: () => [description], device: async () => disk },
 *           credentials: { secretOf: async user => secrets.get(user) },
 *           portals: local => [{ ...local, portalGroupTag: 1 }],
 *         }),
 *     },
 *   },
 * })
 * const { host, port } = await manager.listen({ protocol: 'iscsi', framing: iscsiFraming, distributed: true, host: '127.0.0.1', port: 0 })
 *
 * await using client = await connectDisk({ host, port, target: description.name, user: 'alice', password: 'correct horse' })
 * client.sizeBytes // => 1073741824
 */
export function createIscsiTarget(worker: WorkerNode, options: IscsiTargetOptions): IscsiTarget {
  const node = new TargetNode(worker, options)
  return {
    accept: (connection, checkpoints) => node.accept(connection, checkpoints),
    close: async () => node.close(),
    sessions: () => [...node.sessions.all].map(session => session.view()),
    disconnect: (tsih, patienceSeconds) => node.disconnect(tsih, patienceSeconds),
  }
}
