import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SmbOpenView } from '@holdfast/smb/server'
import { openIdOf, openIdText, openView } from './open-views.ts'
import { shortOpenId } from './srvsvc-management.ts'

const open: SmbOpenView = {
  id: 0x0100_0002_0000_000an,
  session: 0x0100_abcd,
  share: 'docs',
  path: 'folder/a.txt',
  stream: '',
  isFolder: false,
  user: 'alice',
  access: 0x0012_0089,
  shareAccess: 7,
  sinceMs: Date.UTC(2026, 10, 21),
  caching: undefined,
  locks: 0,
  durability: 'none',
  isWaiting: false,
  deletesFile: false,
}

describe('an open in words', () => {
  test('says who has what, and what he may do with it', () => {
    assert.deepEqual(openView(open), {
      id: '010000020000000a',
      session: 'smb-0100abcd',
      share: 'docs',
      path: 'folder/a.txt',
      user: 'alice',
      access: 'read attributes security',
      shareAccess: 'read write delete',
      since: '2026-11-21T00:00:00.000Z',
      locks: 0,
      durability: 'none',
      waiting: false,
      deleteOnClose: false,
    })
    assert.equal(openView({ ...open, stream: 'meta' }).path, 'folder/a.txt:meta')
    assert.equal(openView({ ...open, access: 0x001f_01ff }).access, 'read write append execute delete attributes security')
    assert.equal('session' in openView({ ...open, session: undefined }), false)
  })

  for (const [caching, words] of [
    [{ kind: 'lease', state: 7 }, 'lease RWH'],
    [{ kind: 'lease', state: 3 }, 'lease RH'],
    [{ kind: 'oplock', state: 1 }, 'oplock R'],
    [{ kind: 'lease', state: 7, breakingTo: 1 }, 'lease RWH to R'],
    [{ kind: 'lease', state: 1, breakingTo: 0 }, 'lease R to none'],
    [{ kind: 'lease', state: 0 }, undefined],
    [undefined, undefined],
  ] as const) {
    test(`what its client may cache is ${words ?? 'nothing'}`, () => assert.equal(openView({ ...open, caching }).caching, words))
  }
})

test('an id is 16 digits in the order of the numbers, and nothing else is one', () => {
  for (const id of [1n, 0xffff_ffffn, 0xffff_ffff_ffff_fffen]) assert.equal(openIdOf(openIdText(id)), id)
  assert.ok(openIdText(0xffn) < openIdText(0x100n))
  for (const text of ['', '1', 'x'.repeat(16), '0x0000000000001', 'G'.repeat(16)]) assert.equal(openIdOf(text), undefined)
})

test('short ids of opens of several starts of a worker differ', () => {
  const ids = new Set<number>()
  for (let incarnation = 1n; incarnation <= 20n; incarnation++) {
    for (let count = 1n; count <= 200n; count++) ids.add(shortOpenId(openIdText((incarnation << 32n) | count)))
  }
  assert.equal(ids.size, 20 * 200)
})
