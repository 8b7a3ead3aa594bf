import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inOrder, Window } from './pipeline.ts'

const number = (value: number, isLast = false): { value: number; isLast: boolean } => ({ value, isLast })

test('chunks come in order, and no more are under way than allowed', async () => {
  let underWay = 0
  let most = 0
  const seen: number[] = []
  const chunks = inOrder({
    concurrency: 4,
    async read(index) {
      most = Math.max(most, ++underWay)
      for (let i = 0; i < 10 - index; i++) await turn()
      underWay--
      return number(index, index === 9)
    },
    discard() {},
  })
  for await (const { value } of chunks) seen.push(value)
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.equal(most, 4)
})

test('what nobody will see is discarded when the reader stops', async () => {
  const discarded: number[] = []
  const chunks = inOrder({ concurrency: 3, read: index => Promise.resolve(number(index)), discard: ({ value }) => discarded.push(value) })
  for await (const { value } of chunks) if (value === 1) break
  await turn()
  assert.deepEqual(discarded, [2, 3])
})

test('a failure is seen when it is its turn, and nowhere else', async () => {
  const chunks = inOrder({
    concurrency: 3,
    read: index => (index < 2 ? Promise.resolve(number(index)) : Promise.reject(new Error(`no ${index}`))),
    discard() {},
  })
  const seen: number[] = []
  await assert.rejects(async () => {
    for await (const { value } of chunks) seen.push(value)
  }, /no 2/)
  assert.deepEqual(seen, [0, 1])
})

test('a window tells the first failure to everybody, after all is over', async () => {
  const window = new Window(2)
  let over = false
  window.add(Promise.reject(new Error('first')))
  window.add(turn().then(() => void (over = true)))
  await assert.rejects(window.room(), /first/)
  await assert.rejects(window.finish(), /first/)
  assert.equal(over, true)
})
