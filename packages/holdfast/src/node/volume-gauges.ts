/** Tells /metrics how large the volumes are, and what they take on the disk. */

import type { WorkerNode } from '@holdfast/engine'
import { boundedLabel } from '@holdfast/engine/metrics'
import type { WorkerVolumes } from './volumes-on-worker.ts'

/** What is asked of files, however many clients look at /metrics. */
const intervalMs = 10_000
/** Volumes that have a name in /metrics; the rest, as they are met, is `other`. */
const namedVolumes = 100

interface Size {
  sizeBytes: number
  usedBytes: number
}

/** Keeps the gauges of the volumes that this worker owns. */
export function measureVolumes(volumes: WorkerVolumes, node: Pick<WorkerNode, 'index' | 'counters' | 'log'>): VolumeGauges {
  return new VolumeGauges(volumes, node)
}

export class VolumeGauges implements Disposable {
  readonly #volumes: WorkerVolumes
  readonly #node: Pick<WorkerNode, 'index' | 'counters' | 'log'>
  readonly #labelOf = boundedLabel(namedVolumes)
  /** All labels there have been: a volume that is gone takes nothing. */
  readonly #labels = new Set<string>()
  readonly #timer: NodeJS.Timeout
  readonly #stop: () => void
  #running: Promise<void> | undefined

  constructor(volumes: WorkerVolumes, node: Pick<WorkerNode, 'index' | 'counters' | 'log'>) {
    this.#volumes = volumes
    this.#node = node
    this.#timer = setInterval(() => void this.measure(), intervalMs).unref()
    this.#stop = volumes.onChange(() => void this.measure())
    void this.measure()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#stop()
  }

  /** Resolves when the gauges say how it is. One at a time: a disk that hangs is not asked again. */
  measure(): Promise<void> {
    return (this.#running ??= this.#measure().finally(() => (this.#running = undefined)))
  }

  async #measure(): Promise<void> {
    const sizes = new Map<string, Size>([...this.#labels].map(label => [label, { sizeBytes: 0, usedBytes: 0 }]))
    for (const { name, targetName, owner, sizeBytes } of this.#volumes.list()) {
      if (owner !== this.#node.index) continue
      const usedBytes = await this.#usedBytes(name, targetName)
      const label = this.#labelOf(name)
      const known = sizes.get(label) ?? { sizeBytes: 0, usedBytes: 0 }
      sizes.set(label, { sizeBytes: known.sizeBytes + sizeBytes, usedBytes: known.usedBytes + usedBytes })
    }
    for (const [label, size] of sizes) this.#show(label, size)
  }

  async #usedBytes(name: string, targetName: string): Promise<number> {
    try {
      return (await this.#volumes.open(targetName)?.device.usage())?.usedBytes ?? 0
    } catch (error) {
      this.#node.log('warn', 'what a volume takes cannot be told', { volume: name, error: String(error) })
      return 0
    }
  }

  #show(volume: string, { sizeBytes, usedBytes }: Size): void {
    const { counters } = this.#node
    this.#labels.add(volume)
    counters.gauge('holdfast_volume_size_bytes', 'Size of a volume, as initiators see it', { volume }).set(sizeBytes)
    counters.gauge('holdfast_volume_allocated_bytes', 'What the bytes of a volume take on the disk, with its snapshots', { volume }).set(usedBytes)
  }
}
