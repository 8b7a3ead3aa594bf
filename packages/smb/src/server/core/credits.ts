/**
 * The command sequence window and the granting of credits (MS-SMB2 3.3.1.1, 3.3.1.2, 3.3.4.1.2, 3.3.5.2.3).
 *
 * The window is [low, high): MessageIds the client may use. `low` is the lowest that has not been used. Ids that were used out of order
 * are marked in a ring of bits, so that the everyday case (ids come in order) is one comparison and one addition.
 */
import { UsageError } from '@holdfast/wire'

/** What Windows Server 2016 and later allow at most, and clients expect to get when they ask. */
export const creditsMaxDefault = 8192

const lenientExtra = 16

/** How a command is granted credits: NEGOTIATE and the legs of SESSION_SETUP before the last get only what they cost. */
export type GrantPolicy = 'as-requested' | 'charge-only'

export class CreditWindow {
  readonly #sizeMax: number
  readonly #used: Uint32Array
  #low: number
  #high: number
  /** Ids above `low` that were used. */
  #outOfOrder = 0
  /** Lenient mode: the highest id taken, 0 before the first. */
  #lastSeen: number | undefined

  /**
   * @param options.creditsMax greatest width of the window, a power of two (default 8192).
   * @param options.low the first MessageId (1 after a multi-protocol negotiation).
   * @param options.lenient goes on for a worker that died with its window: ids near the last one seen are taken, and responses grant what
   * their requests cost and a little more.
   */
  constructor(options: { readonly creditsMax?: number; readonly low?: number; readonly lenient?: boolean } = {}) {
    const creditsMax = options.creditsMax ?? creditsMaxDefault
    if (!Number.isInteger(creditsMax) || creditsMax < 32 || (creditsMax & (creditsMax - 1)) !== 0) {
      throw new UsageError('credits_max', 'creditsMax must be a power of two, at least 32')
    }
    this.#sizeMax = creditsMax
    this.#used = new Uint32Array(creditsMax / 32)
    this.#low = options.low ?? 0
    this.#high = this.#low + 1
    this.#lastSeen = options.lenient === true ? 0 : undefined
  }

  /** The lowest MessageId not used yet. */
  get low(): number {
    return this.#low
  }

  /** MessageIds from here on were not granted. */
  get high(): number {
    return this.#high
  }

  /**
   * Uses up `charge` ids from `messageId`. False when one of them is outside the window or was used before: the connection must be closed
   * (3.3.5.2.3); the window is worthless then.
   */
  take(messageId: number, charge: number): boolean {
    const end = messageId + charge
    if (this.#lastSeen !== undefined) return this.#takeLeniently(messageId, end)
    if (messageId < this.#low || end > this.#high) return false
    if (messageId === this.#low) {
      // Of ids further on some may have been used before.
      for (let id = messageId + 1; id < end; id++) if (this.#isUsed(id)) return false
      this.#low = end
      this.#advance(end)
      return true
    }
    for (let id = messageId; id < end; id++) {
      if (this.#isUsed(id)) return false
      this.#used[(id & (this.#sizeMax - 1)) >>> 5] |= 1 << (id & 31)
    }
    this.#outOfOrder += charge
    return true
  }

  #takeLeniently(messageId: number, end: number): boolean {
    const near = this.#lastSeen === 0 || Math.abs(messageId - this.#lastSeen!) <= this.#sizeMax
    if (near) this.#lastSeen = Math.max(this.#lastSeen!, end - 1)
    return near
  }

  #isUsed(id: number): boolean {
    return this.#outOfOrder > 0 && (this.#used[(id & (this.#sizeMax - 1)) >>> 5] & (1 << (id & 31))) !== 0
  }

  /** `low` has moved to `end`: goes on over what was used out of order, clearing the bits. */
  #advance(end: number): void {
    if (this.#outOfOrder === 0) return
    let id = end
    while (id < this.#high && this.#isUsed(id)) {
      this.#used[(id & (this.#sizeMax - 1)) >>> 5] &= ~(1 << (id & 31))
      this.#outOfOrder -= 1
      id++
    }
    this.#low = id
  }

  /**
   * Credits for a response, added to the window: what the request cost plus what it asked for beyond one, as far as the window may grow
   * (3.3.4.1.2). The client gets at least one whenever the window has room for it.
   */
  grant(charge: number, requested: number, policy: GrantPolicy = 'as-requested'): number {
    const wantedMax = policy === 'charge-only' ? charge : charge + Math.max(0, requested - 1)
    if (this.#lastSeen !== undefined) return Math.min(wantedMax, charge + lenientExtra)
    const room = this.#sizeMax - (this.#high - this.#low)
    const granted = Math.min(wantedMax, room, 0xffff)
    this.#high += granted
    return granted
  }
}
