import assert from 'node:assert/strict'
import test from 'node:test'
import { LastWords } from './last-words.ts'

test('what was said last is known for two seconds, for that generation and those before', () => {
  const words = new LastWords()
  words.keep(7, 2, 'released', 0)
  words.keep(8, 1, 3, 500)
  assert.deepEqual([words.of(7, 1, 1000), words.of(7, 2, 1000), words.of(7, 3, 1000)], ['released', 'released', undefined])
  assert.deepEqual([words.of(7, 2, 2000), words.of(8, 1, 2000), words.of(9, 1, 0)], [undefined, 3, undefined])
  words.keep(8, 2, 'closed', 2400)
  assert.equal(words.of(8, 1, 4000), 'closed')
})

test('what is too much pushes out what is oldest', () => {
  const words = new LastWords(2)
  for (const number of [1, 2, 3]) words.keep(number, 1, 'closed', 0)
  assert.deepEqual(
    [1, 2, 3].map(number => words.of(number, 1, 1)),
    [undefined, 'closed', 'closed'],
  )
  words.keep(4, 1, 'released', 3000)
  assert.deepEqual(
    [2, 3, 4].map(number => words.of(number, 1, 3001)),
    [undefined, undefined, 'released'],
  )
})
