import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../testing/run/root.ts'
import { completeLock, missingPlatforms } from './lock.ts'
import type { Lock } from './lock.ts'

test('package-lock.json has every platform, or npm ci would refuse it (node tools/complete-lock.ts)', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock
  assert.deepEqual([...missingPlatforms(lock).keys()], [])
})

test('a platform that npm left out is added with its system, processor and C library', () => {
  const lock: Lock = {
    packages: {
      'node_modules/tool': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: { '@tool/binding-linux-arm64-musl': '1.0.0', '@tool/win32-x64': '1.0.0' },
      },
      'node_modules/@tool/win32-x64': { version: '1.0.0', dev: true },
    },
  }
  assert.deepEqual(completeLock(lock).packages['node_modules/@tool/binding-linux-arm64-musl'], {
    version: '1.0.0',
    cpu: ['arm64'],
    libc: ['musl'],
    optional: true,
    os: ['linux'],
    dev: true,
  })
  assert.equal(missingPlatforms(completeLock(lock)).size, 0)
})
