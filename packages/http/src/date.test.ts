import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { formatHttpDate, parseHttpDate } from './date.ts'

const nowMs = Date.UTC(2026, 10, 21)

for (const [text, seconds] of [
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784111777],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 784111777],
  ['Sun Nov  6 08:49:37 1994', 784111777],
  ['Saturday, 21-Nov-76 00:00:00 GMT', Date.UTC(2076, 10, 21) / 1000],
  ['Sunday, 21-Nov-77 00:00:00 GMT', Date.UTC(1977, 10, 21) / 1000],
  ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1) / 1000],
  ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
  ['Sun, 31 Feb 1994 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 1994 24:00:00 GMT', undefined],
  ['sun, 06 nov 1994 08:49:37 gmt', undefined],
  ['1994-11-06T08:49:37Z', undefined],
  ['', undefined],
] as const) {
  test(`a date (RFC 9110 5.6.7): ${text} is ${seconds}`, () => assert.equal(parseHttpDate(text, nowMs), seconds))
}

test('what is formatted is read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), seconds => {
      assert.equal(parseHttpDate(formatHttpDate(seconds * 1000), nowMs), seconds)
    }),
  )
})
