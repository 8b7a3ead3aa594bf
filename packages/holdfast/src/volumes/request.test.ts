import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSnapshotName } from './request.ts'

test('VOLUME@SNAPSHOT', () => {
  assert.deepEqual(parseSnapshotName('disk0@before-upgrade'), { volume: 'disk0', snapshot: 'before-upgrade' })
  for (const text of ['', 'disk0', 'disk0@', '@x', 'disk0@x@y', 'Disk0@x', 'disk0@../x']) assert.equal(parseSnapshotName(text), undefined, text)
})
