import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { MalformedError } from '@holdfast/wire'
import { decodeKeytab } from './keytab.ts'

// Written by MIT's ktutil: AES-256 of version 3, AES-128 of version 300.
const keytab = Buffer.from(
  '05020000005b0002000c4558414d504c452e54455354000463696673001266696c65732e6578616d706c652e74657374000000016b016e48030012002066cf6b90e44c0d8c' +
    'cd44784369d8ae0672eb8820fc69700f59d53f68a4e72f18000000030000004b0002000c4558414d504c452e54455354000448545450001266696c65732e6578616d706c' +
    '652e74657374000000016b016e482c00110010a6c7b7f5d571a2ba2179338859b326ab0000012c',
  'hex',
)

test("a keytab of MIT's says whose keys it has, also of versions above 255", () => {
  assert.deepEqual(decodeKeytab(keytab), [
    { principal: 'cifs/files.example.test@EXAMPLE.TEST', version: 3, encryptionType: 18 },
    { principal: 'HTTP/files.example.test@EXAMPLE.TEST', version: 300, encryptionType: 17 },
  ])
})

test('entries that were removed are passed over, and zeros end the file', () => {
  const removed = Buffer.concat([keytab, Buffer.alloc(4)])
  removed.writeInt32BE(-0x5b, 2)
  assert.deepEqual(
    decodeKeytab(removed).map(({ principal }) => principal),
    ['HTTP/files.example.test@EXAMPLE.TEST'],
  )
})

test('what is no keytab is malformed', () => {
  for (const [code, bytes] of [
    ['keytab_version', Buffer.alloc(0)],
    ['keytab_version', Buffer.from('0501', 'hex')],
    ['keytab_version', Buffer.from('-----BEGIN')],
    ['keytab_short', keytab.subarray(0, -1)],
    ['keytab_short', Buffer.from('050280000000', 'hex')],
  ] as const) {
    assert.throws(() => decodeKeytab(bytes), { name: 'MalformedError', code })
  }
})

test('any bytes are a keytab or malformed', () => {
  const anything = fc
    .tuple(fc.array(fc.tuple(fc.nat(keytab.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(keytab.length))
    .map(([edits, cut]) => {
      const bytes = Buffer.from(keytab)
      for (const [at, value] of edits) bytes[at] = value
      return bytes.subarray(0, cut)
    })
  fc.assert(
    fc.property(anything, bytes => {
      try {
        decodeKeytab(bytes)
      } catch (error) {
        assert.ok(error instanceof MalformedError, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
