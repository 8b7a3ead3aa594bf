import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NtStatus } from '../../messages/nt-status.ts'
import { OpenChannelState } from './channel-sequence.ts'
import type { ServerOpen } from './handler-api.ts'
import { SessionOpens } from './open-map.ts'

const open = (): ServerOpen => ({ persistentId: 1n, volatileId: 0n, tree: {} as never, channel: new OpenChannelState(), onGone() {} })

test('a session that has ended takes no more opens: who is late gives his up (MS-SMB2 3.3.7.1)', () => {
  const opens = new SessionOpens({ opensMax: 10 })
  const early = opens.add(open())
  opens.end()
  assert.throws(() => opens.add(open()), { status: NtStatus.USER_SESSION_DELETED })
  assert.deepEqual([...opens.values()], [early])
})

test('a reserved id is the next open’s, or another’s after it was given back', () => {
  const opens = new SessionOpens({ opensMax: 2 })
  const reserved = opens.reserve()
  const other = opens.add(open())
  assert.throws(() => opens.reserve(), { status: NtStatus.INSUFFICIENT_RESOURCES })
  const late = opens.add(open(), reserved)
  assert.equal(late.volatileId, reserved)
  opens.giveBack(reserved)
  assert.ok(opens.has(late))
  assert.equal(opens.size, 2)
  opens.remove(other)
  const unused = opens.reserve()
  opens.giveBack(unused)
  opens.giveBack(unused)
  assert.equal(opens.size, 1)
  const [a, b] = [opens.reserve(), opens.size]
  assert.notEqual(a, unused)
  assert.equal(b, 2)
})

test('opens of another worker’s time are where their clients know them, and no new one takes their place', () => {
  const former = new SessionOpens({ opensMax: 10 })
  const ids = Array.from({ length: 4 }, () => former.add(open()).volatileId)
  const opens = new SessionOpens({ opensMax: 10 })
  for (const id of [ids[3], ids[1]]) opens.restore(open(), id)
  const made = Array.from({ length: 4 }, () => opens.add(open()).volatileId)
  assert.equal(new Set([...made, ids[3], ids[1]].map(id => id & 0xffffffffn)).size, 6)
  const fileId = Buffer.alloc(16)
  fileId.writeBigUInt64LE(1n, 0)
  fileId.writeBigUInt64LE(ids[3], 8)
  assert.equal(opens.at(fileId, 0)?.volatileId, ids[3])
  fileId.writeBigUInt64LE(ids[2], 8)
  assert.equal(opens.at(fileId, 0), undefined)
})

test('the ids of two sessions do not meet, and one in use is not restored', () => {
  const former = new SessionOpens({ opensMax: 1000 })
  const opens = new SessionOpens({ opensMax: 2000 })
  const ids = Array.from({ length: 1000 }, () => former.add(open()).volatileId)
  opens.reserve()
  opens.add(open())
  const free = ids.filter(id => opens.isFree(id))
  assert.ok(free.length >= 998)
  for (const id of free) opens.restore(open(), id)
  assert.ok(!opens.isFree(free[0]))
  assert.equal(opens.size, free.length + 2)
})

test('who waits for an open hears of its arrival, or that nobody waits any longer', async () => {
  const opens = new SessionOpens({ opensMax: 10 })
  const id = opens.reserve()
  const both = Promise.all([opens.arrival(id), opens.arrival(id)])
  opens.add(open(), id)
  await both
  const never = opens.arrival(99n)
  opens.stopWaiting(99n)
  await never
})
