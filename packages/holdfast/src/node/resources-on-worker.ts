/** All that can be managed on a node, as any of its workers reaches it. */

import type { WorkerNode } from '@holdfast/engine'
import { openService } from '../sessions/node-opens.ts'
import type { OpenService } from '../sessions/open-service.ts'
import type { SessionService } from '../sessions/service.ts'
import { sessionService } from '../sessions/session-service.ts'
import type { ShareService } from '../shares/service.ts'
import { shareService } from '../shares/share-service.ts'
import type { WorkerShares } from '../shares/worker-shares.ts'
import { openUserStore } from '../state/users.ts'
import type { UserService } from '../users/service.ts'
import { userService } from '../users/user-service.ts'
import type { VolumeService } from '../volumes/service.ts'
import type { NodeConfig } from './node-config.ts'

/** The node's resources. Each service is about the whole node, whichever worker is asked. */
export interface Resources<Volumes extends VolumeService | undefined = VolumeService | undefined> {
  readonly shares: ShareService
  readonly users: UserService
  readonly sessions: SessionService
  readonly opens: OpenService
  /** Undefined in a node that cannot have volumes. */
  readonly volumes: Volumes
}

/** What `openResourcesOnWorker` is given. */
export interface ResourcesOptions<Volumes> {
  readonly node: WorkerNode
  readonly config: Pick<NodeConfig, 'stateDir' | 'shares' | 'users'>
  /** Of this worker's SMB server (`createSmbOnWorker`). */
  readonly shares: WorkerShares
  readonly volumes: Volumes
}

/** To be called once on every worker: each of them may be asked, and each does its part. */
export function openResourcesOnWorker<Volumes extends VolumeService | undefined>({
  node,
  config,
  shares,
  volumes,
}: ResourcesOptions<Volumes>): Resources<Volumes> {
  const { stateDir } = config
  return {
    shares: shareService({ node, shares, configured: config.shares, stateDir }),
    users: userService({ node, store: openUserStore(stateDir), configured: config.users ?? [] }),
    sessions: sessionService(node),
    opens: openService(node),
    volumes,
  }
}
