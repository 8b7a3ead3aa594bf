import assert from 'node:assert/strict'
import type { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { TemporaryFolder } from '../../test-support/folder.ts'
import { VirtualTime } from '../../test-support/virtual-time.ts'
import { put } from '../compliance/scope.ts'
import { StoreCore } from '../core.ts'
import { Batches } from './batches.ts'
import type { Call } from './batches.ts'
import { openDatabase } from './database.ts'
import { SqliteState } from './sqlite-state.ts'

const ioError = Object.assign(new Error('disk I/O error'), { errcode: 10 })

/** Batches on a database whose next commits fail as often as `failures` says. */
function failing(folder: TemporaryFolder): {
  batches: Batches
  database: DatabaseSync
  core: StoreCore
  fail: (times: number) => void
  commits: () => number
} {
  const database = openDatabase({ path: folder.at('store.db'), synchronous: 'NORMAL', maxBytes: undefined })
  let failures = 0
  let commits = 0
  const faulty = new Proxy(database, {
    get: (target, name) => {
      if (name === 'isTransaction') return target.isTransaction
      if (name !== 'exec') return Reflect.get(target, name, target)
      return (sql: string) => {
        if (sql === 'COMMIT' && failures-- > 0) throw ioError
        if (sql === 'COMMIT') commits++
        target.exec(sql)
      }
    },
  })
  const state = new SqliteState(database, { wallClock: () => 0, history: undefined })
  const { clock, timers } = new VirtualTime()
  const core = new StoreCore(state, { clock, timers, onExpired: () => {} })
  const batches = new Batches({ database: faulty, state, core })
  return { batches, database, core, fail: times => (failures = times), commits: () => commits }
}

const write = (key: string): Call => ({ name: 'txn', argument: { success: [put(key)] } })
const shown = (outcomes: ReturnType<Batches['run']>): unknown[] =>
  outcomes.map(outcome => ('error' in outcome ? outcome.error.code : (outcome.value as { readonly revision: number }).revision))

test('calls that wait are one commit', () => {
  using folder = new TemporaryFolder()
  const { batches, database, commits } = failing(folder)
  assert.deepEqual(shown(batches.run(['a', 'b', 'c'].map(write))), [1, 2, 3])
  assert.equal(commits(), 1)
  database.close()
})

test('after a commit that failed its calls are tried again in halves, each done once', () => {
  using folder = new TemporaryFolder()
  const { batches, database, core, fail } = failing(folder)
  const heard: number[] = []
  core.watchers.add({ prefix: '' }, 1, { batch: ({ revision }) => heard.push(revision), fail: () => {} })
  fail(2)
  assert.deepEqual(shown(batches.run(['a', 'b', 'c', 'd'].map(write))), [1, 2, 3, 4])
  assert.deepEqual(heard, [1, 2, 3, 4])
  assert.deepEqual(
    core.range({ range: { prefix: '' } }).entries.map(({ version }) => version),
    [1, 1, 1, 1],
  )
  database.close()
})

test('an I/O error that stays makes the outcome unknown, leaves no trace, and watchers hear nothing', () => {
  using folder = new TemporaryFolder()
  const { batches, database, core, fail } = failing(folder)
  const heard: number[] = []
  core.watchers.add({ prefix: '' }, 1, { batch: ({ revision }) => heard.push(revision), fail: () => {} })
  fail(3)
  assert.deepEqual(shown(batches.run(['a', 'b'].map(write))), ['unavailable', 'unavailable'])
  assert.deepEqual([core.revision, heard], [0, []])
  assert.deepEqual(shown(batches.run([write('c')])), [1])
  assert.deepEqual(heard, [1])
  database.close()
})

test('a lease that was granted in a commit that failed was never granted', () => {
  using folder = new TemporaryFolder()
  const { batches, database, fail } = failing(folder)
  fail(1)
  const [granted] = batches.run([{ name: 'grantLease', argument: 100 }])
  assert.ok('error' in granted)
  assert.deepEqual(shown(batches.run([{ name: 'keepAlive', argument: 1 }])), ['lease-not-found'])
  database.close()
})
