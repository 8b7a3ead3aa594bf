import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineOf, shownRequest, targetOf } from './targets.ts'

test('the target of an operation is a path of the API; of what is made, where it will be', () => {
  const made = (name: string): string => targetOf('share.create', { parameters: {}, body: { name, path: '/srv' } })
  assert.equal(made('docs'), '/v1/shares/docs')
  assert.equal(made('a b/ä'), '/v1/shares/a%20b%2F%C3%A4')
  assert.equal(made('half \ud83d'), '/v1/shares/half%20%EF%BF%BD')
  assert.equal(targetOf('snapshot.create', { parameters: { name: 'disk1' }, body: { name: 's' } }), '/v1/volumes/disk1/snapshots/s')
  assert.equal(targetOf('snapshot.delete', { parameters: { name: 'disk1', snapshot: 's' } }), '/v1/volumes/disk1/snapshots/s')
  assert.equal(targetOf('user.change', { parameters: { name: 'bob' }, body: { name: 'x' } }), '/v1/users/bob')
})

test('snapshots wait in the line of their volume; names have no case there', () => {
  assert.equal(lineOf('/v1/volumes/disk1/snapshots/s'), lineOf('/v1/volumes/disk1'))
  assert.equal(lineOf('/v1/shares/Docs'), lineOf('/v1/shares/docs'))
  assert.notEqual(lineOf('/v1/volumes/docs'), lineOf('/v1/shares/docs'))
})

test('what is for writing only is not shown', () => {
  assert.deepEqual(shownRequest('user.create', { parameters: {}, body: { name: 'bob', password: 'hunter2' } }), { name: 'bob' })
  assert.deepEqual(shownRequest('user.change', { parameters: { name: 'bob' }, body: { password: 'hunter2', role: 'viewer' } }), { role: 'viewer' })
  assert.deepEqual(shownRequest('volume.delete', { parameters: { name: 'disk1' } }), {})
})
