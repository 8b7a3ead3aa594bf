import type { RpcService } from '@holdfast/rpc'

/** Services by pipe name. */
export type PipeMap = ReadonlyMap<string, readonly RpcService[]>

/** What IPC$ offers, by pipe name; the core keeps it as `ShareContext.extension` of IPC$. */
export class PipeServices {
  readonly services: PipeMap
  /** What it offers to a client without a name. */
  readonly anonymousServices: PipeMap
  constructor(services: PipeMap, anonymousServices: PipeMap) {
    this.services = services
    this.anonymousServices = anonymousServices
  }
}
