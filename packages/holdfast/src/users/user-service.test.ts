import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Accounts } from '../node/accounts.ts'
import type { ConfiguredUser } from '../node/node-config.ts'
import { openUserStore } from '../state/users.ts'
import { memoryWorkers } from '../test-support/memory-workers.ts'
import type { UserService } from './service.ts'
import { userService } from './user-service.ts'

let state = ''
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-users-'))
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

interface Node {
  readonly services: UserService[]
  /** Whose sessions were ended. */
  readonly ended: string[]
  /** How long answers were held back. */
  readonly held: number[]
  readonly mesh: ReturnType<typeof memoryWorkers>
  start(index: number): void
}

/** Two workers. */
function node(configured: readonly ConfiguredUser[] = []): Node {
  const made: Node = {
    services: [],
    ended: [],
    held: [],
    mesh: memoryWorkers(2),
    start(index) {
      made.services[index] = userService({
        node: made.mesh.node(index),
        store: openUserStore(state),
        configured,
        wait: async delayMs => void made.held.push(delayMs),
        disconnect: async ({ name }) => void made.ended.push(name),
      })
    },
  }
  made.start(0)
  made.start(1)
  return made
}

const login = (user: string, password: string, address = '192.0.2.1') => ({ user, password, address })
const accounts = (): Accounts => new Accounts({ store: openUserStore(state), domain: 'FILES', domainSid: 'S-1-5-21-1-2-3' })

describe('a user', () => {
  test('who is made may log in at once on every worker, and is shown without a secret', async () => {
    const { services } = node()
    const made = await services[1].create({ name: 'alice', password: 'Correct-Horse-1' })
    assert.deepEqual({ ...made, createdAt: '' }, { name: 'alice', role: 'user', disabled: false, origin: 'api', createdAt: '' })
    assert.ok(Date.parse(made.createdAt!) > 0)
    await services[0].create({ name: 'bob', password: 'short', role: 'viewer' })
    for (const service of services) {
      const { items } = await service.list()
      assert.deepEqual(
        items.map(({ name, role, chapProblem }) => [name, role, chapProblem?.includes('12 characters')]),
        [
          ['alice', 'user', undefined],
          ['bob', 'viewer', true],
        ],
      )
      assert.deepEqual(await service.verify(login('ALICE', 'Correct-Horse-1')), { name: 'alice', role: 'user' })
      assert.deepEqual(await service.find('Bob'), { name: 'bob', role: 'viewer' })
    }
    assert.equal(accounts().token('bob')?.isAdministrator, false)
  })

  test('is made once: again it is the same, unless the password or the role is another one', async () => {
    const { services } = node()
    const user = { name: 'alice', password: 'Correct-Horse-1' }
    await services[0].create(user)
    await assert.rejects(services[1].create({ ...user, name: 'Alice' }), { code: 'USER_EXISTS' })
    assert.equal((await services[1].create(user, { again: true })).name, 'alice')
    await assert.rejects(services[1].create({ ...user, password: 'other' }, { again: true }), { code: 'USER_EXISTS' })
    await assert.rejects(services[1].create({ ...user, role: 'admin' }, { again: true }), { code: 'USER_EXISTS' })
  })

  test('is refused with what is wrong', async () => {
    const { services } = node()
    for (const [user, code] of [
      [{ name: 'a:b', password: 'x' }, 'INVALID_NAME'],
      [{ name: 'alice', password: '' }, 'INVALID_PASSWORD'],
      [{ name: 'alice', password: 'x'.repeat(257) }, 'INVALID_PASSWORD'],
    ] as const) {
      await assert.rejects(services[1].check(user), { code })
      await assert.rejects(services[1].create(user), { code })
    }
    await assert.rejects(services[0].get('alice'), { code: 'UNKNOWN_USER' })
    await assert.rejects(services[0].change('alice', { role: 'viewer' }), { code: 'UNKNOWN_USER' })
    await assert.rejects(services[0].delete('alice'), { code: 'UNKNOWN_USER' })
  })

  test('with a new password logs in with that, and keeps who he is', async () => {
    const { services, ended } = node()
    await services[0].create({ name: 'alice', password: 'Correct-Horse-1', role: 'viewer' })
    const { sid } = openUserStore(state).find('alice')!
    assert.equal((await services[1].change('alice', { password: 'Battery-Staple-2' })).role, 'viewer')
    assert.equal(await services[0].verify(login('alice', 'Correct-Horse-1')), undefined)
    assert.deepEqual(await services[0].verify(login('alice', 'Battery-Staple-2')), { name: 'alice', role: 'viewer' })
    assert.equal(accounts().chapSecretOf('alice'), 'Battery-Staple-2')
    assert.equal(openUserStore(state).find('alice')?.sid, sid)
    assert.deepEqual(ended, [])
  })

  test('who is disabled cannot log in anywhere, and loses his sessions; enabled he can', async () => {
    const { services, ended } = node()
    await services[0].create({ name: 'alice', password: 'Correct-Horse-1' })
    assert.equal((await services[1].change('alice', { disabled: true })).disabled, true)
    assert.deepEqual(ended, ['alice'])
    assert.equal(await services[1].verify(login('alice', 'Correct-Horse-1')), undefined)
    assert.equal(await services[1].find('alice'), undefined)
    const them = accounts()
    assert.deepEqual([them.ntlmAccount('alice'), them.token('alice'), them.chapSecretOf('alice')], [undefined, undefined, undefined])
    // Names of what he owns are still his.
    assert.equal(them.accountByName('alice')?.name, 'alice')
    assert.equal((await services[0].change('alice', { disabled: false })).disabled, false)
    assert.equal((await services[0].verify(login('alice', 'Correct-Horse-1')))?.name, 'alice')
  })

  test('who is deleted loses his sessions; whoever has his name later is somebody else', async () => {
    const { services, ended } = node()
    await services[0].create({ name: 'alice', password: 'Correct-Horse-1' })
    const { sid } = openUserStore(state).find('alice')!
    await services[1].delete('ALICE')
    assert.deepEqual([ended, (await services[0].list()).items], [['alice'], []])
    // The one who did it before may have died before he came to the sessions.
    await services[1].delete('alice', { again: true })
    assert.deepEqual(ended, ['alice', 'alice'])
    await services[1].create({ name: 'alice', password: 'Correct-Horse-1' })
    assert.notEqual(openUserStore(state).find('alice')?.sid, sid)
  })
})

describe('administrators', () => {
  test('the last one who can log in stays: LAST_ADMIN', async () => {
    const { services, ended } = node()
    await services[0].create({ name: 'root', password: 'x', role: 'admin' })
    await services[0].create({ name: 'second', password: 'x', role: 'admin' })
    await services[0].change('second', { disabled: true })
    for (const change of [{ role: 'user' }, { role: 'viewer' }, { disabled: true }] as const) {
      await assert.rejects(services[1].change('root', change), { code: 'LAST_ADMIN' })
    }
    await assert.rejects(services[1].delete('root'), { code: 'LAST_ADMIN' })
    assert.equal((await services[1].change('root', { password: 'y' })).role, 'admin')
    await services[1].change('second', { disabled: false })
    ended.length = 0
    assert.equal((await services[1].change('root', { role: 'user' })).role, 'user')
    // What his sessions may do was decided when they were set up.
    assert.deepEqual(ended, ['root'])
  })

  test('are administrators over SMB as well', async () => {
    const { services } = node()
    await services[0].create({ name: 'root', password: 'x', role: 'admin' })
    assert.equal(accounts().token('root')?.isAdministrator, true)
  })
})

test('what the configuration says of a user is changed there: USER_CONFIGURED', async () => {
  openUserStore(state).set({ name: 'alice', password: 'x' })
  openUserStore(state).set({ name: 'root', password: 'x', role: 'admin' })
  openUserStore(state).set({ name: 'other', password: 'x', role: 'admin' })
  const { services } = node([
    { name: 'Alice', isAdmin: false },
    { name: 'root', isAdmin: true },
  ])
  assert.deepEqual(
    (await services[1].list()).items.map(({ name, origin }) => [name, origin]),
    [
      ['alice', 'configuration'],
      ['other', 'api'],
      ['root', 'configuration'],
    ],
  )
  await assert.rejects(services[0].delete('alice'), { code: 'USER_CONFIGURED', message: /--user/ })
  await assert.rejects(services[0].change('alice', { password: 'y' }), { code: 'USER_CONFIGURED' })
  await assert.rejects(services[0].change('root', { role: 'user' }), { code: 'USER_CONFIGURED' })
  // What it does not say can be said here.
  assert.equal((await services[0].change('alice', { role: 'viewer', disabled: true })).role, 'viewer')
  assert.equal((await services[0].change('root', { disabled: true })).disabled, true)
})

test('answers to logins are held back after failures, whichever worker is asked, and for right passwords too', async () => {
  const { services, held } = node()
  await services[0].create({ name: 'alice', password: 'right' })
  for (let attempt = 0; attempt < 3; attempt++) await services[attempt % 2].verify(login('alice', 'wrong'))
  assert.deepEqual(held, [])
  await services[0].verify(login('alice', 'wrong', '192.0.2.2'))
  await services[1].verify(login('nobody', 'wrong'))
  assert.deepEqual(held, [250, 250])
  assert.equal((await services[1].verify(login('alice', 'right', '192.0.2.3')))?.name, 'alice')
  assert.equal(held.length, 3)
  await services[1].verify(login('alice', 'right', '192.0.2.3'))
  assert.equal(held.length, 3)
})

test('the worker that has died is followed by one that goes on', async () => {
  const { services, mesh, start } = node()
  await services[1].create({ name: 'alice', password: 'x' })
  mesh.lose(0)
  await assert.rejects(services[1].delete('alice'), { code: 'NO_SUCH_OBJECT' })
  start(0)
  await services[1].delete('alice')
  assert.deepEqual((await services[1].list()).items, [])
})
