import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore } from '@holdfast/cluster'
import type { Counter, Counters, Histogram } from '@holdfast/engine'
import { levelTold } from './log-level.ts'
import { measuredStore } from './measured-store.ts'

test('each call is observed once, by its name, and one that fails is counted by its code as well', async () => {
  const values = new Map<string, number>()
  const made = (key: string): Counter & Histogram => {
    const add = (): void => void values.set(key, (values.get(key) ?? 0) + 1)
    return { add, set: add, observe: add }
  }
  const key = (name: string, labels: Readonly<Record<string, string>> = {}): string => `${name} ${Object.values(labels).join(' ')}`
  const counters: Counters = {
    counter: (name, _help, labels) => made(key(name, labels)),
    gauge: (name, _help, labels) => made(key(name, labels)),
    histogram: (name, _help, _bounds, labels) => made(key(name, labels)),
  }
  await using store = measuredStore(memoryStore(), { counters })
  await store.txn({ success: [{ type: 'put', key: 'a', value: Buffer.from('1') }] })
  await store.txn({ success: [{ type: 'put', key: 'b', value: Buffer.from('1') }] })
  await assert.rejects(store.revoke(99))
  assert.deepEqual(Object.fromEntries(values), {
    'holdfast_store_call_duration_seconds txn': 2,
    'holdfast_store_call_duration_seconds revoke': 1,
    'holdfast_store_errors_total revoke lease-not-found': 1,
  })
})

test('a log takes lines of its level and above; info where nothing is said', () => {
  assert.deepEqual(
    [levelTold('debug', 'debug'), levelTold('debug', 'trace'), levelTold('debug', 'info'), levelTold('error', 'silent'), levelTold('warn', 'warn')],
    [true, true, false, false, true],
  )
  assert.deepEqual([levelTold('debug'), levelTold('info')], [false, true])
})
