import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectionLost } from '../load.ts'
import { randomContent, temporaryFolder } from './folder.ts'
import type { TemporaryFolder } from './folder.ts'
import { frameOf } from './frames.ts'
import { missing } from './packages.ts'
import { alice, startServer } from './server.ts'
import type { Server } from './server.ts'
import { smbclient } from './smbclient.ts'
import type { SmbclientResult } from './smbclient.ts'

const mebibyte = 1024 * 1024
const smb2Header = Buffer.from([0xfe, 0x53, 0x4d, 0x42, 64, 0])
/** What no client sends, each enough to lose the connection. */
const garbage: Readonly<Record<string, () => Buffer>> = {
  'random bytes': () => Buffer.concat([Buffer.from([0xff]), randomBytes(4095)]),
  'an HTTP request': () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'a length beyond all limits': () => Buffer.from([0, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
  'a frame of random bytes': () => frameOf(randomBytes(300)),
  'an empty frame': () => frameOf(Buffer.alloc(0)),
  'half a header': () => frameOf(smb2Header),
  'an encrypted message of no session': () => frameOf(Buffer.concat([Buffer.from([0xfd, 0x53, 0x4d, 0x42]), randomBytes(200)])),
  'a compressed message nobody agreed on': () => frameOf(Buffer.concat([Buffer.from([0xfc, 0x53, 0x4d, 0x42]), randomBytes(200)])),
}

describe('robustness', { skip: missing('smbclient') }, () => {
  let folder: TemporaryFolder
  let server: Server

  before(async () => {
    folder = temporaryFolder('robustness')
    for (const name of ['docs', 'local']) mkdirSync(folder.at(name))
    writeFileSync(folder.at('docs', 'big'), randomContent(64 * mebibyte))
    writeFileSync(folder.at('docs', 'small'), randomContent(10_000))
    server = await startServer({ shares: { docs: folder.at('docs') }, workers: 2, env: { HOLDFAST_CHAOS: '1' } })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const run = async (commands: readonly string[]): Promise<SmbclientResult> =>
    smbclient({ endpoint: server.smb, share: 'docs', account: alice, commands, cwd: folder.at('local'), timeoutMs: 120_000 })

  const open = async (): Promise<Socket> => {
    const socket = connect(server.smb.port, server.smb.host)
    // That the server resets the connection is what the tests wait for.
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }

  for (const [what, make] of Object.entries(garbage)) {
    test(`who sends ${what} loses the connection`, async () => {
      const socket = await open()
      socket.resume()
      socket.write(make())
      const outcome = await Promise.race([once(socket, 'close').then(() => 'closed'), sleep(10_000, 'still open', { ref: false })])
      socket.destroy()
      assert.equal(outcome, 'closed')
      assert.ok(server.isRunning, server.log.slice(-2000))
    })
  }

  test('a NEGOTIATE without a body is refused (MS-SMB2 3.3.5.2)', async () => {
    const socket = await open()
    const outcome = Promise.race([once(socket, 'close').then(() => 'closed'), once(socket, 'data').then(([answer]) => answer as Buffer)])
    socket.write(frameOf(Buffer.concat([smb2Header, Buffer.alloc(58)])))
    const answer = await Promise.race([outcome, sleep(10_000, 'silence', { ref: false })])
    socket.destroy()
    if (Buffer.isBuffer(answer)) assert.equal(answer.readUInt32LE(4 + 8), 0xc000000d)
    else assert.equal(answer, 'closed')
  })

  test('garbage on other connections does not disturb a client', async () => {
    let running = true
    const noise = async (): Promise<number> => {
      let sent = 0
      while (running) {
        const socket = await open()
        socket.resume()
        const makers = Object.values(garbage)
        socket.write(makers[sent++ % makers.length]?.() ?? '')
        await sleep(5)
        socket.destroy()
      }
      return sent
    }
    const makers = [noise(), noise()]
    const result = await run(Array.from({ length: 5 }, () => 'get big /dev/null'))
    running = false
    const sent = (await Promise.all(makers)).reduce((sum, one) => sum + one, 0)
    assert.ok(sent > 0)
    assert.deepEqual({ status: result.status, nt: result.ntStatus }, { status: 0, nt: undefined }, result.stdout)
  })

  test('connections that say nothing do not keep others out', async () => {
    const idle = await Promise.all(Array.from({ length: 100 }, open))
    const result = await run(['get small /dev/null'])
    for (const socket of idle) socket.destroy()
    assert.deepEqual({ status: result.status, nt: result.ntStatus }, { status: 0, nt: undefined }, result.stdout)
  })

  test('a client that vanishes in the middle of a transfer leaves nothing behind', async () => {
    const before = server.residentBytes
    for (let round = 0; round < 5; round++) {
      await smbclient({
        endpoint: server.smb,
        share: 'docs',
        account: alice,
        commands: Array.from({ length: 200 }, () => 'get big /dev/null'),
        timeoutMs: 300,
      })
    }
    const result = await run(['get small /dev/null'])
    assert.deepEqual({ status: result.status, nt: result.ntStatus }, { status: 0, nt: undefined }, result.stdout)
    assert.ok(server.residentBytes < before + 200 * mebibyte, `${before} -> ${server.residentBytes} bytes`)
  })

  test('a worker that dies under load costs no client its TCP connection', async () => {
    const clients = Array.from({ length: 4 }, async () => run(Array.from({ length: 150 }, () => 'get small /dev/null')))
    let running = true
    const killer = (async () => {
      for (let round = 0; running && round < 5; round++) {
        await sleep(300)
        server.signal('SIGUSR2')
      }
    })()
    const results = await Promise.all(clients)
    running = false
    await killer
    for (const { stdout, stderr } of results) assert.doesNotMatch(stdout + stderr, connectionLost)
    assert.ok(server.isRunning, server.log.slice(-2000))
    const after = await run(['get small /dev/null'])
    assert.deepEqual({ status: after.status, nt: after.ntStatus }, { status: 0, nt: undefined }, after.stdout)
  })

  test('kill -9 and the same command again: the shares and users are back', async () => {
    await using state = temporaryFolder('state')
    const options = { shares: { docs: folder.at('docs') }, state: state.path }
    const first = await startServer(options)
    await first.kill()
    await using second = await startServer(options)
    const { status, ntStatus } = await smbclient({ endpoint: second.smb, share: 'docs', account: alice, commands: ['ls'] })
    assert.deepEqual({ status, nt: ntStatus }, { status: 0, nt: undefined })
  })
})
