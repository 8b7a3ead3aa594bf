/** Holdfast inside another program: examples/sqlite-table.ts, a database table as a share, through smbclient. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { serve } from 'holdfast'
import { tableAsFolder } from '../../examples/sqlite-table.ts'
import { missing } from './packages.ts'
import { smbclient } from './smbclient.ts'

const account = { user: 'me', password: 'correct horse battery' }

test('a table of a database is a share: smbclient puts, lists, gets, renames and deletes rows', { skip: missing('smbclient') }, async () => {
  const database = new DatabaseSync(':memory:')
  await using server = await serve({ shares: { files: tableAsFolder(database) }, users: { [account.user]: account.password }, smb: '127.0.0.1:0' })
  const port = Number(server.smb[0].split(':').at(-1))
  const run = (...commands: string[]) => smbclient({ endpoint: { host: '127.0.0.1', port }, share: 'files', account, commands })
  const put = await run('put /etc/services services.txt', 'ls', 'get services.txt -')
  assert.equal(put.ntStatus, undefined, put.stdout + put.stderr)
  assert.match(put.stdout, /services\.txt/)
  const row = database.prepare('SELECT name, length(content) AS size FROM files').get()!
  assert.equal(row.name, 'services.txt')
  assert.ok((row.size as number) > 1000)
  await run('rename services.txt renamed.txt')
  assert.equal(database.prepare('SELECT name FROM files').get()!.name, 'renamed.txt')
  const removed = await run('del renamed.txt', 'ls')
  assert.doesNotMatch(removed.stdout, /renamed/)
  assert.equal(database.prepare('SELECT count(*) AS n FROM files').get()!.n, 0)
})
