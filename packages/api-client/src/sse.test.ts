import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { array, assert as check, nat, property } from 'fast-check'
import { eventReader } from './sse.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('text/event-stream (HTML 9.2.6)', () => {
  for (const [title, text, expected] of [
    ['an event ends with an empty line', 'data: a\n\n', [{ event: 'message', id: undefined, data: 'a' }]],
    ['lines of data are joined', 'data: a\ndata: b\n\n', [{ event: 'message', id: undefined, data: 'a\nb' }]],
    ['one blank after the colon is no part of the value', 'data:a\ndata:  b\n\n', [{ event: 'message', id: undefined, data: 'a\n b' }]],
    ['comments and unknown fields are nothing', ': hello\nfoo: bar\nretry: 5\ndata: a\n\n', [{ event: 'message', id: undefined, data: 'a' }]],
    ['an event without data is none', 'event: x\nid: 1\n\n', []],
    ['a field without a colon has an empty value', 'data\n\n', [{ event: 'message', id: undefined, data: '' }]],
    ['an id with a zero is none', 'id: 1\u00002\ndata: a\n\n', [{ event: 'message', id: undefined, data: 'a' }]],
    ['what the stream ends within is no event', 'data: a\n', []],
    [
      'lines end with LF, CR or both',
      'event: x\rid: 1\r\ndata: a\r\rdata: b\r\n\r\n',
      [
        { event: 'x', id: '1', data: 'a' },
        { event: 'message', id: undefined, data: 'b' },
      ],
    ],
  ] as const) {
    test(title, () => assert.deepEqual(eventReader()(bytes(text)), expected))
  }

  test('it does not matter where the bytes are cut', () => {
    const text = 'event: operation\r\nid: é-1\r\ndata: {"a":"ü€😀"}\r\n\r\n: hi\n\ndata: b\rdata: c\r\r'
    const whole = eventReader()(bytes(text))
    assert.equal(whole.length, 2)
    check(
      property(array(nat(bytes(text).length)), cuts => {
        const read = eventReader()
        const at = [0, ...cuts.sort((a, b) => a - b), bytes(text).length]
        const parts = at.slice(1).map((to, index) => bytes(text).subarray(at[index], to))
        assert.deepEqual(
          parts.flatMap(part => read(part)),
          whole,
        )
      }),
    )
  })

  test('an event without an end is given up', () => {
    const read = eventReader()
    const chunk = bytes('x'.repeat(2 ** 22))
    assert.throws(() => Array.from({ length: 5 }, () => read(chunk)), RangeError)
  })
})
