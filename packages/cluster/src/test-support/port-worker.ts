/** A thread that writes `count` keys through the port it was started with, and then sees all of them in a watch. */
import { workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { openStorePort } from '../store/sqlite/port-store.ts'

const { port, number, count } = workerData as { readonly port: MessagePort; readonly number: number; readonly count: number }
await using store = openStorePort(port)
const watch = store.watch({ prefix: `k${number}/` })
const keys = Array.from({ length: count }, (_, i) => `k${number}/${i}`)
await Promise.all(keys.map(key => store.txn({ success: [{ type: 'put', key, value: Buffer.from(key) }] })))
for (const key of keys) {
  const { value } = await watch.next()
  if (value?.events[0].key !== key) throw new Error(`expected ${key}, got ${value?.events[0].key}`)
}
