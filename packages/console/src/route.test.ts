import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { hrefOf, placeOf } from './route.ts'

test('an address leads to the place that it was made of', () => {
  const text = fc.string({ minLength: 1, unit: 'binary' }).filter(one => one.isWellFormed())
  fc.assert(
    fc.property(text, fc.dictionary(text, text), (argument, given) => {
      const query = Object.fromEntries(Object.entries(given).filter(([name]) => name !== '__proto__'))
      assert.deepEqual(placeOf(hrefOf('volumes', argument, query)), { page: 'volumes', argument, query })
    }),
  )
})

test('without anything it is the overview, and a lone % is itself', () => {
  assert.deepEqual(placeOf(''), { page: 'overview', argument: undefined, query: {} })
  assert.deepEqual(placeOf('#/shares'), { page: 'shares', argument: undefined, query: {} })
  assert.equal(placeOf('#/volumes/50%').argument, '50%')
})
