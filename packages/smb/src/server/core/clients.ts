/**
 * Which worker has the connections of a client (by ClientGuid): they come together on one worker, so that all channels of a session, and
 * all leases of a client, are in one place. The directory is spread over the workers by the ClientGuid's hash.
 */
import type { WorkerNode } from '@holdfast/engine'
import type { MaybePromise } from '@holdfast/storage'

const objectId = 'smb-clients'

interface Claim {
  readonly clientGuid: string
  readonly worker: number
}

/** What the directory needs to know of a connection. */
export interface ClaimedConnection {
  /** True once it has been closed or moved: nobody will call `leave` for it any more. */
  readonly isGone: boolean
}

interface Holder {
  worker: number
  connections: number
}

export class ClientDirectory {
  readonly #node: WorkerNode
  /** This worker's part of the directory. */
  readonly #holders = new Map<string, Holder>()
  /** Claims of this worker's connections. */
  readonly #claims = new Map<ClaimedConnection, string>()

  constructor(node: WorkerNode) {
    this.#node = node
    if (node.workers === 1) return
    node.register(objectId, {
      claim: (claim: Claim) => this.#claim(claim),
      release: (claim: Claim) => this.#release(claim),
    })
    node.onWorkerLost(worker => {
      for (const [clientGuid, holder] of this.#holders) if (holder.worker === worker) this.#holders.delete(clientGuid)
    })
  }

  /** The worker where the client's connections are: this one where there are none yet. Counts the connection there if it is this one. */
  workerOf(clientGuid: string, connection: ClaimedConnection): MaybePromise<number> {
    if (this.#node.workers === 1) return this.#node.index
    const claim: Claim = { clientGuid, worker: this.#node.index }
    return this.#node.call(directoryOf(clientGuid, this.#node.workers), objectId, 'claim', claim).then(
      worker => {
        if (worker === this.#node.index) this.#hold(connection, claim)
        return worker as number
      },
      // The directory's worker has just died: nobody knows better than to stay.
      () => this.#node.index,
    )
  }

  /** The connection has gone. */
  leave(connection: ClaimedConnection): void {
    const clientGuid = this.#claims.get(connection)
    if (clientGuid === undefined) return
    this.#claims.delete(connection)
    this.#giveBack({ clientGuid, worker: this.#node.index })
  }

  /** One claim for a connection, as long as it is there: it may have gone, or have claimed again, while the directory was asked. */
  #hold(connection: ClaimedConnection, claim: Claim): void {
    if (connection.isGone || this.#claims.has(connection)) this.#giveBack(claim)
    else this.#claims.set(connection, claim.clientGuid)
  }

  #giveBack(claim: Claim): void {
    this.#node.post(directoryOf(claim.clientGuid, this.#node.workers), objectId, 'release', claim)
  }

  #claim({ clientGuid, worker }: Claim): number {
    const holder = this.#holders.get(clientGuid)
    if (holder === undefined) {
      this.#holders.set(clientGuid, { worker, connections: 1 })
      return worker
    }
    if (holder.worker === worker) holder.connections += 1
    return holder.worker
  }

  #release({ clientGuid, worker }: Claim): void {
    const holder = this.#holders.get(clientGuid)
    if (holder === undefined || holder.worker !== worker) return
    holder.connections -= 1
    if (holder.connections <= 0) this.#holders.delete(clientGuid)
  }
}

function directoryOf(clientGuid: string, workers: number): number {
  let hash = 0
  for (let i = 0; i < clientGuid.length; i++) hash = (hash * 31 + clientGuid.charCodeAt(i)) | 0
  return (hash >>> 0) % workers
}
