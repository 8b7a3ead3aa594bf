import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DeadlineQueue } from './deadlines.ts'

type Step =
  | { readonly kind: 'add'; readonly delay: number }
  | { readonly kind: 'end'; readonly index: number }
  | { readonly kind: 'run'; readonly passMs: number; readonly max: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), delay: fc.constantFrom(0, 1, 10, 1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), index: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('run' as const), passMs: fc.nat(20), max: fc.constantFrom(1, 3, Infinity) }) },
)

interface Entry {
  readonly due: number
  over: boolean
}

test('what is due, and nothing else, comes once, in the order of its delay; what is over does not come', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      let now = 1000
      const model: Entry[] = []
      const came: Entry[] = []
      const queue = new DeadlineQueue<Entry>(
        entry => came.push(entry),
        entry => entry.over,
      )
      for (const one of steps) {
        if (one.kind === 'add') {
          const entry = { due: now + one.delay, over: false }
          model.push(entry)
          queue.add(entry, one.delay, now)
        } else if (one.kind === 'end') {
          if (model.length > 0) model[one.index % model.length].over = true
        } else {
          now += one.passMs
          came.length = 0
          const due = model.filter(entry => !entry.over && entry.due <= now)
          assert.equal(queue.run(now, one.max), came.length)
          assert.equal(came.length, Math.min(due.length, one.max))
          for (const entry of came) assert.ok(due.includes(entry))
          assert.equal(new Set(came).size, came.length)
          for (const entry of came) model.splice(model.indexOf(entry), 1)
        }
        assert.equal(queue.next(), Math.min(Infinity, ...model.filter(entry => !entry.over).map(entry => entry.due)))
        assert.ok(queue.size >= model.filter(entry => !entry.over).length)
      }
    }),
  )
})

test('what is added again while it expires waits for the next run, also without delay', () => {
  let runs = 0
  const queue = new DeadlineQueue<string>(item => {
    runs++
    queue.add(item, 0, 5)
  })
  queue.add('again', 0, 5)
  assert.equal(queue.run(5), 1)
  assert.equal(queue.run(5), 1)
  assert.equal(runs, 2)
  assert.equal(queue.size, 1)
})

test('300,000 deadlines come due in order', () => {
  let last = -1
  const queue = new DeadlineQueue<number>(item => {
    assert.equal(item, last + 1)
    last = item
  })
  for (let i = 0; i < 300_000; i++) queue.add(i, 600_000, i)
  assert.equal(queue.size, 300_000)
  assert.equal(queue.next(), 600_000)
  assert.equal(queue.run(700_000), 100_001)
  assert.equal(queue.run(1_000_000), 199_999)
  assert.equal(queue.next(), Infinity)
})
