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
