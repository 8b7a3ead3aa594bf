/** The workload, in a folder, with a process that ends at its steps. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { VolumeRecords, memoryVolumeMetadata, openVolumes, recoverVolumes } from '../index.ts'
import type { StepHook, VolumeManager } from '../index.ts'
import { allLayers, partitionSizes } from '../record.ts'
import { layerFileNames } from '../volume-files.ts'
import { isDone, workload } from './workload.ts'

/** Does something until a step comes at which it stays for ever, as if the process had ended there. Resolves to whether that was so. */
const endAt = async (step: number, action: (onStep: StepHook) => Promise<void>): Promise<boolean> => {
  let count = 0
  let end = (): void => {}
  const ended = new Promise<boolean>(resolve => (end = () => resolve(true)))
  const onStep: StepHook = () => {
    if (++count !== step) return
    end()
    return new Promise<void>(() => {})
  }
  return Promise.race([ended, action(onStep).then(() => false)])
}

/**
 * Ends at each step of each operation, and of what finishes it afterwards; rejects where anything is neither as before the operation nor as
 * after it. Resolves to the number of ends.
 */
export const endAtEachStep = async (folder: string): Promise<number> => {
  const records = new VolumeRecords()
  const open = async (onStep?: StepHook): Promise<VolumeManager> => {
    const options = { folder, metadata: memoryVolumeMetadata(records), ...(onStep && { onStep }) }
    await recoverVolumes(options)
    return openVolumes(options)
  }
  let ends = 0
  for (let index = 0; index < workload.length; index++) {
    const run = async (onStep: StepHook): Promise<void> => workload[index].run(await open(onStep))
    for (let step = 1; await endAt(step, run); step++) {
      ends++
      // Whoever comes after may end as well, a step further each time.
      const again = async (onStep: StepHook): Promise<void> => void (await isDone(await open(onStep), index))
      for (let more = 1; await endAt(more, again); more++) ends++
      const volumes = await open()
      const done = await isDone(volumes, index)
      await volumes.close()
      assertNoLeftOvers(folder, records)
      if (done) break
    }
  }
  return ends
}

/** Of volumes that have all been opened, and closed. */
const assertNoLeftOvers = (folder: string, { byName }: VolumeRecords): void => {
  const volumes = [...byName.values()]
  assert.deepEqual(fs.readdirSync(folder).sort(), volumes.map(({ id }) => id).sort())
  for (const volume of volumes) {
    const named = new Set(layerFileNames({ partitions: partitionSizes(volume).length, layers: allLayers(volume) }))
    assert.deepEqual(
      fs.readdirSync(path.join(folder, volume.id)).filter(name => !named.has(name)),
      [],
    )
  }
}

/** Kills a process (SIGKILL) at every `stride`th step; the next one has to go on from there. Returns what each was killed before. */
export const killAtSteps = (folder: string, stride: number): readonly string[] => {
  const child = path.join(import.meta.dirname, 'crash-child.ts')
  const kills: string[] = []
  for (let step = 1; ; step += stride) {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child, folder, String(step)], { encoding: 'utf8' })
    assert.ok(signal === 'SIGKILL' || status === 0, `killed before: ${kills.at(-1)}: ${stdout} ${stderr}`)
    if (signal === null) return kills
    kills.push(stdout.trim())
  }
}
