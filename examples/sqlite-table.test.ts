import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { tableAsFolder } from './sqlite-table.ts'

test('rows of a table are files', async () => {
  const database = new DatabaseSync(':memory:')
  const files = tableAsFolder(database)
  const access = { read: true, write: true }
  const handle = await files.create('Notes.txt', '', { folder: false, attributes: 0x20, access })
  await handle.write(Buffer.from('hello'), 0)
  await handle.close()
  assert.equal(Buffer.from(database.prepare('SELECT content FROM files').get()!.content as Uint8Array).toString(), 'hello')
  const again = await files.open('NOTES.TXT', '', access)
  const target = Buffer.alloc(10)
  assert.equal(await again.read(target, 0), 5)
  await again.rename({ path: 'renamed.txt' }, { replace: false })
  assert.equal((await files.stat('renamed.txt'))?.sizeBytes, 5)
  await again.remove()
  await again.close()
  assert.equal(database.prepare('SELECT count(*) AS n FROM files').get()!.n, 0)
})
