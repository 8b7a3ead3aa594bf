import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { capabilities } from '@holdfast/posix/netlink'
import {
  accept,
  AF_INET,
  bind,
  close,
  Endpoint,
  IPPROTO_TCP,
  listen,
  localEndpoint,
  openSocket,
  peek,
  receive,
  send,
  setOption,
  SOCK_STREAM,
  TCP_SAVE_SYN,
} from '@holdfast/posix/network'
import { plus } from '../transform/index.ts'
import { Connection } from './connection.ts'
import { flowOf } from './flow.ts'
import { freeze, readAgreed, receivedNext, thaw } from './freeze.ts'
import { restore } from './restore.ts'

const skip = capabilities().netAdmin ? false : 'TCP_REPAIR needs CAP_NET_ADMIN'
const loopback = Buffer.from('00000000000000000000ffff7f000001', 'hex')
const request = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'

/** A client of a listener of ours on loopback, and the connection as the director has it. */
interface Pair extends Disposable {
  readonly client: Socket
  readonly connection: Connection
  readonly port: number
}

async function pair(): Promise<Pair> {
  const listener = openSocket(AF_INET, SOCK_STREAM)
  const here = Endpoint.ofMapped(loopback, 0)
  setOption(listener, IPPROTO_TCP, TCP_SAVE_SYN, 1)
  bind(listener, here)
  listen(listener, 4)
  localEndpoint(listener, here)
  const client = connect({ host: '127.0.0.1', port: here.port, noDelay: true })
  await once(client, 'connect')
  const peer = new Endpoint()
  const fd = accept(listener, peer)
  const connection = new Connection(flowOf(loopback, peer.port, true))
  connection.fd = fd
  const port = here.port
  return {
    client,
    connection,
    port,
    [Symbol.dispose]() {
      client.destroy()
      for (const open of [connection.fd, listener]) if (open >= 0) close(open)
    },
  }
}

async function said(fd: number): Promise<string> {
  const bytes = Buffer.alloc(1000)
  for (let attempt = 0; attempt < 100; attempt++) {
    const count = receive(fd, bytes, 0, bytes.length)
    if (count >= 0) return bytes.toString('latin1', 0, count)
    await sleep(5)
  }
  throw new Error('nothing came')
}

async function heard(client: Socket): Promise<string> {
  const [chunk] = (await once(client, 'data')) as [Buffer]
  return chunk.toString('latin1')
}

test('what was not read is handed over; a connection that is thawed goes on as if nothing had been', { skip }, async () => {
  using both = await pair()
  const { client, connection } = both
  client.write(request)
  await sleep(20)
  assert.equal(readAgreed(connection), 'known')
  assert.equal(readAgreed(connection), 'unknown', 'the kernel gives a SYN once')
  assert.equal(freeze(connection, 1000), request.length)
  assert.equal(connection.clientSequenceNext, plus(connection.begin, request.length))
  const bytes = Buffer.alloc(100)
  assert.equal(peek(connection.fd, bytes, 0, bytes.length), request.length)
  assert.equal(bytes.toString('latin1', 0, request.length), request)
  assert.equal(receivedNext(connection.fd), connection.clientSequenceNext)
  thaw(connection.fd)
  assert.equal(await said(connection.fd), request)
  send(connection.fd, Buffer.from('HTTP/1.1 204\r\n\r\n'), 0, 16)
  assert.equal(await heard(client), 'HTTP/1.1 204\r\n\r\n')
})

test('a connection is put back: the client goes on with it', { skip }, async () => {
  using both = await pair()
  const { client, connection, port } = both
  client.write(request)
  await sleep(20)
  assert.equal(readAgreed(connection), 'known')
  assert.equal(freeze(connection, 1000), request.length)
  // As when an owner has taken it, and another request has come, whose owner does not.
  close(connection.fd)
  const vip = { address: loopback, host: '127.0.0.1', port, isIpv4: true }
  connection.fd = restore(vip, connection, Buffer.from(request), request.length, connection.clientSequenceNext)
  assert.ok(connection.fd >= 0, `error ${-connection.fd}`)
  assert.equal(await said(connection.fd), request)
  send(connection.fd, Buffer.from('HTTP/1.1 204\r\n\r\n'), 0, 16)
  assert.equal(await heard(client), 'HTTP/1.1 204\r\n\r\n')
  client.write('more')
  assert.equal(await said(connection.fd), 'more')
})

test('a client that has reset its connection is gone', { skip }, async () => {
  using both = await pair()
  const { client, connection } = both
  client.write(request)
  await sleep(20)
  client.resetAndDestroy()
  await sleep(20)
  assert.equal(readAgreed(connection), 'gone')
})

test('a FIN of the client is counted', { skip }, async () => {
  using both = await pair()
  const { client, connection } = both
  client.end(request)
  await sleep(20)
  assert.equal(readAgreed(connection), 'known')
  assert.equal(freeze(connection, 1000), request.length + 1)
})
