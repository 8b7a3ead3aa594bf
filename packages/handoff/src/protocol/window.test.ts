import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ReplayWindow, windowSize } from './window.ts'

/** What RFC 4303 3.4.3 says, as plainly as it can be said. */
class Model {
  readonly #seen = new Set<number>()
  #last = 0

  mayCome(sequence: number): boolean {
    return sequence >= 1 && sequence > this.#last - windowSize && !this.#seen.has(sequence)
  }

  note(sequence: number): void {
    this.#seen.add(sequence)
    this.#last = Math.max(this.#last, sequence)
  }
}

function agree(sequences: readonly number[]): void {
  const window = new ReplayWindow()
  const model = new Model()
  for (const sequence of sequences) {
    assert.equal(window.mayCome(sequence), model.mayCome(sequence), `${sequence} after ${window.last}`)
    if (!model.mayCome(sequence)) continue
    window.note(sequence)
    model.note(sequence)
    assert.equal(window.mayCome(sequence), false)
  }
}

test('the window says what RFC 4303 3.4.3 says, for numbers in any order and with any gaps', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -3, max: 4 }) },
    { weight: 3, arbitrary: fc.integer({ min: -1100, max: 70 }) },
    { weight: 1, arbitrary: fc.integer({ min: -3000, max: 5000 }) },
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.array(step, { maxLength: 400 }), (start, steps) => {
      const sequences: number[] = []
      let at = start
      for (const by of steps) sequences.push((at = Math.max(0, at + by)))
      agree(sequences)
    }),
    { numRuns: 300, seed: 20_261_121 },
  )
})

test('the edges: 0 never comes, the oldest of 1,024 does once, the one before it does not', () => {
  const window = new ReplayWindow()
  assert.equal(window.mayCome(0), false)
  window.note(2000)
  assert.deepEqual(
    [2000, 2001, 2000 - windowSize + 1, 2000 - windowSize].map(sequence => window.mayCome(sequence)),
    [false, true, true, false],
  )
  window.note(2000 - windowSize + 1)
  assert.equal(window.mayCome(2000 - windowSize + 1), false)
})

test('numbers above 2^32 come and are seen as others', () => {
  agree([2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 32 - 5, 2 ** 32, 2 ** 53 - 1, 2 ** 53 - 1, 2 ** 53 - 2])
})
