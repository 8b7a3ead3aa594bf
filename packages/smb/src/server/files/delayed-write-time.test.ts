import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileInfo } from '@holdfast/storage'
import { DelayedWriteTime } from './delayed-write-time.ts'

/** Milliseconds as a FILETIME. */
const at = (ms: number): bigint => BigInt(ms) * 10_000n

/** A file that is written at the clock's time; its clock starts far from zero. */
function setUp() {
  const clock = { ms: 100_000 }
  const file = { writtenAt: at(1000) }
  const delayed = new DelayedWriteTime({ now: () => clock.ms, wallClock: () => at(clock.ms) })
  const info = (): FileInfo => file as FileInfo
  return {
    clock,
    file,
    delayed,
    info,
    async write() {
      await delayed.beforeWrite(info)
      file.writtenAt = at(clock.ms)
    },
    shown: () => delayed.show(info()).writtenAt,
  }
}

test('a write shows in the write time after two seconds', async () => {
  const { clock, write, shown, delayed, info } = setUp()
  await write()
  assert.equal(shown(), at(1000))
  clock.ms += 1999
  assert.equal(shown(), at(1000))
  clock.ms += 1
  assert.equal(shown(), at(100_000))
  assert.equal(delayed.isLate(info()), false)
})

test('what is written after that shows at the end only', async () => {
  const { clock, write, shown, delayed, info } = setUp()
  await write()
  clock.ms += 5000
  await write()
  clock.ms += 60_000
  assert.equal(shown(), at(100_000))
  assert.equal(delayed.isLate(info()), true)
})

test('FLUSH, a new size or new times show it at once, and the next write begins anew', async () => {
  const { clock, write, shown, delayed } = setUp()
  await write()
  delayed.settle()
  assert.equal(shown(), at(100_000))
  clock.ms += 9000
  await write()
  assert.equal(shown(), at(100_000))
  clock.ms += 2000
  assert.equal(shown(), at(109_000))
})

test('a time that somebody else sets meanwhile shows at once and is kept at the end', async () => {
  const { clock, file, write, shown, delayed, info } = setUp()
  await write()
  clock.ms += 5000
  await write()
  file.writtenAt = at(2000)
  assert.equal(shown(), at(2000))
  assert.equal(delayed.isLate(info()), false)
})

test('writes within a delay ask for nothing and wait for nothing', async () => {
  const { clock, delayed, info } = setUp()
  await delayed.beforeWrite(info)
  clock.ms += 10
  const asked = delayed.beforeWrite(() => assert.fail('not asked'))
  assert.equal(asked, undefined)
})
