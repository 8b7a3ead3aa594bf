import type { MetricSample } from '../worker-api.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** The manager's own metrics: name -> [type, label name, help]. */
const own = {
  holdfast_connections: ['gauge', '', 'Client connections that are open'],
  holdfast_connections_accepted_total: ['counter', 'protocol', 'Client connections accepted'],
  holdfast_connections_refused_total: ['counter', 'limit', 'Client connections refused by a limit'],
  holdfast_connections_rehomed_total: ['counter', '', 'Connections given to another worker because theirs died'],
  holdfast_connections_moved_total: ['counter', '', 'Connections moved to another worker by their protocol'],
  holdfast_shared_connections_opened_total: ['counter', 'session', 'Connections over shared memory between manager and worker'],
  holdfast_shared_connections_torn_down_total: [
    'counter',
    '',
    'Connections over shared memory torn down with the response of a non-distributed session',
  ],
  holdfast_manager_writes_total: ['counter', '', 'Responses, or rests of them, that waited for a slow client in the manager'],
  holdfast_reads_paused_total: ['counter', '', 'Times a client was not read because its messages filled its share of memory'],
  holdfast_worker_deaths_total: ['counter', '', 'Workers that died'],
  holdfast_workers: ['gauge', '', 'Workers that run'],
  holdfast_inbound_memory_bytes: ['gauge', '', 'Shared memory in use for messages from clients'],
} as const satisfies Record<string, readonly ['counter' | 'gauge', string, string]>

export type OwnMetric = keyof typeof own

export class Metrics {
  readonly #values = new Map<string, { name: OwnMetric; label: string; value: number }>()
  /** Sums of workers that have died. */
  readonly #retired = new Map<string, MetricSample>()

  add(name: OwnMetric, label = '', n = 1): void {
    this.#entry(name, label).value += n
  }

  set(name: OwnMetric, value: number): void {
    this.#entry(name, '').value = value
  }

  /** Keeps a dead worker's counters (its gauges died with it). */
  retire(handle: WorkerHandle): void {
    for (const sample of samplesOf(handle)) if (sample.type === 'counter') addSample(this.#retired, sample)
    handle.names.clear()
  }

  snapshot(handles: readonly WorkerHandle[]): readonly MetricSample[] {
    const sums = new Map(this.#retired)
    for (const handle of handles) if (handle.alive) for (const sample of samplesOf(handle)) addSample(sums, sample)
    const mine: MetricSample[] = []
    for (const [name, [type, labelName, help]] of Object.entries(own)) {
      const entries = [...this.#values.values()].filter(entry => entry.name === name)
      if (entries.length === 0 && labelName === '') mine.push({ name, help, type, labels: {}, value: 0 })
      for (const { label, value } of entries) mine.push({ name, help, type, labels: labelName === '' ? {} : { [labelName]: label }, value })
    }
    return [...mine, ...sums.values()]
  }

  #entry(name: OwnMetric, label: string): { value: number } {
    const key = `${name} ${label}`
    let entry = this.#values.get(key)
    if (entry === undefined) {
      entry = { name, label, value: 0 }
      this.#values.set(key, entry)
    }
    return entry
  }
}

function* samplesOf(handle: WorkerHandle): Generator<MetricSample> {
  for (const { slot, name, help, type, labels } of handle.names.values()) yield { name, help, type, labels, value: handle.counters[slot] }
}

function addSample(sums: Map<string, MetricSample>, sample: MetricSample): void {
  const key = `${sample.name} ${JSON.stringify(sample.labels)}`
  sums.set(key, { ...sample, value: (sums.get(key)?.value ?? 0) + sample.value })
}
