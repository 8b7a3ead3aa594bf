import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  conformantArray,
  type Fields,
  NdrReader,
  NdrWriter,
  readParameters,
  sid,
  struct,
  u16,
  u32,
  u8,
  unicodeString,
  union,
  unique,
  wideString,
  writeParameters,
} from './ndr.ts'

const layout = {
  flag: u8,
  list: unique(conformantArray(struct({ name: unique(wideString), size: u16, inner: unique(struct({ text: unicodeString, owner: unique(sid) })) }))),
  level: union(u16, { 1: unique(u32) as never, 2: struct({ a: u8, b: u32 }) as never }),
  tail: wideString,
} satisfies Fields

const text = fc.string({ maxLength: 12 }).filter(value => !value.includes('\0'))
const sids = fc.constantFrom('S-1-1-0', 'S-1-5-21-1-2-4294967295-1000', 'S-1-5-32-544', 'S-1-5')
const values = fc
  .record({
    flag: fc.nat(255),
    list: fc.option(
      fc.array(
        fc.record({
          name: fc.option(text),
          size: fc.nat(65_535),
          inner: fc.option(fc.record({ text, owner: fc.option(sids) })),
        }),
      ),
    ),
    level: fc.oneof(
      fc.record({ level: fc.constant(1), value: fc.option(fc.nat()) }),
      fc.record({ level: fc.constant(2), value: fc.record({ a: fc.nat(255), b: fc.nat() }) }),
    ),
    tail: text,
  })
  .map(value => structuredClone(value))

test('what is written is read again: nested pointers, arrays, unions, SIDs (C706 14.3)', () => {
  fc.assert(
    fc.property(values, value => {
      const writer = new NdrWriter()
      writeParameters(writer, layout, value)
      const reader = new NdrReader(writer.finish())
      assert.deepEqual(readParameters(reader, layout), value)
      assert.equal(reader.remainingBytes, 0)
    }),
  )
})

test('pointees follow their construct, depth first (C706 14.3.12.3)', () => {
  const writer = new NdrWriter()
  const pair = struct({ a: unique(struct({ x: unique(u32) })), b: unique(u32) })
  writeParameters(writer, { pair }, { pair: { a: { x: 1 }, b: 2 } })
  assert.equal(writer.finish().toString('hex'), '0000020004000200080002000100000002000000')
})

test('a count beyond what is there is refused before anything is allocated', () => {
  const bytes = Buffer.from('0000020000000010', 'hex')
  assert.throws(() => readParameters(new NdrReader(bytes), { list: unique(conformantArray(u32)) }), { code: 'NDR_COUNT' })
  assert.throws(() => readParameters(new NdrReader(bytes), { text: wideString }), { code: 'NDR_TRUNCATED' })
})
