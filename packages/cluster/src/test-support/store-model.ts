import type { StoreErrorCode } from '../store/errors.ts'
import type { Compare, Entry, KeyRange, Operation, OperationResult, StoreEvent, Txn, TxnResult } from '../store/store.ts'

type State = ReadonlyMap<string, Entry>

const utf8 = (text: string): Buffer => Buffer.from(text)

function covers(range: KeyRange, key: string): boolean {
  if ('key' in range) return key === range.key
  if ('prefix' in range) return key.startsWith(range.prefix)
  return Buffer.compare(utf8(key), utf8(range.from)) >= 0 && (range.to === undefined || Buffer.compare(utf8(key), utf8(range.to)) < 0)
}

const sorted = (state: State): Entry[] => [...state.values()].sort((a, b) => Buffer.compare(utf8(a.key), utf8(b.key)))

function holds(compare: Compare, entry: Entry | undefined): boolean {
  const { key: _, ...wanted } = compare
  const actual = { modRevision: 0, createRevision: 0, version: 0, ...entry, absent: entry === undefined }
  return Object.entries(wanted).every(([name, value]) => {
    const found: unknown = Reflect.get(actual, name)
    return value instanceof Uint8Array ? found instanceof Uint8Array && Buffer.compare(found, value) === 0 : found === value
  })
}

/** A store as simple as it can be: a copy of everything for each revision. */
export class StoreModel {
  compactRevision = 0
  readonly #states: State[] = [new Map()]

  get revision(): number {
    return this.#states.length - 1
  }

  at(revision: number): Entry[] {
    return sorted(this.#states[revision])
  }

  /** The entries that events make of the state before a revision. */
  replay(revision: number, events: readonly StoreEvent[]): Entry[] {
    const state = new Map(this.#states[revision - 1])
    for (const { key, entry } of events) {
      if (entry === undefined) state.delete(key)
      else state.set(key, entry)
    }
    return sorted(state)
  }

  txn(txn: Txn): TxnResult | StoreErrorCode {
    if ([txn.success, txn.failure].some(list => this.#changesTwice(list ?? []))) return 'duplicate-key'
    const before = this.#states[this.revision]
    const succeeded = (txn.compare ?? []).every(compare => holds(compare, before.get(compare.key)))
    const state = new Map(before)
    let changes = 0
    const results = ((succeeded ? txn.success : txn.failure) ?? []).map((operation): OperationResult => {
      const covered = operation.type === 'put' ? [] : sorted(state).filter(({ key }) => covers(operation, key))
      if (operation.type === 'range') {
        const limit = operation.limit ?? Infinity
        return { type: 'range', entries: covered.slice(0, limit), more: covered.length > limit }
      }
      if (operation.type === 'delete') {
        changes += covered.length
        for (const { key } of covered) state.delete(key)
        return { type: 'delete', deleted: covered.length }
      }
      changes++
      const { key, value } = operation
      const old = state.get(key)
      const revision = this.revision + 1
      const createRevision = old?.createRevision ?? revision
      state.set(key, { key, value, createRevision, modRevision: revision, version: (old?.version ?? 0) + 1, lease: 0 })
      return { type: 'put' }
    })
    if (changes > 0) this.#states.push(state)
    return { succeeded, revision: this.revision, results }
  }

  #changesTwice(operations: readonly Operation[]): boolean {
    const puts = operations.filter(({ type }) => type === 'put') as (Operation & { readonly key: string })[] // puts have a key
    if (new Set(puts.map(({ key }) => key)).size < puts.length) return true
    return operations.some(operation => operation.type === 'delete' && puts.some(({ key }) => covers(operation, key)))
  }
}
