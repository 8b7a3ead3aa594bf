import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Validity } from './validity.ts'

test('a bitmap by pages says what a set of blocks says', () => {
  const [blockBytes, pageBytes, blocks] = [4096, 65_536, 100]
  const range = fc.record({ first: fc.nat(blocks - 1), count: fc.integer({ min: 1, max: 40 }), isSet: fc.boolean() })
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), changes => {
      const validity = new Validity({ blockBytes, pageBytes })
      const model = new Array<boolean>(blocks + 41).fill(false)
      for (const { first, count, isSet } of changes) {
        if (isSet) validity.set(first * blockBytes, count * blockBytes)
        else validity.clear(first * blockBytes, count * blockBytes)
        model.fill(isSet, first, first + count)
      }
      for (let block = 0; block < blocks; block++) {
        assert.equal(validity.has(block * blockBytes + 511), model[block], `block ${block}`)
        let end = block
        while (end < blocks && model[end] === model[block]) end++
        assert.equal(validity.runEnd(block * blockBytes + 512, blocks * blockBytes), end * blockBytes, `the run of block ${block}`)
      }
    }),
  )
})
