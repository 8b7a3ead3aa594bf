/** What a server agent does with what directors say: life cycle, second connections, and packets for them. No I/O but that of its `Machine`. */

import { AgentEntry } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { lingerMs, PairThere } from '../bpf/programs/pair.ts'
import { DeadlineQueue } from '../loop/index.ts'
import { handoffGoodForMs, RefuseReason } from '../protocol/messages.ts'
import type { Continue, FlowName, Handoff, Release } from '../protocol/messages.ts'
import type { AgentHandler, DirectorPeer, Endpoint } from '../protocol/index.ts'
import { ClientPackets } from './client-packets.ts'
import { Connection, Connections } from './connections.ts'
import { newCounters } from './context.ts'
import type { AgentContext, Counters, Words } from './context.ts'
import { EarlyPackets } from './early-packets.ts'
import { activityOf, eventOf, firstCheckMs, nextCheckMs } from './expiry.ts'
import { FlowKeys } from './flow-keys.ts'
import { copyOf, Handshake, lookAgainMs, remember, Verdict } from './handshake.ts'
import type { Opening } from './handshake.ts'
import { Injector } from './injector.ts'
import { lifeCycle } from './life-cycle.ts'
import type { LifeCycleAction, LifeCycleEvent } from './life-cycle.ts'
import type { Machine } from './machine.ts'
import { LastWords } from './last-words.ts'
import { clientEndOf, releaseEvent, serverAckOf } from './release.ts'
import type { Entries } from './release.ts'
import { hasPackets, takeUp } from './restart.ts'
import { SentRequests } from './sent-requests.ts'

/** Connections whose time comes within as long are looked at in one turn. */
const togetherMs = 20

/** What an agent is made of. */
export interface AgentOptions {
  readonly machine: Machine
  readonly server: Endpoint
  readonly capacity: number
  readonly idleMs: number
}

const at = offsetsOf(AgentEntry)
const reasonNames = Object.fromEntries(Object.entries(RefuseReason).map(([name, value]) => [value, name])) as Record<
  number,
  keyof typeof RefuseReason
>

/** All connections of a server agent, and what happens to them. */
export class Agent implements AgentHandler {
  readonly counters: Counters = newCounters()
  /** When connections are looked at; whoever has the loop runs it. */
  readonly deadlines: DeadlineQueue<Connection> = new DeadlineQueue(connection => this.#check(connection))
  /** No new connections any more. */
  isEnding = false
  readonly #context: AgentContext
  readonly #injector: Injector
  readonly #handshake: Handshake
  readonly #packets: ClientPackets
  readonly #openings = new Map<Connection, Opening>()
  readonly #idleMs: number
  readonly #out = Buffer.alloc(AgentEntry.fixedSize)
  readonly #in = Buffer.alloc(AgentEntry.fixedSize)
  readonly #entries: Entries = { out: this.#out, incoming: this.#in }
  readonly #lastWords = new LastWords()
  #words!: Words
  #reason: RefuseReason = RefuseReason.system

  constructor({ machine, server, capacity, idleMs }: AgentOptions) {
    const keys = new FlowKeys(server.address, server.port, capacity)
    const connections = new Connections(keys)
    this.#context = { machine, server, keys, connections, early: new EarlyPackets(), requests: new SentRequests(), counters: this.counters }
    this.#idleMs = idleMs
    this.#injector = new Injector(this.#context)
    this.#packets = new ClientPackets(this.#context, this.#injector)
    this.#handshake = new Handshake(this.#context, this.#injector, number => this.#isAlive(number))
  }

  /** Takes up what is in the flow map already. `words` is what it speaks to directors by. */
  begin(words: Words): void {
    this.#words = words
    const nowMs = this.#context.machine.nowMs()
    for (const connection of takeUp(this.#context)) this.#lookAfter(connection, firstCheckMs, nowMs)
  }

  connections(): number {
    return this.#context.connections.size
  }

  /** How many each director has handed over. */
  connectionsByPeer(): ReadonlyMap<DirectorPeer | undefined, number> {
    const counts = new Map<DirectorPeer | undefined, number>()
    for (const { peer } of this.#context.connections) counts.set(peer, (counts.get(peer) ?? 0) + 1)
    return counts
  }

  handoff(peer: DirectorPeer, value: Handoff, bytes: Buffer, from: number, to: number, waitedMs = 0): void {
    const { keys, connections } = this.#context
    const known = connections.get(value.connection)
    if (known !== undefined && known.generation >= value.generation) {
      // An older one than that has been overtaken on its way.
      if (known.generation > value.generation) return
      known.peer = peer
      this.counters.repeats++
      this.#step(known, 'handOff')
      return
    }
    const lastWord = this.#lastWords.of(value.connection, value.generation, this.#context.machine.nowMs())
    if (lastWord !== undefined) {
      this.counters.repeats++
      if (typeof lastWord === 'number') this.#words.refuse(peer, value.connection, value.generation, lastWord as RefuseReason)
      else this.#words[lastWord](peer, value.connection, value.generation)
      return
    }
    if (waitedMs > handoffGoodForMs) return this.#refuse(connections.make(value.connection, value.generation, peer), RefuseReason.late)
    keys.set(value)
    const older = connections.atClient()
    if (known !== undefined || older !== undefined) {
      if (known !== undefined) this.#giveWay(known)
      if (older !== undefined && older !== known) this.#giveWay(older)
      // The others' were loaded.
      keys.set(value)
    }
    this.#open({ peer, handoff: value, bytes, from, to, goodUntilMs: this.#context.machine.nowMs() + handoffGoodForMs - waitedMs })
  }

  continue(peer: DirectorPeer, value: Continue, bytes: Buffer, from: number, to: number): void {
    const connection = this.#of(peer, value.connection, value.generation)
    if (lifeCycle[connection.state].packet[0] === 'inject') this.#packets.continue(connection, value, bytes, from, to)
  }

  release(peer: DirectorPeer, value: Release): void {
    const connection = this.#of(peer, value.connection, value.generation)
    const entries = this.#lookUp(connection) ? this.#entries : undefined
    this.#step(connection, releaseEvent(connection, entries, value, this.#context.machine.nowMs()), value.clientAck)
  }

  whoHas(peer: DirectorPeer, value: FlowName): void {
    const { keys, connections } = this.#context
    keys.set(value)
    const connection = connections.atClient()
    if (connection === undefined || connection.state === 'handshake') return
    connection.peer = peer
    const { client, vip, clientPort, vipPort } = value
    const { number, generation, mss, options, clientScale, directorScale, receiveWindow } = connection
    const flow = { client, vip, clientPort, vipPort }
    this.#words.owner(peer, { ...flow, connection: number, generation, mss, options, clientScale, directorScale, receiveWindow })
  }

  wrapped(bytes: Buffer, from: number, to: number, source: Buffer, sourcePort: number): void {
    if (this.#words.peerAt(source, sourcePort) === undefined) this.counters.unknown++
    else this.#packets.wrapped(bytes, from, to)
  }

  known(peer: DirectorPeer): void {
    this.#context.machine.trust(peer.endpoint.address)
  }

  forgotten(peer: DirectorPeer): void {
    this.#context.machine.distrust(peer.endpoint.address)
    for (const connection of this.#context.connections) if (connection.peer === peer) connection.peer = undefined
  }

  #open(asked: Pick<Opening, 'peer' | 'handoff' | 'bytes' | 'from' | 'to' | 'goodUntilMs'>): void {
    const { peer, handoff } = asked
    const { keys, connections } = this.#context
    const connection = connections.make(handoff.connection, handoff.generation, peer)
    const [, state] = lifeCycle.gone.handOff
    if (this.isEnding || keys.room === 0) {
      this.#refuse(connection, this.isEnding ? RefuseReason.ending : RefuseReason.noRoom)
      return
    }
    connection.state = state
    connections.add(connection)
    const opening: Opening = { ...asked, connection, attempt: 0, looks: 0, isDirect: false }
    this.#opened(opening, this.#handshake.open(opening))
  }

  /** What an opening has come to. */
  #opened(opening: Opening, verdict: number): void {
    const { connection } = opening
    if (verdict === Verdict.wait) {
      this.#wait(opening)
      return
    }
    this.#openings.delete(connection)
    if (verdict !== Verdict.established) {
      this.#reason = verdict as RefuseReason
      this.#step(connection, 'failed')
      return
    }
    const nowMs = this.#context.machine.nowMs()
    remember(connection, opening, nowMs)
    this.counters.handoffs++
    this.#lookAfter(connection, firstCheckMs, nowMs)
    this.#step(connection, 'answered')
    this.#packets.deliverEarly(connection)
  }

  #wait(opening: Opening): void {
    const waiting = this.#openings.has(opening.connection) ? opening : copyOf(opening)
    this.#openings.set(opening.connection, waiting)
    this.#context.machine.after(lookAgainMs[opening.looks - 1], () => {
      // It may have given way meanwhile.
      if (this.#openings.get(opening.connection) !== waiting) return
      if (this.#context.machine.nowMs() > waiting.goodUntilMs) return this.#openedLate(waiting.connection)
      this.#context.keys.load(opening.connection.slot)
      this.#opened(waiting, this.#handshake.lookAgain(waiting))
    })
  }

  /** We have stood still, and the director may have gone on without us. */
  #openedLate(connection: Connection): void {
    this.#reset(connection)
    this.#refuse(connection, RefuseReason.late)
    connection.state = 'gone'
  }

  /** What the table says, but for what needs a message: that is done by who calls. */
  #step(connection: Connection, event: LifeCycleEvent, clientAck = 0): void {
    const [action, next] = lifeCycle[connection.state][event]
    this.#actions[action](connection, clientAck)
    connection.state = next
  }

  readonly #actions: Readonly<Record<LifeCycleAction, (connection: Connection, clientAck: number) => void>> = {
    nothing: () => {},
    begin: () => {},
    inject: () => {},
    keep: () => {},
    accept: connection => this.#say('accept', connection),
    refuse: connection => {
      this.#context.connections.remove(connection)
      this.#refuse(connection, this.#reason)
    },
    busy: connection => {
      this.counters.busy++
      this.#say('busy', connection)
    },
    finish: (connection, clientAck) => {
      this.#finish(connection, clientAck)
      this.#say('released', connection)
    },
    finishBusy: (connection, clientAck) => {
      this.#finish(connection, clientAck)
      this.counters.busy++
      this.#say('busy', connection)
    },
    released: connection => this.#say('released', connection),
    reset: connection => this.#reset(connection),
    resetAndRelease: connection => {
      this.#reset(connection)
      this.counters.released++
      this.#say('released', connection)
    },
    forgetAndRelease: connection => {
      this.#forget(connection)
      this.counters.released++
      this.#say('released', connection)
    },
    forgetAndClose: connection => {
      this.#forget(connection)
      this.counters.closed++
      this.#say('closed', connection)
    },
    endAndClose: connection => {
      this.#packets.endTimeWait(connection, clientEndOf(connection, this.#in))
      this.#context.connections.remove(connection)
      this.counters.closed++
      this.#say('closed', connection)
    },
    resetAndClose: connection => {
      this.#reset(connection)
      this.counters.idle++
      this.#say('closed', connection)
    },
  }

  /** The client's FIN. */
  #finish(connection: Connection, clientAck: number): void {
    this.#lookUp(connection)
    this.#packets.finish(connection, clientEndOf(connection, this.#in), clientAck)
    this.counters.finished++
  }

  #say(word: 'accept' | 'busy' | 'released' | 'closed', { peer, number, generation, slot }: Connection): void {
    // One that finishes is not gone.
    if (slot < 0 && (word === 'released' || word === 'closed')) this.#lastWords.keep(number, generation, word, this.#context.machine.nowMs())
    if (peer !== undefined) this.#words[word](peer, number, generation)
  }

  #refuse({ peer, number, generation }: Connection, reason: RefuseReason): void {
    this.counters.refusals[reasonNames[reason]]++
    this.#lastWords.keep(number, generation, reason, this.#context.machine.nowMs())
    if (peer !== undefined) this.#words.refuse(peer, number, generation, reason)
  }

  /** The connection that a director means; one that is gone when there is none of this number and generation. */
  #of(peer: DirectorPeer, number: number, generation: number): Connection {
    const known = this.#context.connections.get(number)
    if (known?.generation !== generation) return new Connection(number, generation, peer)
    known.peer = peer
    return known
  }

  /** Loads keys and entries. False: the server's is gone. */
  #lookUp(connection: Connection): boolean {
    if (connection.slot < 0) return false
    const { keys, machine } = this.#context
    keys.load(connection.slot)
    return machine.pairs.read(keys.out, this.#out, keys.in, this.#in)
  }

  /** The director that the entry of the connection whose keys are loaded tells. */
  #peerOf(): DirectorPeer | undefined {
    const { keys, machine } = this.#context
    if (!machine.flows.lookup(keys.out, this.#out)) return undefined
    return this.#words.peerAt(this.#out.subarray(at.director, at.director + 16), this.#out.readUInt16BE(at.directorPort))
  }

  #isAlive(number: number): boolean {
    const connection = this.#context.connections.get(number)
    if (connection === undefined) return false
    if (connection.state !== 'closing') return true
    this.#giveWay(connection)
    return false
  }

  #giveWay(connection: Connection): void {
    this.counters.replaced++
    this.#step(connection, 'newer')
  }

  #forget(connection: Connection): void {
    const { keys, machine, connections } = this.#context
    connections.remove(connection)
    machine.pairs.remove(keys.out, keys.in)
  }

  /**
   * Ends the second connection, whatever it expects next: what it has said so, or what was sent since. The entries go first: a packet of the client that finds the server without the connection is answered by a RST
   * (RFC 9293 3.10.7.1), which must not get to the client, whose connection goes on elsewhere.
   */
  #reset(connection: Connection): void {
    const opening = this.#openings.get(connection)
    this.#openings.delete(connection)
    const hasOut = this.#lookUp(connection)
    const end = clientEndOf(connection, this.#in)
    const expected = serverAckOf(connection, hasOut ? this.#out : undefined)
    this.#forget(connection)
    if (opening !== undefined) return this.#handshake.abandon(opening)
    this.#injector.reset(end)
    if (expected !== end) this.#injector.reset(expected)
  }

  #check(connection: Connection): void {
    if (connection.state !== 'gone') this.#look(connection)
    // It has no other deadline.
    if (connection.state === 'gone') this.#context.connections.recycle(connection)
  }

  #look(connection: Connection): void {
    const { keys, machine } = this.#context
    const nowMs = machine.nowMs()
    keys.load(connection.slot)
    // Only the entries know, and they may go now.
    connection.peer ??= this.#peerOf()
    const there = this.#settle(connection, nowMs)
    if (there === 0) {
      // Somebody has emptied the map.
      this.#step(connection, 'taken')
      return
    }
    if ((there & PairThere.settled) !== 0) {
      this.#step(connection, 'quiet')
      return
    }
    const activity = activityOf(connection, this.#out, this.#in)
    const event = eventOf(activity, nowMs, this.#idleMs)
    if (event !== undefined) this.#step(connection, event)
    else if (!hasPackets(this.#out)) this.#packets.repeatRequest(connection)
    if (connection.slot >= 0) this.#lookAfter(connection, nextCheckMs(activity, nowMs, this.#idleMs), nowMs)
  }

  /** Looks at it then, or a moment later, together with others. */
  #lookAfter(connection: Connection, delayMs: number, nowMs: number): void {
    this.deadlines.add(connection, delayMs, Math.ceil(nowMs / togetherMs) * togetherMs)
  }

  /** Reads the entries, and removes them when the connection has been over for long enough. The keys are loaded. Returns `PairThere`. */
  #settle(connection: Connection, nowMs: number): number {
    const { keys, machine } = this.#context
    if (nowMs - connection.injectedMs < lingerMs) return this.#lookUp(connection) ? PairThere.out : 0
    return machine.pairs.settle(keys.out, this.#out, keys.in, this.#in, connection.injectedFlags)
  }
}
