import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { interpreted, MalformedError } from '@holdfast/wire'
import type { Field, Struct } from '@holdfast/wire'
import * as fc from 'fast-check'
import { decoders } from './pdu.decoders.ts'
import * as pdu from './index.ts'

const seed = 20_261_121

function valuesOf(field: Field): fc.Arbitrary<unknown> | undefined {
  if (field.role === 'default') return valuesOf(field.field as Field)
  if (field.role === 'tail') return fc.uint8Array({ maxLength: 20 }).map(given => Buffer.from(given))
  if (field.role !== 'kind') return undefined
  if (field.kind.startsWith('bytes')) return fc.uint8Array({ minLength: field.size, maxLength: field.size }).map(given => Buffer.from(given))
  if (field.max === undefined) return fc.bigInt(0n, 2n ** 64n - 1n)
  return fc.integer({ min: 0, max: field.max })
}

function valuesOfFields(fields: Readonly<Record<string, Field>>): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {}
  for (const [name, field] of Object.entries(fields)) {
    const values = valuesOf(field)
    if (values !== undefined) model[name] = values
  }
  return fc.record(model, { noNullPrototype: true })
}

const structs: readonly Struct<unknown>[] = [...Object.values(pdu.layouts), pdu.BasicHeader, pdu.SenseData] as readonly Struct<unknown>[]

test('every table round-trips any value, in generated code and in the interpreter alike', () => {
  for (const layout of structs) {
    const twin = interpreted(layout)
    fc.assert(
      fc.property(valuesOfFields(layout.fields), value => {
        const encoded = layout.toBytes(value)
        assert.deepEqual(twin.toBytes(value), encoded, layout.name)
        assert.deepEqual(layout.decode(encoded), value, layout.name)
        assert.deepEqual(twin.decode(encoded), value, layout.name)
      }),
      { numRuns: 40, seed },
    )
  }
})

test('additional header segments round-trip', () => {
  const values = fc.record(
    {
      cdbRest: fc.uint8Array({ maxLength: 244 }).map(given => Buffer.from(given)),
      bidirectionalReadLength: fc.integer({ min: 0, max: 0xffff_ffff }),
    },
    { noNullPrototype: true, requiredKeys: [] },
  )
  fc.assert(
    fc.property(values, value => {
      const bytes = pdu.AdditionalHeaders.toBytes(value)
      assert.equal(bytes.length % 4, 0)
      assert.deepEqual(pdu.AdditionalHeaders.decode(bytes), value)
    }),
    { seed },
  )
})

test('text round-trips, in one piece and in many', () => {
  const names = fc.constantFrom(...Object.keys(pdu.textKeys), 'X-org.example.key', 'X#Registered')
  const pairs = fc.array(
    fc.tuple(
      names,
      fc.string({ maxLength: 60 }).map(text => text.replaceAll('\0', '')),
    ),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(pairs, fc.integer({ min: 1, max: 100 }), (given, segmentBytes) => {
      const text = pdu.formatText(given)
      assert.deepEqual(pdu.parseText(text), given)
      const assembler = new pdu.TextAssembler()
      const pieces = pdu.splitText(text, segmentBytes)
      const whole = pieces.map((piece, i) => assembler.add(piece, i < pieces.length - 1))
      assert.deepEqual(whole.at(-1), text)
      assert.ok(whole.slice(0, -1).every(result => result === undefined))
    }),
    { seed },
  )
})

test('two sides agree on the same, whatever they want (RFC 7143 6.2)', () => {
  const wanted = fc.record(
    {
      HeaderDigest: fc.constantFrom(['CRC32C', 'None'], ['None', 'CRC32C'], ['None'], ['CRC32C']),
      DataDigest: fc.constantFrom(['CRC32C', 'None'], ['None']),
      MaxConnections: fc.integer({ min: 1, max: 65_535 }),
      InitialR2T: fc.boolean(),
      ImmediateData: fc.boolean(),
      MaxBurstLength: fc.integer({ min: 512, max: 0xff_ffff }),
      FirstBurstLength: fc.integer({ min: 512, max: 0xff_ffff }),
      DefaultTime2Wait: fc.integer({ min: 0, max: 3600 }),
      DefaultTime2Retain: fc.integer({ min: 0, max: 3600 }),
      MaxOutstandingR2T: fc.integer({ min: 1, max: 65_535 }),
      DataPDUInOrder: fc.boolean(),
      DataSequenceInOrder: fc.boolean(),
      ErrorRecoveryLevel: fc.integer({ min: 0, max: 2 }),
      TaskReporting: fc.constantFrom(['FastAbort', 'RFC3720'], ['RFC3720']),
      iSCSIProtocolLevel: fc.integer({ min: 0, max: 31 }),
    },
    { noNullPrototype: true, requiredKeys: [] },
  )
  fc.assert(
    fc.property(wanted, wanted, fc.boolean(), (ofInitiator, ofTarget, targetOffers) => {
      const initiator = new pdu.Negotiator({ role: 'initiator', wanted: ofInitiator, receiveBytesMax: 65_536 })
      const target = new pdu.Negotiator({ role: 'target', wanted: ofTarget, receiveBytesMax: 8192 })
      const answers = target.receive(initiator.offers())
      const counter = targetOffers ? target.offers() : []
      target.receive(initiator.receive([...answers, ...counter]))
      assert.deepEqual(initiator.agreed, target.agreed)
      assert.ok(initiator.isSettled && target.isSettled)
      assert.equal(target.sendBytesMax, 65_536)
    }),
    { seed, numRuns: 300 },
  )
})

/** A small generator with a seed (xorshift32), so that a failure can be had again. */
function randomNumbers(start: number): () => number {
  let state = start
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function mutated(bytes: Buffer, next: () => number): Buffer {
  const copy = Buffer.from(bytes)
  for (let i = 1 + (next() % 4); i > 0 && copy.length > 0; i--) copy[next() % copy.length] = next() % 3 === 0 ? 0xff : next()
  return next() % 4 === 0 ? copy.subarray(0, next() % (copy.length + 1)) : copy
}

describe('every decoder fails with MalformedError or not at all', () => {
  for (const [name, { decode, seeds }] of Object.entries(decoders)) {
    test(name, () => {
      const next = randomNumbers(seed)
      for (let round = 0; round < 400; round++) {
        const input = mutated(seeds[round % seeds.length], next)
        try {
          decode(input)
        } catch (error) {
          assert.ok(error instanceof MalformedError, `${name} with ${input.toString('hex')}: ${String(error)}`)
        }
      }
    })
  }
})
