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

interface Holder {
  worker: number
  connections: number
}

export class ClientDirectory {
  readonly #node: WorkerNode
  /** This worker's part of the directory. */
  readonly #holders = new Map<string, Holder>()
  /** Claims of this worker's connections. */
  readonly #claims = new Map<object, string>()

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
  workerOf(clientGuid: string, connection: object): MaybePromise<number> {
    if (this.#node.workers === 1) return this.#node.index
    const claim: Claim = { clientGuid, worker: this.#node.index }
    return this.#node.call(directoryOf(clientGuid, this.#node.workers), objectId, 'claim', claim).then(
      worker => {
        if (worker === this.#node.index) this.#claims.set(connection, clientGuid)
        return worker as number
      },
      // The directory's worker has just died: nobody knows better than to stay.
      () => this.#node.index,
    )
  }

  /** The connection has gone. */
  leave(connection: object): void {
    const clientGuid = this.#claims.get(connection)
    if (clientGuid === undefined) return
    this.#claims.delete(connection)
    const claim: Claim = { clientGuid, worker: this.#node.index }
    this.#node.post(directoryOf(clientGuid, this.#node.workers), objectId, 'release', claim)
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
