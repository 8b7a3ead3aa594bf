import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluateConditions, type Outcome, rangeApplies } from './conditions.ts'

const then = 'Sat, 29 Oct 1994 19:43:31 GMT'
const before = 'Sat, 29 Oct 1994 19:43:30 GMT'
const after = 'Sat, 29 Oct 1994 19:43:32 GMT'
const current = { etag: '"xyzzy"', lastModified: 783459811 }
const fields = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> => new Map(Object.entries(entries))

describe('preconditions of a GET in their order (RFC 9110 13.2.2)', () => {
  const table: readonly (readonly [entries: Readonly<Record<string, string>>, outcome: Outcome])[] = [
    [{}, 'answer'],
    // 13.1.1
    [{ 'if-match': '"xyzzy"' }, 'answer'],
    [{ 'if-match': '"xyzzy", "r2d2xxxx", "c3piozzzz"' }, 'answer'],
    [{ 'if-match': '"r2d2xxxx",,"xyzzy"' }, 'answer'],
    [{ 'if-match': '"r2d2xxxx"' }, 'failed'],
    [{ 'if-match': 'W/"xyzzy"' }, 'failed'],
    [{ 'if-match': 'xyzzy' }, 'failed'],
    [{ 'if-match': '*' }, 'answer'],
    // Not looked at where there is an If-Match.
    [{ 'if-match': '"xyzzy"', 'if-unmodified-since': before }, 'answer'],
    // 13.1.4
    [{ 'if-unmodified-since': then }, 'answer'],
    [{ 'if-unmodified-since': before }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'answer'],
    // 13.1.2
    [{ 'if-none-match': '"xyzzy"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"xyzzy"' }, 'not-modified'],
    [{ 'if-none-match': '"r2d2xxxx", W/"xyzzy"' }, 'not-modified'],
    [{ 'if-none-match': '"r2d2xxxx"' }, 'answer'],
    [{ 'if-none-match': '"a,"xyzzy""' }, 'answer'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    // 13.1.3: ignored beside If-None-Match.
    [{ 'if-none-match': '"r2d2xxxx"', 'if-modified-since': after }, 'answer'],
    [{ 'if-modified-since': then }, 'not-modified'],
    [{ 'if-modified-since': after }, 'not-modified'],
    [{ 'if-modified-since': before }, 'answer'],
    [{ 'if-modified-since': 'yesterday' }, 'answer'],
    // The first that says no decides.
    [{ 'if-match': '"r2d2xxxx"', 'if-none-match': '"xyzzy"' }, 'failed'],
    [{ 'if-unmodified-since': before, 'if-none-match': '"xyzzy"' }, 'failed'],
    [{ 'if-match': '"xyzzy"', 'if-none-match': '"xyzzy"' }, 'not-modified'],
  ]
  for (const [entries, outcome] of table) {
    test(`${JSON.stringify(entries)}: ${outcome}`, () => assert.equal(evaluateConditions(fields(entries), current), outcome))
  }

  test('of what there is not, only If-Match fails', () => {
    assert.equal(evaluateConditions(fields({ 'if-match': '*' }), undefined), 'failed')
    assert.equal(evaluateConditions(fields({ 'if-none-match': '*' }), undefined), 'answer')
    assert.equal(evaluateConditions(fields({ 'if-modified-since': then }), undefined), 'answer')
  })
})

describe('whether Range counts (RFC 9110 13.1.5)', () => {
  const nowMs = (current.lastModified + 60) * 1000
  for (const [ifRange, applies] of [
    ['"xyzzy"', true],
    ['W/"xyzzy"', false],
    ['"other"', false],
    [then, true],
    [after, false],
    [before, false],
    ['yesterday', false],
  ] as const) {
    test(`If-Range: ${ifRange}: ${applies}`, () => assert.equal(rangeApplies(fields({ 'if-range': ifRange }), current, nowMs), applies))
  }
  test('without If-Range it does', () => assert.equal(rangeApplies(fields({}), current, nowMs), true))
  test('a date does not tell versions of the same second apart (8.8.2.2)', () => {
    assert.equal(rangeApplies(fields({ 'if-range': then }), current, current.lastModified * 1000 + 500), false)
  })
})
