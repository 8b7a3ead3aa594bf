import type { FlowMap } from '../bpf/flow-map.ts'
import type { FlowPairs } from '../bpf/loader/pairs.ts'

/** What a server agent needs of its machine. Tests have one of their own. */
export interface Machine {
  readonly flows: Pick<FlowMap, 'lookup' | 'update' | 'remove' | 'forEach'>
  /** Both entries of a connection at once. */
  readonly pairs: Pick<FlowPairs, 'write' | 'read' | 'settle' | 'remove'>
  /** Puts `packet[0, lengthBytes)`, an IP packet, on its way to the server. Returns -errno when it could not. */
  send(packet: Buffer, lengthBytes: number): number
  /**
   * The same for a packet that opens a connection by itself (`programs/open.ts`): 1 when it has, 0 when the entry says what has become of it. Undefined where the kernel cannot do
   * that.
   */
  readonly open: ((packet: Buffer, lengthBytes: number) => number) | undefined
  /** CLOCK_MONOTONIC, in ms; within a turn of the loop it may stand still. */
  nowMs(): number
  after(delayMs: number, action: () => void): void
  /** Wrapped packets are taken from this address (16 bytes), or no longer. */
  trust(address: Buffer): void
  distrust(address: Buffer): void
}
