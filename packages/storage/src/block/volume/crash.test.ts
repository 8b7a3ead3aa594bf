import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { endAtEachStep, killAtSteps } from './test-support/crash.ts'

const newFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'holdfast-crash-'))
  after(() => fs.rmSync(folder, { recursive: true }))
  return folder
}

describe('the process ends', { skip: unsupportedReason ?? false }, () => {
  test('at each step of each operation, and at each step of what finishes it afterwards: all is as before the operation or as after it', async () => {
    const folder = newFolder()
    const ends = await endAtEachStep(folder)
    assert.deepEqual(fs.readdirSync(folder), [])
    assert.ok(ends > 100, `${ends} ends`)
  })

  // Each step of them on btrfs: testing/peers/volumes.test.ts
  test('by SIGKILL: the next one goes on from there', () => {
    const kills = killAtSteps(newFolder(), 8)
    assert.ok(kills.length > 9, kills.join('\n'))
    assert.equal(new Set(kills).size > 5, true, kills.join('\n'))
  })
})
