import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { orThrow } from '@holdfast/posix'
import { EPOLLIN, Epoll, EventDescriptor } from '@holdfast/posix/network'
import { DeadlineQueue } from './deadlines.ts'
import type { Deadlines } from './deadlines.ts'

/** Called with what has happened at a descriptor (`EPOLLIN`, …). */
export type Handler = (events: number, fd: number) => void

/** A deadline that can be taken back. */
export interface Timer {
  cancel(): void
}

class Deadline implements Timer {
  readonly action: () => void
  over = false

  constructor(action: () => void) {
    this.action = action
  }

  cancel(): void {
    this.over = true
  }
}

/** A thread that waits cannot be ended from outside (process.exit() in another one waits for it), so it never waits for longer. */
const longestWaitMs = 250
/** So that many flows that end at once hold nobody up. */
const expiriesPerTurn = 256

/**
 * Waits for descriptors and deadlines, in a thread that does nothing else. A turn: wait, handlers, deadlines, then what was asked for the end of the turn.
 * Node's own loop stands still meanwhile: there are no promises, no streams and no timers of Node's in such a thread, and what a handler throws ends `run`.
 *
 * @example
 * using loop = new Loop()
 * const started = loop.now()
 * loop.after(5, () => loop.stop())
 * loop.run()
 * console.log(loop.now() - started) // 5, or a little more
 */
export class Loop implements Disposable {
  readonly #epoll = new Epoll(256)
  readonly #wake = new EventDescriptor()
  /** `performance.now()` begins with the thread; CLOCK_MONOTONIC, which programs in the kernel write down, with the machine. */
  readonly #clockOffsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  #nowMs = this.#clock()
  #stopped = false
  /** By slot: descriptors are closed and their numbers used again, and the events of a turn may still be about the old ones. */
  readonly #handlers: (Handler | undefined)[] = []
  readonly #descriptors: number[] = []
  readonly #slots = new Map<number, number>()
  readonly #freeSlots: number[] = []
  readonly #leftSlots: number[] = []
  /** Of what is looked at before all else of a turn; -1: nothing is. */
  #firstSlot = -1
  readonly #ports: { readonly port: MessagePort; readonly handler: (message: unknown) => void }[] = []
  #endActions: (() => void)[] = []
  #spareActions: (() => void)[] = []
  readonly #timers = new DeadlineQueue<Deadline>(
    timer => {
      timer.over = true
      timer.action()
    },
    timer => timer.over,
  )
  readonly #deadlines: Deadlines[] = [this.#timers]

  constructor() {
    this.watch(this.#wake.fd, () => this.#woken())
  }

  /** For `EventDescriptor` in another thread: a signal wakes the loop. */
  get wakeDescriptor(): number {
    return this.#wake.fd
  }

  /** CLOCK_MONOTONIC in ms, the same for a whole turn. */
  now(): number {
    return this.#nowMs
  }

  /** Calls `handler` when `events` are there (`EPOLLIN` unless said otherwise). Throws `PosixError`. */
  watch(fd: number, handler: Handler, events = EPOLLIN): void {
    const slot = this.#freeSlots.pop() ?? this.#handlers.length
    this.#handlers[slot] = handler
    this.#descriptors[slot] = fd
    this.#slots.set(fd, slot)
    orThrow(this.#epoll.add(fd, events, slot), 'epoll_ctl')
  }

  /** As `watch`, for the one descriptor that is looked at before all others of a turn, whatever came first. */
  watchFirst(fd: number, handler: Handler): void {
    this.watch(fd, handler)
    this.#firstSlot = this.#slots.get(fd) ?? -1
  }

  /** Waits for other events from now on. */
  modify(fd: number, events: number): void {
    orThrow(this.#epoll.modify(fd, events, this.#slots.get(fd)), 'epoll_ctl')
  }

  /** Before the descriptor is closed. */
  unwatch(fd: number): void {
    const slot = this.#slots.get(fd)
    if (slot === undefined) return
    this.#slots.delete(fd)
    if (slot === this.#firstSlot) this.#firstSlot = -1
    this.#handlers[slot] = undefined
    this.#leftSlots.push(slot)
    this.#epoll.remove(fd)
  }

  /** Calls `action` once, at the end of this turn (of the next, outside of one). */
  atEndOfTurn(action: () => void): void {
    this.#endActions.push(action)
  }

  /** Calls `action` once, that much later. There should be few different delays. */
  after(delayMs: number, action: () => void): Timer {
    const timer = new Deadline(action)
    this.#timers.add(timer, delayMs, this.#clock())
    return timer
  }

  /** Calls `action` again and again. */
  every(intervalMs: number, action: () => void): Timer {
    const timer = new Deadline(() => {
      timer.over = false
      this.#timers.add(timer, intervalMs, this.#clock())
      action()
    })
    this.#timers.add(timer, intervalMs, this.#clock())
    return timer
  }

  /** Makes a queue's deadlines part of the loop. */
  addQueue(queue: Deadlines): void {
    this.#deadlines.push(queue)
  }

  /** Calls `handler` with each message that comes to a port; its sender signals `wakeDescriptor` after it has posted. */
  onMessage(port: MessagePort, handler: (message: unknown) => void): void {
    this.#ports.push({ port, handler })
    // What came before anybody listened.
    this.#wake.signal()
  }

  /** Runs until `stop`. */
  run(): void {
    this.#stopped = false
    while (!this.#stopped) this.turn()
  }

  /** Ends `run` after this turn. */
  stop(): void {
    this.#stopped = true
  }

  /** One turn: waits until something is to be done (or a short while), and does it. */
  turn(): void {
    const count = this.#epoll.wait(this.#timeoutMs())
    this.#nowMs = this.#clock()
    if (this.#firstSlot >= 0) this.#handle(count, true)
    this.#handle(count, false)
    for (const deadlines of this.#deadlines) deadlines.run(this.#nowMs, expiriesPerTurn)
    this.#runEndActions()
    for (let slot = this.#leftSlots.pop(); slot !== undefined; slot = this.#leftSlots.pop()) this.#freeSlots.push(slot)
  }

  [Symbol.dispose](): void {
    this.#epoll[Symbol.dispose]()
    this.#wake[Symbol.dispose]()
  }

  /** Calls the handlers of a turn's events: that of the first slot, or the others'. */
  #handle(count: number, isFirst: boolean): void {
    for (let index = 0; index < count; index++) {
      const slot = this.#epoll.data(index)
      if ((slot === this.#firstSlot) === isFirst) this.#handlers[slot]?.(this.#epoll.events(index), this.#descriptors[slot])
    }
  }

  #clock(): number {
    return performance.now() + this.#clockOffsetMs
  }

  #timeoutMs(): number {
    if (this.#endActions.length > 0) return 0
    let next = Infinity
    for (const deadlines of this.#deadlines) next = Math.min(next, deadlines.next())
    // Up, as the kernel counts whole ms: a turn too early would do nothing.
    return next === Infinity ? longestWaitMs : Math.min(longestWaitMs, Math.max(0, Math.ceil(next - this.#clock())))
  }

  #runEndActions(): void {
    // An action may ask for another.
    while (this.#endActions.length > 0) {
      const actions = this.#endActions
      this.#endActions = this.#spareActions
      for (const action of actions) action()
      actions.length = 0
      this.#spareActions = actions
    }
  }

  #woken(): void {
    this.#wake.drain()
    for (const { port, handler } of this.#ports) {
      for (let received = receiveMessageOnPort(port); received !== undefined; received = receiveMessageOnPort(port)) handler(received.message)
    }
  }
}
