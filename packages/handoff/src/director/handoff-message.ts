/** Messages about a connection, made of what is known of it. Each is one object that is used again and again. */
import { TcpFlag } from '../transform/index.ts'
import { ReleaseFlags } from '../protocol/index.ts'
import type { Agent } from './agents.ts'
import type { ClientPacket } from './client-packet.ts'
import type { Connection } from './connection.ts'
import type { Vip } from './core.ts'
import { portOf, writeClient } from './flow.ts'
import type { Gathered } from './gathered.ts'

const handoff = {
  connection: 0,
  generation: 0,
  client: Buffer.alloc(16),
  vip: Buffer.alloc(16),
  clientPort: 0,
  vipPort: 0,
  clientSequenceNext: 0,
  serverSequenceNext: 0,
  tsDirector: 0,
  tsClient: 0,
  sendWindow: 0,
  receiveWindow: 0,
  mss: 0,
  options: 0,
  clientScale: 0,
  directorScale: 0,
  flags: 0,
}
const following = { connection: 0, generation: 0, sequence: 0, acknowledgement: 0, tsVal: 0, tsEcr: 0, window: 0, flags: 0 }
const release = { connection: 0, generation: 0, clientAck: 0, flags: 0 }

/** HANDOFF with the request `bytes[0, length)`. False: there is no session. */
export function sendHandoff(vip: Vip, connection: Connection, agent: Agent, bytes: Buffer, length: number): boolean {
  handoff.connection = connection.number
  handoff.generation = connection.generation
  writeClient(connection.flow, handoff.client)
  handoff.vip.set(vip.address)
  handoff.clientPort = portOf(connection.flow)
  handoff.vipPort = vip.port
  handoff.clientSequenceNext = connection.clientSequenceNext
  handoff.serverSequenceNext = connection.serverSequenceNext
  handoff.tsDirector = connection.tsDirector
  handoff.tsClient = connection.tsClient
  handoff.sendWindow = connection.sendWindow
  handoff.receiveWindow = connection.receiveWindow
  handoff.mss = connection.mss
  handoff.options = connection.options
  handoff.clientScale = connection.clientScale
  handoff.directorScale = connection.directorScale
  handoff.flags = connection.handoffFlags
  return agent.link.sendHandoff(handoff, bytes, 0, length)
}

/** A client's packet to the owner: as it is, or, when it is too long for that, as CONTINUE. */
export function sendPacket(connection: Connection, agent: Agent, packet: ClientPacket): void {
  if (!agent.link.sendPacket(packet.bytes, packet.from, packet.end)) sendPart(connection, agent, packet, packet.payloadBytes)
}

/** The first bytes of a packet's payload, as CONTINUE; the flags of the packet belong to its end. */
export function sendPart(connection: Connection, agent: Agent, packet: ClientPacket, length: number): void {
  following.connection = connection.number
  following.generation = connection.generation
  following.sequence = packet.sequence
  following.acknowledgement = packet.acknowledgement
  following.tsVal = packet.options.tsVal
  following.tsEcr = packet.options.tsEcr
  following.window = packet.window
  following.flags = length === packet.payloadBytes ? packet.flags : TcpFlag.ack
  agent.link.sendContinue(following, packet.bytes, packet.payloadFrom, packet.payloadFrom + length)
}

/** The first bytes of what was gathered, as CONTINUE; with the client's FIN when it follows them. */
export function sendGathered(connection: Connection, agent: Agent, gathered: Gathered, length: number): void {
  const isEnd = gathered.finished && length === gathered.length
  following.connection = connection.number
  following.generation = connection.generation
  following.sequence = gathered.sequence
  following.acknowledgement = gathered.acknowledgement
  following.tsVal = gathered.tsVal
  following.tsEcr = gathered.tsEcr
  following.window = gathered.window
  following.flags = TcpFlag.ack | TcpFlag.psh | (isEnd ? TcpFlag.fin : 0)
  agent.link.sendContinue(following, gathered.bytes, 0, length)
}

/** What a packet of the client says besides its bytes. */
export interface Said {
  readonly acknowledgement: number
  readonly window: number
  readonly tsVal: number
  readonly tsEcr: number
}

/** A FIN at `sequence` that the client has not sent: to the owner, nothing more comes. */
export function sendEnd(connection: Connection, agent: Agent, sequence: number, { acknowledgement, window, tsVal, tsEcr }: Said): void {
  following.connection = connection.number
  following.generation = connection.generation
  following.sequence = sequence
  following.acknowledgement = acknowledgement
  following.tsVal = tsVal
  following.tsEcr = tsEcr
  following.window = window
  following.flags = TcpFlag.ack | TcpFlag.fin
  agent.link.sendContinue(following, nothing, 0, 0)
}

const nothing = Buffer.alloc(0)

/** RELEASE: `clientAck` is what the client has acknowledged. */
export function sendRelease(connection: Connection, agent: Agent, clientAck: number, how?: keyof typeof ReleaseFlags): void {
  release.connection = connection.number
  release.generation = connection.generation
  release.clientAck = clientAck
  release.flags = how === undefined ? 0 : ReleaseFlags[how]
  agent.link.sendRelease(release)
}
