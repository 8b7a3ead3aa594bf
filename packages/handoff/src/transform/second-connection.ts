/**
 * The second connection: how the server agent opens it with the client's own addresses and numbers, and what has to be added to packets from then on.
 *
 * Names of the formulas: A `clientSequenceNext`, B `serverSequenceNext`, L bytes of the request that is sent, I the server's initial sequence number and T its TSval, both of the SYN-ACK.
 * With A − L − 1 as the initial sequence number of the SYN, the client's numbers need no change at all.
 */

import { AgentEntry, AgentState, Asked } from '../bpf/entries.ts'
import { offsetsOf } from '../bpf/offsets.ts'
import { HandoffFlags, HandoffOptions } from '../protocol/messages.ts'
import type { Handoff } from '../protocol/messages.ts'
import { writeNoAnswers } from './answers.ts'
import { setBare, setEnds } from './segment.ts'
import type { Segment } from './segment.ts'
import { copyAddress, TcpFlag, writeFlowKey } from './packet.ts'
import { minus, plus } from './sequence.ts'

/** Where the second connection goes. */
export interface SecondConnection {
  /** The server, 16 bytes. */
  readonly server: Uint8Array
  readonly serverPort: number
  /** The client's own, unless that is taken. */
  readonly sourcePort: number
}

/** What of the server's SYN-ACK counts. */
export interface ServerNumbers {
  /** I. */
  readonly sequence: number
  /** T; any number where there are no timestamps. */
  readonly tsVal: number
  /** 0 where windows are not scaled. */
  readonly scale: number
}

/** Who handed the connection over. */
export interface DirectorName {
  readonly address: Uint8Array
  readonly port: number
}

const windowMax = 0xffff
const finBytes = (handoff: Handoff): number => ((handoff.flags & HandoffFlags.clientFinished) === 0 ? 0 : 1)

/** Where the request begins: A − L (a FIN of the client counts too). */
export const requestSequence = (handoff: Handoff): number => minus(handoff.clientSequenceNext, handoff.requestBytes + finBytes(handoff))

/** The SYN: the client's options, and no other. Its sequence number is A − L − 1. */
export function setSyn(segment: Segment, handoff: Handoff, second: SecondConnection): void {
  setBare(segment)
  setEnds(segment, handoff.client, second.sourcePort, second.server, second.serverPort)
  segment.sequence = minus(requestSequence(handoff), 1)
  segment.acknowledgement = 0
  segment.flags = TcpFlag.syn
  // A window in a SYN is never scaled (RFC 7323 2.2).
  segment.window = Math.min(windowMax, handoff.sendWindow)
  const { options } = segment
  options.mss = handoff.mss
  options.sackPermitted = (handoff.options & HandoffOptions.sack) !== 0
  options.windowScale = (handoff.options & HandoffOptions.windowScale) === 0 ? -1 : handoff.clientScale
  options.timestamps = (handoff.options & HandoffOptions.timestamps) !== 0
  options.tsVal = handoff.tsClient
  options.tsEcr = 0
}

/** Third packet of the handshake and the request in one: sequence number A − L, acknowledgement I + 1. */
export function setRequest(
  segment: Segment,
  handoff: Handoff,
  second: SecondConnection,
  numbers: ServerNumbers,
  request: { readonly bytes: Uint8Array; readonly from: number; readonly end: number },
): void {
  setBare(segment)
  setEnds(segment, handoff.client, second.sourcePort, second.server, second.serverPort)
  segment.sequence = requestSequence(handoff)
  segment.acknowledgement = plus(numbers.sequence, 1)
  segment.flags = TcpFlag.ack | TcpFlag.psh | (finBytes(handoff) === 1 ? TcpFlag.fin : 0)
  segment.window = windowField(handoff)
  segment.options.timestamps = (handoff.options & HandoffOptions.timestamps) !== 0
  segment.options.tsVal = handoff.tsClient
  segment.options.tsEcr = numbers.tsVal
  segment.payload = request.bytes
  segment.payloadFrom = request.from
  segment.payloadEnd = request.end
}

/** What the client takes, as a header has it. */
export function windowField(handoff: Handoff): number {
  const scale = (handoff.options & HandoffOptions.windowScale) === 0 ? 0 : handoff.clientScale
  return Math.min(windowMax, Math.floor(handoff.sendWindow / 2 ** scale))
}

const at = offsetsOf(AgentEntry)
const askedAt = offsetsOf(Asked)

function writeU64(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(value >>> 0, offset)
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4)
}

/** What both entries of a connection have, and zeros for the rest. */
function writeCommon(entry: Buffer, handoff: Handoff, director: DirectorName, nowNs: number): void {
  entry.fill(0, 0, AgentEntry.fixedSize)
  writeU64(entry, nowNs, at.lastNs)
  writeU64(entry, handoff.connection, at.connection)
  entry.writeUInt32LE(handoff.generation, at.generation)
  copyAddress(entry, at.director, director.address)
  entry.writeUInt16BE(director.port, at.directorPort)
  entry.writeUInt16LE(handoff.mss, at.mss)
  entry[at.options] = handoff.options
  entry[at.clientScale] = handoff.clientScale
  entry[at.directorScale] = handoff.directorScale
  entry.writeUInt32LE(handoff.receiveWindow, at.receiveWindow)
}

/** Key of the entry `out`: server → client. */
export const writeOutKey = (key: Buffer, handoff: Handoff, second: SecondConnection): void =>
  writeFlowKey(key, second.server, handoff.client, second.serverPort, second.sourcePort)

/** Key of the entry `in`: client → VIP. */
export const writeInKey = (key: Buffer, handoff: Handoff): void => writeFlowKey(key, handoff.client, handoff.vip, handoff.clientPort, handoff.vipPort)

/** The entry `out` while the SYN is on its way. */
export function writeHandshake(entry: Buffer, handoff: Handoff, director: DirectorName, nowNs: number): void {
  writeCommon(entry, handoff, director, nowNs)
  copyAddress(entry, at.newSource, handoff.vip)
  copyAddress(entry, at.newDestination, handoff.client)
  entry.writeUInt16BE(handoff.vipPort, at.newSourcePort)
  entry.writeUInt16BE(handoff.clientPort, at.newDestinationPort)
  entry[at.state] = AgentState.handshake
}

/** The entry `out` from then on. dOut = B − (I + 1); tOut = `tsDirector` − T. */
export function writeOut(entry: Buffer, handoff: Handoff, numbers: ServerNumbers, director: DirectorName, nowNs: number): void {
  writeHandshake(entry, handoff, director, nowNs)
  entry[at.state] = AgentState.established
  entry.writeUInt32LE(sequenceDifference(handoff, numbers), at.addSequence)
  entry.writeUInt32LE(timestampDifference(handoff, numbers), at.addTsVal)
  if ((handoff.options & HandoffOptions.windowScale) !== 0) {
    entry[at.windowScaleFrom] = numbers.scale
    entry[at.windowScaleTo] = handoff.directorScale
  }
  entry.writeUInt32LE(handoff.serverSequenceNext, at.sequenceEndMax)
  entry.writeUInt32LE(handoff.clientSequenceNext, at.lastAck)
  writeNoAnswers(entry, at.synAck, handoff.serverSequenceNext)
}

/** The entry `in`: ack − dOut; TSecr − tOut. */
export function writeIn(
  entry: Buffer,
  handoff: Handoff,
  second: SecondConnection,
  numbers: ServerNumbers,
  director: DirectorName,
  nowNs: number,
): void {
  writeCommon(entry, handoff, director, nowNs)
  copyAddress(entry, at.newSource, handoff.client)
  copyAddress(entry, at.newDestination, second.server)
  entry.writeUInt16BE(second.sourcePort, at.newSourcePort)
  entry.writeUInt16BE(second.serverPort, at.newDestinationPort)
  entry[at.state] = AgentState.established
  entry[at.direction] = 1
  entry.writeUInt32LE(minus(0, sequenceDifference(handoff, numbers)), at.addAcknowledgement)
  entry.writeUInt32LE(minus(0, timestampDifference(handoff, numbers)), at.addTsEcr)
  entry.writeUInt32LE(handoff.clientSequenceNext, at.sequenceEndMax)
  entry.writeUInt32LE(plus(numbers.sequence, 1), at.lastAck)
  entry.writeUInt32LE(handoff.clientSequenceNext, at.synAck + askedAt.end)
}

const sequenceDifference = (handoff: Handoff, numbers: ServerNumbers): number => minus(handoff.serverSequenceNext, plus(numbers.sequence, 1))

const timestampDifference = (handoff: Handoff, numbers: ServerNumbers): number =>
  (handoff.options & HandoffOptions.timestamps) === 0 ? 0 : minus(handoff.tsDirector, numbers.tsVal)
