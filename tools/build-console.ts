/** `npm ci` runs this: builds the page that the node serves at `/`. Takes less than a second. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../testing/run/root.ts'

const vite = join(root, 'node_modules', '.bin', 'vite')
// Without development dependencies there is nothing to build it with; the node says at `/` what is missing.
if (existsSync(vite)) {
  const { status } = spawnSync(vite, ['build', '--logLevel', 'warn'], { cwd: join(root, 'packages/console'), stdio: 'inherit' })
  process.exitCode = status ?? 1
}
