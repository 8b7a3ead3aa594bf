/**
 * A process for `crash.test.ts`: goes on with the workload where the one before was killed, and kills itself (SIGKILL) at a step.
 * Arguments: a folder, the number of the step, counted from when the workload begins anew. Prints what is wrong, and ends with status 1.
 */
import fs from 'node:fs'
import path from 'node:path'
import { sqliteStore } from '@holdfast/cluster'
import { openVolumes, recoverVolumes, storeVolumeMetadata } from '../index.ts'
import { isDone, workload } from './workload.ts'

const [folder, killAt] = [process.argv[2], Number(process.argv[3])]
const progress = path.join(folder, 'progress')
let steps = -Infinity

const onStep = (step: string): void => {
  if (++steps !== killAt) return
  fs.writeSync(1, `${step}\n`)
  process.kill(process.pid, 'SIGKILL')
}

await using store = await sqliteStore({ path: path.join(folder, 'store') })
const options = { folder: path.join(folder, 'volumes'), metadata: storeVolumeMetadata(store), onStep }
await recoverVolumes(options)
await using volumes = await openVolumes(options)

/** Done is what was done before the file says so, and perhaps one more. */
let next = fs.existsSync(progress) ? Number(fs.readFileSync(progress, 'utf8')) : 0
if (next < workload.length && (await isDone(volumes, next))) next++
for (const isAnew of [false, true]) {
  if (isAnew) {
    next = 0
    steps = 0
  }
  for (; next < workload.length; next++) {
    // One write that is not torn by a kill: a file of one piece.
    fs.writeFileSync(progress, String(next))
    await workload[next].run(volumes)
  }
  fs.writeFileSync(progress, '0')
  const left = fs.readdirSync(options.folder)
  if (left.length > 0) throw new Error(`left over: ${left.join(', ')}`)
}
fs.writeSync(1, `all ${steps} steps\n`)
