import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBuckets } from './token-buckets.ts'

test('a burst at once, then as the rate says; Retry-After is when there is a token again', () => {
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3 })
  assert.deepEqual(
    [0, 0, 0, 0].map(ms => buckets.take('a', ms)),
    [0, 0, 0, 1],
  )
  assert.equal(buckets.take('b', 0), 0)
  assert.equal(buckets.take('a', 499), 1)
  assert.equal(buckets.take('a', 999), 0)
  assert.equal(buckets.take('a', 999), 1)
  const slow = new TokenBuckets({ perSecond: 0.1, burst: 1 })
  assert.deepEqual([slow.take('a', 0), slow.take('a', 0)], [0, 10])
})

test('who has not asked for long is forgotten', () => {
  const buckets = new TokenBuckets({ perSecond: 10, burst: 10 })
  for (let i = 0; i < 1000; i++) buckets.take(String(i), i)
  assert.ok(buckets.size <= 1000)
  buckets.take('x', 5000)
  assert.equal(buckets.size, 1)
})
