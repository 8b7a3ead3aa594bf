import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { interpreted, MalformedError } from '@holdfast/wire'
import type { AnyKind, Field, Struct } from '@holdfast/wire'
import * as fc from 'fast-check'
import * as messages from './index.ts'
import { decoders } from './messages.decoders.ts'

const seed = 20_261_121

const byKind: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  u64: fc.bigInt(0n, 2n ** 64n - 1n),
  u64be: fc.bigInt(0n, 2n ** 64n - 1n),
  filetime: fc.bigInt(0n, 2n ** 64n - 1n),
  i64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  i32: fc.integer(),
  guid: fc.uuid(),
  bool8: fc.boolean(),
}

function valuesOf(kind: AnyKind): fc.Arbitrary<unknown> {
  if ('fields' in kind) return valuesOfFields((kind as Struct<unknown>).fields)
  if (kind.kind.startsWith('bytes')) return fc.uint8Array({ minLength: kind.size, maxLength: kind.size }).map(given => Buffer.from(given))
  return byKind[kind.kind] ?? fc.integer({ min: 0, max: kind.max! })
}

function valuesOfField(field: Field): fc.Arbitrary<unknown> | undefined {
  if (field.role === 'kind') return valuesOf(field)
  if (field.role === 'default') return valuesOfField(field.field)
  if (field.role !== 'tail') return undefined
  if (field.type === 'data') return fc.uint8Array({ maxLength: 20 }).map(given => Buffer.from(given))
  if (field.type === 'utf16') return fc.string({ maxLength: 30, unit: 'binary' })
  return fc.array(valuesOf(field.element!), { maxLength: 3 })
}

function valuesOfFields(fields: Readonly<Record<string, Field>>): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {}
  for (const [name, field] of Object.entries(fields)) {
    const values = valuesOfField(field)
    if (values !== undefined) model[name] = values
  }
  return fc.record(model, { noNullPrototype: true })
}

const isStruct = (value: unknown): value is Struct<unknown> =>
  typeof value === 'object' && value !== null && 'fixedSize' in value && 'fields' in value
const structs = Object.entries(messages).flatMap(([name, value]: [string, unknown]) => (isStruct(value) ? [[name, value] as const] : []))

/** One whose last part goes on to the end of the message takes the least tail's zero byte for its own. */
const endsInRest = (layout: Struct<unknown>): boolean => {
  const last = Object.values(layout.fields).at(-1)
  return last?.role === 'tail' && last.options.rest === true
}

test('every table round-trips any value, in generated code and in the interpreter alike', () => {
  assert.ok(structs.length > 80, `${structs.length} tables`)
  for (const [name, layout] of structs) {
    const twin = interpreted(layout)
    assert.ok(layout.compiled, name)
    assert.ok(!(endsInRest(layout) && layout.options.minTailBytes), name)
    fc.assert(
      fc.property(valuesOfFields(layout.fields), value => {
        const encoded = layout.toBytes(value)
        assert.deepEqual(twin.toBytes(value), encoded, name)
        assert.deepEqual(layout.decode(encoded), value, name)
        assert.deepEqual(twin.decode(encoded), value, name)
      }),
      { numRuns: 15, seed },
    )
  }
})

/** A small generator with a seed (xorshift32), so that a failure can be had again. */
function randomBytes(start: number): () => number {
  let state = start
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const boundaries = [0, 1, 0x7f, 0x80, 0xff]

function mutated(bytes: Buffer, next: () => number): Buffer {
  const copy = Buffer.from(bytes)
  for (let i = 1 + (next() % 4); i > 0 && copy.length > 0; i--)
    copy[next() % copy.length] = next() % 3 === 0 ? boundaries[next() % boundaries.length] : next()
  return next() % 4 === 0 ? copy.subarray(0, next() % (copy.length + 1)) : copy
}

describe('every decoder fails with MalformedError or not at all', () => {
  for (const [name, { decode, seeds }] of Object.entries(decoders)) {
    test(name, () => {
      const next = randomBytes(seed)
      for (let round = 0; round < 400; round++) {
        const random = Buffer.alloc(next() % 200)
        for (let i = 0; i < random.length; i++) random[i] = next() % 5 === 0 ? next() : 0
        const input = seeds.length > 0 && round % 4 !== 0 ? mutated(seeds[round % seeds.length], next) : random
        try {
          decode(input)
        } catch (error) {
          assert.ok(error instanceof MalformedError, `${name} with ${input.toString('hex')}: ${String(error)}`)
        }
      }
    })
  }
})
