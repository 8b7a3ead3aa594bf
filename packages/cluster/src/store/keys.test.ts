import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { boundsOf, compareKeys, isInside, prefixEnd } from './keys.ts'

const text = fc.string({ unit: 'binary', maxLength: 6 })
const sign = Math.sign

test('keys are ordered as their UTF-8 bytes', () => {
  fc.assert(fc.property(text, text, (a, b) => assert.equal(sign(compareKeys(a, b)), sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))))
})

test('a prefix covers the keys that begin with it, and no other', () => {
  fc.assert(
    fc.property(text, text, fc.boolean(), (prefix, rest, isJoined) => {
      const key = isJoined ? prefix + rest : rest
      assert.equal(isInside(key, boundsOf({ prefix })), key.startsWith(prefix))
    }),
  )
})

const ends: readonly (readonly [prefix: string, end: string | undefined])[] = [
  ['', undefined],
  ['a', 'b'],
  ['a/', 'a0'],
  ['\u{7f}', '\u{80}'],
  ['\u{d7ff}', '\u{e000}'],
  ['\u{ffff}', '\u{10000}'],
  ['a\u{10ffff}', 'b'],
  ['\u{10ffff}\u{10ffff}', undefined],
]

test('the end of a prefix', () => {
  for (const [prefix, end] of ends) assert.equal(prefixEnd(prefix), end)
})
