import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { test } from 'node:test'
import { temporaryFolder } from './folder.ts'
import { RawSession } from './raw-session.ts'
import { alice, startServer } from './server.ts'

const sessions = 200
const opensPerSession = 50
const limitMebibytes = 400

test(`${sessions} idle sessions with ${sessions * opensPerSession} open files need less than ${limitMebibytes} MiB`, async t => {
  await using folder = temporaryFolder('memory')
  mkdirSync(folder.at('docs'))
  await using server = await startServer({ shares: { docs: folder.at('docs') } })
  await using stack = new AsyncDisposableStack()
  for (let index = 0; index < sessions; index++) {
    const session = stack.use(await RawSession.login({ ...server.smb, ...alice, timeoutMs: 30_000 }))
    const tree = await session.connectTree('docs')
    for (let open = 0; open < opensPerSession; open++) await session.open(tree, `file-${index}-${open}`)
  }
  const mebibytes = Math.round(server.residentBytes / 1024 / 1024)
  t.diagnostic(`${mebibytes} MiB resident`)
  assert.ok(mebibytes < limitMebibytes, `${mebibytes} MiB resident`)
})
