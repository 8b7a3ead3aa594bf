import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeName, diskPath, encodeName, encodeStreamName } from './names.ts'

const encoded = (name: string): Buffer => {
  const bytes = encodeName(name)
  return typeof bytes === 'string' ? Buffer.from(bytes) : bytes
}
// Bytes as they occur: text, edges of UTF-8, what is mapped, and the private-use area's own sequences.
const piece = fc.oneof(
  fc
    .constantFrom('a', ' ', '.', '*', '"', ':', '\\', '\n', 'ü', '\u{1f600}', '\uf020', '\uf028', '\uf029', '\uf080', '\uf0ff')
    .map(text => Buffer.from(text)),
  fc.constantFrom('eda080', 'edb080', 'efbfbf', 'ef80a2', 'ef82a0', 'c0af', 'f4908080', 'e0', 'ed', 'eda0').map(hex => Buffer.from(hex, 'hex')),
  fc
    .integer({ min: 1, max: 255 })
    .filter(byte => byte !== 0x2f)
    .map(byte => Buffer.from([byte])),
)
const diskName = fc
  .array(piece, { minLength: 1, maxLength: 12 })
  .map(pieces => Buffer.concat(pieces))
  .filter(bytes => !['.', '..'].includes(bytes.toString('latin1')))

test('every name on disk is shown, and comes back to the same bytes', () => {
  fc.assert(
    fc.property(diskName, bytes => assert.deepEqual(encoded(decodeName(bytes)), bytes)),
    { numRuns: 20_000 },
  )
})

test('what is shown has no character that SMB gives a meaning to', () => {
  fc.assert(
    fc.property(diskName, bytes => assert.doesNotMatch(decodeName(bytes), /[\x00-\x1f"*/:<>?\\|]|[ .]$/)),
    { numRuns: 5000 },
  )
})

test('a name from the wire is refused or comes back as it was', () => {
  const unit = fc.oneof(fc.integer({ min: 0x20, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff }), fc.integer({ min: 0xf000, max: 0xf0ff }))
  const name = fc.array(unit, { minLength: 1, maxLength: 12 }).map(units => String.fromCharCode(...units))
  let accepted = 0
  fc.assert(
    fc.property(name, text => {
      let bytes: Buffer
      try {
        bytes = encoded(text)
      } catch (error) {
        assert.equal((error as { code: string }).code, 'invalid-name')
        return
      }
      accepted++
      const aliased = text.replace(/ $/, '\uf028').replace(/\.$/, '\uf029')
      assert.equal(decodeName(bytes), aliased)
    }),
    { numRuns: 20_000 },
  )
  assert.ok(accepted > 5000, `${accepted}`)
})

test('names are mapped as macOS and the Linux client map them', () => {
  assert.equal(decodeName(Buffer.from('a:b"c*?<>|\\')), 'a\uf022b\uf020c\uf021\uf025\uf023\uf024\uf027\uf026')
  assert.deepEqual(encoded('a\uf022b'), Buffer.from('a:b'))
  assert.equal(decodeName(Buffer.from('end ')), 'end\uf028')
  assert.equal(decodeName(Buffer.from('end.')), 'end\uf029')
  assert.equal(decodeName(Buffer.from('\x01')), '\uf001')
  assert.deepEqual(encoded('end.'), Buffer.from('end.'))
  assert.equal(decodeName(Buffer.from([0x66, 0xff])), 'f\uf0ff')
})

test('unpaired surrogates are three bytes on disk, pairs four', () => {
  assert.equal(encoded('\ud800x').toString('hex'), 'eda08078')
  assert.equal(encoded('\ud83d\ude00').toString('hex'), 'f09f9880')
  assert.equal(decodeName(Buffer.from('eda08078', 'hex')), '\ud800x')
})

test('nothing becomes . or .. or another component', () => {
  for (const name of ['\uf029', '.\uf029', '.', '..', 'a/b', 'a\\b', 'a*', '', '\uf0e9\uf0a9'.replace('\uf0e9', '\uf0c3')]) {
    assert.throws(() => encodeName(name), { code: 'invalid-name' }, JSON.stringify(name))
  }
  assert.throws(() => encodeName('ü'.repeat(128)), { code: 'name-too-long' })
})

test('paths stay strings where they are plain', () => {
  assert.equal(diskPath(''), '.')
  assert.equal(diskPath('a/b c/.d.e'), 'a/b c/.d.e')
  assert.deepEqual(diskPath('ü/b'), Buffer.from('ü/b\0'))
})

test("stream names keep characters that files' names may not have", () => {
  assert.deepEqual(encodeStreamName('\x05Stream\n?*'), Buffer.from('=\x05Stream\n?*\0'))
})
