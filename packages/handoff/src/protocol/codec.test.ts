import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { interpreted, MalformedError } from '@holdfast/wire'
import type { Field, Struct } from '@holdfast/wire'
import * as fc from 'fast-check'
import { bodies, decodeMessage, encodeMessage, headerBytes, lengthAt, macAt, macBytes, messageBytesMax, problemOf } from './codec.ts'
import { sequenceAt, sessionAt, typeAt } from './codec.ts'
import type { Message } from './codec.ts'
import { createMac } from './mac.ts'
import { Handoff, Header, MessageType } from './messages.ts'
import * as messages from './messages.ts'
import { decoders } from './protocol.decoders.ts'
import { vectorKey, vectors } from './protocol.vectors.ts'
import { placesOf, reused, walking } from './reused.ts'

const seed = 20_261_121
const types = Object.values(MessageType)
const sample = (type: MessageType): Buffer => {
  const found = vectors.find(({ message }) => message.type === type)
  assert.ok(found !== undefined, `a vector of type ${type}`)
  return Buffer.from(found.bytes)
}

describe('messages', () => {
  test('each type has a vector, which is what the type says, both ways, with the MAC that any HMAC gives', () => {
    assert.deepEqual(
      vectors.map(({ message }) => message.type),
      types,
    )
    for (const { title, message, bytes } of vectors) {
      const { mac, ...decoded } = decodeMessage(bytes)
      assert.deepEqual(decoded, message, title)
      const zeroed = Buffer.from(bytes).fill(0, macAt, macAt + macBytes)
      assert.deepEqual(mac, createHmac('sha256', vectorKey).update(zeroed).digest().subarray(0, macBytes), title)
      const encoded = Buffer.alloc(bytes.length, 0xee)
      assert.equal(encodeMessage({ ...message, mac }, encoded), bytes.length)
      assert.deepEqual(encoded, bytes, title)
      assert.equal(createMac(vectorKey).verify(encoded, 0, encoded.length), true)
    }
  })

  test('the header is where the constants say', () => {
    const mac = Buffer.from(Array.from({ length: macBytes }, (_, i) => i + 1))
    const bytes = Header.toBytes({ type: 3, lengthBytes: 0x1234, session: 0x5678, sequence: 0x9abc, mac })
    assert.equal(bytes.length, headerBytes)
    assert.equal(bytes[typeAt], 3)
    assert.equal(bytes.readUInt16BE(lengthAt), 0x1234)
    assert.equal(bytes.readUInt32BE(sessionAt + 4), 0x5678)
    assert.equal(bytes.readUInt32BE(sequenceAt + 4), 0x9abc)
    assert.deepEqual(bytes.subarray(macAt, macAt + macBytes), mac)
  })

  test('reserved fields are ignored when read', () => {
    const bytes = sample(MessageType.welcome)
    const { values } = decodeMessage(bytes)
    bytes[typeAt + 1] = 0xff
    bytes.fill(0xff, headerBytes + 26, headerBytes + 28)
    assert.equal(problemOf(bytes, 0, bytes.length), undefined)
    assert.deepEqual(decodeMessage(bytes).values, values)
  })

  test('a datagram that is cut or has something behind it is malformed, whatever its type', () => {
    for (const type of types) {
      const bytes = sample(type)
      for (let length = 0; length < bytes.length; length++) {
        const wanted = length < headerBytes ? 'truncated' : 'bad-length'
        assert.equal(problemOf(bytes, 0, length), wanted)
        assert.throws(() => decodeMessage(bytes, 0, length), { name: 'MalformedError', code: wanted })
      }
      assert.equal(problemOf(Buffer.concat([bytes, Buffer.alloc(1)]), 0, bytes.length + 1), 'bad-length')
    }
  })

  test('a length that is right for the datagram and wrong for its type is malformed', () => {
    const resized = (type: MessageType, lengthBytes: number): Buffer => {
      const bytes = Buffer.alloc(headerBytes + lengthBytes)
      sample(type).copy(bytes)
      bytes.writeUInt16BE(lengthBytes, lengthAt)
      return bytes
    }
    for (const type of types) {
      const { layout, shape } = bodies[type]
      const size = layout?.fixedSize ?? 0
      const wrong = { none: [1], one: [0, size - 1, size + 1, 2 * size], list: [0, size - 1, size + 1], payload: [0, size - 1] }[shape]
      for (const lengthBytes of wrong)
        assert.equal(problemOf(resized(type, lengthBytes), 0, headerBytes + lengthBytes), 'bad-length', `${type} ${lengthBytes}`)
      const right = { none: [0], one: [size], list: [size, 5 * size], payload: [size, size + 7] }[shape]
      if (type === MessageType.handoff) continue
      for (const lengthBytes of right)
        assert.equal(problemOf(resized(type, lengthBytes), 0, headerBytes + lengthBytes), undefined, `${type} ${lengthBytes}`)
    }
  })

  test('a HANDOFF has as many bytes of its request as it says', () => {
    const bytes = sample(MessageType.handoff)
    bytes[headerBytes + Handoff.fixedSize - 1]++
    assert.equal(problemOf(bytes, 0, bytes.length), 'bad-length')
  })

  test('another magic, an unknown type, numbers above 2^53-1 are malformed', () => {
    const changed = (at: number, value: number): Buffer => {
      const bytes = sample(MessageType.heartbeat)
      bytes[at] = value
      return bytes
    }
    for (let at = 0; at < 4; at++) assert.throws(() => decodeMessage(changed(at, 0)), { code: 'fixed-mismatch' })
    for (const type of [0, types.length + 1, 255]) assert.throws(() => decodeMessage(changed(typeAt, type)), { code: 'unknown-type' })
    for (const at of [sessionAt, sequenceAt]) assert.throws(() => decodeMessage(changed(at + 1, 0x20)), { code: 'unsafe-integer' })
    assert.equal(problemOf(changed(sessionAt + 1, 0x1f), 0, 48), undefined)
    const closed = sample(MessageType.closed)
    closed[headerBytes] = 1
    assert.throws(() => decodeMessage(closed), { name: 'MalformedError', code: 'unsafe-integer' })
  })

  test('a message that cannot be is not written', () => {
    const into = Buffer.alloc(70_000)
    const message = { session: 1, sequence: 1, mac: Buffer.alloc(macBytes), payload: Buffer.alloc(0) }
    const refused: readonly [Message, string][] = [
      [{ ...message, type: MessageType.accept, values: [] }, 'bad-message'],
      [{ ...message, type: MessageType.stranger, values: [{}] }, 'bad-message'],
      [{ ...message, type: MessageType.heartbeat, values: [{ connections: 0 }], payload: Buffer.alloc(1) }, 'bad-message'],
      [{ ...message, type: MessageType.continue, values: vectors[3].message.values, payload: Buffer.alloc(messageBytesMax) }, 'no-room'],
    ]
    for (const [given, code] of refused) assert.throws(() => encodeMessage(given, into), { code })
    assert.throws(() => encodeMessage({ ...vectors[0].message, mac: message.mac }, Buffer.alloc(100)), { code: 'no-room' })
  })
})

function valuesOf(field: Field): fc.Arbitrary<unknown> | undefined {
  if (field.role === 'default') return valuesOf(field.field as Field)
  if (field.role !== 'kind') return undefined
  if (field.kind.startsWith('bytes')) return fc.uint8Array({ minLength: field.size, maxLength: field.size }).map(given => Buffer.from(given))
  return field.max === Number.MAX_SAFE_INTEGER ? fc.maxSafeNat() : fc.integer({ min: 0, max: field.max! })
}

function valueOf(layout: Struct<unknown>): fc.Arbitrary<Record<string, unknown>> {
  const model = Object.entries(layout.fields).flatMap(([name, field]) => {
    const values = valuesOf(field)
    return values === undefined ? [] : [[name, values] as const]
  })
  return fc.record(Object.fromEntries(model), { noNullPrototype: true })
}

/** Any message of a type. */
function messageOf(type: MessageType): fc.Arbitrary<Message> {
  const { layout, shape } = bodies[type]
  const value = layout === undefined ? fc.constant({}) : valueOf(layout)
  const counts = { none: [0, 0], one: [1, 1], payload: [1, 1], list: [1, 20] }[shape]
  const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength }).map(given => Buffer.from(given))
  return fc
    .record(
      {
        type: fc.constant(type),
        session: fc.maxSafeNat(),
        sequence: fc.maxSafeNat(),
        mac: bytes(macBytes, macBytes),
        values: fc.array(value, { minLength: counts[0], maxLength: counts[1] }),
        payload: shape === 'payload' ? bytes(0, 100) : fc.constant(Buffer.alloc(0)),
      },
      { noNullPrototype: true },
    )
    .map(message =>
      type === MessageType.handoff ? { ...message, values: [{ ...message.values[0], requestBytes: message.payload.length }] } : message,
    )
}

test('every message round-trips, wherever it lies', () => {
  for (const type of types) {
    fc.assert(
      fc.property(messageOf(type), fc.nat(20), (message, at) => {
        const bytes = Buffer.alloc(2000, 0xee)
        const end = encodeMessage(message, bytes, at)
        assert.equal(problemOf(bytes, at, end), undefined)
        assert.deepEqual(decodeMessage(bytes, at, end), message)
        assert.ok(bytes.subarray(end).every(byte => byte === 0xee) && bytes.subarray(0, at).every(byte => byte === 0xee))
      }),
      { numRuns: 40, seed },
    )
  }
})

const layouts = Object.values(messages).filter(value => typeof value === 'object' && 'fixedSize' in value) as unknown as readonly Struct<unknown>[]

test('a value that is used again reads what decoding gives, in generated code and by walking the table, and keeps its own bytes', () => {
  for (const layout of layouts) {
    const again = reused(layout)
    const walk = walking(placesOf(layout.fields))
    const walked = reused(layout).value
    fc.assert(
      fc.property(valueOf(layout), fc.nat(9), (value, at) => {
        const bytes = Buffer.concat([Buffer.alloc(at, 0xee), layout.toBytes(value)])
        const read = again.read(bytes, at)
        walk(bytes, at, walked)
        bytes.fill(0xdd)
        assert.equal(read, again.value)
        assert.deepEqual(read, value, layout.name)
        assert.deepEqual(walked, value, layout.name)
        assert.deepEqual(interpreted(layout).toBytes(read), layout.toBytes(value))
      }),
      { numRuns: 40, seed },
    )
  }
})

test('random bytes are decoded or refused with a MalformedError, nothing else', () => {
  for (const [name, { decode, seeds }] of Object.entries(decoders)) {
    assert.ok(seeds.length > 0, `${name} has something to begin with`)
    for (const bytes of seeds) assert.doesNotThrow(() => decode(Buffer.from(bytes)), name)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...seeds), fc.nat(), (random, given, at) => {
        const changed = Buffer.from(given)
        if (changed.length > 0) changed[at % changed.length] ^= 1 + (at % 255)
        for (const bytes of [Buffer.from(random), changed]) {
          try {
            decode(bytes)
          } catch (error) {
            assert.ok(error instanceof MalformedError, `${name}: ${String(error)}`)
          }
        }
      }),
      { numRuns: 100, seed },
    )
  }
})
