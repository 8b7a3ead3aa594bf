import assert from 'node:assert/strict'
import test from 'node:test'
import { functionNumber } from './kernel-functions.ts'

/** Kinds of types (linux/btf.h). */
const Kind = { int: 1, pointer: 2, struct: 4, enum: 6, function: 12, prototype: 13, enum64: 19 } as const

/** Type information with these types: name, kind, parts; what is behind a type is left at zero. */
function btf(types: readonly (readonly [name: string, kind: number, parts: number, bytesBehind: number])[]): Buffer {
  const names = Buffer.from(`\0${types.map(([name]) => `${name}\0`).join('')}`)
  const bodies = types.map(([name, kind, parts, bytesBehind]) => {
    const type = Buffer.alloc(12 + bytesBehind)
    type.writeUInt32LE(names.indexOf(`\0${name}\0`) + 1, 0)
    type.writeUInt32LE((kind << 24) | parts, 4)
    return type
  })
  const body = Buffer.concat(bodies)
  const header = Buffer.alloc(24)
  header.writeUInt16LE(0xeb9f, 0)
  header[2] = 1
  header.writeUInt32LE(24, 4)
  header.writeUInt32LE(0, 8)
  header.writeUInt32LE(body.length, 12)
  header.writeUInt32LE(body.length, 16)
  header.writeUInt32LE(names.length, 20)
  return Buffer.concat([header, body, names])
}

const types = btf([
  ['int', Kind.int, 0, 4],
  ['sock', Kind.struct, 3, 36],
  ['find_me', Kind.struct, 0, 0],
  ['prototype', Kind.prototype, 2, 16],
  ['states', Kind.enum, 2, 16],
  ['large', Kind.enum64, 1, 12],
  ['pointer', Kind.pointer, 0, 0],
  ['other', Kind.function, 1, 0],
  ['wanted', Kind.function, 1, 0],
])

test('a function is found by its name, behind types of other lengths; types count from 1', () => {
  assert.equal(functionNumber(types, 'other'), 8)
  assert.equal(functionNumber(types, 'wanted'), 9)
})

test('what is no function, or is not there, has no number; nor has what is no type information', () => {
  assert.equal(functionNumber(types, 'find_me'), undefined)
  assert.equal(functionNumber(types, 'want'), undefined)
  assert.equal(functionNumber(Buffer.alloc(100), 'wanted'), undefined)
  assert.equal(functionNumber(Buffer.alloc(0), 'wanted'), undefined)
})
