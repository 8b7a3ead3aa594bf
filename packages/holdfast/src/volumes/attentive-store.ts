/** A worker sleeps by other means than its event loop, by which the store answers: while an answer is outstanding it must not. */

import type { Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'

/** The same store, whose calls hold the worker's attention. */
export function attentiveStore(store: Store, node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>): Store {
  const attentively = <T>(answer: Promise<T>): Promise<T> => {
    node.beginAsync()
    return answer.finally(() => node.endAsync())
  }
  return {
    get revision() {
      return store.revision
    },
    txn: txn => attentively(store.txn(txn)),
    range: (range, options) => attentively(store.range(range, options)),
    watch: (range, options) => store.watch(range, options),
    grantLease: ttlMs => attentively(store.grantLease(ttlMs)),
    keepAlive: lease => attentively(store.keepAlive(lease)),
    revoke: lease => attentively(store.revoke(lease)),
    compact: revision => attentively(store.compact(revision)),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
