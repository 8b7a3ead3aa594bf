import { StoreError } from './errors.ts'
import { boundsOf } from './keys.ts'
import type { KeyRange, Operation, OperationResult, StoreEvent, Txn, TxnResult, Compare, Entry } from './store.ts'
import type { StoreState } from './state.ts'

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0

/** Does a compare hold, by what it compares? `entry` is undefined where there is no such key. */
function holds(compare: Compare, entry: Entry | undefined): boolean {
  if ('modRevision' in compare) return compare.modRevision === (entry?.modRevision ?? 0)
  if ('createRevision' in compare) return compare.createRevision === (entry?.createRevision ?? 0)
  if ('version' in compare) return compare.version === (entry?.version ?? 0)
  if ('value' in compare) return sameBytes(entry?.value, compare.value)
  return compare.absent === (entry === undefined)
}

/** A transaction on its way: what its operations do, and the events they leave. */
class Evaluation {
  readonly events: StoreEvent[] = []
  readonly #state: StoreState

  constructor(state: StoreState) {
    this.#state = state
  }

  get revision(): number {
    return this.#state.revision + 1
  }

  put(key: string, value: Uint8Array, lease: number): void {
    const previous = this.#state.get(key)
    const entry: Entry = {
      key,
      value,
      createRevision: previous?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (previous?.version ?? 0) + 1,
      lease,
    }
    this.#state.put(entry)
    this.events.push({ type: 'put', key, entry, previous })
  }

  delete(entries: readonly Entry[]): number {
    for (const previous of entries) {
      this.#state.remove(previous.key)
      this.events.push({ type: 'delete', key: previous.key, entry: undefined, previous })
    }
    return entries.length
  }

  read(range: KeyRange, limit = Infinity): Entry[] {
    if (!('key' in range)) return this.#state.scan(boundsOf(range), limit)
    const entry = this.#state.get(range.key)
    return entry === undefined || limit === 0 ? [] : [entry]
  }

  run(operation: Operation): OperationResult {
    if (operation.type === 'put') {
      this.put(operation.key, operation.value, operation.lease ?? 0)
      return { type: 'put' }
    }
    if (operation.type === 'delete') return { type: 'delete', deleted: this.delete(this.read(operation)) }
    const limit = operation.limit ?? Infinity
    const entries = this.read(operation, limit + 1)
    return { type: 'range', entries: entries.slice(0, limit), more: entries.length > limit }
  }

  finish(): void {
    if (this.events.length > 0) this.#state.record({ revision: this.revision, events: this.events })
  }
}

/** Carries out a transaction that `checkTxn` let pass. Throws `lease-not-found` before anything changed. */
export function evaluate(state: StoreState, txn: Txn): { readonly result: TxnResult; readonly events: readonly StoreEvent[] } {
  const succeeded = (txn.compare ?? []).every(compare => holds(compare, state.get(compare.key)))
  const operations = (succeeded ? txn.success : txn.failure) ?? []
  for (const operation of operations) {
    const lease = operation.type === 'put' ? (operation.lease ?? 0) : 0
    if (lease !== 0 && state.lease(lease) === undefined) throw new StoreError('lease-not-found', `no lease ${lease}`)
  }
  const evaluation = new Evaluation(state)
  const results = operations.map(operation => evaluation.run(operation))
  evaluation.finish()
  return { result: { succeeded, revision: state.revision, results }, events: evaluation.events }
}

/** Ends a lease: its keys vanish at one revision. */
export function endLease(state: StoreState, lease: number): readonly StoreEvent[] {
  const evaluation = new Evaluation(state)
  evaluation.delete(
    state
      .keysOfLease(lease)
      .map(key => state.get(key))
      .filter(entry => entry !== undefined),
  )
  evaluation.finish()
  state.removeLease(lease)
  return evaluation.events
}
