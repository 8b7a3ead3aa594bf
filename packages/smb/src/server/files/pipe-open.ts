/** A named pipe on IPC$ with an RPC service behind it (MS-SMB2 3.3.5.9, MS-RPCE 2.1.1.2). */
import { OpenChannelState } from '../core/channel-sequence.ts'
import type { RpcPipe } from '@holdfast/rpc'
import type { ServerOpen, TreeContext } from '../core/handler-api.ts'

let lastId = 0n

export class PipeOpen implements ServerOpen {
  readonly persistentId = ++lastId
  volatileId = 0n
  readonly tree: TreeContext
  readonly channel = new OpenChannelState()
  readonly pipe: RpcPipe
  readonly access: number

  constructor(options: { readonly tree: TreeContext; readonly pipe: RpcPipe; readonly access: number }) {
    this.tree = options.tree
    this.pipe = options.pipe
    this.access = options.access
  }

  /** The pipe holds nothing but memory. */
  onGone(): void {}
}
