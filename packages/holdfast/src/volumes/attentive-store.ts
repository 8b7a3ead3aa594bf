/** A worker sleeps by other means than its event loop, by which the store answers: while an answer is outstanding it must not. */

import { interceptedStore, type Store } from '@holdfast/cluster'
import type { WorkerNode } from '@holdfast/engine'

/** The same store, whose calls hold the worker's attention. */
export const attentiveStore = (store: Store, node: Pick<WorkerNode, 'beginAsync' | 'endAsync'>): Store =>
  interceptedStore(store, (_call, make) => {
    node.beginAsync()
    return make().finally(() => node.endAsync())
  })
