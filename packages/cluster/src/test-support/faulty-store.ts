import { StoreError } from '../store/errors.ts'
import type { Store, Txn, TxnResult } from '../store/store.ts'

/** What happens to a transaction: it is carried out, carried out without an answer, lost, or delayed beyond the answer `unavailable`. */
export type Fault = 'none' | 'answer lost' | 'request lost' | 'late'

/** A store whose transactions meet with faults, and which can be made to wait. */
export class FaultyStore {
  readonly store: Store
  /** Faults of the next transactions; 'none' when empty. */
  readonly faults: Fault[] = []
  readonly txns: Txn[] = []
  readonly #late: Txn[] = []
  #held: PromiseWithResolvers<void> | undefined
  readonly #inner: Store

  constructor(inner: Store) {
    this.#inner = inner
    this.store = new Proxy(inner, {
      get: (target, name) => {
        if (name === 'txn') return (txn: Txn) => this.#txn(txn)
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /** Transactions wait until the returned function is called. */
  hold(): () => void {
    this.#held = Promise.withResolvers()
    const { resolve } = this.#held
    return () => {
      this.#held = undefined
      resolve()
    }
  }

  /** Carries out what was late; how many of them succeeded. */
  async deliverLate(): Promise<number> {
    const results = await Promise.all(this.#late.splice(0).map(txn => this.#inner.txn(txn)))
    return results.filter(({ succeeded }) => succeeded).length
  }

  async #txn(txn: Txn): Promise<TxnResult> {
    this.txns.push(txn)
    await this.#held?.promise
    const fault = this.faults.shift() ?? 'none'
    if (fault === 'late') this.#late.push(txn)
    const result = fault === 'none' || fault === 'answer lost' ? await this.#inner.txn(txn) : undefined
    if (fault === 'none' && result !== undefined) return result
    throw new StoreError('unavailable')
  }
}
