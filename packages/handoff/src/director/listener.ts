/** Takes connections from the VIP's listener, and reads the heads of their first requests, without taking a byte out of their sockets. */
import { errno, orThrow } from '@holdfast/posix'
import {
  accept,
  acceptable,
  AF_INET,
  AF_INET6,
  bind,
  close,
  Endpoint,
  EPOLLET,
  EPOLLIN,
  EPOLLRDHUP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  listen,
  openSocket,
  setOption,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_DEFER_ACCEPT,
  TCP_SAVE_SYN,
} from '@holdfast/posix/network'
import { DeadlineQueue } from '../loop/index.ts'
import { Connection } from './connection.ts'
import type { Core } from './core.ts'
import { fire } from './core.ts'
import { isFit, readFirst } from './first-request.ts'
import { flowOf } from './flow.ts'

/** Connections whose heads are being read at a time; what is more is closed. */
export const readingMax = 65_536
const backlog = 65_535
/** How long the kernel keeps a connection to itself that says nothing. */
const deferSeconds = 5
/** No descriptors, or no memory: it lasts a while. What waits for one keeps in the kernel's queue. */
const scarcities: ReadonlySet<number> = new Set([-errno.EMFILE, -errno.ENFILE, -errno.ENOBUFS, -errno.ENOMEM])
const restMs = 100
/** Connections taken in one turn, so that others have their turn too. */
const acceptsMax = 256

/** The listener of the VIP, and the connections that have not sent a head yet. */
export class Listener {
  readonly #core: Core
  readonly #fd: number
  readonly #peer = new Endpoint()
  readonly #address = Buffer.alloc(16)
  readonly #reading = new Map<number, Connection>()
  readonly #deadlines: DeadlineQueue<Connection>
  #isOpen = true
  #isResting = false

  /** Throws `PosixError` (EADDRNOTAVAIL, EADDRINUSE, EACCES). */
  constructor(core: Core) {
    this.#core = core
    const { vip, loop } = core
    this.#fd = orThrow(openSocket(vip.isIpv4 ? AF_INET : AF_INET6, SOCK_STREAM), 'socket')
    setOption(this.#fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (!vip.isIpv4) setOption(this.#fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    setOption(this.#fd, IPPROTO_TCP, TCP_SAVE_SYN, 1)
    setOption(this.#fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, deferSeconds)
    try {
      orThrow(bind(this.#fd, Endpoint.ofMapped(vip.address, vip.port)), `bind ${vip.host}:${vip.port}`)
      orThrow(listen(this.#fd, backlog), `listen ${vip.host}:${vip.port}`)
    } catch (error) {
      close(this.#fd)
      throw error
    }
    this.#deadlines = new DeadlineQueue(connection => this.#late(connection))
    loop.addQueue(this.#deadlines)
    this.#listen()
  }

  /** No more connections are taken. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    if (!this.#isResting) this.#core.loop.unwatch(this.#fd)
    close(this.#fd)
  }

  /** The connection is not read any more: it goes another way. */
  leave(connection: Connection): void {
    if (!this.#reading.delete(connection.fd)) return
    this.#core.counters.reading--
    this.#core.loop.unwatch(connection.fd)
  }

  #accept(): void {
    const waiting = Math.min(acceptsMax, acceptable(this.#fd))
    for (let taken = 0; taken < waiting; taken++) {
      const fd = accept(this.#fd, this.#peer)
      if (fd === -errno.EAGAIN) return
      if (scarcities.has(fd)) return this.#rest()
      if (fd >= 0) this.#take(fd)
      // ECONNABORTED and its like are about one that is gone already.
      else this.#core.counters.dropped++
    }
  }

  #listen(): void {
    this.#core.loop.watch(this.#fd, () => this.#accept())
  }

  /** Without it the loop would be woken again and again for what it cannot take. */
  #rest(): void {
    const { loop } = this.#core
    this.#isResting = true
    loop.unwatch(this.#fd)
    loop.after(restMs, () => {
      this.#isResting = false
      if (this.#isOpen) this.#listen()
    })
  }

  #take(fd: number): void {
    const { connections, counters, vip } = this.#core
    counters.accepted++
    this.#peer.writeMapped(this.#address)
    const flow = flowOf(this.#address, this.#peer.port, vip.isIpv4)
    const before = connections.byFlow.get(flow)
    if (before !== undefined) fire(this.#core, before, 'replaced')
    const connection = new Connection(flow)
    connection.fd = fd
    connections.add(connection)
    this.#read(connection)
  }

  /** Looks at what has come so far. */
  #read(connection: Connection, events = 0): void {
    const first = readFirst(this.#core, connection.fd)
    if (first.count === -errno.EAGAIN) return this.#wait(connection)
    if (first.count <= 0) return this.#end(connection, 'left')
    const isAll = first.stretch?.kind !== 'partial' || first.count === first.bytes.length
    if (!isAll) return (events & EPOLLRDHUP) === 0 ? this.#wait(connection) : this.#end(connection, 'left')
    this.#end(connection, isFit(first) ? 'request' : 'unfit')
  }

  #end(connection: Connection, event: 'request' | 'unfit' | 'left'): void {
    this.leave(connection)
    fire(this.#core, connection, event)
  }

  #wait(connection: Connection): void {
    if (this.#reading.has(connection.fd)) return
    const { loop, counters, headMs } = this.#core
    if (this.#reading.size >= readingMax) {
      fire(this.#core, connection, 'left')
      return
    }
    this.#reading.set(connection.fd, connection)
    counters.reading++
    // Only what is new wakes us: the bytes stay in the socket.
    loop.watch(connection.fd, event => this.#read(connection, event), EPOLLIN | EPOLLRDHUP | EPOLLET)
    this.#deadlines.add(connection, headMs, loop.now())
  }

  #late(connection: Connection): void {
    if (this.#reading.get(connection.fd) !== connection) return
    this.leave(connection)
    fire(this.#core, connection, 'idle')
  }
}
