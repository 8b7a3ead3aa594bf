import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startFakeNode } from '@holdfast/api-client/test-support'
import { runCommandLine } from '../test-support/command-line.ts'
import { socketPath } from './socket-path.ts'

test('a socket is found where its path is too long for the system', { skip: process.platform !== 'linux' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-socket-'))
  try {
    const state = join(folder, 'x'.repeat(100), 'y'.repeat(100))
    mkdirSync(state, { recursive: true })
    using socket = socketPath(join(state, 'control.sock'))
    await using _node = await startFakeNode({ socketPath: socket.path, answers: { '/v1/shares': [] } })
    assert.deepEqual(await runCommandLine(['share', 'list', '--state', state], { cwd: folder }), { code: 0, out: '', err: '' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a short path is as it is', () => {
  using socket = socketPath('/run/holdfast/control.sock')
  assert.equal(socket.path, '/run/holdfast/control.sock')
})
