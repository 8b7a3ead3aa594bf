import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import * as wire from './index.ts'
import {
  array,
  bool8,
  bytes,
  countOf,
  data,
  fixed,
  guid,
  interpreted,
  lengthOf,
  MalformedError,
  offsetOf,
  reserved,
  rest,
  struct,
  utf16,
} from './index.ts'
import type { AnyKind, Field, Fields, Kind, Struct } from './index.ts'

interface Sample {
  readonly kind: AnyKind
  readonly values: fc.Arbitrary<unknown>
}

const int = (kind: Kind<number>, min = 0): Sample => ({ kind, values: fc.integer({ min, max: kind.max! }) })
const big = (kind: Kind<bigint>, signed = false): Sample => ({
  kind,
  values: signed ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) : fc.bigInt(0n, 2n ** 64n - 1n),
})
const pair = struct('PAIR', { a: wire.u16, id: wire.u64be })

const samples: readonly Sample[] = [
  int(wire.u8),
  int(wire.u16),
  int(wire.u32),
  int(wire.u16be),
  int(wire.u24be),
  int(wire.u32be),
  int(wire.i32, -(2 ** 31)),
  int(wire.u64n),
  int(wire.u64nbe),
  big(wire.u64),
  big(wire.u64be),
  big(wire.i64, true),
  big(wire.filetime),
  { kind: bool8, values: fc.boolean() },
  { kind: guid, values: fc.uuid() },
  { kind: bytes(5), values: fc.uint8Array({ minLength: 5, maxLength: 5 }).map(given => Buffer.from(given)) },
  { kind: pair, values: fc.record({ a: fc.integer({ min: 0, max: 65535 }), id: fc.bigInt(0n, 2n ** 64n - 1n) }, { noNullPrototype: true }) },
]

interface Layout {
  readonly fields: Fields
  readonly base: number
  readonly minTailBytes: number
  readonly values: fc.Arbitrary<Record<string, unknown>>
}

const sample = fc.constantFrom(...samples)
const utf16Text = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map(units => String.fromCharCode(...units))

/** One field with the arbitrary for its value; undefined where it has none. */
const fixedField: fc.Arbitrary<readonly [Field, fc.Arbitrary<unknown> | undefined]> = fc.oneof(
  { weight: 4, arbitrary: sample.map(({ kind, values }) => [kind, values] as const) },
  sample.map(({ kind }) => [reserved(kind), undefined] as const),
  fc.integer({ min: 0, max: 65535 }).map(value => [fixed(wire.u16, value), undefined] as const),
)

const tailOptions = fc.record({
  align: fc.constantFrom(1, 2, 4, 8),
  emptyOffset: fc.constantFrom('position' as const, 'zero' as const),
  terminatorBytes: fc.constantFrom(0, 0, 1, 2),
})

const tailPart = fc
  .record({
    type: fc.constantFrom('data', 'utf16', 'array'),
    element: sample,
    options: tailOptions,
    byOffset: fc.boolean(),
    counted: fc.boolean(),
    isRest: fc.boolean(),
  })
  .map(part => ({ ...part, byOffset: part.byOffset && !part.isRest }))

const layout: fc.Arbitrary<Layout> = fc
  .record({
    head: fc.array(fixedField, { maxLength: 6 }),
    parts: fc.array(tailPart, { maxLength: 3 }),
    base: fc.constantFrom(0, -64, -3),
    minTailBytes: fc.constantFrom(0, 1),
  })
  .map(({ head, parts, base, minTailBytes }) => {
    const fields: Record<string, Field> = {}
    const tails: Record<string, Field> = {}
    const values: Record<string, fc.Arbitrary<unknown>> = {}
    head.forEach(([field, value], i) => {
      fields[`f${i}`] = field
      if (value) values[`f${i}`] = value
    })
    parts.forEach(({ type, element, options, byOffset, counted, isRest }, i) => {
      const name = `t${i}`
      const toEnd = isRest && i === parts.length - 1
      if (byOffset) fields[`${name}Offset`] = offsetOf(name, wire.u32)
      if (!toEnd) fields[`${name}Length`] = counted && type === 'array' ? countOf(name, wire.u16) : lengthOf(name, wire.u32)
      // What follows the rest would be taken for a part of it.
      const chosen = toEnd ? { ...options, rest: true, terminatorBytes: 0 } : options
      tails[name] = type === 'data' ? data(chosen) : type === 'utf16' ? utf16(chosen) : array(element.kind, chosen)
      values[name] =
        type === 'data'
          ? fc.uint8Array({ maxLength: 40 }).map(given => Buffer.from(given))
          : type === 'utf16'
            ? utf16Text
            : fc.array(element.values, { maxLength: 5 })
    })
    const endsInRest = parts.at(-1)?.isRest === true
    return { fields: { ...fields, ...tails }, base, minTailBytes: endsInRest ? 0 : minTailBytes, values: fc.record(values) }
  })

const build = ({ fields, base, minTailBytes }: Layout): Struct<object, never> => struct('RANDOM', fields, { base, minTailBytes }) as never
const sampled = layout.chain(it => it.values.map(value => ({ codec: build(it), value: { ...value } as never })))

test('any value of any layout comes back, and both engines write the same bytes', () => {
  fc.assert(
    fc.property(sampled, fc.integer({ min: 0, max: 9 }), ({ codec, value }, at) => {
      const twin = interpreted(codec)
      assert.ok(codec.compiled && !twin.compiled)
      const length = codec.encodedLength(value)
      assert.equal(twin.encodedLength(value), length)
      const [first, second] = [Buffer.alloc(at + length, 0xee), Buffer.alloc(at + length, 0xee)]
      assert.equal(codec.encode(value, first, at), at + length)
      assert.equal(twin.encode(value, second, at), at + length)
      assert.deepEqual(second, first)
      assert.deepEqual(codec.decode(first, at), value)
      assert.deepEqual(twin.decode(first, at), value)
    }),
    { numRuns: 400 },
  )
})

type Outcome = { readonly value: unknown } | { readonly malformed: string; readonly message: string }

function outcome(decode: () => unknown): Outcome {
  try {
    return { value: decode() }
  } catch (error) {
    if (error instanceof MalformedError) return { malformed: error.code, message: error.message }
    throw error
  }
}

test('random and damaged bytes fail only as malformed, alike in both engines', () => {
  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(sampled, damage, fc.uint8Array({ maxLength: 80 }), fc.nat(100), ({ codec, value }, changes, random, cut) => {
      const twin = interpreted(codec)
      const damaged = codec.toBytes(value)
      for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte
      for (const bytesIn of [damaged, damaged.subarray(0, Math.max(0, damaged.length - cut)), Buffer.from(random)]) {
        assert.deepEqual(
          outcome(() => twin.decode(bytesIn)),
          outcome(() => codec.decode(bytesIn)),
        )
      }
    }),
    { numRuns: 400 },
  )
})

test('the rest of a message is everything that is left', () => {
  const S = struct('S', { n: wire.u8, numbers: array(wire.u16, { rest: true }) })
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 30 }), given => {
      const decoded = S.decode(Buffer.from(given))
      assert.equal(decoded.numbers.length, Math.floor((given.length - 1) / 2))
    }),
  )
  const T = struct('T', { text: utf16({ rest: true }) })
  assert.throws(() => T.decode(Buffer.alloc(3)), MalformedError)
  assert.equal(struct('R', { r: rest() }).decode(Buffer.alloc(3)).r.length, 3)
})
