import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoginThrottle } from './throttle.ts'

function fixture(options = {}) {
  let now = 0
  const throttle = new LoginThrottle({ clock: () => now, freeFailures: 2, firstDelayMs: 100, delayMsMax: 1000, forgetAfterMs: 60_000, ...options })
  return { throttle, pass: (ms: number) => (now += ms) }
}

test('failures beyond the free ones double the delay, up to the longest', () => {
  const { throttle } = fixture()
  const attempt = { remoteAddress: '192.0.2.1', user: 'games' }
  const delays = Array.from({ length: 8 }, () => throttle.failed(attempt))
  assert.deepEqual(delays, [0, 0, 100, 200, 400, 800, 1000, 1000])
  assert.equal(throttle.delayMs(attempt), 1000)
})

test('an address pays for guesses at many users, a user for guesses from many addresses', () => {
  const { throttle } = fixture()
  for (let i = 0; i < 4; i++) throttle.failed({ remoteAddress: '192.0.2.1', user: `user${i}` })
  assert.equal(throttle.delayMs({ remoteAddress: '192.0.2.1', user: 'somebody' }), 200)
  for (let i = 0; i < 4; i++) throttle.failed({ remoteAddress: `192.0.2.1${i}`, user: 'Games' })
  assert.equal(throttle.delayMs({ remoteAddress: '192.0.2.200', user: 'gAMES' }), 200)
  assert.equal(throttle.delayMs({ remoteAddress: '192.0.2.200', user: 'news' }), 0)
})

test('success and time make it forget', () => {
  const { throttle, pass } = fixture()
  const attempt = { remoteAddress: '192.0.2.1', user: 'games' }
  for (let i = 0; i < 5; i++) throttle.failed(attempt)
  throttle.succeeded(attempt)
  assert.equal(throttle.delayMs(attempt), 0)
  for (let i = 0; i < 5; i++) throttle.failed(attempt)
  pass(59_999)
  assert.equal(throttle.delayMs(attempt), 400)
  pass(1)
  assert.equal(throttle.delayMs(attempt), 0)
  assert.equal(throttle.failed(attempt), 0)
})

test('memory is bounded: who failed longest ago is forgotten first', () => {
  const { throttle } = fixture({ entriesMax: 10 })
  const guilty = { remoteAddress: '192.0.2.1', user: 'games' }
  for (let i = 0; i < 4; i++) throttle.failed(guilty)
  for (let i = 0; i < 9; i++) throttle.failed({ remoteAddress: `198.51.100.${i}`, user: `user${i}` })
  assert.equal(throttle.delayMs(guilty), 200)
  throttle.failed({ remoteAddress: '198.51.100.9', user: 'user9' })
  assert.equal(throttle.delayMs(guilty), 0)
})
