import type { Store } from './store.ts'

/** Calls of a store that are answered once. */
export type StoreCall = 'txn' | 'range' | 'grantLease' | 'keepAlive' | 'revoke' | 'compact'

/** Makes a call, and does something before or after it. It must not change how the call ends. */
export type StoreInterceptor = <T>(call: StoreCall, make: () => Promise<T>) => Promise<T>

/**
 * The same store, with something done around each call that is answered once: watches go by.
 *
 * @example
 * const calls: string[] = []
 * await using store = interceptedStore(memoryStore(), (call, make) => {
 *   calls.push(call)
 *   return make()
 * })
 * await store.range({ prefix: '' })
 * calls // => [ 'range' ]
 */
export function interceptedStore(store: Store, around: StoreInterceptor): Store {
  return {
    get revision() {
      return store.revision
    },
    txn: txn => around('txn', () => store.txn(txn)),
    range: (range, options) => around('range', () => store.range(range, options)),
    watch: (range, options) => store.watch(range, options),
    grantLease: ttlMs => around('grantLease', () => store.grantLease(ttlMs)),
    keepAlive: lease => around('keepAlive', () => store.keepAlive(lease)),
    revoke: lease => around('revoke', () => store.revoke(lease)),
    compact: revision => around('compact', () => store.compact(revision)),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
