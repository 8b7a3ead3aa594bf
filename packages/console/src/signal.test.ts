import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signal } from './signal.ts'

test('a signal tells of changes, to whoever still listens, and of nothing else', () => {
  const one = signal(1)
  const heard: number[] = []
  const end = one.subscribe(() => heard.push(one.value))
  one.set(2)
  one.set(2)
  one.update(value => value + 1)
  end()
  one.set(4)
  assert.deepEqual(heard, [2, 3])
  assert.equal(one.value, 4)
})
