import type { RpcService } from '@holdfast/rpc'

/** What IPC$ offers, by pipe name; the core keeps it as `ShareContext.extension` of IPC$. */
export class PipeServices {
  readonly services: ReadonlyMap<string, readonly RpcService[]>
  constructor(services: ReadonlyMap<string, readonly RpcService[]>) {
    this.services = services
  }
}
