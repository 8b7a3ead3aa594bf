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
  'several partitions with checksums': { partitionBytes: 262_144, pageBytes: 65_536, options: { checksums: true } },
} as const

if (unsupportedReason !== undefined) test('volumes', { skip: unsupportedReason }, () => {})
else {
  // In memory nothing waits for a disk: there more can be tried.
  for (const [parent, seeds] of [
    [os.tmpdir(), [1]],
    ['/dev/shm', [1, 2, 3, 4, 5, 6]],
  ] as const) {
    if (!fs.existsSync(parent)) continue
    for (const [name, shape] of Object.entries(shapes)) {
      const make = (): Promise<VolumeSubject> => VolumeSubject.make(fs.mkdtempSync(path.join(parent, 'holdfast-volume-')), shape)
      blockDeviceCompliance(`volume of ${name} in ${parent}`, make, { seeds })
    }
  }
}
