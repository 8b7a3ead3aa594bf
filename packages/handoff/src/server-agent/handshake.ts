/** How a second connection is opened: entry, SYN, SYN-ACK, entries, ACK and request. All of it has happened when the raw socket's sendto returns, nearly always. */

import { errno } from '@holdfast/posix'
import { AgentEntry, AgentState, Captured } from '../bpf/entries.ts'
import { UpdateMode } from '../bpf/flow-map.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { HandoffFlags, RefuseReason } from '../protocol/messages.ts'
import type { Handoff } from '../protocol/messages.ts'
import type { DirectorPeer } from '../protocol/index.ts'
import { requestSequence, setRequest, setSyn, windowField, writeHandshake, writeIn, writeOut } from '../transform/second-connection.ts'
import { TcpFlag } from '../transform/packet.ts'
import { minus } from '../transform/sequence.ts'
import type { Connection } from './connections.ts'
import type { AgentContext } from './context.ts'
import type { Injector } from './injector.ts'
import { attemptsMax, mayBeOfAnother, outcomeOf, portOfAttempt } from './ports.ts'
import { faultOf, newSynAck, readSynAck } from './syn-ack.ts'
import type { SynAckFault } from './syn-ack.ts'

/** A hand-off on its way. */
export interface Opening {
  readonly connection: Connection
  readonly peer: DirectorPeer
  readonly handoff: Handoff
  /** The request is `bytes[from, to)`. */
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
  /** When it is too late to take the connection, by the machine's clock (`handoffGoodForMs`). */
  readonly goodUntilMs: number
  /** SYNs that did not lead anywhere. */
  attempt: number
  /** How often there was no answer to the last one. */
  looks: number
  /** The request itself is to open the connection. */
  isDirect: boolean
}

/** When it is looked again for an answer that is not there at once. */
export const lookAgainMs = [1, 4] as const

/** What has become of an opening; a `RefuseReason` otherwise. */
export const Verdict = { established: 0, wait: -1, otherPort: -2, otherWay: -3 } as const

/** A longer request has a handshake, which says how much the server takes at first. */
export const directRequestBytesMax = 4096

const at = offsetsOf(AgentEntry)
const faultVerdict: Readonly<Record<SynAckFault, number>> = {
  // An answer to somebody else's SYN: the port is in use.
  otherSequence: Verdict.otherPort,
  optionMissing: RefuseReason.optionMissing,
  windowTooSmall: RefuseReason.system,
}
const noRoomErrors: ReadonlySet<number> = new Set([-errno.E2BIG, -errno.ENOMEM, -errno.EBUSY])
const reasonOf = (result: number): number => (noRoomErrors.has(result) ? RefuseReason.noRoom : RefuseReason.system)

/** The director's number in an entry. */
export const connectionOf = (entry: Buffer): number => entry.readUInt32LE(at.connection) + entry.readUInt32LE(at.connection + 4) * 2 ** 32

/** Opens second connections. The keys of the connection are loaded whenever something of this is called. */
export class Handshake {
  readonly #context: AgentContext
  readonly #injector: Injector
  readonly #entry = Buffer.alloc(AgentEntry.fixedSize)
  readonly #in = Buffer.alloc(AgentEntry.fixedSize)
  readonly #synAck = newSynAck()
  readonly #second: { server: Buffer; serverPort: number; sourcePort: number }
  readonly #occupied: (number: number) => boolean

  /** `occupied` says whether the connection that has an entry still needs it. */
  constructor(context: AgentContext, injector: Injector, occupied: (number: number) => boolean) {
    this.#context = context
    this.#injector = injector
    this.#occupied = occupied
    this.#second = { server: context.server.address, serverPort: context.server.port, sourcePort: 0 }
  }

  /** Goes as far as it gets. Returns `Verdict`, but never `otherPort`, or a `RefuseReason`; with the latter nothing is left. */
  open(opening: Opening): number {
    opening.isDirect = this.#context.machine.open !== undefined && opening.handoff.requestBytes <= directRequestBytesMax
    const opened = opening.isDirect ? this.#openDirectly(opening) : Verdict.otherWay
    return opened === Verdict.otherWay ? this.#shakeHands(opening) : opened
  }

  #shakeHands(opening: Opening): number {
    opening.isDirect = false
    for (; opening.attempt < attemptsMax; opening.attempt++) {
      const verdict = this.#sendSyn(opening) || this.#look(opening)
      if (verdict !== Verdict.otherPort) return verdict
    }
    return RefuseReason.noRoom
  }

  /** Looks again for the answer after `Verdict.wait`, and goes on. */
  lookAgain(opening: Opening): number {
    this.#context.counters.secondLooks++
    const verdict = opening.isDirect ? this.#lookDirectly(opening) : this.#look(opening)
    if (verdict !== Verdict.otherPort && verdict !== Verdict.otherWay) return verdict
    if (verdict === Verdict.otherPort) opening.attempt++
    opening.looks = 0
    return this.#shakeHands(opening)
  }

  /** Ends the server's part of one that waits; its entries are the caller's. */
  abandon({ handoff }: Opening): void {
    this.#injector.reset(requestSequence(handoff))
  }

  /**
   * Opens the connection by the request itself, whose numbers the server goes on with: I = B − 1, T = `tsDirector`. What is in the way is left to the handshake
   * to find out (`otherWay`).
   */
  #openDirectly(opening: Opening): number {
    const { connection, handoff, peer, bytes, from, to } = opening
    const { keys, machine, requests } = this.#context
    const numbers = this.#synAck
    numbers.sequence = minus(handoff.serverSequenceNext, 1)
    numbers.tsVal = handoff.tsDirector
    numbers.scale = handoff.directorScale
    this.#second.sourcePort = keys.secondPort
    const nowNs = machine.nowMs() * 1e6
    writeOut(this.#entry, handoff, numbers, peer.endpoint, nowNs)
    this.#entry[at.state] = AgentState.handshake
    writeIn(this.#in, handoff, this.#second, numbers, peer.endpoint, nowNs)
    const result = machine.pairs.write(keys.out, this.#entry, keys.in, this.#in)
    if (result < 0) return result === -errno.EEXIST ? Verdict.otherWay : reasonOf(result)
    setNumbers(connection, this.#entry, handoff)
    setRequest(this.#injector.segment, handoff, this.#second, numbers, { bytes, from, end: to })
    connection.requestAt = requests.keep(bytes, from, to)
    const opened = this.#injector.open()
    if (opened > 0) return Verdict.established
    return opened < 0 ? this.#giveUpDirect(RefuseReason.system) : this.#lookDirectly(opening)
  }

  /** What has become of a request that was to open the connection, when that is not known yet. */
  #lookDirectly(opening: Opening): number {
    const { keys, machine } = this.#context
    if (!machine.flows.lookup(keys.out, this.#entry)) return RefuseReason.system
    if (this.#entry[at.state] === AgentState.established) return Verdict.established
    const isSilent = this.#entry[at.captured] === Captured.nothing
    // Another CPU has the packet: nothing else may be sent before it is known what becomes of it.
    if (isSilent && opening.looks++ < lookAgainMs.length) return Verdict.wait
    opening.isDirect = false
    return this.#giveUpDirect(Verdict.otherWay)
  }

  #giveUpDirect(verdict: number): number {
    const { keys, machine } = this.#context
    machine.pairs.remove(keys.out, keys.in)
    return verdict
  }

  /** Writes the entry of the server's packets, unless it is of a connection that lives (-EEXIST). */
  #claim(connection: Connection): number {
    const { keys, machine } = this.#context
    const result = machine.flows.update(keys.out, this.#entry, UpdateMode.new)
    if (result !== -errno.EEXIST || this.#isOccupied(connection)) return result
    return machine.flows.update(keys.out, this.#entry)
  }

  /** Entry and SYN. Returns 0 when both are out. */
  #sendSyn({ attempt, handoff, connection, peer }: Opening): number {
    const { keys, machine, counters } = this.#context
    if (attempt > 0) {
      counters.otherPorts++
      keys.secondPort = portOfAttempt(attempt, keys.clientPort)
      keys.keepAt(connection.slot)
    }
    this.#second.sourcePort = keys.secondPort
    writeHandshake(this.#entry, handoff, peer.endpoint, machine.nowMs() * 1e6)
    counters.handshakes++
    const result = this.#claim(connection)
    if (result === -errno.EEXIST) return Verdict.otherPort
    if (result < 0) return reasonOf(result)
    setSyn(this.#injector.segment, handoff, this.#second)
    if (this.#injector.send() >= 0) return 0
    machine.flows.remove(keys.out)
    return RefuseReason.system
  }

  /** Whether the port that `connection` would have is of one that lives. */
  #isOccupied(connection: Connection): boolean {
    const { keys, machine } = this.#context
    const entry = Buffer.alloc(AgentEntry.fixedSize)
    if (!machine.flows.lookup(keys.out, entry)) return false
    const isOccupied = this.#occupied(connectionOf(entry))
    // Those of the other one are loaded when it has given way.
    keys.load(connection.slot)
    return isOccupied
  }

  /** What the entry says of the server's answer. */
  #look(opening: Opening): number {
    const { keys, machine } = this.#context
    if (!machine.flows.lookup(keys.out, this.#entry)) return RefuseReason.system
    const outcome = outcomeOf(this.#entry[at.captured], this.#entry.readUInt32LE(at.flagsSeen))
    if (outcome === 'answered') return this.#answered(opening)
    const isSilent = outcome === 'silence'
    if (isSilent && opening.looks++ < lookAgainMs.length) return Verdict.wait
    const isElsewhere = outcome === 'inUse' || mayBeOfAnother(outcome, opening.attempt)
    return this.#giveUp(opening, isSilent, isElsewhere ? Verdict.otherPort : RefuseReason.serverDown)
  }

  #answered(opening: Opening): number {
    const { handoff } = opening
    const { requestBytes, options } = handoff
    if (!readSynAck(this.#entry, at.synAck, this.#synAck)) return this.#giveUp(opening, false, Verdict.otherPort)
    const fault = faultOf(this.#synAck, { sequence: minus(requestSequence(handoff), 1), options, requestBytes })
    if (fault !== undefined) return this.#giveUp(opening, fault !== 'otherSequence', faultVerdict[fault])
    return this.#establish(opening)
  }

  #establish(opening: Opening): number {
    const { connection, handoff, peer, bytes, from, to } = opening
    const { keys, machine, requests } = this.#context
    const nowNs = machine.nowMs() * 1e6
    const synAck = this.#synAck
    this.#second.sourcePort = keys.secondPort
    writeOut(this.#entry, handoff, synAck, peer.endpoint, nowNs)
    const result = machine.flows.update(keys.out, this.#entry, UpdateMode.existing)
    if (result < 0) return this.#giveUp(opening, true, reasonOf(result))
    setNumbers(connection, this.#entry, handoff)
    writeIn(this.#in, handoff, this.#second, synAck, peer.endpoint, nowNs)
    const inResult = machine.flows.update(keys.in, this.#in)
    if (inResult < 0) return this.#giveUp(opening, true, reasonOf(inResult))
    setRequest(this.#injector.segment, handoff, this.#second, synAck, { bytes, from, end: to })
    connection.requestAt = requests.keep(bytes, from, to)
    if (this.#injector.send() >= 0) return Verdict.established
    machine.flows.remove(keys.in)
    return this.#giveUp(opening, true, RefuseReason.system)
  }

  /** The entry goes, and so does what the server has of it: its next sequence number is that after the SYN. */
  #giveUp({ handoff }: Opening, reset: boolean, verdict: number = RefuseReason.system): number {
    const { keys, machine } = this.#context
    if (reset) this.#injector.reset(requestSequence(handoff))
    machine.flows.remove(keys.out)
    return verdict
  }
}

/** What is added to numbers, as the entry of the server's packets has it. */
function setNumbers(connection: Connection, out: Buffer, handoff: Handoff): void {
  connection.addSequence = out.readUInt32LE(at.addSequence)
  connection.addTsVal = out.readUInt32LE(at.addTsVal)
  connection.window = windowField(handoff)
}

/** What a connection remembers of its hand-off. */
export function remember(connection: Connection, { handoff, bytes, from, to }: Opening, nowMs: number): void {
  connection.injected.begin(handoff.clientSequenceNext, bytes, from, to)
  connection.serverSequenceNext = handoff.serverSequenceNext
  connection.requestBytes = handoff.requestBytes
  connection.requestTsVal = handoff.tsClient
  connection.requestTsEcr = handoff.tsDirector
  connection.injectedEnd = handoff.clientSequenceNext
  connection.injectedFlags = (handoff.flags & HandoffFlags.clientFinished) === 0 ? 0 : TcpFlag.fin
  connection.injectedMs = nowMs
  connection.mss = handoff.mss
  connection.options = handoff.options
  connection.clientScale = handoff.clientScale
  connection.directorScale = handoff.directorScale
  connection.receiveWindow = handoff.receiveWindow
}

/** A hand-off that outlives the message it came in. */
export function copyOf(opening: Opening): Opening {
  const { handoff, bytes, from, to } = opening
  const request = Buffer.from(bytes.subarray(from, to))
  const kept = { ...handoff, client: Buffer.from(handoff.client), vip: Buffer.from(handoff.vip) }
  return { ...opening, handoff: kept, bytes: request, from: 0, to: request.length }
}
