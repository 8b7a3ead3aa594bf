/** A named pipe on IPC$ with an RPC service behind it (MS-SMB2 3.3.5.9, MS-RPCE 2.1.1.2). */
import { OpenChannelState } from '../core/channel-sequence.ts'
import type { RpcPipe } from '@holdfast/rpc'
import type { ServerOpen, TreeContext } from '../core/handler-api.ts'
import { Pending } from '../opens/index.ts'
import type { StatusResult } from '../opens/index.ts'

let lastId = 0n

export class PipeOpen implements ServerOpen {
  readonly persistentId = ++lastId
  volatileId = 0n
  readonly tree: TreeContext
  readonly channel = new OpenChannelState()
  readonly pipe: RpcPipe
  readonly access: number
  /** In the order of arrival. */
  readonly #readers = new Set<Pending<StatusResult>>()

  constructor(options: { readonly tree: TreeContext; readonly pipe: RpcPipe; readonly access: number }) {
    this.tree = options.tree
    this.pipe = options.pipe
    this.access = options.access
  }

  /** Settles when something has been written, which may have an answer to be read, or with the end. */
  nextAnswer(): Pending<StatusResult> {
    const pending: Pending<StatusResult> = new Pending({ waiting: true, cancel: () => pending.settle({ status: 'CANCELLED' }) })
    this.#readers.add(pending)
    void pending.promise.then(() => this.#readers.delete(pending))
    return pending
  }

  /** Whoever waits for an answer looks again. */
  answered(): void {
    for (const reader of this.#readers) reader.settle({ status: 'SUCCESS' })
  }

  /** The pipe holds nothing but memory, and those who wait for it. */
  onGone(): void {
    for (const reader of this.#readers) reader.cancel()
  }
}
