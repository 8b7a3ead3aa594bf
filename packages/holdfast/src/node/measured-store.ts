/** The node's store as a worker meets it: how long its answers take is in /metrics. */

import { interceptedStore, type Store, StoreError } from '@holdfast/cluster'
import type { Counters } from '@holdfast/engine'
import { durationBounds } from '@holdfast/engine/metrics'

const durationHelp = 'Time from a call of the store to its answer, as a worker sees it; of txn: until it is on disk'
const errorsHelp = 'Calls of the store that failed, by the code of the error'

/** The same store. */
export function measuredStore(store: Store, { counters }: { readonly counters: Counters }): Store {
  // There from the beginning: what has never been can be watched for as well.
  counters.counter('holdfast_store_errors_total', errorsHelp, { call: 'txn', code: 'unavailable' })
  return interceptedStore(store, async (call, make) => {
    const beginMs = performance.now()
    try {
      return await make()
    } catch (error) {
      const code = error instanceof StoreError ? error.code : 'other'
      counters.counter('holdfast_store_errors_total', errorsHelp, { call, code }).add()
      throw error
    } finally {
      counters.histogram('holdfast_store_call_duration_seconds', durationHelp, durationBounds, { call }).observe((performance.now() - beginMs) / 1000)
    }
  })
}
