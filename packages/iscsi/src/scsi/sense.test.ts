import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedError, toHex } from '@holdfast/wire'
import * as fc from 'fast-check'
import { AdditionalSense, SenseKey } from './additional-sense.ts'
import { CheckCondition, decodeSense, describeSense, encodeSense, invalidFieldInCdb, invalidFieldInParameterList, senseData } from './sense.ts'

const hexOf = (condition: CheckCondition, isDescriptorFormat: boolean): string => toHex(encodeSense(condition, isDescriptorFormat))

test('fixed format: key, code, information and field pointer are where SPC-4 4.5.3 has them', () => {
  const outOfRange = new CheckCondition('ILLEGAL REQUEST', 'LOGICAL BLOCK ADDRESS OUT OF RANGE', { information: 0x12345678 })
  assert.equal(hexOf(outOfRange, false), 'f0000512 3456780a 00000000 21000000 0000')
  assert.equal(hexOf(invalidFieldInCdb(7, 3), false), '70000500 0000000a 00000000 240000cb 0007')
  assert.equal(hexOf(invalidFieldInParameterList(0x102), false), '70000500 0000000a 00000000 26000080 0102')
})

test('fixed format leaves out what does not fit 32 bits (SPC-4 4.5.3: VALID is zero)', () => {
  const far = new CheckCondition('MISCOMPARE', 'MISCOMPARE DURING VERIFY OPERATION', { information: 2 ** 32 })
  assert.equal(hexOf(far, false), '70000e00 0000000a 00000000 1d000000 0000')
  assert.equal(hexOf(far, true), '720e1d00 0000000c 000a8000 00000001 00000000')
})

test('descriptor format: each kind of detail is a descriptor of its own (SPC-4 4.5.2)', () => {
  assert.equal(hexOf(invalidFieldInCdb(1, 0), true), '72052400 00000008 02060000 c8000100')
  const progress = new CheckCondition('NOT READY', 'LOGICAL UNIT NOT READY, FORMAT IN PROGRESS', { progress: 0x8000 })
  assert.equal(hexOf(progress, true), '72020404 00000008 02060000 80800000')
  const aborted = new CheckCondition('COPY ABORTED', 'COPY TARGET DEVICE NOT REACHABLE', {
    commandSpecific: 5,
    segment: { inDescriptor: true, byte: 4 },
  })
  assert.equal(hexOf(aborted, true), '720a0d02 00000014 010a0000 00000000 00000005 02060000 a0000400')
})

test('no two names stand for one additional sense code, or one key', () => {
  for (const table of [AdditionalSense, SenseKey]) assert.equal(new Set(Object.values(table)).size, Object.keys(table).length)
})

const bit = fc.option(fc.nat(7), { nil: undefined })
const pointer = fc.tuple(fc.nat(0xffff), bit).map(([byte, at]) => (at === undefined ? { byte } : { byte, bit: at }))
const code = fc.constantFrom(...Object.values(AdditionalSense))
const number = fc.oneof(fc.nat(0xffffffff), fc.nat(Number.MAX_SAFE_INTEGER))
const optional = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.option(value, { nil: undefined }).map(given => (given === undefined ? {} : { [name]: given }))
const specific = fc.oneof(
  fc.record({
    key: fc.constant(SenseKey['ILLEGAL REQUEST']),
    field: pointer.chain(at => fc.constantFrom({ in: 'cdb' as const, ...at }, { in: 'parameters' as const, ...at })),
  }),
  fc.record({
    key: fc.constant(SenseKey['COPY ABORTED']),
    segment: pointer.chain(at => fc.boolean().map(inDescriptor => ({ inDescriptor, ...at }))),
  }),
  fc.record({ key: fc.constant(SenseKey['NOT READY']), progress: fc.nat(0xffff) }),
  fc.record({ key: fc.constantFrom(...Object.values(SenseKey)) }),
)

test('what is encoded in descriptor format is decoded as it was', () => {
  const sense = fc.tuple(specific, code, fc.boolean(), optional('information', number), optional('commandSpecific', number))
  fc.assert(
    fc.property(sense, ([part, value, isDeferred, information, commandSpecific]) => {
      const whole = { ...part, ...information, ...commandSpecific, code: value, isDeferred }
      assert.deepEqual(decodeSense(senseData(whole, true)), whole)
    }),
  )
})

test('what is encoded in fixed format is decoded as it was, where it fits', () => {
  const sense = fc.tuple(specific, code, fc.boolean(), optional('information', fc.nat(0xffffffff)))
  fc.assert(
    fc.property(sense, ([part, value, isDeferred, information]) => {
      const whole = { ...part, ...information, code: value, isDeferred }
      assert.deepEqual(decodeSense(senseData(whole, false)), whole)
    }),
  )
})

test('sense data cut anywhere is decoded as far as it goes, or refused as malformed', () => {
  const whole = encodeSense(invalidFieldInCdb(7, 3), false)
  for (let length = 0; length < 8; length++) assert.throws(() => decodeSense(whole.subarray(0, length)), MalformedError)
  assert.equal(describeSense(decodeSense(whole.subarray(0, 14))), 'ILLEGAL REQUEST: INVALID FIELD IN CDB')
  assert.equal(decodeSense(whole.subarray(0, 14)).field, undefined)
  assert.throws(() => decodeSense(Buffer.alloc(18)), /response code 0/)
})

test('codes without a name are described by their numbers', () => {
  assert.equal(describeSense({ key: 5, code: 0x24ff, isDeferred: false }), 'ILLEGAL REQUEST: 24h/ffh')
})
