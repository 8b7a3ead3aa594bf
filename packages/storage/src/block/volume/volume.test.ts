import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { blockDeviceCompliance } from '../compliance.ts'
import { VolumeSubject } from './test-support/subject.ts'

const shapes = {
  'one partition': { partitionBytes: 1 << 30, pageBytes: 65_536 },
  'several partitions': { partitionBytes: 262_144, pageBytes: 65_536 },
} as const

if (unsupportedReason !== undefined) test('volumes', { skip: unsupportedReason }, () => {})
else {
  for (const parent of [os.tmpdir(), '/dev/shm']) {
    if (!fs.existsSync(parent)) continue
    for (const [name, shape] of Object.entries(shapes)) {
      blockDeviceCompliance(`volume of ${name} in ${parent}`, () => VolumeSubject.make(fs.mkdtempSync(path.join(parent, 'holdfast-volume-')), shape))
    }
  }
}
