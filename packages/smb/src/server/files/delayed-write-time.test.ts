import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileInfo } from '@holdfast/storage'
import { DelayedWriteTime } from './delayed-write-time.ts'

/** A file that is written at the clock's time. */
function setUp() {
  const clock = { ms: 0 }
  let writtenAt = 1n
  const delayed = new DelayedWriteTime(() => clock.ms)
  const info = (): FileInfo => ({ writtenAt }) as FileInfo
  return {
    clock,
    delayed,
    async write() {
      await delayed.beforeWrite(info)
      writtenAt = BigInt(clock.ms)
    },
    shown: () => delayed.show(info()).writtenAt,
  }
}

test('a write shows in the write time after two seconds', async () => {
  const file = setUp()
  file.clock.ms = 1000
  await file.write()
  assert.equal(file.shown(), 1n)
  file.clock.ms = 2999
  assert.equal(file.shown(), 1n)
  file.clock.ms = 3000
  assert.equal(file.shown(), 1000n)
  assert.equal(file.delayed.isLate, false)
})

test('what is written after that shows at the end only', async () => {
  const file = setUp()
  await file.write()
  file.clock.ms = 5000
  await file.write()
  file.clock.ms = 60_000
  assert.equal(file.shown(), 0n)
  assert.equal(file.delayed.isLate, true)
})

test('FLUSH, a new size or new times show it at once, and the next write begins anew', async () => {
  const file = setUp()
  file.clock.ms = 100
  await file.write()
  file.delayed.settle()
  assert.equal(file.shown(), 100n)
  file.clock.ms = 9000
  await file.write()
  assert.equal(file.shown(), 100n)
  file.clock.ms = 11_000
  assert.equal(file.shown(), 9000n)
})
