import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Journal, pendingAfterFlush } from './journal.ts'
import type { OpenChanges, OpenStore } from './journal.ts'
import { Pending } from './pending.ts'
import type { OpenRecord } from './types.ts'

const record = (openId: bigint): OpenRecord => ({ openId }) as OpenRecord

function createJournal(left: readonly OpenRecord[] = []) {
  const written: OpenChanges[] = []
  const persistent = new Map<bigint, OpenRecord>()
  const state = { fails: false }
  const store: OpenStore = {
    load: () => Promise.resolve(left),
    write(changes) {
      if (state.fails) return Promise.reject(new Error('no space'))
      written.push(changes)
      return Promise.resolve()
    },
  }
  return { journal: new Journal(store, openId => persistent.get(openId)), written, persistent, state }
}

describe('journal of persistent opens', () => {
  test('what is not persistent is not written, and nothing is waited for', () => {
    const { journal } = createJournal()
    journal.note(1n)
    assert.equal(journal.flush(), undefined)
  })

  test('changes of several opens go out together, a closed one is removed', async () => {
    const { journal, written, persistent } = createJournal([record(7n)])
    await journal.load()
    persistent.set(1n, record(1n)).set(2n, record(2n))
    for (const openId of [1n, 2n, 7n, 1n]) journal.note(openId)
    await journal.flush()
    assert.deepEqual(written, [{ put: [record(1n), record(2n)], remove: [7n] }])
    assert.equal(journal.flush(), undefined)
  })

  test('an open that came and went between two writes is not written', () => {
    const { journal, persistent, written } = createJournal()
    persistent.set(1n, record(1n))
    journal.note(1n)
    persistent.delete(1n)
    assert.equal(journal.flush(), undefined)
    assert.deepEqual(written, [])
  })

  test('what could not be written is written with the next change', async () => {
    const { journal, written, persistent, state } = createJournal([record(7n)])
    await journal.load()
    persistent.set(1n, record(1n))
    state.fails = true
    for (const openId of [1n, 7n]) journal.note(openId)
    await assert.rejects(async () => journal.flush(), /no space/)
    state.fails = false
    await journal.flush()
    assert.deepEqual(written, [{ put: [record(1n)], remove: [7n] }])
  })

  test('what another caller is having written is waited for', async () => {
    const commits: (() => void)[] = []
    const store: OpenStore = { load: () => Promise.resolve([]), write: () => new Promise(resolve => commits.push(resolve)) }
    const journal = new Journal(store, record)
    // A lease is broken for an open, and the client's acknowledgement has both written: the open must not be told of before that.
    journal.note(1n)
    const acknowledged = journal.flush()
    let isTold = false
    const opened = journal.flush()?.then(() => (isTold = true))
    journal.note(2n)
    const other = journal.flush()
    await new Promise(setImmediate)
    assert.deepEqual([commits.length, isTold], [2, false])
    commits[0]()
    await Promise.all([acknowledged, opened])
    assert.equal(isTold, true)
    commits[1]()
    await other
    assert.equal(journal.flush(), undefined)
  })

  test('an answer waits for the write, and says so where that fails', async () => {
    const { journal, persistent, state } = createJournal()
    persistent.set(1n, record(1n))
    journal.note(1n)
    const failed = (): string => 'failed'
    const good = pendingAfterFlush<string>(journal, 'good', { failed })
    assert.ok(good instanceof Pending)
    assert.equal(await good.promise, 'good')
    assert.equal(pendingAfterFlush<string>(journal, 'at once', { failed }), 'at once')
    state.fails = true
    const later = new Pending<string>({ waiting: true })
    const outer = pendingAfterFlush<string>(journal, later, { noted: () => journal.note(1n), failed })
    assert.ok(outer instanceof Pending && outer.hasWaited)
    later.settle('good')
    assert.equal(await outer.promise, 'failed')
  })
})
