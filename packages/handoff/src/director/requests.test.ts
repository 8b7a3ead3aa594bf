import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Agent } from './agents.ts'
import type { DirectorMode } from './options.ts'
import { readStretch } from './requests.ts'

const [a, b] = [{ id: 'a' } as Agent, { id: 'b' } as Agent]
const choose = (_host: string, target: string): Agent | undefined => (target.startsWith('/b/') ? b : target.startsWith('/nobody/') ? undefined : a)
const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`

const read = (text: string, mode: DirectorMode = 'per-request') => {
  const bytes = Buffer.from(`--${text}`, 'latin1')
  const { kind, bad, agent, bytes: length, next, isLast, mustClose, upgrade } = readStretch(bytes, 2, bytes.length, mode, choose)
  if (kind !== 'requests') return bad === undefined ? kind : `${kind} ${bad.status}`
  const words = [isLast && 'last', mustClose && 'close', upgrade && 'upgrade'].filter(word => word !== false)
  return `${agent?.id ?? 'nobody'} ${length} of ${bytes.length - 2}, next ${next}${words.map(word => `, ${word}`).join('')}`
}

test('a request is for its owner, and the next begins behind its content', () => {
  const one = get('/x')
  assert.equal(read(one), `a ${one.length} of ${one.length}, next ${one.length}`)
  const post = `POST /b/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n`
  assert.equal(read(`${post}0123456789`), `b ${post.length + 10} of ${post.length + 10}, next ${post.length + 100}`)
  assert.equal(read(get('/nobody/')), 'nobody 34 of 34, next 34')
})

test('requests that follow each other for the same owner are one stretch; it ends where another owner or half a head begins (RFC 9112 9.3.2)', () => {
  const [x, y, z] = [get('/x'), get('/y'), get('/b/z')]
  assert.equal(read(`${x}${y}`), 'a 56 of 56, next 56')
  assert.equal(read(`${x}${z}${y}`), 'a 28 of 86, next 28')
  assert.equal(read(`${x}${y.slice(0, 10)}`), 'a 28 of 38, next 28')
  assert.equal(read(`${x}\x01\x02`), 'a 28 of 30, next 28')
  assert.equal(read(`${x}${get('/y', 'Connection: close\r\n')}what`), 'a 79 of 79, next 75, last')
})

test('what has no length that can be known is the last on its connection', () => {
  assert.equal(read(get('/x', 'Transfer-Encoding: chunked\r\n')), 'a 56 of 56, next 56, last, close')
  assert.equal(read(get('/x', 'Transfer-Encoding: chunked\r\nConnection: close\r\n')), 'a 75 of 75, next 75, last')
  assert.equal(read('CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n'), 'a 33 of 33, next 33, last, upgrade')
  assert.equal(read(get('/x', 'Connection: upgrade\r\nUpgrade: websocket\r\n')), 'a 69 of 69, next 69, upgrade')
})

test('in the other modes the first request decides', () => {
  assert.equal(read(`${get('/x')}${get('/b/z')}`, 'sticky'), 'a 58 of 58, next 28, last')
  assert.equal(read(get('/x'), 'close'), 'a 28 of 28, next 28, last, close')
})

test('half a head waits, and what is none is told', () => {
  assert.equal(read('GET / HT'), 'partial')
  assert.equal(read('\x16\x03\x01\x02\x00'), 'bad 400')
})
