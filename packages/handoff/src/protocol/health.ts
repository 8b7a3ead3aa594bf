/** Whether a server agent, and the machine it is on, are alive: a table, and the clock that feeds it. */

/**
 * `unknown`: has not answered yet. `healthy`: answers. `silent`: has not answered for a while, and the machine is being asked. `process-gone`: the machine
 * lives, the agent does not: no new hand-offs, transfers go on. `machine-gone`: no sign of the machine: its connections are lost.
 */
export type Health = 'unknown' | 'healthy' | 'silent' | 'process-gone' | 'machine-gone'

/** What tells: `answer` of the agent; `refused`: its machine says that nobody has the port (ECONNREFUSED); `echo`: its machine answers an ICMP echo; time. */
export type HealthEvent =
  | 'answer'
  | 'refused'
  | 'echo'
  /** No answer for `silentMs`. */
  | 'silence'
  /** No sign of the machine for `goneMs`, while it was asked. */
  | 'nothing'

/** What is known after each event. */
export const healthTable: Readonly<Record<Health, Readonly<Record<HealthEvent, Health>>>> = {
  unknown: { answer: 'healthy', refused: 'process-gone', echo: 'unknown', silence: 'silent', nothing: 'unknown' },
  healthy: { answer: 'healthy', refused: 'process-gone', echo: 'healthy', silence: 'silent', nothing: 'healthy' },
  silent: { answer: 'healthy', refused: 'process-gone', echo: 'process-gone', silence: 'silent', nothing: 'machine-gone' },
  'process-gone': { answer: 'healthy', refused: 'process-gone', echo: 'process-gone', silence: 'process-gone', nothing: 'machine-gone' },
  'machine-gone': { answer: 'healthy', refused: 'process-gone', echo: 'process-gone', silence: 'machine-gone', nothing: 'machine-gone' },
}

/** States in which the machine is asked by itself. */
const asksMachine: Readonly<Record<Health, boolean>> = {
  unknown: false,
  healthy: false,
  silent: true,
  'process-gone': true,
  'machine-gone': true,
}

/** How long is too long. Together they are less than the 2 s in which a client learns that the machine of its server is gone. */
export interface HealthTimes {
  readonly silentMs: number
  readonly goneMs: number
}

/** 1 s, and 750 ms. */
export const healthTimes: HealthTimes = { silentMs: 1000, goneMs: 750 }

/** The health of one agent. It has no clock: `tick` tells the time, and is to be called when `deadline` has come. */
export class HealthMonitor {
  readonly #times: HealthTimes
  readonly #onChange: (health: Health, before: Health, event: HealthEvent) => void
  #health: Health = 'unknown'
  #answerMs: number
  /** The last sign of the machine, or when it was first asked for one. */
  #signMs: number

  constructor(nowMs: number, onChange: (health: Health, before: Health, event: HealthEvent) => void, times: HealthTimes = healthTimes) {
    this.#times = times
    this.#onChange = onChange
    this.#answerMs = nowMs
    this.#signMs = nowMs
  }

  get health(): Health {
    return this.#health
  }

  /** Whether ICMP echo requests are to be sent. */
  get asksMachine(): boolean {
    return asksMachine[this.#health]
  }

  /** Something came from the agent, or from its machine. */
  sign(event: 'answer' | 'refused' | 'echo', nowMs: number): void {
    if (event === 'answer') this.#answerMs = nowMs
    this.#signMs = nowMs
    this.#apply(event)
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    if (!this.asksMachine) {
      if (nowMs - this.#answerMs < this.#times.silentMs) return
      // From now on it is asked: what was not heard while nobody asked, or while this process stood still, says nothing.
      this.#signMs = nowMs
      this.#apply('silence')
    } else if (nowMs - this.#signMs >= this.#times.goneMs) this.#apply('nothing')
  }

  /** When `tick` may change something next, if nothing comes before; Infinity: never. */
  deadline(): number {
    if (!this.asksMachine) return this.#answerMs + this.#times.silentMs
    return this.#health === 'machine-gone' ? Infinity : this.#signMs + this.#times.goneMs
  }

  #apply(event: HealthEvent): void {
    const before = this.#health
    const after = healthTable[before][event]
    if (after === before) return
    this.#health = after
    this.#onChange(after, before, event)
  }
}
