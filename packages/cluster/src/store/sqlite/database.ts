import { chmodSync, closeSync, fsyncSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../errors.ts'
import { openErrorOf } from './database-errors.ts'

/** How the database is kept. */
export interface DatabaseOptions {
  readonly path: string
  readonly synchronous: 'FULL' | 'NORMAL'
  readonly maxBytes: number | undefined
}

/** Marks a file as ours: "HFst" (the application_id of SQLite's file format, 1.3.16). */
const applicationId = 0x4846_7374
/** 64 MiB of pages in memory: the state of some 50,000 opens. Nothing of the log that is not needed stays on disk. */
const sizes = 'PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864'
const othersMayRead = 0o077

/** What brings a file from the version of its place to the next. Append only. */
const migrations: readonly string[] = [
  `CREATE TABLE kv(
     key TEXT PRIMARY KEY, value BLOB NOT NULL,
     create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX kv_of_lease ON kv(lease) WHERE lease <> 0;
   CREATE TABLE history(revision INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, events BLOB NOT NULL) STRICT;
   CREATE TABLE lease(id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ms INTEGER NOT NULL) STRICT;
   CREATE TABLE compaction(revision INTEGER NOT NULL) STRICT;
   INSERT INTO compaction VALUES (0);`,
]

/**
 * Opens or makes a store's database, and locks it against other processes for as long as it is open.
 *
 * Throws `locked`, `folder-missing`, `no-permission`, `not-a-store`, `newer-schema`, `corrupt`, `no-space`, each with what to do.
 */
export function openDatabase(options: DatabaseOptions): DatabaseSync {
  const { path } = options
  let database: DatabaseSync | undefined
  try {
    prepareFile(path)
    database = new DatabaseSync(path, { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    const version = versionOf(database, path)
    configure(database, options)
    database.exec('BEGIN EXCLUSIVE')
    migrate(database, version)
    database.exec('COMMIT')
    return database
  } catch (error) {
    database?.close()
    throw openErrorOf(error, path)
  }
}

/** The file is for its owner only. It is never opened here when it exists: closing it would drop the locks of a store in this process. */
function prepareFile(path: string): void {
  statSync(dirname(path))
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) createFile(path)
  else if (!found.isFile()) throw new StoreError('not-a-store', `${path} is no file; give another path`)
  else if ((found.mode & othersMayRead) !== 0) chmodSync(path, 0o600)
}

/** A new file, whose name is on disk as well. */
function createFile(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
  const folder = openSync(dirname(path), 'r')
  fsyncSync(folder)
  closeSync(folder)
}

function pragma(database: DatabaseSync, name: string): number | string | undefined {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number | string | undefined
}

/** The schema's version, 0 for a new file. Looks before anything is written. */
function versionOf(database: DatabaseSync, path: string): number {
  const version = Number(pragma(database, 'user_version'))
  const isEmpty = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'] === 0
  if (isEmpty && version === 0) return 0
  if (pragma(database, 'application_id') !== applicationId)
    throw new StoreError('not-a-store', `${path} is a database of something else; give another path`)
  if (version > migrations.length) {
    const versions = `version ${version}, this program knows ${migrations.length}`
    throw new StoreError('newer-schema', `${path} was written by a newer version (${versions}); start the newer one, or restore a backup`)
  }
  return version
}

function configure(database: DatabaseSync, { synchronous, maxBytes }: DatabaseOptions): void {
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; ${sizes}`)
  if (maxBytes === undefined) return
  const pageBytes = Number(pragma(database, 'page_size'))
  pragma(database, `max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`)
}

function migrate(database: DatabaseSync, version: number): void {
  if (version === migrations.length) return
  for (const step of migrations.slice(version)) database.exec(step)
  database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`)
}
