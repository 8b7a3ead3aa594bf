import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { nameOfTarget, type OperationItem, rowsOf, views } from './views.ts'

describe('what an operation is done to', () => {
  for (const [target, name] of [
    ['/v1/volumes/disk1', 'disk1'],
    ['/v1/shares/My%20docs', 'My docs'],
    ['/v1/volumes/disk1/snapshots/before', 'disk1@before'],
    ['elsewhere', 'elsewhere'],
  ] as const) {
    test(`${target}: ${name}`, () => assert.equal(nameOfTarget(target), name))
  }
})

test('what an operation is at is told while it runs, and what went wrong when it has ended', () => {
  const at = '2026-11-21T03:00:07.000Z'
  const running: OperationItem = {
    id: 'o1',
    kind: 'volume.create',
    target: '/v1/volumes/disk1',
    session: 's1',
    user: 'alice',
    request: {},
    state: 'running',
    percent: 42.9,
    note: 'copying the image',
    createdAt: at,
  }
  const problem = { type: 'about:blank', title: 'x', status: 507, detail: 'it is full', code: 'NO_SPACE' }
  const [, ...rows] = rowsOf(views.operation, [running, { ...running, endedAt: at, state: 'succeeded' }, { ...running, endedAt: at, problem }])
  assert.deepEqual(
    rows.map(row => [row.at(5), row.at(-1)]),
    [
      ['42%', 'copying the image'],
      ['42%', ''],
      ['42%', 'it is full'],
    ],
  )
})
