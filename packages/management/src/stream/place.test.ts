import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { begun, placeAfter, placeOf } from './place.ts'

test('the place of a stream comes back from four words of 32 bits', () => {
  fc.assert(
    fc.property(fc.nat({ max: 0xffff_ffff }), fc.integer({ min: 0, max: 1e14 }), (epoch, sequence) => {
      const id = `${epoch.toString(16).padStart(8, '0')}-${sequence}`
      assert.deepEqual(placeOf([...new Int32Array(placeAfter(id))]), { kind: 'begun', after: id })
    }),
  )
  assert.deepEqual(placeOf([0, 0, 0, 0]), { kind: 'none' })
  assert.deepEqual(placeOf(begun), { kind: 'begun' })
  assert.deepEqual(placeOf(placeAfter('abc-1')), { kind: 'untold' })
})
