/**
 * `node bench/store.ts`: what the cluster's store does, in transactions per second and milliseconds, by how many are in flight: SQLite with
 * synchronous FULL and NORMAL, a second thread's port, memory; and what a partition makes of it, which gathers its callers' operations.
 *
 *     node bench/store.ts [OPTIONS]
 *       --seconds N         of each figure (default 2)
 *       --only REGEX        only figures whose name matches
 *       --bytes N           of each value (default 200)
 *       --folder PATH       where the database is (default: the system's folder for temporary files)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimPartition, memoryStore, openStorePort, sqliteStore } from '@holdfast/cluster'
import type { Operation, Store } from '@holdfast/cluster'
import { parseOptions } from '../testing/run/options.ts'

const { values: options } = parseOptions(import.meta.url, {
  options: {
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
    bytes: { type: 'string', default: '200' },
    folder: { type: 'string', default: tmpdir() },
  },
})
const inFlight = [1, 16, 256]
const keys = 10_000
const keysOfBatch = 60
const value = new Uint8Array(Number(options.bytes))

/** Does one thing; the number is different every time. */
type Operate = (turn: number) => Promise<unknown>

interface Subject extends AsyncDisposable {
  readonly operate: Operate
}

const put = (turn: number): Operation & { type: 'put' } => ({ type: 'put', key: `h/7/${turn % keys}`, value })

/** A transaction as an owner's: it compares its record. */
const single =
  (store: Store): Operate =>
  turn =>
    store.txn({ compare: [{ key: 'e/7', absent: true }], success: [put(turn)] })

const batch =
  (store: Store): Operate =>
  turn =>
    store.txn({ success: Array.from({ length: keysOfBatch }, (_, i) => put(turn * keysOfBatch + i)) })

const read =
  (store: Store): Operate =>
  turn =>
    store.range({ key: `h/7/${turn % keys}` })

function subject(store: Store, operate: Operate, dispose = (): Promise<void> => store.close()): Subject {
  return { operate, [Symbol.asyncDispose]: dispose }
}

async function sqlite(synchronous: 'FULL' | 'NORMAL', operate: (store: Store) => Operate | Promise<Operate>, viaPort = false): Promise<Subject> {
  const folder = mkdtempSync(join(options.folder, 'holdfast-bench-'))
  const store = await sqliteStore({ path: join(folder, 'store.db'), synchronous })
  const client = viaPort ? openStorePort(store.connect()) : store
  return subject(client, await operate(client), async () => {
    await client.close()
    await store.close()
    rmSync(folder, { recursive: true })
  })
}

async function partition(store: Store): Promise<Operate> {
  const owned = await claimPartition(store, { partition: '7', incarnation: 'bench.1' })
  return turn => owned.batch([put(turn)])
}

async function memory(operate: (store: Store) => Operate): Promise<Subject> {
  const store = memoryStore()
  return subject(store, operate(store))
}

const figures: Readonly<Record<string, () => Promise<Subject>>> = {
  'SQLite FULL': () => sqlite('FULL', single),
  'SQLite NORMAL': () => sqlite('NORMAL', single),
  'SQLite NORMAL, a port': () => sqlite('NORMAL', single, true),
  'SQLite, reads': () => sqlite('NORMAL', read),
  memory: () => memory(single),
  [`SQLite FULL, ${keysOfBatch} keys`]: () => sqlite('FULL', batch),
  [`SQLite NORMAL, ${keysOfBatch} keys`]: () => sqlite('NORMAL', batch),
  'partition on SQLite FULL': () => sqlite('FULL', partition),
  'partition on SQLite NORMAL': () => sqlite('NORMAL', partition),
}

/** Milliseconds of all operations done in the time, so many at once. */
async function measure(
  operate: Operate,
  { flights, seconds }: { flights: number; seconds: number },
): Promise<{ durations: number[]; seconds: number }> {
  const begin = performance.now()
  const end = begin + seconds * 1000
  const durations: number[] = []
  let turn = 0
  const fly = async (): Promise<void> => {
    for (let now = performance.now(); now < end;) {
      await operate(turn++)
      const done = performance.now()
      durations.push(done - now)
      now = done
      // A store that never leaves the microtask queue would starve the others.
      if (turn % 1024 === 0) await new Promise(resolve => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: flights }, fly))
  return { durations, seconds: (performance.now() - begin) / 1000 }
}

const at = (sorted: readonly number[], part: number): string => (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(3).padStart(9)

console.log(`${'store'.padEnd(30)}in flight      per s   p50 ms   p99 ms   max ms`)
for (const [name, make] of Object.entries(figures)) {
  if (!new RegExp(options.only).test(name)) continue
  for (const flights of inFlight) {
    await using one = await make()
    await measure(one.operate, { flights, seconds: 0.3 })
    const { durations, seconds } = await measure(one.operate, { flights, seconds: Number(options.seconds) })
    const sorted = durations.sort((a, b) => a - b)
    const rate = Math.round(sorted.length / seconds).toLocaleString('en')
    console.log(`${name.padEnd(30)}${String(flights).padStart(9)}${rate.padStart(11)}${at(sorted, 0.5)}${at(sorted, 0.99)}${at(sorted, 1)}`)
  }
}
