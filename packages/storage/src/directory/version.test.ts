import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { directory } from './directory.ts'

const readOnly = { read: true, write: false }

describe('whether an open file is what its path leads to (FileHandle.isCurrent)', { skip: unsupportedReason ?? false }, () => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-version-'))
  after(() => fs.rmSync(parent, { recursive: true }))
  const root = path.join(parent, 'root')
  const file = path.join(root, 'sub', 'ä file')
  const changes: Readonly<Record<string, () => void>> = {
    'is written to': () => fs.appendFileSync(file, 'more'),
    'is written to without becoming longer': () => fs.writeFileSync(file, 'CONTENT', { flag: 'r+' }),
    'is replaced': () => {
      fs.writeFileSync(`${file}.new`, 'content')
      fs.renameSync(`${file}.new`, file)
    },
    'is renamed': () => fs.renameSync(file, `${file}.old`),
    'is deleted': () => fs.rmSync(file),
    'gets other permissions': () => fs.chmodSync(file, 0o600),
    'has a folder above that becomes a link out': () => {
      fs.cpSync(path.join(root, 'sub'), path.join(parent, 'elsewhere'), { recursive: true })
      fs.rmSync(path.join(root, 'sub'), { recursive: true })
      fs.symlinkSync(path.join(parent, 'elsewhere'), path.join(root, 'sub'))
    },
  }
  for (const [what, change] of Object.entries(changes)) {
    test(`not after it ${what}`, async () => {
      fs.rmSync(parent, { recursive: true })
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, 'content')
      // The clock of files may stand still for some milliseconds.
      await new Promise(resolve => setTimeout(resolve, 20))
      const files = directory(root)
      const handle = files.open('sub/ä file', '', readOnly)
      assert.equal(handle.isCurrent(), true)
      assert.equal(handle.isCurrent(), true)
      change()
      assert.equal(handle.isCurrent(), false)
      handle.close()
      assert.equal(handle.isCurrent(), false)
      files.close()
    })
  }

  test('bytes that are in memory lie in its descriptor', () => {
    fs.rmSync(parent, { recursive: true })
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, 'content')
    const files = directory(root)
    const handle = files.open('sub/ä file', '', readOnly)
    const place = handle.inMemory(3, 4)
    // Where the system does not tell, nobody knows.
    if (place !== undefined) {
      const bytes = Buffer.alloc(4)
      fs.readSync(place.descriptor, bytes, 0, 4, place.offset)
      assert.equal(bytes.toString(), 'tent')
    }
    handle.close()
    files.close()
  })
})
