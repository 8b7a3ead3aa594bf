/** `node tools/complete-lock.ts`: adds to package-lock.json what npm left out; to be run after every change of a dependency. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../testing/run/root.ts'
import { completeLock, missingPlatforms } from './lock.ts'
import type { Lock } from './lock.ts'

const path = join(root, 'package-lock.json')
const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock
const missing = missingPlatforms(lock)
if (missing.size > 0) writeFileSync(path, `${JSON.stringify(completeLock(lock), undefined, 2)}\n`)
console.log(`${missing.size} entries added`)
