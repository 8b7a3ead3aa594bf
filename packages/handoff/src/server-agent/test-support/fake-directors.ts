/** Directors for tests: what they send, and what is said to them. */

import { endpointOf } from '../../protocol/index.ts'
import type { DirectorPeer } from '../../protocol/index.ts'
import { HandoffOptions } from '../../protocol/messages.ts'
import type { Handoff } from '../../protocol/messages.ts'
import type { Words } from '../context.ts'

/** 16 bytes of an IPv4 address. */
export const mapped = (...parts: readonly number[]): Buffer => Buffer.from([...Buffer.alloc(10), 0xff, 0xff, ...parts])

/** A director that has a session. */
export const peerOf = (last: number): DirectorPeer => ({ director: last, endpoint: endpointOf(mapped(10, 0, 0, last), 4000), heardMs: 0, tag: 0 })

const { timestamps, sack, windowScale } = HandoffOptions
/** Of a client. */
export const request = Buffer.from('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n')

/** A HANDOFF with a request; what differs is said. */
export const handoffOf = (different: Partial<Handoff> = {}): Handoff => ({
  connection: 77,
  generation: 1,
  client: mapped(192, 0, 2, 5),
  vip: mapped(198, 51, 100, 1),
  clientPort: 40_000,
  vipPort: 80,
  clientSequenceNext: 10_000,
  serverSequenceNext: 20_000,
  tsDirector: 900,
  tsClient: 600,
  sendWindow: 64_000,
  receiveWindow: 65_536,
  mss: 1460,
  options: timestamps | sack | windowScale,
  clientScale: 7,
  directorScale: 8,
  flags: 0,
  requestBytes: request.length,
  ...different,
})

/** Writes down what the agent says. */
export class RecordedWords implements Words {
  readonly said: string[] = []
  readonly peers: DirectorPeer[] = []

  accept(peer: DirectorPeer, connection: number, generation: number): void {
    this.said.push(`accept ${peer.director} ${connection}.${generation}`)
  }
  refuse(peer: DirectorPeer, connection: number, generation: number, reason: number): void {
    this.said.push(`refuse ${peer.director} ${connection}.${generation} ${reason}`)
  }
  busy(peer: DirectorPeer, connection: number, generation: number): void {
    this.said.push(`busy ${peer.director} ${connection}.${generation}`)
  }
  released(peer: DirectorPeer, connection: number, generation: number): void {
    this.said.push(`released ${peer.director} ${connection}.${generation}`)
  }
  closed(peer: DirectorPeer, connection: number, generation: number): void {
    this.said.push(`closed ${peer.director} ${connection}.${generation}`)
  }
  owner(peer: DirectorPeer, value: { readonly connection: number; readonly generation: number; readonly mss: number }): void {
    this.said.push(`owner ${peer.director} ${value.connection}.${value.generation} ${value.mss}`)
  }
  peerAt(address: Buffer, port: number): DirectorPeer | undefined {
    return this.peers.find(({ endpoint }) => endpoint.port === port && endpoint.address.equals(address))
  }

  /** What has been said since the last time. */
  take(): string[] {
    return this.said.splice(0)
  }
}
