import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConnectionManager } from './index.ts'
import type { ManagerOptions } from './index.ts'
import { lengthPrefixed } from './test-support/framing.ts'

const workerModule = new URL('./test-support/echo-worker.ts', import.meta.url)

class Peer implements AsyncDisposable {
  readonly socket: Socket
  #bytes = Buffer.alloc(0)
  #waiting: (() => void)[] = []
  ended = false

  /** A port of this machine, or a Unix socket's path. */
  constructor(where: number | string) {
    this.socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where)
    this.socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes])
      for (const wake of this.#waiting.splice(0)) wake()
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.ended = true
      for (const wake of this.#waiting.splice(0)) wake()
    })
  }

  send(payload: Uint8Array | string): void {
    const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
    const head = Buffer.alloc(4)
    head.writeUInt32BE(body.length)
    this.socket.write(Buffer.concat([head, body]))
  }

  async receive(): Promise<Buffer> {
    for (;;) {
      if (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readUInt32BE()) {
        const end = 4 + this.#bytes.readUInt32BE()
        const body = this.#bytes.subarray(4, end)
        this.#bytes = this.#bytes.subarray(end)
        return body
      }
      if (this.ended) throw new Error('connection ended')
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  async ask(payload: Uint8Array | string): Promise<string> {
    this.send(payload)
    return (await this.receive()).toString('latin1')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
  }
}

async function start(options: Partial<ManagerOptions> = {}, distributed = true): Promise<{ manager: ConnectionManager; port: number }> {
  const manager = await ConnectionManager.start({ workers: 2, workerModule, ...options })
  const { port } = await manager.listen({ protocol: 'echo', framing: lengthPrefixed, distributed, host: '127.0.0.1', port: 0 })
  return { manager, port }
}

function sample(manager: ConnectionManager, name: string): number {
  return manager
    .snapshot()
    .filter(one => one.name === name)
    .reduce((sum, one) => sum + one.value, 0)
}

async function settled(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds() && tries < 100; tries++) await new Promise(resolve => setTimeout(resolve, 20))
  assert.ok(holds())
}

test('messages of every size come back whole and in order', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  await using peer = new Peer(port)
  for (const size of [1, 100, 4096, 16379, 16380, 16381, 70_000, 1_000_000, 8_000_000]) {
    const body = Buffer.alloc(size, 'e')
    body.writeUInt8((size & 127) | 128, size - 1)
    if (size > 1) body.write('e')
    const asked = body.toString('latin1')
    assert.equal((await peer.ask(body)) === asked, true, `${size} bytes`)
  }
  for (let i = 0; i < 1000; i++) peer.send(`e${i}`)
  for (let i = 0; i < 1000; i++) assert.equal((await peer.receive()).toString(), `e${i}`)
})

test('connections are spread over workers, and a worker calls objects on another', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  await using first = new Peer(port)
  await using second = new Peer(port)
  assert.equal(await first.ask('w'), '0')
  assert.equal(await second.ask('w'), '1')
  assert.equal(await first.ask('a'), '103')
  assert.equal(await second.ask('a'), '3')
})

test('a connection moves to another worker with its checkpoints', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  await using peer = new Peer(port)
  assert.equal(await peer.ask('c'), '1')
  assert.equal(await peer.ask('c'), '2')
  assert.equal(await peer.ask('m'), 'm')
  assert.equal(await peer.ask('w'), '1')
  assert.equal(await peer.ask('c'), '3')
  assert.equal(sample(manager, 'holdfast_connections_moved_total'), 1)
})

test('a killed worker costs no connection: state from checkpoints, unfinished messages come again as orphans', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  await using peer = new Peer(port)
  assert.equal(await peer.ask('c'), '1')
  peer.send('s')
  await new Promise(resolve => setTimeout(resolve, 50))
  manager.killWorker(0)
  assert.equal((await peer.receive()).toString(), 'orphaned')
  assert.equal(await peer.ask('c'), '2')
  assert.equal(sample(manager, 'holdfast_connections_rehomed_total'), 1)
})

test('an uncaught error in a worker costs no connection', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  await using peer = new Peer(port)
  assert.equal(await peer.ask('x'), 'x')
  assert.equal(await peer.ask('c'), '1')
  assert.equal(sample(manager, 'holdfast_worker_deaths_total'), 1)
})

test('a worker that runs out of memory costs no connection', async () => {
  const { manager, port } = await start({ limits: { workerHeapMiB: 64 } })
  await using _manager = manager
  await using peer = new Peer(port)
  assert.equal(await peer.ask('o'), 'o')
  assert.equal(await peer.ask('c'), '1')
  assert.equal(sample(manager, 'holdfast_worker_deaths_total'), 1)
})

test('garbage closes its own connection only', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  await using good = new Peer(port)
  await using bad = new Peer(port)
  assert.equal(await good.ask('c'), '1')
  bad.socket.write('GET / HTTP/1.0\r\n\r\n')
  await assert.rejects(bad.receive())
  assert.equal(await good.ask('c'), '2')
})

test('a client that reads nothing holds a bounded amount of memory, and gets everything when it reads', async () => {
  const { manager, port } = await start({ limits: { unsentBytesPerConnection: 1 << 20, inboundBytesPerConnection: 1 << 20 } })
  await using _manager = manager
  await using peer = new Peer(port)
  peer.socket.pause()
  const body = Buffer.alloc(100_000, 'e')
  for (let i = 0; i < 400; i++) peer.send(body)
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.ok(sample(manager, 'holdfast_inbound_memory_bytes') <= 3 << 20, 'messages in memory')
  assert.ok(sample(manager, 'holdfast_reads_paused_total') >= 1)
  peer.socket.resume()
  for (let i = 0; i < 400; i++) assert.equal((await peer.receive()).length, body.length)
})

test("a non-distributed session's connection over shared memory is torn down with its response (S11)", async () => {
  const { manager, port } = await start({}, false)
  await using _manager = manager
  await using peer = new Peer(port)
  assert.equal(await peer.ask('e!'), 'e!')
  await assert.rejects(peer.receive())
  assert.equal(sample(manager, 'holdfast_shared_connections_torn_down_total'), 1)
  while (sample(manager, 'holdfast_connections') > 0) await new Promise(resolve => setTimeout(resolve, 5))
})

test('a connection that its worker keeps is a distributed session, also when it moves or its worker dies (S11)', async () => {
  const { manager, port } = await start({}, false)
  await using _manager = manager
  await using peer = new Peer(port)
  assert.equal(await peer.ask('y'), 'stays')
  assert.equal(await peer.ask('c'), '1')
  assert.equal(await peer.ask('m'), 'm')
  assert.equal(await peer.ask('w'), '1')
  manager.killWorker(1)
  assert.equal(await peer.ask('c'), '2')
  assert.equal(sample(manager, 'holdfast_shared_connections_torn_down_total'), 0)
  peer.socket.destroy()
  await settled(() => sample(manager, 'holdfast_connections') === 0)
})

test('what comes behind a request that has been answered reaches no worker (RFC 9112 9.6)', async () => {
  const { manager, port } = await start({}, false)
  await using _manager = manager
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const frame = Buffer.from('\0\0\0\u0001e')
  socket.write(frame)
  await once(socket.resume(), 'end')
  socket.end(Buffer.concat([frame, frame]))
  await settled(() => sample(manager, 'holdfast_connections') === 0)
  assert.equal(sample(manager, 'test_messages_total'), 1)
  assert.equal(sample(manager, 'holdfast_inbound_memory_bytes'), 0)
})

test('workers killed again and again under load: every answer once, in order', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  const body = Buffer.alloc(300_000, 'e')
  const until = performance.now() + 4000
  const clients = Array.from({ length: 4 }, async () => {
    await using peer = new Peer(port)
    let count = 0
    let sent = 0
    for (; performance.now() < until; count++) {
      while (sent < count + 4) {
        body.writeUInt32LE(sent++, 4)
        peer.send(Buffer.from(body))
      }
      const got = await peer.receive()
      assert.equal(got.length, body.length)
      assert.equal(got.readUInt32LE(4), count)
    }
    return count
  })
  const killer = setInterval(() => manager.killWorker(Math.random() < 0.5 ? 0 : 1), 200)
  const counts = await Promise.all(clients).finally(() => clearInterval(killer))
  assert.ok(
    counts.every(count => count > 0),
    String(counts),
  )
  assert.ok(sample(manager, 'holdfast_worker_deaths_total') > 5)
})

test('workers killed again and again: what a write settles holds with it, and with nothing else', async () => {
  const { manager, port } = await start()
  await using _manager = manager
  const until = performance.now() + 4000
  const clients = Array.from({ length: 4 }, async () => {
    await using peer = new Peer(port)
    let sent = 0
    let count = 0
    while (performance.now() < until || count < sent) {
      for (; performance.now() < until && sent < count + 16; sent++) peer.send('n')
      assert.equal((await peer.receive()).readUInt32BE(), ++count)
    }
    return count
  })
  const killer = setInterval(() => manager.killWorker(Math.random() < 0.5 ? 0 : 1), 200)
  const counts = await Promise.all(clients).finally(() => clearInterval(killer))
  assert.ok(
    counts.every(count => count > 0),
    String(counts),
  )
  assert.ok(sample(manager, 'holdfast_worker_deaths_total') > 5)
  await settled(() => sample(manager, 'holdfast_inbound_memory_bytes') === 0)
})

test('a client that goes while its message is in work: the memory is not given to others before that is done', async () => {
  const { manager, port } = await start({ limits: { connections: 16 } })
  await using _ = manager
  for (let round = 0; round < 5; round++) {
    const leaving = Array.from({ length: 8 }, () => new Peer(port))
    for (const peer of leaving) peer.send(Buffer.alloc(20_000, 'v'))
    await using other = new Peer(port)
    while (sample(manager, 'holdfast_inbound_memory_bytes') < 8 * 20_000) await other.ask('hello')
    for (const peer of leaving) peer.socket.destroy()
    for (let i = 0; i < 50; i++) assert.equal((await other.ask(Buffer.alloc(20_000, 'e'))).length, 20_000)
  }
  await settled(() => sample(manager, 'holdfast_connections') === 0)
  assert.equal(sample(manager, 'test_overwritten_total'), 0)
  assert.equal(sample(manager, 'holdfast_inbound_memory_bytes'), 0)
})

test('what a client that has gone leaves in the mail does not touch the next one with its id', async () => {
  const { manager, port } = await start({ limits: { connections: 6 } })
  await using _ = manager
  const until = performance.now() + 1500
  const come = async (): Promise<void> => {
    while (performance.now() < until) {
      const peer = new Peer(port)
      peer.send('c')
      peer.send('m')
      await new Promise(resolve => setTimeout(resolve, Math.random() * 3))
      peer.socket.destroy()
    }
  }
  const stay = async (): Promise<number> => {
    let rounds = 0
    for (; performance.now() < until; rounds++) {
      await using peer = new Peer(port)
      const answers: string[] = []
      try {
        for (let i = 0; i < 4; i++) answers.push(await peer.ask('w'), await peer.ask('c'))
      } catch {
        // No id was free.
        assert.deepEqual(answers, [])
        continue
      }
      assert.deepEqual(
        answers,
        ['1', '2', '3', '4'].flatMap(count => [answers[0], count]),
      )
    }
    return rounds
  }
  const [, , rounds] = await Promise.all([come(), come(), stay()])
  assert.ok(rounds > 20)
  await settled(() => sample(manager, 'holdfast_connections') === 0)
  assert.equal(sample(manager, 'holdfast_inbound_memory_bytes'), 0)
})

test('a client that does not show in time who it is loses its connection, and no other', async () => {
  const { manager, port } = await start({ limits: { strangerMs: 500 } })
  await using _ = manager
  await using silent = new Peer(port)
  await using talkative = new Peer(port)
  await using known = new Peer(port)
  assert.equal(await talkative.ask('hello'), 'hello')
  assert.equal(await known.ask('k'), 'known')
  await assert.rejects(silent.receive(), /connection ended/)
  await assert.rejects(talkative.receive(), /connection ended/)
  assert.equal(await known.ask('here yet'), 'here yet')
})

test('a Unix socket is served like an address; it is for its owner alone, and goes with the manager', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-engine-'))
  const path = join(folder, 'socket')
  try {
    const { manager } = await start()
    await using _ = manager
    const options = { protocol: 'echo', framing: lengthPrefixed, distributed: true, path }
    assert.deepEqual(await manager.listen(options), { host: path, port: 0 })
    assert.equal(statSync(path).mode & 0o777, 0o600)
    await assert.rejects(manager.listen(options), { code: 'EADDRINUSE' })
    await using peer = new Peer(path)
    const body = Buffer.alloc(300_000, 'e')
    for (let round = 0; round < 10; round++) peer.send(body)
    for (let round = 0; round < 10; round++) assert.deepEqual(await peer.receive(), body)
    await manager.close()
    assert.equal(existsSync(path), false)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
