/** Wrapped packets of clients that come before their connection is ready, which may be a moment later. */

/** How long a packet is kept. */
export const keepMs = 50
const bytesMaxOfFlow = 65_536
const bytesMaxOfAll = 4 * 1024 * 1024

interface EarlyFlow {
  readonly untilMs: number
  readonly packets: Buffer[]
  bytes: number
}

/** Packets by the key of their flow, in the order they came. */
export class EarlyPackets {
  // The order of a Map is the order in which keys were put into it: the first is the first to go.
  readonly #flows = new Map<string, EarlyFlow>()
  #bytes = 0

  /** Keeps a copy of `bytes[from, to)`. False: there is no room for it. */
  keep(flow: string, bytes: Buffer, from: number, to: number, nowMs: number): boolean {
    const length = to - from
    const kept = this.#flows.get(flow) ?? { untilMs: nowMs + keepMs, packets: [], bytes: 0 }
    if (kept.bytes + length > bytesMaxOfFlow || this.#bytes + length > bytesMaxOfAll) return false
    kept.packets.push(Buffer.from(bytes.subarray(from, to)))
    kept.bytes += length
    this.#bytes += length
    this.#flows.set(flow, kept)
    return true
  }

  /** Nearly always there are none at all. */
  get isEmpty(): boolean {
    return this.#flows.size === 0
  }

  /** Those of a flow, which are no longer kept then. */
  take(flow: string): readonly Buffer[] {
    const kept = this.#flows.get(flow)
    if (kept === undefined) return []
    this.#drop(flow, kept)
    return kept.packets
  }

  /** Lets go of those that have been kept for too long. Returns how many packets. */
  expire(nowMs: number): number {
    let packets = 0
    for (const [flow, kept] of this.#flows) {
      if (kept.untilMs > nowMs) break
      packets += kept.packets.length
      this.#drop(flow, kept)
    }
    return packets
  }

  /** When the next are let go of; Infinity when there are none. */
  nextMs(): number {
    for (const kept of this.#flows.values()) return kept.untilMs
    return Infinity
  }

  #drop(flow: string, kept: EarlyFlow): void {
    this.#flows.delete(flow)
    this.#bytes -= kept.bytes
  }
}
