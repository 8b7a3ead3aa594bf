import { watchThread } from '../shared/thread-watch.ts'
import type { WorkerMail } from '../shared/layout.ts'
import { SharedCounters } from '../worker/counters.ts'
import type { HistogramValue, MetricSample } from '../worker-api.ts'
import { counterSlots } from './worker-handle.ts'
import type { WorkerHandle } from './worker-handle.ts'

type Own = readonly [type: 'counter' | 'gauge', label: string, help: string, values?: readonly string[]]

/** The manager's own metrics: name -> [type, label name, help, values of the label that are there from the beginning]. */
const own = {
  holdfast_connections: ['gauge', '', 'Client connections that are open'],
  holdfast_open_connections: ['gauge', 'protocol', 'Client connections that are open, by protocol'],
  holdfast_connections_accepted_total: ['counter', 'protocol', 'Client connections accepted'],
  holdfast_connections_refused_total: ['counter', 'limit', 'Client connections refused by a limit', ['connections', 'connectionsPerAddress']],
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
  process_resident_memory_bytes: ['gauge', '', 'Resident memory of the node'],
  process_cpu_seconds_total: ['counter', '', 'Processor time of the node, user and system'],
  process_start_time_seconds: ['gauge', '', 'When the node was started, in seconds since 1970'],
  holdfast_inbound_memory_bytes: ['gauge', '', 'Shared memory in use for messages from clients'],
} as const satisfies Record<string, Own>

export type OwnMetric = keyof typeof own

const startedAtSeconds = performance.timeOrigin / 1000

type CounterMail = Extract<WorkerMail, { kind: 'counter' }>

/** Names and numbers of one thread. */
type Source = Pick<WorkerHandle, 'names' | 'counters'>

export class Metrics implements Disposable {
  readonly #values = new Map<string, { name: OwnMetric; label: string; value: number }>()
  /** Sums of workers that have died. */
  readonly #retired = new Map<string, MetricSample>()
  readonly #watch: Disposable
  /** What is counted in the manager's thread as workers do. */
  readonly #thread: Source

  constructor() {
    for (const [name, [, , , labels = []]] of Object.entries<Own>(own)) for (const label of labels) this.add(name as OwnMetric, label, 0) // keys of `own`
    const memory = new SharedArrayBuffer(8 * counterSlots)
    const names = new Map<number, CounterMail>()
    this.#thread = { names, counters: new Float64Array(memory) }
    const counters = new SharedCounters(memory, mail => mail.kind === 'counter' && void names.set(mail.slot, mail))
    this.#watch = watchThread({ name: 'manager', counters })
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
  }

  add(name: OwnMetric, label = '', n = 1): void {
    this.#entry(name, label).value += n
  }

  set(name: OwnMetric, value: number): void {
    this.#entry(name, '').value = value
  }

  /** Keeps a dead worker's counters and histograms, so that they never go back (its gauges died with it). */
  retire(handle: WorkerHandle): void {
    for (const sample of samplesOf(handle)) if (sample.type !== 'gauge') addSample(this.#retired, sample)
    handle.names.clear()
  }

  snapshot(handles: readonly WorkerHandle[]): readonly MetricSample[] {
    this.#measureProcess()
    const sums = new Map(this.#retired)
    for (const sample of samplesOf(this.#thread)) addSample(sums, sample)
    for (const handle of handles) if (handle.alive) for (const sample of samplesOf(handle)) addSample(sums, sample)
    const mine: MetricSample[] = []
    for (const [name, [type, labelName, help]] of Object.entries(own)) {
      const entries = [...this.#values.values()].filter(entry => entry.name === name)
      if (entries.length === 0 && labelName === '') mine.push({ name, help, type, labels: {}, value: 0 })
      for (const { label, value } of entries) mine.push({ name, help, type, labels: labelName === '' ? {} : { [labelName]: label }, value })
    }
    return [...mine, ...sums.values()]
  }

  #measureProcess(): void {
    const { user, system } = process.cpuUsage()
    this.set('process_resident_memory_bytes', process.memoryUsage.rss())
    this.set('process_cpu_seconds_total', (user + system) / 1e6)
    this.set('process_start_time_seconds', startedAtSeconds)
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

function* samplesOf({ names, counters }: Source): Generator<MetricSample> {
  for (const { slot, name, help, type, labels, bounds } of names.values()) {
    if (bounds === undefined) yield { name, help, type, labels, value: counters[slot] }
    else yield { name, help, type, labels, ...histogramIn(counters, slot, bounds) }
  }
}

/** See `WorkerMail` for how it lies there. */
function histogramIn(counters: Float64Array, slot: number, bounds: readonly number[]): Pick<MetricSample, 'value' | 'histogram'> {
  const end = slot + bounds.length + 1
  const counts = [...counters.subarray(slot, end)]
  return { value: total(counts), histogram: { bounds, counts, sum: counters[end] } }
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0)

function addSample(sums: Map<string, MetricSample>, sample: MetricSample): void {
  const key = `${sample.name} ${JSON.stringify(sample.labels)}`
  const before = sums.get(key)
  sums.set(key, before === undefined ? sample : sumOf(before, sample))
}

function sumOf(a: MetricSample, b: MetricSample): MetricSample {
  const value = a.value + b.value
  return a.histogram === undefined || b.histogram === undefined ? { ...a, value } : { ...a, value, histogram: joined(a.histogram, b.histogram) }
}

const joined = (a: HistogramValue, b: HistogramValue): HistogramValue => ({
  bounds: a.bounds,
  counts: a.counts.map((count, index) => count + b.counts[index]),
  sum: a.sum + b.sum,
})
