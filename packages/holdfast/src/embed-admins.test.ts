import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SmbClient } from '@holdfast/smb/client'
import { memory } from '@holdfast/storage'
import { connect } from '@holdfast/api-client'
import { serve } from './embed.ts'

test('an administrator of an embedded server makes a share while it runs, beside a filesystem of the program', async () => {
  using cleanup = new DisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-embed-'))
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'note.txt'), 'remember the milk')
  await using server = await serve({
    shares: { scratch: memory() },
    users: { alice: 'secret', root: 'master key' },
    admins: { root: 'master key' },
    smb: '127.0.0.1:0',
    http: '127.0.0.1:0',
  })
  const api = await connect({ url: `http://${server.http[0]}`, user: 'root', password: 'master key' })
  const made = await api.shares.create({ name: 'notes', path: folder })
  assert.equal(made.origin, 'api')
  assert.deepEqual(
    (await api.shares.list()).items.map(({ name, path, origin }) => [name, path, origin]),
    [
      ['notes', folder, 'api'],
      ['scratch', '', 'configuration'],
    ],
  )
  await api.close()
  const [host, port] = server.smb[0].split(':')
  await using client = await SmbClient.connect({ host, port: Number(port), user: 'alice', password: 'secret' })
  assert.equal(String(await (await client.share('notes')).readFile('note.txt')), 'remember the milk')
})
