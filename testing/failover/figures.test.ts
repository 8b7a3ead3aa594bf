import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pauseFigures, spread } from './figures.ts'

/** The application's clock is 1000 s behind, and its lines need 5 ms or more. */
const line = (text: string, atSeconds: number, lateMs = 5) => ({ text: `pauses: ${text}`, atMs: atSeconds * 1000 + lateMs })

test('each restart has the pause that ends after its kill; the others are told apart', () => {
  const lines = [
    line('clock 99000', 100_000),
    line('clock 99001', 100_001, 80),
    line('pause 99002 99002.5', 100_002.5),
    line('pause 99009.5 99012', 100_012),
    line('clock 99012', 100_012),
  ]
  const restarts = [
    { killedAtMs: 100_010_000, upAtMs: 100_011_500 },
    { killedAtMs: 100_030_000, upAtMs: 100_031_000 },
  ]
  assert.deepEqual(pauseFigures(lines, restarts), { pauses: [{ fromKillMs: 2005, fromUpMs: 505 }], unnoticed: 1, others: [500] })
})

test('without clocks to compare there are no figures', () => {
  assert.deepEqual(pauseFigures([line('pause 1 2', 1001)], []), { pauses: [], unnoticed: 0, others: [] })
})

test('a spread is told in seconds', () => {
  assert.equal(spread([]), 'none')
  assert.equal(spread([300, 100, 2000]), 'min 0.10  median 0.30  max 2.00 s')
})
