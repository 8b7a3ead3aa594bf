import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SolicitationBudget } from './solicitation-budget.ts'

test('transfers are admitted whole, in order, and one alone always', () => {
  const budget = new SolicitationBudget(100)
  const admitted: string[] = []
  const ask = (name: string, bytes: number): (() => void) => {
    const admit = (): void => void admitted.push(name)
    budget.ask(bytes, admit)
    return admit
  }
  ask('large', 500)
  const waiting = ask('withdrawn', 10)
  ask('a', 60)
  const b = ask('b', 50)
  assert.deepEqual(admitted, ['large'])
  assert.equal(budget.withdraw(waiting), true)
  budget.giveBack(500)
  assert.deepEqual(admitted, ['large', 'a'])
  budget.giveBack(60)
  assert.deepEqual(admitted, ['large', 'a', 'b'])
  assert.equal(budget.withdraw(b), false)
})
