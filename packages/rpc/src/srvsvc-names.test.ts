import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalizePath, comparePaths, isNameValid, pathType } from './srvsvc-names.ts'

test('share names have up to 80 characters, none of them reserved (MS-SRVS 2.2.2.8)', () => {
  assert.equal(isNameValid('docs', 9), true)
  for (const name of ['', 'a/b', 'a\\b', 'a:b', 'x'.repeat(81), '...']) assert.equal(isNameValid(name, 9), false, name)
  assert.equal(isNameValid('docs', 99), false)
})

test('paths have a type (MS-SRVS 2.2.2.9) and a canonical form', () => {
  assert.deepEqual(['C:\\a\\b', '\\a', 'a\\b', '\\\\s\\share\\x', 'a|b'].map(pathType), [8706, 8704, 8192, 4096, undefined])
  assert.equal(canonicalizePath('C:/a//./b'), 'C:\\a\\b')
  assert.equal(comparePaths('A', 'a'), 0)
})
