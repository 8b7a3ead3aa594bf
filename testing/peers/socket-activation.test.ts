/** Listening sockets that outlive the server (sd_listen_fds(3)). */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { holdSocket, startActivated } from '../failover/held-socket.ts'
import { Restarter } from '../failover/restarter.ts'
import { temporaryFolder } from './folder.ts'
import { RawSession } from './raw-session.ts'
import { alice, productMain } from './server.ts'

const wordsOf = (folder: string, port: number): string[] => [
  productMain,
  'serve',
  `--state=${folder}/state`,
  `--share=docs=${folder}`,
  `--user=${alice.user}:${alice.password}`,
  `--smb=127.0.0.1:${port}`,
  '--workers=1',
  '--log-level=warn',
]

async function outcomeOf(child: ReturnType<typeof startActivated>): Promise<{ status: number | null; err: string }> {
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, err }
}

test('a connection that was made while no server ran is served by the next one, also after kill -9', async () => {
  await using folder = temporaryFolder('activation')
  await using socket = await holdSocket()
  const login = { host: '127.0.0.1', port: socket.port, ...alice, timeoutMs: 30_000 }
  const early = connect(socket.port, '127.0.0.1')
  await once(early, 'connect')
  early.destroy()

  const first = RawSession.login(login)
  await using server = await Restarter.start(socket, wordsOf(folder.path, socket.port))
  await using before = await first
  assert.notEqual(before.sessionId, 0n)

  const restarting = server.kill()
  const second = RawSession.login(login)
  await restarting
  await using after = await second
  assert.notEqual(after.sessionId, 0n)
})

test('a passed socket that is no configured address is a mistake', async () => {
  await using folder = temporaryFolder('activation')
  await using socket = await holdSocket()
  const { status, err } = await outcomeOf(startActivated(socket, wordsOf(folder.path, socket.port === 4450 ? 4451 : 4450)))
  assert.equal(status, 2)
  assert.match(err, new RegExp(`a socket at 127\\.0\\.0\\.1:${socket.port} was passed on, which is no address to listen on here`))
})

test('a socket that was passed on to another process is let alone', async () => {
  await using folder = temporaryFolder('activation')
  await using socket = await holdSocket()
  const { status, err } = await outcomeOf(startActivated(socket, wordsOf(folder.path, socket.port), { LISTEN_PID: '1' }))
  assert.equal(status, 1)
  assert.match(err, /is in use by another program/)
})
