/** The parts of the data thread, put together. */
import { close, isIpv4Mapped, parseAddress } from '@holdfast/posix/network'
import { DirectorPrograms } from '../bpf/index.ts'
import { Loop } from '../loop/index.ts'
import type { ThreadWork } from '../loop/index.ts'
import { createMac, randomNumber } from '../protocol/index.ts'
import { actions } from './actions.ts'
import { Agents, wrappingBytesOf } from './agents.ts'
import { AnswerDeadlines, createHandler } from './answers.ts'
import { ClientPacket } from './client-packet.ts'
import { Connections, firstNumberOf } from './connection.ts'
import type { Core, ProxyRequest, Vip } from './core.ts'
import { newCounters } from './counters.ts'
import { Entries } from './entries.ts'
import { Expiry } from './expiry.ts'
import { FlowKeys } from './flow.ts'
import { KnownHeads } from './known-heads.ts'
import { Listener } from './listener.ts'
import { takeOpening } from './opened.ts'
import { Openings } from './openings.ts'
import { RaisedPackets, takePacket } from './raised.ts'
import { RawPackets } from './raw-packets.ts'
import { learn, takeUpEntries } from './restart.ts'
import type { ThreadStart, ThreadStatus } from './thread-messages.ts'
import { introduce, UnknownFlows } from './unknown.ts'

/** What the data thread says to the main thread. */
export interface Says {
  notice(text: string): void
  proxy(request: ProxyRequest): void
}

/** How long connections that are being handed over are waited for at the end. */
const settleMs = 50

/** A director's data path. `loop.run()` makes it work. */
export class DataThread implements ThreadWork<ThreadStatus, ThreadStart['routes']> {
  readonly loop = new Loop()
  readonly #start: ThreadStart
  readonly #programs: DirectorPrograms
  readonly #core: Core
  readonly #listener: Listener
  readonly #undo: DisposableStack
  /** What the program had sent on by itself when we began. */
  readonly #knownBefore: number

  /** Throws `PosixError`, `VerifierError`, `UsageError`: then nothing of it is left. */
  constructor(start: ThreadStart, says: Says) {
    this.#start = start
    const vip = vipOf(start)
    using undo = new DisposableStack()
    undo.use(this.loop)
    const programs = undo.use(attach(start, vip))
    this.#programs = programs
    this.#knownBefore = programs.totals().knownRequests
    const keys = new FlowKeys(vip.address, vip.port)
    const raw = undo.use(new RawPackets(vip))
    const core = buildCore({
      start,
      says,
      vip,
      loop: this.loop,
      raw,
      entries: new Entries(this.loop, programs.flows, keys, programs.known?.lead),
      known: new KnownHeads(programs.known, text => says.notice(text)),
      openings: new Openings(programs.openings, keys),
      answerSyns: isOn => programs.answerSyns(isOn),
    })
    this.#core = core
    undo.defer(() => closeSockets(core))
    undo.defer(() => core.agents.close())
    takeUpEntries(core, programs.flows, keys)
    undo.use(new RaisedPackets(core, start.raisePort, start.interface))
    this.#listener = new Listener(core)
    undo.defer(() => this.#listener.close())
    for (const reason of [programs.attached.notPinned, programs.notAnswering, programs.notKnowing]) if (reason !== undefined) says.notice(reason)
    this.#undo = undo.move()
  }

  asked(routes: ThreadStart['routes']): void {
    this.#core.agents.replace(routes)
    this.#core.known.replace(routes)
  }

  /** No more connections are taken, and the loop stops when those that are being handed over are. */
  end(): void {
    this.#core.answerSyns(false)
    this.#listener.close()
    this.loop.after(settleMs, () => this.loop.stop())
  }

  status(): ThreadStatus {
    const { vip, interface: device, mode, pinDirectory } = this.#start
    const { attached } = this.#programs
    const { agents } = this.#core
    return {
      vip,
      interface: device,
      mode,
      attach: attached.method,
      ...(attached.isPinned && pinDirectory !== undefined && { pinDirectory }),
      agents: Array.from(agents.all(), ({ id, link, forward, connections }) => ({
        agent: id,
        health: link.health,
        ...(link.server !== undefined && { server: link.server.text }),
        forward,
        connections,
        connectionsOfAll: link.connections,
        capacity: link.capacity,
      })),
      metrics: this.#metrics(),
    }
  }

  [Symbol.dispose](): void {
    this.#undo.dispose()
  }

  #metrics(): ThreadStatus['metrics'] {
    const { counters, entries, agents } = this.#core
    const { forwardedPackets, forwardedBytes, raisedPackets, raisedBytes, unknownPackets, answeredSyns, droppedPackets, knownRequests } =
      this.#programs.totals()
    return {
      ...counters,
      continued: counters.continued + knownRequests - this.#knownBefore,
      entries: entries.count,
      agentsHealthy: Array.from(agents.all()).filter(({ link }) => link.health === 'healthy').length,
      forwardedPackets,
      forwardedBytes,
      raisedPackets,
      raisedBytes,
      unknownPackets,
      answeredSyns,
      droppedPackets,
      knownRequests,
    }
  }
}

function vipOf({ vip: { host, port } }: ThreadStart): Vip {
  const address = parseAddress(host)
  return { address, host, port, isIpv4: isIpv4Mapped(address) }
}

const attach = ({ interface: device, raisePort, pinDirectory, attach, routes, forward }: ThreadStart, vip: Vip): DirectorPrograms =>
  DirectorPrograms.attach({
    interface: device,
    vip: vip.address,
    vipPort: vip.port,
    raisePort,
    attach,
    wrappingBytes: wrappingBytesOf(routes, forward),
    ...(pinDirectory !== undefined && { pinDirectory }),
  })

/** Connections that nobody has taken yet end with us. */
function closeSockets({ connections }: Core): void {
  for (const { fd } of connections.byFlow.values()) if (fd >= 0) close(fd)
}

interface Parts {
  readonly start: ThreadStart
  readonly says: Says
  readonly vip: Vip
  readonly loop: Loop
  readonly raw: RawPackets
  readonly entries: Entries
  readonly known: KnownHeads
  readonly openings: Openings
  answerSyns(isOn: boolean): void
}

/** The parts know each other by what is built here. */
function buildCore({ start, says, vip, loop, raw, entries, known, openings, answerSyns }: Parts): Core {
  const { key, routes, forward, mode, idleMs, headMs } = start
  const handler = createHandler(() => core)
  const agents = new Agents({ loop, mac: createMac(key), handler, director: randomNumber(), forward, routes, onNotice: text => says.notice(text) })
  known.replace(routes)
  const core: Core = {
    loop,
    vip,
    mode,
    connections: new Connections(firstNumberOf(randomNumber())),
    entries,
    known,
    openings,
    answerSyns,
    agents,
    raw,
    counters: newCounters(),
    actions,
    idleMs,
    headMs,
    packet: new ClientPacket(),
    choose: (host, target) => agents.choose(host, target),
    proxy: request => says.proxy(request),
    notice: text => says.notice(text),
    checkLater: connection => expiry.add(connection),
    awaitAnswer: connection => answers.add(connection),
    learn: (link, owner) => learn(core, link, owner, flow => unknownFlows.found(flow)),
    introduce: connection => introduce(core, connection),
    unknown(packet) {
      if (!takeOpening(core, packet)) unknownFlows.take(packet)
    },
    raised: (bytes, from, end) => takePacket(core, bytes, from, end),
    inject: (bytes, from, end) => raw.inject(bytes, from, end),
  }
  const expiry = new Expiry(core, loop)
  const answers = new AnswerDeadlines(core, loop)
  const unknownFlows = new UnknownFlows(core)
  return core
}
