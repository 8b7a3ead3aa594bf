import { foldPath } from '../paths.ts'
import { Pending } from '../pending.ts'
import { notifyActions, type NotifyEntry, type NotifyResult } from './types.ts'

/** However much a client offers to take at once, no more is collected for it. */
const maxCollectedBytes = 1 << 20

const alignment = 4
const entryHeaderBytes = 12

/** Bytes of entries as a list of FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1): all but the last padded to 4. */
const appendedBytes = (bytes: number, entry: NotifyEntry): number =>
  Math.ceil(bytes / alignment) * alignment + entryHeaderBytes + 2 * entry.name.length

interface Waiting {
  readonly maxBytes: number
  readonly pending: Pending<NotifyResult>
}

const outcome = (status: NotifyResult['status']): NotifyResult => ({ status, entries: [] })

/** Change notification of one open: collects from the first request on, answers requests in their order. */
export class Watch {
  readonly openId: bigint
  readonly recursive: boolean
  readonly filter: number
  path: string
  folded: string
  /** The first request's buffer is the open's (MS-FSA 2.1.5.11). */
  readonly #capacityBytes: number
  readonly #waiting: Waiting[] = []
  #entries: NotifyEntry[] = []
  #bytes = 0
  #overflow = false
  #ended: 'NOTIFY_CLEANUP' | 'DELETE_PENDING' | undefined

  constructor(request: { readonly openId: bigint; readonly recursive: boolean; readonly filter: number; readonly maxBytes: number }, path: string) {
    this.openId = request.openId
    this.recursive = request.recursive
    this.filter = request.filter
    this.#capacityBytes = Math.min(request.maxBytes, maxCollectedBytes)
    this.path = path
    this.folded = foldPath(path)
  }

  next(maxBytes: number): NotifyResult | Pending<NotifyResult> {
    if (this.#ended !== undefined) return outcome(this.#ended)
    if (this.#waiting.length === 0 && this.#hasNews) return this.#take(maxBytes)
    const waiting: Waiting = { maxBytes, pending: new Pending({ waiting: true, cancel: () => this.#cancel(waiting) }) }
    this.#waiting.push(waiting)
    return waiting.pending
  }

  #cancel(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
    waiting.pending.settle(outcome('CANCELLED'))
  }

  get #hasNews(): boolean {
    return this.#overflow || this.#entries.length > 0
  }

  add(entry: NotifyEntry): void {
    if (this.#overflow || this.#ended !== undefined) return
    const last = this.#entries.at(-1)
    // Writes come in floods, and one report of them says it all.
    if (last !== undefined && entry.action === notifyActions.modified && last.action === entry.action && last.name === entry.name) return
    this.#bytes = appendedBytes(this.#bytes, entry)
    if (this.#bytes > this.#capacityBytes) return this.overflow()
    this.#entries.push(entry)
  }

  /** Something was missed: the client is to list the folder itself. */
  overflow(): void {
    this.#overflow = true
    this.#entries = []
    this.#bytes = 0
  }

  /** Answers the first request that waits, if there is news. */
  answer(): void {
    if (!this.#hasNews) return
    const first = this.#waiting.shift()
    first?.pending.settle(this.#take(first.maxBytes))
  }

  #take(maxBytes: number): NotifyResult {
    const fits = !this.#overflow && this.#bytes <= maxBytes
    const result: NotifyResult = fits ? { status: 'SUCCESS', entries: this.#entries } : outcome('NOTIFY_ENUM_DIR')
    this.#entries = []
    this.#bytes = 0
    this.#overflow = false
    return result
  }

  end(status: 'NOTIFY_CLEANUP' | 'DELETE_PENDING'): void {
    this.#ended = status
    for (const { pending } of this.#waiting.splice(0)) pending.settle(outcome(status))
  }
}
