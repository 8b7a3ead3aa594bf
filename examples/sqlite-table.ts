/**
 * Exports a SQLite table as a share: every row is a file, to read, write, rename and delete.
 *
 *     node examples/sqlite-table.ts notes.db
 */
import { DatabaseSync } from 'node:sqlite'
import { FsError, virtualFileSystem } from '@holdfast/storage'
import { serve } from 'holdfast'

export const tableAsFolder = (database: DatabaseSync) => {
  database.exec('CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, content BLOB NOT NULL, written INTEGER NOT NULL)')
  const list = database.prepare('SELECT name, length(content) AS size, written FROM files ORDER BY name')
  const read = database.prepare('SELECT content FROM files WHERE name = ?')
  const write = database.prepare('INSERT OR REPLACE INTO files VALUES (?, ?, ?)')
  const rename = database.prepare('UPDATE files SET name = ? WHERE name = ?')
  const remove = database.prepare('DELETE FROM files WHERE name = ?')
  return virtualFileSystem(
    {
      list: () => list.all().map(row => ({ name: row.name as string, sizeBytes: row.size as number, writtenAt: new Date(row.written as number) })),
      read: name => {
        const row = read.get(name)
        if (row === undefined) throw new FsError('not-found')
        return row.content as Uint8Array
      },
      write: (name, content) => void write.run(name, content, Date.now()),
      rename: (from, to) => void rename.run(to, from),
      remove: name => void remove.run(name),
    },
    { label: 'files' },
  )
}

if (import.meta.main) {
  const files = tableAsFolder(new DatabaseSync(process.argv[2] ?? 'files.db'))
  const server = await serve({ shares: { files }, users: { me: process.env['SHARE_PASSWORD'] ?? 'change-me-please' } })
  console.log(`smb://me@${server.smb[0]}/files`)
}
