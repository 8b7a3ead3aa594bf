import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasEnded, newestFirst, sentence, withEvent, withList, type Operations } from './operations.ts'
import type { Operation, OperationEvent } from './types.ts'

const whose = { session: 's1', user: 'alice' }
const event = (state: Operation['state'], percent: number, more: Partial<OperationEvent> = {}): OperationEvent => ({
  id: '1-1',
  operation: 'o1',
  kind: 'volume.create',
  target: '/v1/volumes/disk1',
  request: { name: 'disk1' },
  state,
  percent,
  at: `2026-11-21T12:00:0${Math.floor(percent / 20)}Z`,
  ...more,
})
const after = (...events: readonly OperationEvent[]): Operations =>
  events.reduce<Operations>((known, next) => withEvent(known, next, whose), new Map())

test('events make an operation, with the times of what they say', () => {
  const operation = after(event('queued', 0), event('running', 40), event('succeeded', 100, { result: { name: 'disk1' } })).get('o1')
  assert.deepEqual(operation, {
    id: 'o1',
    kind: 'volume.create',
    target: '/v1/volumes/disk1',
    request: { name: 'disk1' },
    session: 's1',
    user: 'alice',
    state: 'succeeded',
    percent: 100,
    result: { name: 'disk1' },
    createdAt: '2026-11-21T12:00:00Z',
    startedAt: '2026-11-21T12:00:02Z',
    endedAt: '2026-11-21T12:00:05Z',
  })
})

test('what is told late does not take an operation back, whether a list or an event tells it', () => {
  const ended = after(event('failed', 60))
  assert.equal(withEvent(ended, event('running', 90), whose), ended)
  const [operation] = newestFirst(ended)
  assert.ok(operation !== undefined && hasEnded(operation))
  assert.equal(withList(ended, [{ ...operation, state: 'running' }]).get('o1')?.state, 'failed')
  assert.equal(withList(after(event('running', 50)), [{ ...operation, state: 'running', percent: 20 }]).get('o1')?.percent, 50)
})

test('the newest comes first', () => {
  const known = after(event('queued', 0), event('queued', 20, { operation: 'o2' }), event('queued', 0, { operation: 'o3' }))
  assert.deepEqual(
    newestFirst(known).map(({ id }) => id),
    ['o2', 'o3', 'o1'],
  )
})

test('an operation is a sentence, which says what it is done to', () => {
  const said = (kind: string, target: string, state: Operation['state'], request: unknown = {}): string => sentence({ kind, target, state, request })
  assert.equal(said('volume.create', '/v1/volumes/disk1', 'running'), 'Creating volume disk1')
  assert.equal(said('share.create', '/v1/shares', 'failed', { name: 'docs' }), 'Could not create share docs')
  assert.equal(said('snapshot.delete', '/v1/volumes/disk1/snapshots/monday', 'succeeded'), 'Snapshot disk1@monday deleted')
  assert.equal(said('snapshot.create', '/v1/volumes/disk1/snapshots', 'cancelled', { name: 'monday' }), 'Cancelled: create snapshot disk1@monday')
  assert.equal(said('user.change', '/v1/users/J%C3%B6rg', 'queued'), 'Changing user Jörg')
  assert.equal(said('open.close', '/v1/opens/00ff', 'succeeded'), 'Open file 00ff closed')
})
