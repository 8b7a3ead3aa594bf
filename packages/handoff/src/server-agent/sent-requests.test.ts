import assert from 'node:assert/strict'
import test from 'node:test'
import { array, assert as check, property, uint8Array } from 'fast-check'
import { SentRequests } from './sent-requests.ts'

test('a request is found as it was, or not at all; the last is always found', () => {
  check(
    property(array(uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 50 }), requests => {
      const sent = new SentRequests(256)
      const positions = requests.map(request => sent.keep(Buffer.from(request), 0, request.length))
      for (const [index, request] of requests.entries()) {
        const found = sent.get(positions[index], request.length)
        if (found !== undefined) assert.deepEqual([...found], [...request])
        else assert.notEqual(index, requests.length - 1)
      }
    }),
  )
})

test('requests are kept for as long as there is room', () => {
  const sent = new SentRequests(100)
  const positions = Array.from({ length: 10 }, (_, index) => sent.keep(Buffer.from(String(index).repeat(10)), 0, 10))
  assert.deepEqual(
    positions.map(position => String(sent.get(position, 10)).charAt(0)),
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  )
  sent.keep(Buffer.from('x'), 0, 1)
  assert.equal(sent.get(positions[0], 10), undefined)
  assert.equal(String(sent.get(positions[1], 10)), '1111111111')
})
