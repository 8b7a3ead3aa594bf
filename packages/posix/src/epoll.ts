/** epoll(7) and eventfd(2). */
import { allocate } from './addresses.ts'
import type { Memory } from './addresses.ts'
import { errno, orThrow } from './errors.ts'
import { bindCalls } from './libc.ts'

const calls = bindCalls({
  create: ['epoll_create1', 'int', 'int'],
  control: ['epoll_ctl', 'int', 'int', 'int', 'int', 'int64'],
  wait: ['epoll_wait', 'int', 'int', 'int64', 'int', 'int'],
  eventfd: ['eventfd', 'int', 'uint32', 'int'],
  read: ['read', 'int64', 'int', 'int64', 'int64'],
  write: ['write', 'int64', 'int', 'int64', 'int64'],
  close: ['close', 'int', 'int'],
})

const EPOLL_CLOEXEC = 0x80000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
const EPOLL_CTL_MOD = 3
/** struct epoll_event: events, then 64 bits of the caller's; packed on x86-64 only. In words of 32 bits. */
const eventWords = process.arch === 'x64' ? 3 : 4
const dataWord = process.arch === 'x64' ? 1 : 2

/** A set of descriptors of which one waits for any. */
export class Epoll implements Disposable {
  readonly fd: number
  readonly #events: Memory
  readonly #eventsMax: number
  readonly #control = allocate(16)

  /** At most `eventsMax` are told at a time. Throws `PosixError`. */
  constructor(eventsMax = 256) {
    this.#eventsMax = eventsMax
    this.#events = allocate(eventsMax * eventWords * 4)
    this.fd = orThrow(calls.create(EPOLL_CLOEXEC), 'epoll_create1')
  }

  /** Watches a descriptor for `events` (`EPOLLIN`, …); `data` (32 bits) is what `data()` says of it. Returns 0 or -errno. */
  add(fd: number, events: number, data = fd): number {
    return this.#call(EPOLL_CTL_ADD, fd, events, data)
  }

  /** Watches it for other events. */
  modify(fd: number, events: number, data = fd): number {
    return this.#call(EPOLL_CTL_MOD, fd, events, data)
  }

  remove(fd: number): number {
    return this.#call(EPOLL_CTL_DEL, fd, 0, 0)
  }

  /** Waits until something is there, at most that long (-1: forever). Returns how many events there are; 0 also after a signal. */
  wait(timeoutMs: number): number {
    const count = calls.wait(this.fd, this.#events.address, this.#eventsMax, timeoutMs)
    return count === -errno.EINTR ? 0 : orThrow(count, 'epoll_wait')
  }

  /** What has happened, of the event number `index`. */
  events(index: number): number {
    return this.#events.words[index * eventWords]
  }

  /** Which descriptor it is of (or its `data`). */
  data(index: number): number {
    return this.#events.words[index * eventWords + dataWord]
  }

  [Symbol.dispose](): void {
    calls.close(this.fd)
  }

  #call(operation: number, fd: number, events: number, data: number): number {
    const { words, address } = this.#control
    words[0] = events
    words[dataWord] = data
    return calls.control(this.fd, operation, fd, address)
  }
}

const EFD_NONBLOCK = 0x800
const EFD_CLOEXEC = 0x80000
const one = allocate(8)
one.words[0] = 1
const drained = allocate(8)

/** A descriptor that is readable from `signal` until `drain`; any thread of the process may signal it by its number. */
export class EventDescriptor implements Disposable {
  readonly fd: number

  /** A new one, or one of another thread by its number. Throws `PosixError`. */
  constructor(fd?: number) {
    this.fd = fd ?? orThrow(calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd')
  }

  signal(): void {
    calls.write(this.fd, one.address, 8)
  }

  /** Whether it was signalled since the last time. */
  drain(): boolean {
    return calls.read(this.fd, drained.address, 8) === 8
  }

  /** Only whoever made it may. */
  [Symbol.dispose](): void {
    calls.close(this.fd)
  }
}
