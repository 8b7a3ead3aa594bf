import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type Page, type PageRequest, pageOf } from './page.ts'

const key = (item: string): string => item

test('pages one after the other have each item once, in order, whatever order it came in', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 3 }), { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (items, limit) => {
      const read: string[] = []
      let request: PageRequest = { limit }
      for (;;) {
        const page: Page<string> = pageOf(items, key, request)
        assert.ok(page.items.length <= limit)
        read.push(...page.items)
        if (page.next === null) break
        assert.equal(page.items.length, limit)
        request = { limit, cursor: page.next }
      }
      assert.deepEqual(read, [...items].sort())
    }),
  )
})

test('a page goes on after its cursor, also where that item is gone', () => {
  assert.deepEqual(pageOf(['a', 'c', 'd'], key, { cursor: 'b', limit: 1 }), { items: ['c'], next: 'c' })
  assert.deepEqual(pageOf(['a', 'c'], key, { cursor: 'c' }), { items: [], next: null })
})

test('a limit that is none is the nearest that is', () => {
  const many = Array.from({ length: 1200 }, (_, i) => String(i).padStart(4, '0'))
  assert.equal(pageOf(many, key, { limit: 0 }).items.length, 1)
  assert.equal(pageOf(many, key, { limit: 1e9 }).items.length, 1000)
  assert.equal(pageOf(many, key).items.length, 100)
})
