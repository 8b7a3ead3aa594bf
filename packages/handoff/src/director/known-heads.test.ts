import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanRequestHead } from '@holdfast/http'
import type { KnownRequests, OwnersByPrefix } from '../bpf/index.ts'
import { parseOwnerWords } from '../owners/index.ts'
import { KnownHeads } from './known-heads.ts'

const [a, b] = ['10.0.0.1:7001', '[::1]:7002']

/** The program's side; what it was told, in words. */
class Program {
  owners: OwnersByPrefix = new Map()
  readonly headers: string[] = []
  hasRoom = true

  replaceOwners(owners: OwnersByPrefix): boolean {
    this.owners = owners
    return this.hasRoom
  }

  addHeader(bytes: Buffer, from: number, end: number): boolean {
    this.headers.push(bytes.toString('latin1', from, end))
    return true
  }
}

function knowing(words: readonly string[] = [`/=${a}`, `/b/=${b}`]): {
  readonly program: Program
  readonly known: KnownHeads
  readonly notices: string[]
  learn(text: string, agent?: string): boolean
} {
  const program = new Program()
  const notices: string[] = []
  const known = new KnownHeads(program as unknown as KnownRequests, text => notices.push(text))
  known.replace(parseOwnerWords(words))
  const learn = (text: string, agent = a): boolean => {
    const bytes = Buffer.from(`..${text}`, 'latin1')
    const head = scanRequestHead(bytes, 2, bytes.length)
    assert.ok(head !== 'more' && !('status' in head), text)
    return known.learn(head, bytes, 2, agent)
  }
  return { program, known, notices, learn }
}

test('the program is told who has what', () => {
  const { program } = knowing([`/=${a}`, `/b/=${b}`, `/c/=${a}`, `/c/=${b}`, `h/d/=${b}`])
  const told = Array.from(program.owners, ([prefix, owner]) => [prefix, owner && Buffer.from(owner.address).toString('hex'), owner?.port])
  assert.deepEqual(told, [
    ['/', '00000000000000000000ffff0a000001', 7001],
    ['/b/', '00000000000000000000000000000001', 7002],
    ['/c/', undefined, undefined],
  ])
})

test('a header section is told when it comes again, whatever the target', () => {
  const { program, learn } = knowing()
  assert.deepEqual([learn('GET /1 HTTP/1.1\r\nHost: h\r\n\r\n'), program.headers], [false, []])
  assert.deepEqual([learn('GET /2?q HTTP/1.1\r\nHost: h\r\n\r\nGET'), program.headers], [true, ['Host: h\r\n\r\n']])
  assert.equal(learn('GET /b/ HTTP/1.1\r\nHost: h\r\n\r\n', b), true)
})

test('what is not the whole of a plain GET for the only owner of its target is never told', () => {
  const { program, learn } = knowing([`/=${a}`, `/c/=${a}`, `/c/=${b}`, `own.example/=${a}`])
  const refused = [
    'HEAD / HTTP/1.1\r\nHost: h\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n',
    'GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx',
    'GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n',
    'GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: own.example:80\r\n\r\n',
    'GET /c/ HTTP/1.1\r\nHost: h\r\n\r\n',
  ]
  for (const text of refused) for (let time = 0; time < 3; time++) assert.equal(learn(text), false, text)
  for (let time = 0; time < 3; time++) assert.equal(learn('GET / HTTP/1.1\r\nHost: h\r\n\r\n', b), false)
  assert.deepEqual(program.headers, [])
})

test('without a program, or room for the routes, nothing is known', () => {
  const { program, known, notices, learn } = knowing()
  program.hasRoom = false
  known.replace(parseOwnerWords([`/=${a}`]))
  assert.equal(notices.length, 1)
  for (let time = 0; time < 3; time++) assert.equal(learn('GET / HTTP/1.1\r\nHost: h\r\n\r\n'), false)
  const none = new KnownHeads(undefined, assert.fail)
  none.replace(parseOwnerWords([`/=${a}`]))
  const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  const head = scanRequestHead(bytes, 0, bytes.length)
  assert.ok(head !== 'more' && !('status' in head))
  for (let time = 0; time < 3; time++) assert.equal(none.learn(head, bytes, 0, a), false)
})
