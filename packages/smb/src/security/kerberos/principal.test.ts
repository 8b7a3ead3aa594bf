import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFileService, isSameName, parsePrincipal } from './principal.ts'

test('a principal is a name, an instance and a realm (RFC 4120 6.2)', () => {
  assert.deepEqual(parsePrincipal('alice@EXAMPLE.TEST'), { primary: 'alice', instance: undefined, realm: 'EXAMPLE.TEST' })
  assert.deepEqual(parsePrincipal('alice/admin@EXAMPLE.TEST'), { primary: 'alice', instance: 'admin', realm: 'EXAMPLE.TEST' })
  assert.deepEqual(parsePrincipal('cifs/a/b@R'), { primary: 'cifs', instance: 'a/b', realm: 'R' })
  assert.deepEqual(parsePrincipal('alice/@R'), { primary: 'alice', instance: '', realm: 'R' })
})

test('what the library marks with a backslash, and what has no name or realm, is no principal of ours', () => {
  for (const text of ['', 'alice', '@R', 'alice@', '/admin@R', 'alice\\@corp@R', 'ali\\0ce@R', 'ali\0ce@R', 'alice\n@R']) {
    assert.equal(parsePrincipal(text), undefined, JSON.stringify(text))
  }
})

test('tickets for a file server are for cifs, for host, or for a computer as a whole (MS-KILE 3.1.5.11)', () => {
  const isOne = (text: string) => isFileService(parsePrincipal(text)!)
  for (const text of ['cifs/server@R', 'CIFS/server@R', 'host/server@R', 'SERVER$@R']) assert.equal(isOne(text), true, text)
  for (const text of ['HTTP/server@R', 'nfs/server@R', 'cifs@R', 'alice@R', 'HTTP/server$@R']) assert.equal(isOne(text), false, text)
})

test('names are the same whatever the case, but not by letters that become others', () => {
  assert.equal(isSameName('Alice', 'aLICE'), true)
  assert.equal(isSameName('ÉMILE', 'émile'), true)
  // Dotless i, the Kelvin sign, the long s.
  for (const name of ['al\u0131ce', '\u212Aate', '\u017Fam']) assert.equal(isSameName(name, name.toUpperCase().toLowerCase()), false, name)
})
