import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { creditCharge, CreditWindow } from './credits.ts'

test('a credit pays for 64 KiB (MS-SMB2 3.1.5.2)', () => {
  assert.deepEqual(
    [0, 1, 65_536, 65_537, 1024 * 1024, 1024 * 1024 + 1].map(lengthBytes => creditCharge(lengthBytes)),
    [1, 1, 1, 2, 16, 17],
  )
})

test('message ids of a request of several credits are consecutive (MS-SMB2 3.2.4.1.3)', () => {
  const window = new CreditWindow(64)
  assert.equal(window.take(1), 0)
  assert.equal(window.take(1), undefined)
  window.grant(10)
  window.finish(1)
  assert.deepEqual([window.take(4), window.take(4), window.take(4)], [1, 5, undefined])
  assert.equal(window.take(2), 9)
})

test('asks for what a request costs and for growth towards the target (MS-SMB2 3.2.4.1.2)', () => {
  const window = new CreditWindow(64)
  window.take(1)
  assert.equal(window.request(1), 64)
  window.grant(64)
  window.finish(1)
  window.take(16)
  assert.equal(window.request(16), 16)
})

test('never spends what was not granted, whatever the server does', () => {
  const grants = fc.array(fc.record({ charge: fc.integer({ min: 1, max: 32 }), granted: fc.integer({ min: 0, max: 64 }) }), { maxLength: 200 })
  fc.assert(
    fc.property(grants, steps => {
      const window = new CreditWindow(512)
      let granted = 1
      let spent = 0
      for (const step of steps) {
        const first = window.take(step.charge)
        if (first !== undefined) {
          assert.equal(first, spent)
          spent += step.charge
          window.finish(step.charge)
        }
        window.grant(step.granted)
        granted += step.granted
        assert.ok(spent <= granted)
        assert.equal(window.available, granted - spent)
      }
    }),
  )
})
