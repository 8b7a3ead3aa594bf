import assert from 'node:assert/strict'
import test from 'node:test'
import { array, assert as check, boolean, constantFrom, integer, property, record } from 'fast-check'
import { Chains, hashOf } from './chains.ts'

/** Numbers whose hashes meet, and directors' own, of 53 bits. */
const number = constantFrom(0, 1, 2, 16, 32, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 52 + 12_345)
const step = record({ place: integer({ min: 0, max: 9 }), number, isAdded: boolean() })

test('what is added is found by its hash until it is removed, the last one first', () => {
  check(
    property(array(step, { maxLength: 60 }), steps => {
      const chains = new Chains(10)
      const kept: { place: number; number: number }[] = []
      for (const { place, number: of, isAdded } of steps) {
        const index = kept.findIndex(one => one.place === place)
        if (isAdded && index < 0) {
          chains.add(hashOf(of), place)
          kept.unshift({ place, number: of })
        } else if (!isAdded && index >= 0) {
          chains.remove(hashOf(kept[index].number), place)
          kept.splice(index, 1)
        }
        for (const { number: sought } of steps) {
          const found: number[] = []
          for (let at = chains.first(hashOf(sought)); at >= 0; at = chains.next(at)) found.push(at)
          const expected = kept.filter(one => one.number === sought).map(one => one.place)
          assert.deepEqual(
            found.filter(at => expected.includes(at)),
            expected,
          )
        }
      }
    }),
  )
})
