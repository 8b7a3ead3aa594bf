import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as wire from './index.ts'
import {
  array,
  bytes,
  countOf,
  data,
  fixed,
  guid,
  hex,
  inPlace,
  lengthOf,
  MalformedError,
  offsetOf,
  reserved,
  rest,
  struct,
  u16,
  u32,
  u32be,
  u64,
  u64n,
  u8,
  UsageError,
  utf16,
  withDefault,
} from './index.ts'
import type { Infer, Input } from './index.ts'

const FileId = struct('FileId', { persistent: u64, volatile: u64 })

const Request = struct(
  'REQUEST',
  {
    structureSize: fixed(u16, 25),
    flags: withDefault(u8, 0),
    reserved: reserved(u8),
    fileId: FileId,
    nameOffset: offsetOf('name', u16),
    nameLength: lengthOf('name', u16),
    bufferOffset: offsetOf('buffer', u32),
    bufferLength: lengthOf('buffer', u32),
    count: countOf('numbers', u16),
    name: utf16(),
    buffer: withDefault(data({ align: 8, emptyOffset: 'zero' }), Buffer.alloc(0)),
    numbers: withDefault(array(u16), []),
  },
  { base: -64, minTailBytes: 1 },
)

const malformed = (code: string) => (error: unknown) => error instanceof MalformedError && error.code === code
const wrongUse = (code: string) => (error: unknown) => error instanceof UsageError && error.code === code

for (const [engine, R] of [
  ['compiled', Request],
  ['interpreted', wire.interpreted(Request)],
] as const) {
  describe(engine, () => {
    test('offsets and lengths are computed, counted from the base, and padding is zero', () => {
      const value = { fileId: { persistent: 1n, volatile: 2n }, name: 'ab', buffer: hex('0102'), numbers: [7, 65535] }
      const encoded = R.toBytes(value)
      assert.equal(R.fixedSize, 34)
      assert.equal(encoded.length, R.encodedLength(value))
      assert.deepEqual(
        encoded,
        hex(`1900 00 00 0100000000000000 0200000000000000
             6200 0400 68000000 02000000 0200
             61006200 0000 0102 0700 ffff`),
      )
      assert.deepEqual(R.decode(encoded), { flags: 0, ...value })
    })

    test('the least tail is written and not asked for', () => {
      const encoded = R.toBytes({ fileId: { persistent: 1n, volatile: 2n }, name: '', flags: 3 })
      assert.equal(encoded.length, 35)
      const decoded = R.decode(encoded, 0, 34)
      assert.deepEqual(decoded, { flags: 3, fileId: { persistent: 1n, volatile: 2n }, name: '', buffer: Buffer.alloc(0), numbers: [] })
    })

    test('data is a view of the message', () => {
      const encoded = R.toBytes({ fileId: { persistent: 1n, volatile: 2n }, name: 'x', buffer: hex('aabb') })
      const { buffer } = R.decode(encoded)
      assert.equal(buffer.buffer, encoded.buffer)
    })

    test('data in place is counted and left alone', () => {
      const value = { fileId: { persistent: 1n, volatile: 2n }, name: '', buffer: inPlace(3), numbers: [1] }
      const into = Buffer.alloc(60, 0xee)
      const end = R.encode(value, into, 4)
      assert.equal(end, 4 + R.encodedLength(value))
      assert.deepEqual(into.subarray(4 + 40, 4 + 43), hex('eeeeee'))
      assert.deepEqual(R.decode(into, 4, end).buffer, hex('eeeeee'))
    })

    test('what does not fit the message is malformed', () => {
      const encoded = R.toBytes({ fileId: { persistent: 1n, volatile: 2n }, name: 'x', buffer: hex('aabb') })
      assert.throws(() => R.decode(encoded, 0, 33), malformed('truncated'))
      assert.throws(() => R.decode(encoded, 0, encoded.length - 1), malformed('out-of-bounds'))
      assert.throws(() => R.decode(encoded, -1), malformed('truncated'))
      const change = (at: number, byte: number) => {
        const copy = Buffer.from(encoded)
        copy[at] = byte
        return copy
      }
      assert.throws(() => R.decode(change(0, 24)), malformed('fixed-mismatch'))
      assert.throws(() => R.decode(change(20, 0x40)), malformed('out-of-bounds'), 'an offset into the fixed part')
      assert.throws(() => R.decode(change(22, 1)), malformed('bad-length'))
      assert.throws(() => R.decode(change(31, 0xff)), malformed('out-of-bounds'))
      assert.throws(() => R.decode(change(32, 2)), malformed('out-of-bounds'))
      assert.deepEqual(R.decode(change(3, 9)).name, 'x', 'reserved may be anything')
    })

    test('what does not fit the buffer or a field is a wrong use', () => {
      const value = { fileId: { persistent: 1n, volatile: 2n }, name: 'x' }
      assert.throws(() => R.encode(value, Buffer.alloc(30)), wrongUse('no-room'))
      assert.throws(() => R.toBytes({ ...value, name: 'x'.repeat(40_000) }), wrongUse('too-large'))
    })
  })
}

test('the inferred types leave out what is computed', () => {
  const value: Infer<typeof Request> = Request.decode(Request.toBytes({ fileId: { persistent: 0n, volatile: 0n }, name: 'n' }))
  const again: Input<typeof Request> = value
  assert.equal(again.name, 'n')
  assert.deepEqual(Object.keys(value), ['flags', 'fileId', 'name', 'buffer', 'numbers'])
  // @ts-expect-error -- a reserved field is no part of the value
  assert.equal(value.reserved, undefined)
  // @ts-expect-error -- the name is required
  assert.throws(() => Request.toBytes({ fileId: { persistent: 0n, volatile: 0n } }))
})

test('kinds read and write their vectors', () => {
  const K = struct('KINDS', { be: u32be, id: guid, n: u64n, raw: bytes(3), rest: rest() })
  const encoded = hex('01020304 00112233445566778899aabbccddeeff ffffffffffff1f00 aabbcc 0506')
  const value = { be: 0x01020304, id: '33221100-5544-7766-8899-aabbccddeeff', n: Number.MAX_SAFE_INTEGER, raw: hex('aabbcc'), rest: hex('0506') }
  for (const codec of [K, wire.interpreted(K)]) {
    assert.deepEqual(codec.decode(encoded), value)
    assert.deepEqual(codec.toBytes(value), encoded)
    encoded[26] = 0x20
    assert.throws(() => codec.decode(encoded), malformed('unsafe-integer'))
    encoded[26] = 0x1f
  }
})

test('a terminator is written and stepped over', () => {
  const S = struct('EA', { nameLength: lengthOf('name', u8), name: data({ terminatorBytes: 1 }), value: rest() })
  for (const codec of [S, wire.interpreted(S)]) {
    assert.deepEqual(codec.toBytes({ name: hex('41'), value: hex('42') }), hex('01 41 00 42'))
    assert.deepEqual(codec.decode(hex('01 41 00 42')), { name: hex('41'), value: hex('42') })
    assert.deepEqual(codec.decode(hex('01 41')), { name: hex('41'), value: hex('') })
  }
})

test('a constant that is tolerated may be anything', () => {
  const S = struct('T', { a: fixed(u16, 5, { tolerate: true }), b: u8 })
  for (const codec of [S, wire.interpreted(S)]) {
    assert.deepEqual(codec.decode(hex('0900 07')), { b: 7 })
    assert.deepEqual(codec.toBytes({ b: 7 }), hex('0500 07'))
  }
})

test('a table that makes no sense fails at load', () => {
  assert.throws(() => struct('S', { n: lengthOf('gone', u16) }), wrongUse('bad-layout'))
  assert.throws(() => struct('S', { a: data() }), wrongUse('bad-layout'))
  assert.throws(() => struct('S', { a: rest(), b: u8 }), wrongUse('bad-layout'))
  assert.throws(() => struct('S', { a: Request }), wrongUse('bad-layout'))
  assert.throws(() => struct('S', { n: lengthOf('a', u64 as never), a: data() }), wrongUse('bad-layout'))
})

test('where generating code is forbidden the interpreter takes over', () => {
  const source = `import { struct, u16 } from ${JSON.stringify(fileURLToPath(new URL('index.ts', import.meta.url)))}
    const S = struct('S', { a: u16 })
    console.log(S.compiled, S.decode(Buffer.from([1, 2])).a)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '--input-type=module', '-e', source], {
    encoding: 'utf8',
  })
  assert.equal(stdout.trim(), 'false 513', stderr)
  assert.equal(Request.compiled, true)
})

test('lists link their entries (MS-FSCC 2.4)', () => {
  const Entry = struct('ENTRY', { nextEntryOffset: reserved(u32), index: u32, nameLength: lengthOf('name', u32), name: utf16() })
  const values = [
    { index: 1, name: 'a' },
    { index: 2, name: 'bcd' },
    { index: 3, name: '' },
  ]
  const into = Buffer.alloc(wire.chainLength(Entry, values), 0xee)
  assert.equal(wire.encodeChain(Entry, values, into), into.length)
  assert.deepEqual(
    into,
    hex('10000000 01000000 02000000 6100 0000  18000000 02000000 06000000 620063006400 000000000000  00000000 03000000 00000000'),
  )
  assert.deepEqual(wire.decodeChain(Entry, into), values)
  assert.deepEqual(wire.decodeChain(Entry, Buffer.alloc(0)), [])
  into[0] = 4
  assert.throws(() => wire.decodeChain(Entry, into), malformed('bad-chain'))
  into[0] = 200
  assert.throws(() => wire.decodeChain(Entry, into), malformed('bad-chain'))
})
