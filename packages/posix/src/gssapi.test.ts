import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { gssLibrary } from './gssapi-library.ts'
import { GssAcceptor, GssError } from './gssapi.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-gssapi-'))
after(() => rmSync(folder, { recursive: true, force: true }))

// cifs/files.example.test@EXAMPLE.TEST, AES-256, written by MIT's ktutil.
const keytab = join(folder, 'keytab')
writeFileSync(
  keytab,
  Buffer.from(
    '05020000005b0002000c4558414d504c452e54455354000463696673001266696c65732e6578616d706c652e74657374000000016b016e48030012002066cf6b90e44c0d' +
      '8ccd44784369d8ae0672eb8820fc69700f59d53f68a4e72f1800000003',
    'hex',
  ),
)
const replayCache = join(folder, 'replays')

function missing(): string | false {
  try {
    gssLibrary()
    return false
  } catch (error) {
    return (error as Error).message
  }
}

const skip = missing()

test('a keytab that is not there is said so by the library', { skip }, () => {
  assert.throws(() => new GssAcceptor({ keytab: join(folder, 'nothing'), replayCache }), GssError)
  assert.throws(() => new GssAcceptor({ keytab: 'a\0b', replayCache }), TypeError)
})

/** DER around something, as GSS frames Kerberos' tokens (RFC 4121 4.1). */
const frame = (content: Buffer): Buffer => {
  const inner = Buffer.concat([Buffer.from('06092a864886f712010202', 'hex'), content])
  return Buffer.concat([Buffer.from([0x60, 0x82, inner.length >> 8, inner.length & 0xff]), inner])
}

test('whatever a peer sends is an error of the library, and nothing else happens', { skip }, () => {
  using acceptor = new GssAcceptor({ keytab, replayCache })
  const bytes = fc.uint8Array({ maxLength: 400 }).map(content => Buffer.from(content))
  const apReq = bytes.map(content => frame(Buffer.concat([Buffer.from('01006e82', 'hex'), content])))
  fc.assert(
    fc.property(fc.oneof(bytes, bytes.map(frame), apReq), token => {
      using context = acceptor.begin()
      assert.throws(() => context.accept(token), GssError)
      assert.throws(() => context.accept(token), /closed/)
    }),
    { numRuns: 500 },
  )
  for (const lengthBytes of [0, 1, 65_535, 1_000_000]) {
    using context = acceptor.begin()
    assert.throws(() => context.accept(Buffer.alloc(lengthBytes, 0x60)), GssError)
    assert.throws(() => context.getMic(Buffer.alloc(1)), /closed/)
    assert.throws(() => context.verifyMic(Buffer.alloc(1), Buffer.alloc(1)), /closed/)
  }
})

test('memory does not grow with refused tokens', { skip }, () => {
  using acceptor = new GssAcceptor({ keytab, replayCache })
  const token = frame(Buffer.concat([Buffer.from('01006e82ffff', 'hex'), Buffer.alloc(60_000, 1)]))
  const run = (): void => {
    for (let index = 0; index < 1000; index++) {
      using context = acceptor.begin()
      assert.throws(() => context.accept(token), GssError)
    }
  }
  run()
  const before = process.memoryUsage.rss()
  run()
  // 60 MB went through; what is left of it would show.
  assert.ok(process.memoryUsage.rss() - before < 30 * 2 ** 20)
})
