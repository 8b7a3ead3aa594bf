import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Beginnings } from './beginnings.ts'

test('who waits does so for what has begun before, not for what begins later', async () => {
  const beginnings = new Beginnings()
  assert.equal(beginnings.any, false)
  const [first, second] = [beginnings.begin(), beginnings.begin()]
  const seen: string[] = []
  const waited = beginnings.settled().then(() => seen.push('settled'))
  const third = beginnings.begin()
  first()
  first()
  await Promise.resolve()
  assert.deepEqual(seen, [])
  second()
  await waited
  assert.deepEqual(seen, ['settled'])
  assert.equal(beginnings.any, true)
  third()
  assert.equal(beginnings.any, false)
})
