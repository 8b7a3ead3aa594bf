import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { askStatus, demandAlone, mustAskStatus, serveStatus } from './control.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-control-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('who runs says how it is, to whoever may ask; a second one does not start', async () => {
  const name = { role: 'director', dev: 'eth0', runDir: join(folder, 'run') } as const
  await assert.rejects(mustAskStatus(name), {
    name: 'CommandError',
    message: `no director runs for eth0 (there is nobody at ${name.runDir}/director-eth0.sock)`,
  })
  await demandAlone(name)
  {
    await using _status = await serveStatus(name, async () => ({ pid: 17, agents: [] }))
    assert.deepEqual(await askStatus(name), { pid: 17, agents: [] })
    assert.equal(statSync(`${name.runDir}/director-eth0.sock`).mode & 0o777, 0o600)
    await assert.rejects(demandAlone(name), { name: 'CommandError', message: 'a director runs already for eth0 (pid 17)' })
    await demandAlone({ ...name, dev: 'eth1' })
  }
  assert.equal(await askStatus(name), undefined)
})

test('the socket of one that was killed is in nobody’s way', async () => {
  const name = { role: 'server-agent', dev: 'eth0', runDir: folder } as const
  const path = join(folder, 'server-agent-eth0.sock')
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  assert.equal(spawnSync(process.execPath, ['-e', script]).signal, 'SIGKILL')
  assert.ok(statSync(path).isSocket())
  await demandAlone(name)
  await using _status = await serveStatus(name, async () => ({ pid: 1 }))
  assert.deepEqual(await askStatus(name), { pid: 1 })
})

test('an answer that cannot be given is an error for who asks, and no end for who runs', async () => {
  const name = { role: 'director', dev: 'eth2', runDir: folder } as const
  let answers = 0
  await using _status = await serveStatus(name, async () => {
    if (answers++ === 0) throw new Error('not now')
    return { pid: 2 }
  })
  await assert.rejects(askStatus(name))
  assert.deepEqual(await askStatus(name), { pid: 2 })
})
