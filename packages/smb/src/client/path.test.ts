import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '@holdfast/wire'
import { dateOf, fileTimeOf } from './info.ts'
import { nameOf, parentOf, wirePath } from './path.ts'

test('paths are written with either separator, and never lead upwards', () => {
  assert.deepEqual(
    ['', '/', 'a', '/a/b/', 'a\\b', 'a//./b', 'ä/日本.txt', 'a..b'].map(path => wirePath(path)),
    ['', '', 'a', 'a\\b', 'a\\b', 'a\\b', 'ä\\日本.txt', 'a..b'],
  )
  for (const path of ['..', 'a/../b', 'a\\..', 'a\0b', 'x'.repeat(40_000)]) assert.throws(() => wirePath(path), UsageError)
  assert.deepEqual([parentOf('a\\b\\c'), parentOf('a'), nameOf('a\\b\\c'), nameOf('a'), nameOf('')], ['a\\b', '', 'c', 'a', ''])
})

test('FILETIME and dates agree to the millisecond (MS-DTYP 2.3.3)', () => {
  const date = new Date('2026-11-21T03:36:00.123Z')
  assert.equal(dateOf(fileTimeOf(date)).getTime(), date.getTime())
  assert.equal(fileTimeOf(new Date(0)), 116_444_736_000_000_000n)
})
