import type { WorkerMail } from '../shared/layout.ts'
import type { Counter, Counters, Histogram, MetricType } from '../worker-api.ts'

type Labels = Readonly<Record<string, string>>

/** What is known of a metric before it has a value. */
interface Description {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly labels: Labels
  readonly bounds?: readonly number[]
}

/** A thread's metrics: numbers in memory shared with the manager, which knows their names. Only this thread writes there. */
export class SharedCounters implements Counters {
  readonly #values: Float64Array
  readonly #known = new Map<string, Counter | Histogram>()
  readonly #announce: (mail: WorkerMail) => void
  #next = 0

  constructor(memory: SharedArrayBuffer, announce: (mail: WorkerMail) => void) {
    this.#values = new Float64Array(memory)
    this.#announce = announce
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#get({ type: 'counter', name, help, labels }, 1, (values, slot) => new SharedCounter(values, slot))
  }

  gauge(name: string, help: string, labels: Labels = {}): Counter {
    return this.#get({ type: 'gauge', name, help, labels }, 1, (values, slot) => new SharedCounter(values, slot))
  }

  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    return this.#get(
      { type: 'histogram', name, help, labels, bounds },
      histogramSlots(bounds),
      (values, slot) => new SharedHistogram(values, slot, bounds),
    )
  }

  #get<T extends Counter | Histogram>(description: Description, slots: number, make: (values: Float64Array, slot: number) => T): T {
    const key = `${description.type} ${description.name}${JSON.stringify(description.labels)}`
    const known = this.#known.get(key)
    // The key begins with the type, which decides what is made.
    if (known !== undefined) return known as T
    const slot = this.#next
    if (slot + slots > this.#values.length) throw new Error(`more than ${this.#values.length} numbers in the metrics of one worker`)
    this.#next += slots
    const made = make(this.#values, slot)
    this.#known.set(key, made)
    this.#announce({ kind: 'counter', slot, ...description })
    return made
  }
}

/** A slot for each bucket, one for what is above all bounds, one for the sum. */
const histogramSlots = (bounds: readonly number[]): number => bounds.length + 2

class SharedCounter implements Counter {
  readonly #values: Float64Array
  readonly #slot: number

  constructor(values: Float64Array, slot: number) {
    this.#values = values
    this.#slot = slot
  }

  add(n = 1): void {
    this.#values[this.#slot] += n
  }

  set(n: number): void {
    this.#values[this.#slot] = n
  }
}

class SharedHistogram implements Histogram {
  readonly #values: Float64Array
  readonly #slot: number
  readonly #bounds: readonly number[]

  constructor(values: Float64Array, slot: number, bounds: readonly number[]) {
    this.#values = values
    this.#slot = slot
    this.#bounds = bounds
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]) bucket++
    this.#values[this.#slot + bucket] += 1
    this.#values[this.#slot + bounds.length + 1] += value
  }
}
