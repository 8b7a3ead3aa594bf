import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { lockStateFolder, openIdentity } from './folder.ts'
import { openKeyFile, seal, unseal } from './key-file.ts'
import { openUserStore } from './users.ts'

let state = ''
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-state-'))
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

const mode = (path: string): number => statSync(path).mode & 0o777

describe('users', () => {
  test('a user is found by name in any case, with the NT hash (MS-NLMP 3.3.1) and a SID of their own', () => {
    const users = openUserStore(state)
    assert.equal(users.set({ name: 'Alice', password: 'Password' }), 'added')
    const alice = users.find('aLICE')
    // NTOWF of "Password": MS-NLMP 4.2.2.1.2.
    assert.equal(alice?.ntHash.toString('hex'), 'a4f49c406510bdcab6824ee7c30fd852')
    assert.equal(alice.sid, `${openIdentity(state).machineSid}-1000`)
    assert.equal(alice.isAdmin, false)
    assert.equal(users.find('bob'), undefined)
    assert.equal(users.findByRid(1000)?.name, 'Alice')
  })

  test("neither password nor hash is in any file of the state; files are their owner's", () => {
    const users = openUserStore(state)
    users.set({ name: 'alice', password: 'Correct-Horse-1' })
    const hash = users.find('alice')!.ntHash
    for (const name of readdirSync(state)) {
      const bytes = readFileSync(join(state, name))
      for (const secret of ['Correct-Horse-1', hash, hash.toString('hex'), hash.toString('base64'), Buffer.from('Correct-Horse-1', 'utf16le')]) {
        assert.equal(bytes.includes(secret), false, name)
      }
      assert.equal(mode(join(state, name)), 0o600, name)
    }
  })

  test('a password of 12 characters or more is kept for CHAP, encrypted; of others the entry says why not', () => {
    const users = openUserStore(state)
    users.set({ name: 'alice', password: 'Correct-Horse-1' })
    users.set({ name: 'bob', password: 'elevenchars' })
    users.set({ name: 'carol', password: '漢'.repeat(12) })
    assert.deepEqual(
      ['alice', 'bob', 'carol', 'dave'].map(name => [users.find(name)?.chapSecret, users.find(name)?.chap]),
      [
        ['Correct-Horse-1', 'ready'],
        [undefined, 'password-too-short'],
        ['漢'.repeat(12), 'ready'],
        [undefined, undefined],
      ],
    )
    users.set({ name: 'alice', password: 'short' })
    assert.equal(users.find('alice')?.chapSecret, undefined)
  })

  test('a password that an earlier version hashed is good for CHAP once it is set again', () => {
    const users = openUserStore(state)
    users.set({ name: 'alice', password: 'Correct-Horse-1' })
    const path = join(state, 'users.json')
    const stored = JSON.parse(readFileSync(path, 'utf8')) as { users: { chap?: unknown }[] }
    delete stored.users[0].chap
    writeFileSync(path, JSON.stringify(stored))
    const later = openUserStore(state)
    assert.deepEqual([later.find('alice')?.chapSecret, later.find('alice')?.chap], [undefined, 'password-not-kept'])
    assert.equal(later.set({ name: 'alice', password: 'Correct-Horse-1' }), 'unchanged')
    assert.equal(later.find('alice')?.chapSecret, 'Correct-Horse-1')
  })

  test('what one process writes the others see; RIDs are not reused', () => {
    const [one, other] = [openUserStore(state), openUserStore(state)]
    one.set({ name: 'alice', password: 'a' })
    one.set({ name: 'bob', password: 'b' })
    assert.equal(other.find('bob')?.rid, 1001)
    assert.equal(other.set({ name: 'BOB', password: 'b' }), 'unchanged')
    assert.equal(other.set({ name: 'BOB', password: 'c' }), 'changed')
    one.remove('bob')
    assert.equal(other.find('bob'), undefined)
    other.set({ name: 'carol', password: 'c' })
    assert.deepEqual(
      one.list().map(({ name, rid }) => [name, rid]),
      [
        ['alice', 1000],
        ['carol', 1002],
      ],
    )
    assert.throws(() => one.remove('bob'), { code: 'UNKNOWN_USER' })
  })

  test('names that break NAME:PASSWORD and empty passwords are refused', () => {
    const users = openUserStore(state)
    for (const name of ['', 'a:b', 'a\\b', 'a/b', '.', 'x'.repeat(65)])
      assert.throws(() => users.set({ name, password: 'x' }), { code: 'BAD_USER' }, name)
    assert.throws(() => users.set({ name: 'a', password: '' }), { code: 'BAD_USER' })
  })

  test('a hash moved to another user, and a file that is none, are noticed', () => {
    const users = openUserStore(state)
    users.set({ name: 'alice', password: 'a' })
    users.set({ name: 'bob', password: 'b' })
    const path = join(state, 'users.json')
    const stored = JSON.parse(readFileSync(path, 'utf8')) as { users: { ntHash: unknown }[] }
    ;[stored.users[0].ntHash, stored.users[1].ntHash] = [stored.users[1].ntHash, stored.users[0].ntHash]
    writeFileSync(path, JSON.stringify(stored))
    assert.throws(() => openUserStore(state).find('alice'), { code: 'STATE_CORRUPT' })
    const sealed = '{"nonce":"","text":"","tag":""}'
    const chapText = `{"version":1,"nextRid":1,"users":[{"name":"a","rid":1,"admin":false,"ntHash":${sealed},"chap":null}]}`
    for (const text of ['', '{', 'null', '[]', '{"version":2}', '{"version":1,"nextRid":1,"users":[{}]}', chapText]) {
      writeFileSync(path, text)
      assert.throws(() => openUserStore(state).list(), { code: 'STATE_CORRUPT' }, text)
    }
  })
})

describe('the key file', () => {
  test('is made with mode 0600 and kept', () => {
    const path = join(state, 'key')
    const key = openKeyFile(path)
    assert.equal(key.length, 32)
    assert.equal(mode(path), 0o600)
    assert.deepEqual(openKeyFile(path), key)
  })

  test('is refused with wider permissions, as a symbolic link, or with other content', () => {
    const path = join(state, 'key')
    openKeyFile(path)
    for (const wide of [0o640, 0o604, 0o660, 0o777]) {
      chmodSync(path, wide)
      assert.throws(() => openKeyFile(path), { code: 'STATE_KEY', message: /chmod 600/ })
    }
    chmodSync(path, 0o600)
    symlinkSync(path, join(state, 'link'))
    assert.throws(() => openKeyFile(join(state, 'link')), { code: 'STATE_KEY' })
    writeFileSync(path, 'not a key')
    assert.throws(() => openKeyFile(path), { code: 'STATE_KEY' })
  })

  test('opens what it sealed for the same purpose, nothing else', () => {
    const key = openKeyFile(join(state, 'key'))
    const sealed = seal(key, Buffer.from('secret'), 'user 1')
    assert.equal(unseal(key, sealed, 'user 1').toString(), 'secret')
    assert.throws(() => unseal(key, sealed, 'user 2'), { code: 'STATE_CORRUPT' })
    assert.throws(() => unseal(Buffer.alloc(32), sealed, 'user 1'), { code: 'STATE_CORRUPT' })
    assert.throws(() => unseal(key, { ...sealed, tag: '' }, 'user 1'), { code: 'STATE_CORRUPT' })
  })
})

describe('the folder', () => {
  test("the node's identity is made once", () => {
    const identity = openIdentity(state)
    assert.match(identity.machineSid, /^S-1-5-21-\d+-\d+-\d+$/)
    assert.match(identity.serverGuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    assert.deepEqual(openIdentity(state), identity)
    writeFileSync(join(state, 'identity.json'), '{}')
    assert.throws(() => openIdentity(state), { code: 'STATE_CORRUPT' })
  })

  test('one node at a time; the claim of a process that is gone, or of another with its pid, does not count', () => {
    const path = join(state, 'lock')
    {
      using _lock = lockStateFolder(state)
      assert.ok(existsSync(path))
    }
    assert.equal(existsSync(path), false)
    for (const stale of ['999999999 1', `${process.ppid} 1`, '']) {
      writeFileSync(path, stale)
      using _lock = lockStateFolder(state)
      assert.notEqual(readFileSync(path, 'latin1'), stale)
    }
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'latin1')
    writeFileSync(path, `${process.ppid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`)
    assert.throws(() => lockStateFolder(state), { code: 'STATE_IN_USE' })
  })
})
