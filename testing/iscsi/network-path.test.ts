import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { NetworkPath } from './network-path.ts'

/** An echo behind a path. */
async function setUp() {
  const server = createServer(socket => socket.pipe(socket).on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const path = await NetworkPath.open({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  return {
    path,
    async join(): Promise<Socket> {
      const socket = connect({ port: path.port, host: '127.0.0.1' })
      await once(socket, 'connect')
      // The other end may have closed it before all was read, which is a reset.
      socket.on('error', () => undefined)
      return socket
    },
    async [Symbol.asyncDispose]() {
      await path[Symbol.asyncDispose]()
      server.close()
    },
  }
}

const closed = (socket: Socket): Promise<void> => new Promise(resolve => socket.once('close', () => resolve()))

async function answerOf(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

test('a path that is there relays', async () => {
  await using set = await setUp()
  const socket = await set.join()
  assert.equal(await answerOf(socket, 'one'), 'one')
  socket.destroy()
})

test('one that is cut ends its connections, and refuses new ones until it is mended', async () => {
  await using set = await setUp()
  const socket = await set.join()
  assert.equal(await answerOf(socket, 'one'), 'one')
  set.path.break('cut')
  await closed(socket)
  await assert.rejects(set.join(), { code: 'ECONNREFUSED' })
  await set.path.mend()
  const again = await set.join()
  assert.equal(await answerOf(again, 'two'), 'two')
  again.destroy()
})

test('one that goes silent loses what was on its way', async () => {
  await using set = await setUp()
  const socket = await set.join()
  assert.equal(await answerOf(socket, 'one'), 'one')
  set.path.break('silent')
  let heard = 0
  socket.on('data', bytes => (heard += bytes.length))
  socket.write('two')
  const late = await set.join()
  late.write('three')
  await set.path.mend()
  await Promise.all([closed(socket), closed(late)])
  assert.equal(heard, 0)
})
