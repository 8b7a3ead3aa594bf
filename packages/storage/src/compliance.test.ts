import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { unsupportedReason } from '@holdfast/posix'
import { filesystemCompliance } from './compliance.ts'
import { directory } from './directory/directory.ts'
import { memory } from './memory/memory.ts'

filesystemCompliance('memory', () => ({ files: memory(), dispose: () => {} }))

if (unsupportedReason === undefined) {
  for (const parent of [os.tmpdir(), '/dev/shm']) {
    if (!fs.existsSync(parent)) continue
    filesystemCompliance(`directory in ${parent}`, () => {
      const folder = fs.mkdtempSync(path.join(parent, 'holdfast-compliance-'))
      return { files: directory(folder), dispose: () => fs.rmSync(folder, { recursive: true }) }
    })
  }
}
