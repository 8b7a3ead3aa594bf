/** The task set (SAM-5 8): which commands may run, and which wait for others. Only those are in it that did not end at once. */
import { TaskAttribute } from './status.ts'
import type { ScsiTask, TaskResult } from './task.ts'

/** How a task in the set ends for its transport. */
interface Entry {
  readonly task: ScsiTask
  readonly isHeadOfQueue: boolean
  readonly isOrdered: boolean
  isEnabled: boolean
  /** Starts it. Left out once it runs. */
  start?: () => TaskResult | Promise<TaskResult>
  /** What is answered in place of its own result. */
  replacement?: TaskResult
  readonly ended: PromiseWithResolvers<TaskResult>
}

/** Commands that wait or run. */
export class TaskSet {
  /** In the order of arrival. */
  readonly #entries = new Map<ScsiTask, Entry>()
  readonly #maxTasks: number
  #dormant = 0
  /** Enabled commands that others wait for: ORDERED and HEAD OF QUEUE. */
  #barriers = 0
  #isStarting = false

  constructor(maxTasks: number) {
    this.#maxTasks = maxTasks
  }

  /** True where a SIMPLE command may run without asking. */
  get isOpen(): boolean {
    return this.#dormant === 0 && this.#barriers === 0 && this.#entries.size < this.#maxTasks
  }

  get size(): number {
    return this.#entries.size
  }

  get isFull(): boolean {
    return this.#entries.size >= this.#maxTasks
  }

  /** A SIMPLE command that was let run did not end at once. Its result, or that of who aborted it. Never rejects: neither does `result`. */
  follow(task: ScsiTask, result: Promise<TaskResult>): Promise<TaskResult> {
    const entry = this.#add(task)
    entry.isEnabled = true
    this.#settleWith(entry, result)
    return entry.ended.promise
  }

  /** Runs a command when its turn comes (SAM-5 8.7). `start` neither throws nor rejects. */
  enter(task: ScsiTask, start: () => TaskResult | Promise<TaskResult>): TaskResult | Promise<TaskResult> {
    const mayStart = this.#mayStart(task.attribute)
    const entry = this.#add(task)
    if (!mayStart) {
      entry.start = start
      this.#dormant++
      return entry.ended.promise
    }
    const result = this.#enable(entry, start)
    return result ?? entry.ended.promise
  }

  /** Ends tasks on behalf of somebody; resolves when the last of them does nothing more. */
  async abort(which: (task: ScsiTask) => boolean, replacement: (task: ScsiTask) => TaskResult): Promise<void> {
    const aborted = [...this.#entries.values()].filter(({ task }) => which(task))
    for (const entry of aborted) {
      entry.task.isAborted = true
      entry.replacement ??= replacement(entry.task)
      if (entry.isEnabled) continue
      this.#remove(entry)
      entry.ended.resolve(entry.replacement)
    }
    this.#startNext()
    await Promise.all(aborted.map(({ ended }) => ended.promise))
  }

  /** Tasks in the set. */
  get tasks(): readonly ScsiTask[] {
    return [...this.#entries.keys()]
  }

  #add(task: ScsiTask): Entry {
    const entry: Entry = {
      task,
      isHeadOfQueue: task.attribute === TaskAttribute.headOfQueue,
      isOrdered: task.attribute === TaskAttribute.ordered,
      isEnabled: false,
      ended: Promise.withResolvers<TaskResult>(),
    }
    this.#entries.set(task, entry)
    return entry
  }

  /** HEAD OF QUEUE at once; ORDERED after all older ones; SIMPLE after those that stand in the way. */
  #mayStart(attribute: number): boolean {
    if (attribute === TaskAttribute.headOfQueue) return true
    if (attribute === TaskAttribute.ordered) return this.#entries.size === 0
    return this.#dormant === 0 && this.#barriers === 0
  }

  /** Starts one. Undefined where it does not end at once. */
  #enable(entry: Entry, start: () => TaskResult | Promise<TaskResult>): TaskResult | undefined {
    entry.isEnabled = true
    if (entry.isHeadOfQueue || entry.isOrdered) this.#barriers++
    const result = start()
    if (result instanceof Promise) {
      this.#settleWith(entry, result)
      return undefined
    }
    this.#end(entry, result)
    return result
  }

  #settleWith(entry: Entry, result: Promise<TaskResult>): void {
    void result.then(value => this.#end(entry, value))
  }

  #end(entry: Entry, result: TaskResult): void {
    this.#remove(entry)
    entry.ended.resolve(entry.replacement ?? result)
    this.#startNext()
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.task)
    if (!entry.isEnabled) this.#dormant--
    else if (entry.isHeadOfQueue || entry.isOrdered) this.#barriers--
  }

  /** Looks through the set in its order for what may start now. Those that end at once are dealt with by the same loop. */
  #startNext(): void {
    if (this.#isStarting) return
    this.#isStarting = true
    while (this.#dormant > 0) {
      const next = this.#nextStartable()
      if (next?.start === undefined) break
      const { start } = next
      delete next.start
      this.#dormant--
      this.#enable(next, start)
    }
    this.#isStarting = false
  }

  /** The oldest that may start. What is behind an ORDERED one that waits, waits too. */
  #nextStartable(): Entry | undefined {
    if (this.#barriers > 0) return undefined
    let isOldest = true
    for (const entry of this.#entries.values()) {
      if (!entry.isEnabled) return entry.isOrdered && !isOldest ? undefined : entry
      isOldest = false
    }
    return undefined
  }
}
