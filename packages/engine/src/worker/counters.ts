import type { WorkerMail } from '../shared/layout.ts'
import type { Counter, Counters } from '../worker-api.ts'

/** A worker's counters: one number each in memory shared with the manager, which knows their names. */
export class SharedCounters implements Counters {
  readonly #values: Float64Array
  readonly #known = new Map<string, Counter>()
  readonly #announce: (mail: WorkerMail) => void
  #next = 0

  constructor(memory: SharedArrayBuffer, announce: (mail: WorkerMail) => void) {
    this.#values = new Float64Array(memory)
    this.#announce = announce
  }

  counter(name: string, help: string, labels: Readonly<Record<string, string>> = {}): Counter {
    return this.#get('counter', name, help, labels)
  }

  gauge(name: string, help: string, labels: Readonly<Record<string, string>> = {}): Counter {
    return this.#get('gauge', name, help, labels)
  }

  #get(type: 'counter' | 'gauge', name: string, help: string, labels: Readonly<Record<string, string>>): Counter {
    const key = `${name}${JSON.stringify(labels)}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const slot = this.#next++
    if (slot >= this.#values.length) throw new Error(`more than ${this.#values.length} counters in one worker`)
    const values = this.#values
    const counter: Counter = {
      add(n = 1) {
        values[slot] += n
      },
      set(n) {
        values[slot] = n
      },
    }
    this.#known.set(key, counter)
    this.#announce({ kind: 'counter', slot, name, help, type, labels })
    return counter
  }
}
