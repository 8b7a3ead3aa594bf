import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RpcUser } from './service.ts'
import { srvsvc } from './srvsvc.ts'

const admin: RpcUser = { name: 'root', domain: 'FILES', sid: 'S-1-5-21-1-2-3-1000', isAdmin: true }
const ordinary: RpcUser = { ...admin, name: 'alice', isAdmin: false }

const opnums = { fileGetInfo: 10, fileClose: 11, sessionDel: 13 } as const
const status = { success: 0, fileNotFound: 2, accessDenied: 5, invalidLevel: 124, clientNameNotFound: 2312 } as const

/** What was asked for, and a call of an operation. */
function service() {
  const asked: unknown[] = []
  const { operations } = srvsvc({
    serverName: 'FILES',
    comment: '',
    shares: () => [],
    opens: () => [{ id: 7, permissions: 3, locks: 1, path: 'C:\\docs\\a.txt', userName: 'alice' }],
    closeOpen: id => asked.push(id) > 0 && id === 7,
    closeSessions: which => (asked.push(which) > 0 && which.userName === 'alice' ? 2 : 0),
  })
  const call = async (opnum: number, input: Record<string, unknown>, user = admin): Promise<Record<string, unknown>> =>
    operations[opnum].handle({ serverName: null, ...input }, { user, handles: new Map() })
  return { asked, call }
}

describe('open files', () => {
  test('are told by their id, at the levels that there are (MS-SRVS 3.1.4.3)', async () => {
    const { call } = service()
    const { info, status: done } = await call(opnums.fileGetInfo, { id: 7, level: 3 })
    assert.deepEqual(info, { level: 3, value: { id: 7, permissions: 3, locks: 1, path: 'C:\\docs\\a.txt', userName: 'alice' } })
    assert.equal(done, status.success)
    assert.equal((await call(opnums.fileGetInfo, { id: 8, level: 3 }))['status'], status.fileNotFound)
    assert.equal((await call(opnums.fileGetInfo, { id: 7, level: 4 }))['status'], status.invalidLevel)
    assert.deepEqual(await call(opnums.fileGetInfo, { id: 7, level: 3 }, ordinary), { info: { level: 3, value: null }, status: status.accessDenied })
  })

  test('are closed for administrators (MS-SRVS 3.1.4.4)', async () => {
    const { asked, call } = service()
    assert.equal((await call(opnums.fileClose, { id: 7 }, ordinary))['status'], status.accessDenied)
    assert.deepEqual(asked, [])
    assert.equal((await call(opnums.fileClose, { id: 7 }))['status'], status.success)
    assert.equal((await call(opnums.fileClose, { id: 8 }))['status'], status.fileNotFound)
    assert.deepEqual(asked, [7, 8])
  })
})

test('sessions of a client or a user are ended for administrators, never all there are (MS-SRVS 3.1.4.6)', async () => {
  const { asked, call } = service()
  assert.equal((await call(opnums.sessionDel, { clientName: null, userName: 'alice' }, ordinary))['status'], status.accessDenied)
  assert.equal((await call(opnums.sessionDel, { clientName: null, userName: null }))['status'], status.clientNameNotFound)
  assert.deepEqual(asked, [])
  assert.equal((await call(opnums.sessionDel, { clientName: '\\\\192.0.2.1', userName: 'alice' }))['status'], status.success)
  assert.equal((await call(opnums.sessionDel, { clientName: '192.0.2.1', userName: null }))['status'], status.clientNameNotFound)
  assert.deepEqual(asked, [
    { clientName: '192.0.2.1', userName: 'alice' },
    { clientName: '192.0.2.1', userName: '' },
  ])
})
