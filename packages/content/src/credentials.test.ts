import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credentials } from './credentials.ts'
import type { ContentAccounts } from './shares.ts'

const field = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

function fixture() {
  const passwords = new Map([['alice', 'secret']])
  const readers = new Map<string, { readonly name: string }>()
  const nobody = { name: '' }
  let verified = 0
  const accounts: ContentAccounts = {
    nobody,
    verify(user, password) {
      verified++
      if (passwords.get(user) !== password) return undefined
      const reader = readers.get(user) ?? { name: user }
      readers.set(user, reader)
      return reader
    },
  }
  const failed: string[] = []
  const throttle = {
    delayMs: () => 250 * failed.length,
    failed: ({ user }: { user: string }) => 250 * failed.push(user),
    succeeded: () => void failed.splice(0),
  }
  const credentials = new Credentials({ accounts, throttle, remoteAddress: '192.0.2.1' })
  return { credentials, passwords, nobody, failed, verified: () => verified }
}

test('without the field it is nobody; another scheme is refused without a password being tried', () => {
  const { credentials, nobody, verified } = fixture()
  assert.deepEqual(credentials.readerOf(undefined, 0), { reader: nobody, delayMs: 0 })
  for (const value of ['Bearer abc', 'Basic', 'Basic !', field('alice', 'sec\nret'), `Basic ${Buffer.from('nobody').toString('base64')}`]) {
    assert.deepEqual(credentials.readerOf(value, 0), { reader: undefined, delayMs: 0 })
  }
  assert.equal(verified(), 0)
})

test('a password is verified once in five seconds; one that was changed meanwhile is wrong then', () => {
  const { credentials, passwords, verified } = fixture()
  const alice = field('alice', 'secret')
  const { reader } = credentials.readerOf(alice, 0)
  assert.equal(reader?.name, 'alice')
  passwords.set('alice', 'another')
  assert.equal(credentials.readerOf(alice, 4999).reader, reader)
  assert.equal(verified(), 1)
  assert.equal(credentials.readerOf(alice, 5000).reader, undefined)
  assert.equal(credentials.readerOf(alice, 5001).reader, undefined)
  assert.equal(verified(), 3)
})

test('another password is never taken for the one before', () => {
  const { credentials } = fixture()
  assert.equal(credentials.readerOf(field('alice', 'secret'), 0).reader?.name, 'alice')
  assert.equal(credentials.readerOf(field('alice', 'secret2'), 1).reader, undefined)
  assert.equal(credentials.readerOf(field('alice', 'secret'), 2).reader?.name, 'alice')
})

test('wrong ones are answered later and later, and so is the right one that comes after them', () => {
  const { credentials, failed } = fixture()
  assert.equal(credentials.readerOf(field('alice', 'a'), 0).delayMs, 250)
  assert.equal(credentials.readerOf(field('bob', 'b'), 0).delayMs, 500)
  assert.deepEqual(failed, ['alice', 'bob'])
  const { reader, delayMs } = credentials.readerOf(field('alice', 'secret'), 0)
  assert.deepEqual([reader?.name, delayMs], ['alice', 500])
  assert.equal(credentials.readerOf(field('alice', 'secret'), 1).delayMs, 0)
})
