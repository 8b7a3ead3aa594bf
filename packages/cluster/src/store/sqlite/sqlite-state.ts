import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Bounds } from '../keys.ts'
import { excess, retentionOf } from '../retention.ts'
import type { Retention } from '../retention.ts'
import type { StoreState } from '../state.ts'
import type { Entry, HistoryOptions, WatchBatch } from '../store.ts'
import { decodeEvents, encodeEvents } from './history-codec.ts'

const columns = 'key, value, create_revision AS createRevision, mod_revision AS modRevision, version, lease'

const statements = {
  get: `SELECT ${columns} FROM kv WHERE key = ?`,
  scan: `SELECT ${columns} FROM kv WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`,
  scanToEnd: `SELECT ${columns} FROM kv WHERE key >= ? ORDER BY key LIMIT ?`,
  keysOfLease: 'SELECT key FROM kv WHERE lease = ? AND lease <> 0 ORDER BY key',
  put: `INSERT INTO kv VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
        SET value = excluded.value, create_revision = excluded.create_revision, mod_revision = excluded.mod_revision,
            version = excluded.version, lease = excluded.lease`,
  remove: 'DELETE FROM kv WHERE key = ?',
  record: 'INSERT INTO history VALUES (?, ?, ?)',
  history: 'SELECT revision, events FROM history WHERE revision >= ? ORDER BY revision LIMIT ?',
  newest: 'SELECT max(revision) AS revision FROM history',
  firstSince: 'SELECT revision FROM history WHERE time_ms >= ? ORDER BY revision LIMIT 1',
  sizes: 'SELECT revision, length(events) AS bytes FROM history ORDER BY revision',
  bytesUpTo: 'SELECT total(length(events)) AS bytes FROM history WHERE revision <= ?',
  forget: 'DELETE FROM history WHERE revision <= ?',
  compacted: 'SELECT revision FROM compaction',
  setCompacted: 'UPDATE compaction SET revision = ?',
  addLease: 'INSERT INTO lease (ttl_ms) VALUES (?)',
  lease: 'SELECT ttl_ms AS ttlMs FROM lease WHERE id = ?',
  removeLease: 'DELETE FROM lease WHERE id = ?',
  leases: 'SELECT id, ttl_ms AS ttlMs FROM lease ORDER BY id',
} as const

/** A LIMIT that limits nothing. */
const limitOf = (limit: number): number => (Number.isFinite(limit) ? limit : -1)

/** A store's state in a database. Whoever uses it begins and commits transactions, and calls `reload` after a rollback. */
export class SqliteState implements StoreState {
  readonly #run: Readonly<Record<keyof typeof statements, StatementSync>>
  readonly #wallClock: () => number
  readonly #retention: Retention
  #revision = 0
  #compactRevision = 0
  #historyBytes = 0

  constructor(database: DatabaseSync, { wallClock, history }: { wallClock: () => number; history: HistoryOptions | undefined }) {
    const prepared = Object.entries(statements).map(([name, sql]) => [name, database.prepare(sql)])
    this.#run = Object.fromEntries(prepared) as Record<keyof typeof statements, StatementSync> // a statement for each name
    this.#wallClock = wallClock
    this.#retention = retentionOf(history)
    this.reload()
  }

  get revision(): number {
    return this.#revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  /** Learns from the database what its revisions are. */
  reload(): void {
    this.#compactRevision = Number(this.#run.compacted.get()?.['revision'])
    this.#revision = Math.max(this.#compactRevision, Number(this.#run.newest.get()?.['revision'] ?? 0))
    this.#historyBytes = this.#bytesUpTo(this.#revision)
  }

  get(key: string): Entry | undefined {
    return this.#run.get.get(key) as Entry | undefined // the columns are those of an entry
  }

  scan({ from, to }: Bounds, limit: number): Entry[] {
    const rows = to === undefined ? this.#run.scanToEnd.all(from, limitOf(limit)) : this.#run.scan.all(from, to, limitOf(limit))
    return rows as unknown as Entry[] // the columns are those of an entry
  }

  keysOfLease(lease: number): string[] {
    return this.#run.keysOfLease.all(lease).map(row => String(row['key']))
  }

  put({ key, value, createRevision, modRevision, version, lease }: Entry): void {
    this.#run.put.run(key, value, createRevision, modRevision, version, lease)
  }

  remove(key: string): void {
    this.#run.remove.run(key)
  }

  record({ revision, events }: WatchBatch): void {
    const row = encodeEvents(events)
    this.#run.record.run(revision, this.#wallClock(), row)
    this.#historyBytes += row.byteLength
    this.#revision = revision
  }

  history(from: number, limit: number): WatchBatch[] {
    const rows = this.#run.history.all(from, limitOf(limit)) as unknown as { readonly revision: number; readonly events: Uint8Array }[]
    return rows.map(({ revision, events }) => ({ revision, events: decodeEvents(events) }))
  }

  compact(revision: number): void {
    this.#historyBytes -= this.#bytesUpTo(revision)
    this.#run.forget.run(revision)
    this.#run.setCompacted.run(revision)
    this.#compactRevision = revision
  }

  trim(): void {
    const fresh = this.#run.firstSince.get(this.#wallClock() - this.#retention.ageMs)?.['revision']
    const byAge = fresh === undefined ? this.#revision : Number(fresh) - 1
    const sizes = this.#run.sizes.iterate() as Iterable<{ revision: number; bytes: number }> // its columns
    const bySize = excess(sizes, this.#historyBytes, this.#retention.bytes)
    const revision = Math.max(byAge, bySize, this.#revision - this.#retention.revisions)
    if (revision > this.#compactRevision) this.compact(revision)
  }

  addLease(ttlMs: number): number {
    return Number(this.#run.addLease.run(ttlMs).lastInsertRowid)
  }

  lease(id: number): number | undefined {
    return this.#run.lease.get(id)?.['ttlMs'] as number | undefined // an INTEGER column
  }

  removeLease(id: number): void {
    this.#run.removeLease.run(id)
  }

  leases(): { readonly id: number; readonly ttlMs: number }[] {
    return this.#run.leases.all() as unknown as { readonly id: number; readonly ttlMs: number }[]
  }

  #bytesUpTo(revision: number): number {
    return Number(this.#run.bytesUpTo.get(revision)?.['bytes'])
  }
}
