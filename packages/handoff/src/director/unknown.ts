/**
 * Packets for the VIP of a connection that nobody here knows: of a director that is gone, most of the time. The agents are asked (WHO_HAS), and the client repeats the packet meanwhile. It is told
 * that the connection is lost when nobody has said for a while that it is not.
 */
import { healthTimes, heartbeatMs } from '../protocol/index.ts'
import { ahead, TcpFlag } from '../transform/index.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'
import type { Core, Vip } from './core.ts'
import { portOf, writeClient } from './flow.ts'
import type { Flow } from './flow.ts'

/** Connections asked about at a time; packets of others are dropped. */
const askedMax = 4096
/** Asked again after so long. */
const askAgainMs = 250
/**
 * Answered with RST when nobody has said for so long that it is his. Whoever has not answered a heartbeat by then that was sent after the question is silent, and may stand still; an agent that has, has read the question before.
 */
const resetMs = healthTimes.silentMs + heartbeatMs + 50
const forgetMs = 10_000
/** A client repeats within this; and its packets are no further from each other. What differs by more is of another connection from the same port. */
const sameWithinMs = 2000
const sameWithinBytes = 1 << 24

interface Asked {
  firstMs: number
  /** Of the packet that came last. */
  sequence: number
  lastMs: number
  askedMs: number
}

const isSame = (asked: Asked, packet: ClientPacket, now: number): boolean =>
  now - asked.lastMs < sameWithinMs && Math.abs(ahead(packet.sequence, asked.sequence)) < sameWithinBytes

const flowName = { client: Buffer.alloc(16), vip: Buffer.alloc(16), clientPort: 0, vipPort: 0 }

function nameFlow(vip: Vip, flow: Flow): void {
  writeClient(flow, flowName.client)
  flowName.vip.set(vip.address)
  flowName.clientPort = portOf(flow)
  flowName.vipPort = vip.port
}

/** Tells the agent that has a connection that it is ours now, by asking for it. */
export function introduce({ vip }: Core, connection: Connection): void {
  nameFlow(vip, connection.flow)
  if (connection.agent?.link.sendWhoHas(flowName) === true) connection.resumed = 'said'
}

/** What is asked about, in the order in which it was first. */
export class UnknownFlows {
  readonly #core: Core
  readonly #asked = new Map<Flow, Asked>()

  constructor(core: Core) {
    this.#core = core
  }

  /** A packet of no connection that is known. */
  take(packet: ClientPacket): void {
    if ((packet.flags & TcpFlag.rst) !== 0) return
    const now = this.#core.loop.now()
    const asked = this.#asked.get(packet.flow)
    if (asked === undefined || !isSame(asked, packet, now)) return this.#begin(packet, now)
    asked.lastMs = now
    asked.sequence = packet.sequence
    if (now - asked.firstMs >= resetMs && this.#everybodyHeard()) return this.#reset(packet)
    if (now - asked.askedMs < askAgainMs) return
    asked.askedMs = now
    this.#ask(packet.flow)
  }

  /** Somebody has it. Returns the sequence number of the packet that came last of it; undefined when nobody has asked. */
  found(flow: Flow): number | undefined {
    const asked = this.#asked.get(flow)
    this.#asked.delete(flow)
    return asked?.sequence
  }

  #begin(packet: ClientPacket, now: number): void {
    this.#expire(now)
    // Those that are asked about stand in the order in which they were first.
    this.#asked.delete(packet.flow)
    if (this.#asked.size >= askedMax) return
    this.#asked.set(packet.flow, { firstMs: now, lastMs: now, askedMs: now, sequence: packet.sequence })
    this.#ask(packet.flow)
  }

  #ask(flow: Flow): void {
    const { vip, agents } = this.#core
    nameFlow(vip, flow)
    for (const { link } of agents.all()) link.sendWhoHas(flowName)
  }

  /** RFC 9293 3.10.7.1: the sequence number of a RST is what the packet acknowledges. */
  #reset(packet: ClientPacket): void {
    this.#core.counters.reset++
    this.#core.raw.reset(packet.flow, packet.acknowledgement, packet.sequenceEnd)
  }

  /** No agent may still have it that has not been asked: those that do not answer have lost it, or their machines live on and one waits. */
  #everybodyHeard(): boolean {
    for (const { link } of this.#core.agents.all()) if (link.health === 'unknown' || link.health === 'silent') return false
    return true
  }

  #expire(now: number): void {
    for (const [flow, { firstMs }] of this.#asked) {
      if (now - firstMs < forgetMs) return
      this.#asked.delete(flow)
    }
  }
}
