import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPassedSockets, passedSocketAt, takePassedSockets } from './passed-sockets.ts'

test('the variables are taken out of the environment, whoever they are meant for (sd_listen_fds(3))', () => {
  const others = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'smb', HOME: '/root' }
  assert.deepEqual(takePassedSockets(others, 2), [])
  assert.deepEqual(others, { HOME: '/root' })
  assert.deepEqual(takePassedSockets({}, 2), [])
  assert.deepEqual(takePassedSockets({ LISTEN_PID: '2', LISTEN_FDS: 'many' }, 2), [])
})

test('a descriptor that is no TCP socket is refused', () => {
  assert.throws(() => takePassedSockets({ LISTEN_PID: '2', LISTEN_FDS: '1000' }, 2), { name: 'ConfigError', message: /is no TCP socket/ })
})

test('a socket serves the configured address that it is at; every interface is :: or 0.0.0.0', () => {
  const passed = [
    { host: '::', port: 445, descriptor: 3 },
    { host: '0.0.0.0', port: 446, descriptor: 4 },
    { host: '127.0.0.1', port: 447, descriptor: 5 },
  ]
  const at = (host: string, port: number) => passedSocketAt({ host, port }, passed)?.descriptor
  assert.deepEqual([at('', 445), at('', 446), at('127.0.0.1', 447), at('::', 445)], [3, 4, 5, 3])
  assert.deepEqual([at('', 447), at('127.0.0.1', 445), at('::1', 445), at('', 0)], [undefined, undefined, undefined, undefined])
})

test('a socket that no configured address is at is a mistake: its clients would wait for ever', () => {
  const passed = [{ host: '::', port: 445, descriptor: 3 }]
  checkPassedSockets(passed, [{ host: '', port: 445 }])
  assert.throws(() => checkPassedSockets(passed, [{ host: '127.0.0.1', port: 4450 }]), {
    name: 'ConfigError',
    message: 'LISTEN_FDS: a socket at [::]:445 was passed on, which is no address to listen on here; configured: 127.0.0.1:4450',
  })
})
