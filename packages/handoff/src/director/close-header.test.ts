import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanRequestHead } from '@holdfast/http'
import type { RequestHead } from '@holdfast/http'
import { closeHeaderBytes, copyWithClose } from './close-header.ts'

const edited = (text: string, at = 3): string => {
  const bytes = Buffer.from(`${'x'.repeat(at)}${text}`, 'latin1')
  const head = scanRequestHead(bytes, at, bytes.length) as RequestHead
  const into = Buffer.alloc(bytes.length + closeHeaderBytes)
  return into.toString('latin1', 0, copyWithClose(bytes, at, bytes.length, head, into))
}

test('a head asks for the end of the connection, whatever it asked for before (RFC 9112 9.6)', () => {
  assert.equal(edited('GET /a HTTP/1.1\r\nHost: h\r\n\r\n'), 'GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\n\r\n')
  assert.equal(
    edited('POST /a HTTP/1.1\r\nconnection: keep-alive, te\r\nHost: h\r\nCONNECTION:close\r\nContent-Length: 4\r\n\r\nbody'),
    'POST /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody',
  )
})

test('what only looks like the field stays', () => {
  assert.equal(
    edited('\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection2: a\r\nX: Connection: b\r\n\r\nConnection: c\r\n'),
    '\r\nGET / HTTP/1.1\r\nConnection: close\r\nHost: h\r\nConnection2: a\r\nX: Connection: b\r\n\r\nConnection: c\r\n',
  )
})
