import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { HealthMonitor, healthTable, healthTimes } from './health.ts'
import type { Health, HealthEvent } from './health.ts'

/** What happens, at which time. */
type Step = readonly [number, 'answer' | 'refused' | 'echo' | 'tick']

function run(steps: readonly Step[]): string[] {
  const changes: string[] = []
  const monitor = new HealthMonitor(0, health => changes.push(health))
  for (const [ms, what] of steps) {
    if (what === 'tick') monitor.tick(ms)
    else monitor.sign(what, ms)
  }
  return changes
}

test('the whole table', () => {
  const events: readonly HealthEvent[] = ['answer', 'refused', 'echo', 'silence', 'nothing']
  const lines = Object.entries(healthTable).map(([health, row]) => `${health}: ${events.map(event => `${event} ${row[event]}`).join(', ')}`)
  assert.deepEqual(lines, [
    'unknown: answer healthy, refused process-gone, echo unknown, silence silent, nothing unknown',
    'healthy: answer healthy, refused process-gone, echo healthy, silence silent, nothing healthy',
    'silent: answer healthy, refused process-gone, echo process-gone, silence silent, nothing machine-gone',
    'process-gone: answer healthy, refused process-gone, echo process-gone, silence process-gone, nothing machine-gone',
    'machine-gone: answer healthy, refused process-gone, echo process-gone, silence machine-gone, nothing machine-gone',
  ])
})

test('a machine that goes is known to be gone within 2 s of its last answer', () => {
  const ticks = Array.from({ length: 40 }, (_, i): Step => [100 + 50 * (i + 1), 'tick'])
  const changes: [number, string][] = []
  let now = 0
  const monitor = new HealthMonitor(0, health => changes.push([now, health]))
  monitor.sign('answer', 100)
  for ([now] of ticks) monitor.tick(now)
  assert.deepEqual(changes, [
    [0, 'healthy'],
    [1100, 'silent'],
    [1850, 'machine-gone'],
  ])
  assert.ok(healthTimes.silentMs + healthTimes.goneMs < 2000)
})

test('a process that goes is known by its machine: by ECONNREFUSED at once, by an echo reply when it is silent', () => {
  assert.deepEqual(
    run([
      [0, 'answer'],
      [10, 'refused'],
    ]),
    ['healthy', 'process-gone'],
  )
  assert.deepEqual(
    run([
      [0, 'answer'],
      [1000, 'tick'],
      [1100, 'echo'],
      [1700, 'echo'],
      [2400, 'tick'],
    ]),
    ['healthy', 'silent', 'process-gone'],
  )
  assert.deepEqual(
    run([
      [0, 'answer'],
      [10, 'refused'],
      [760, 'tick'],
    ]),
    ['healthy', 'process-gone', 'machine-gone'],
  )
})

test('who comes back is healthy with the first answer', () => {
  const back: readonly Step[] = [
    [0, 'answer'],
    [1000, 'tick'],
    [1750, 'tick'],
    [5000, 'echo'],
    [5100, 'answer'],
  ]
  assert.deepEqual(run(back), ['healthy', 'silent', 'machine-gone', 'process-gone', 'healthy'])
})

test('who has never answered is asked for as well: its machine may be gone, with connections of a director before', () => {
  assert.deepEqual(
    run([
      [999, 'tick'],
      [1000, 'tick'],
      [1750, 'tick'],
    ]),
    ['silent', 'machine-gone'],
  )
})

test('a director that stood still for long does not take its own sleep for the death of others', () => {
  assert.deepEqual(
    run([
      [0, 'answer'],
      [60_000, 'tick'],
      [60_050, 'answer'],
    ]),
    ['healthy', 'silent', 'healthy'],
  )
})

test('a machine is never gone while it has given a sign within 750 ms, and deadlines are when something happens', () => {
  const step = fc.tuple(fc.integer({ min: 1, max: 600 }), fc.constantFrom<Step[1]>('answer', 'refused', 'echo', 'tick', 'tick', 'tick'))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), steps => {
      let now = 0
      let sign = 0
      const seen: Health[] = []
      const monitor = new HealthMonitor(0, (health, before) => {
        assert.notEqual(health, before)
        if (health === 'machine-gone') assert.ok(now - sign >= healthTimes.goneMs)
        seen.push(health)
      })
      for (const [ms, what] of steps) {
        const deadline = monitor.deadline()
        const count = seen.length
        now += ms
        if (what !== 'tick') {
          sign = now
          monitor.sign(what, now)
        } else {
          monitor.tick(now)
          assert.equal(seen.length > count, now >= deadline, 'a change when the deadline has come, and only then')
        }
        assert.equal(monitor.asksMachine, !['unknown', 'healthy'].includes(monitor.health))
      }
    }),
    { numRuns: 300, seed: 20_261_121 },
  )
})
