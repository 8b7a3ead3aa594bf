import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { MalformedError, hex, toHex } from '@holdfast/wire'
import { aceType, allow, readAcl, type Ace, type Acl } from './acl.ts'
import { decodeSecurityDescriptor, descriptorControl, effectiveControl, encodeSecurityDescriptor } from './security-descriptor.ts'
import { decodeSid, encodeSid, localAccountSid, machineSid, parseSid, unixGroupSid, unixUserSid } from './sid.ts'

const sids = fc
  .tuple(
    fc.oneof(
      fc.nat(100),
      fc.maxSafeInteger().map(n => Math.abs(n) % 2 ** 48),
    ),
    fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 15 }),
  )
  .map(([authority, parts]) => parseSid(['S-1', authority, ...parts].join('-')))

const aces: fc.Arbitrary<Ace> = fc.oneof(
  fc.record({ type: fc.constantFrom(0, 1, 2, 0x11), flags: fc.nat(255), mask: fc.nat(0xffff_ffff), sid: sids }),
  fc.record({
    type: fc.constantFrom(0x09, 0x0a, 0x12),
    flags: fc.nat(255),
    mask: fc.nat(0xffff_ffff),
    sid: sids,
    data: fc.uint8Array({ minLength: 1, maxLength: 5 }).map(bytes => Uint8Array.from([...bytes, ...bytes, ...bytes, ...bytes])),
  }),
  fc.record({
    type: fc.constantFrom(0x05, 0x06),
    flags: fc.nat(255),
    mask: fc.nat(0xffff_ffff),
    sid: sids,
    objectType: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  }),
)
const acls: fc.Arbitrary<Acl> = fc
  .array(aces, { maxLength: 6 })
  .map(list => ({ revision: list.some(ace => ace.type === 5 || ace.type === 6) ? 4 : 2, aces: list }))

/** The same with views and copies of bytes made equal. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
}

test('a SID has the packet form of MS-DTYP 2.4.2.2', () => {
  assert.equal(toHex(encodeSid('S-1-5-32-544')), '01020000 00000005 20000000 20020000')
  assert.equal(decodeSid(hex('010500000000000515000000a065cf7e784b9b5fe77c8770091c0100')), 'S-1-5-21-2127521184-1604012920-1887927527-72713')
  assert.equal(toHex(encodeSid('S-1-1-0')), '01010000 00000001 00000000')
})

test('the text form of a SID is checked and made canonical (MS-DTYP 2.4.2.1)', () => {
  assert.equal(parseSid('s-1-05-032-0544'), 'S-1-5-32-544')
  assert.equal(parseSid('S-1-0x123456789ABC-7'), 'S-1-0x123456789abc-7')
  for (const wrong of ['', 'S-1', 'S-2-5-32', 'S-1-5-4294967296', 'S-1-5-1-', `S-1-5${'-1'.repeat(16)}`]) {
    assert.throws(() => parseSid(wrong), { name: 'UsageError', code: 'INVALID_SID' })
  }
})

test('SIDs of machines, local accounts and POSIX users', () => {
  assert.equal(machineSid([1, 2, 0xffff_ffff]), 'S-1-5-21-1-2-4294967295')
  assert.equal(localAccountSid([1, 2, 3], 1000), 'S-1-5-21-1-2-3-1000')
  assert.equal(unixUserSid(65534), 'S-1-22-1-65534')
  assert.equal(unixGroupSid(0), 'S-1-22-2-0')
})

test('every SID survives its packet form', () => {
  fc.assert(fc.property(sids, sid => assert.equal(decodeSid(encodeSid(sid)), sid)))
})

test('a self-relative descriptor is encoded in Windows order: SACL, DACL, owner, group (MS-DTYP 2.4.6)', () => {
  const bytes = encodeSecurityDescriptor({
    control: descriptorControl.daclAutoInherited,
    owner: 'S-1-5-18',
    group: 'S-1-5-32-544',
    dacl: { revision: 2, aces: [allow('S-1-1-0', 0x1f01ff)] },
  })
  assert.equal(
    toHex(bytes),
    [
      '01000484 30000000 3c000000 00000000 14000000',
      '02001c00 01000000 00001400 ff011f00 01010000 00000001 00000000',
      '01010000 00000005 12000000',
      '01020000 00000005 20000000 20020000',
    ].join(' '),
  )
})

test('descriptors with a NULL, a missing and an empty DACL stay what they are', () => {
  for (const dacl of [null, undefined, { revision: 2, aces: [] }]) {
    const decoded = decodeSecurityDescriptor(encodeSecurityDescriptor({ control: 0, dacl }))
    assert.deepEqual(decoded.dacl, dacl)
  }
})

test('every descriptor survives encoding and decoding', () => {
  const part = fc.option(sids, { nil: undefined })
  const list = fc.option(acls, { nil: undefined })
  const descriptors = fc.record({ control: fc.nat(0xffff).map(bits => bits & ~0x4000), owner: part, group: part, dacl: list, sacl: list })
  fc.assert(
    fc.property(descriptors, descriptor => {
      const decoded = decodeSecurityDescriptor(encodeSecurityDescriptor(descriptor))
      assert.deepEqual(plain(decoded), plain({ ...descriptor, control: effectiveControl(descriptor) }))
    }),
  )
})

test('an ACE of unknown type is carried as it is', () => {
  const bytes = hex('02001400010000007f030c00aabbccddeeff0011')
  const acl = readAcl(bytes, 0, bytes.length)
  assert.equal(acl.aces[0].sid, undefined)
  assert.equal(acl.aces[0].mask, 0)
  const descriptor = decodeSecurityDescriptor(encodeSecurityDescriptor({ control: 0, dacl: acl }))
  assert.deepEqual(plain(descriptor.dacl), plain(acl))
})

test('descriptors with wrong offsets, counts or sizes are malformed', () => {
  const good = encodeSecurityDescriptor({ control: 0, owner: 'S-1-5-18', dacl: { revision: 2, aces: [allow('S-1-1-0', 1)] } })
  const broken = (change: (bytes: Buffer) => void) => {
    const copy = Buffer.from(good)
    change(copy)
    return copy
  }
  const cases: readonly [Buffer, string][] = [
    [good.subarray(0, 19), 'INVALID_SECURITY_DESCR'],
    [broken(bytes => bytes.writeUInt32LE(bytes.length, 4)), 'INVALID_SECURITY_DESCR'],
    [broken(bytes => bytes.writeUInt32LE(bytes.length - 4, 4)), 'INVALID_SID'],
    [broken(bytes => bytes.writeUInt16LE(2, 24)), 'INVALID_ACL'],
    [broken(bytes => bytes.writeUInt16LE(0xffff, 22)), 'INVALID_ACL'],
    [broken(bytes => bytes.writeUInt16LE(0x0004, 2)), 'INVALID_SECURITY_DESCR'],
  ]
  for (const [bytes, code] of cases) assert.throws(() => decodeSecurityDescriptor(bytes), { name: 'MalformedError', code })
})

test('arbitrary and mutated bytes make nothing but MalformedError', () => {
  const good = encodeSecurityDescriptor({
    control: 0,
    owner: 'S-1-5-18',
    dacl: {
      revision: 4,
      aces: [allow('S-1-1-0', 1), { type: aceType.accessAllowedObject, flags: 0, mask: 1, sid: 'S-1-1-0', objectType: Buffer.alloc(16) }],
    },
    sacl: null,
  })
  const mutated = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }).map(changes => {
    const bytes = Buffer.from(good)
    for (const [at, value] of changes) bytes[at] = value
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), bytes => {
      try {
        encodeSecurityDescriptor(decodeSecurityDescriptor(bytes))
      } catch (error) {
        assert.ok(error instanceof MalformedError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
