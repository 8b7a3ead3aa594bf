import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OperationNews } from '@holdfast/api-client'
import { operationDisplay, progressLine } from './progress.ts'

const news = (percent: number, changed: Partial<OperationNews> = {}): OperationNews => ({
  operation: 'o1',
  kind: 'volume.create',
  target: '/v1/volumes/disk1',
  request: {},
  state: 'running',
  percent,
  ...changed,
})

describe('a line of progress', () => {
  for (const [title, operation, options, expected] of [
    ['name, percent, bar, what it is at, time', news(42, { note: 'copying the image' }), {}, 'disk1  42% [===>     ] copying the image  0:05'],
    ['before it runs, its state', news(0, { state: 'queued' }), {}, 'disk1   0% [>              ] queued  0:05'],
    ['while the node is away, that', news(42, { note: 'x' }), { instead: 'away' }, 'disk1  42% [======>         ] away  0:05'],
    ['a full bar has no head', news(100), {}, 'disk1 100% [===================] 0:05'],
    ['where there is little room, no bar', news(42, { note: 'copying' }), { columns: 24 }, 'disk1  42%'],
    [
      'a name cannot command the terminal',
      news(0, { target: '/v1/shares/%1B[2J', note: '\u001b[2J' }),
      {},
      '?[2J   0% [>               ] ?[2J  0:05',
    ],
  ] as const) {
    test(title, () => assert.equal(progressLine(operation, { columns: 54, elapsedMs: 5000, ...options }), expected))
  }

  test('it is never wider than the terminal', () => {
    for (let columns = 5; columns < 200; columns++) {
      const line = progressLine(news(42, { target: `/v1/volumes/${'x'.repeat(60)}`, note: 'copying the image' }), { columns, elapsedMs: 5000 })
      assert.ok(line.length < columns, `${columns}: ${line}`)
    }
  })
})

test('elsewhere than on a terminal: a line in two seconds at most, and only where there is news', () => {
  let ms = 0
  const lines: string[] = []
  using display = operationDisplay({ write: text => lines.push(text), columns: undefined, clock: () => ms })
  for (const [now, percent] of [
    [100, 10],
    [2000, 20],
    [2100, 30],
    [4000, 20.5],
    [4100, 40],
  ] as const) {
    ms = now
    display.update(news(percent, { note: 'copying' }))
  }
  display.connection(true)
  assert.deepEqual(lines, ['disk1: 20% copying\n', 'disk1: 40% copying\n', 'the node is away; waiting for it\n'])
})
