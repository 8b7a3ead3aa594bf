/** Credits and message ids of a connection (MS-SMB2 3.2.4.1.2, 3.2.4.1.5, 3.2.5.1.4). */

/** Bytes of payload that one credit pays for (MS-SMB2 3.1.5.2). */
export const bytesPerCredit = 65_536

/** CreditCharge of a request: for the larger of what it sends and what it asks for. */
export const creditCharge = (payloadBytes: number): number => 1 + Math.floor(Math.max(0, payloadBytes - 1) / bytesPerCredit)

/** What a header asks for at most: CreditRequest has 16 bits. */
const requestMax = 0xffff

/** The sequence window: which message ids may be used, and how many more to ask for. Starts with the one credit of NEGOTIATE. */
export class CreditWindow {
  readonly #target: number
  #available = 1
  #inFlight = 0
  // 2^53 messages are more than any connection sends.
  #nextMessageId = 0

  /** @param target Credits to have in all; grows towards it with each request. */
  constructor(target: number) {
    this.#target = target
  }

  /** Credits that can be spent at once. */
  get available(): number {
    return this.#available
  }

  /** All credits: those at hand, and those spent on requests that are not answered. */
  get total(): number {
    return this.#available + this.#inFlight
  }

  /** Spends `charge` credits: the first message id of that many; undefined when there are fewer. */
  take(charge: number): number | undefined {
    if (charge > this.#available) return undefined
    const first = this.#nextMessageId
    this.#available -= charge
    this.#inFlight += charge
    this.#nextMessageId += charge
    return first
  }

  /** Takes back what was taken last, because nothing was sent. */
  putBack(charge: number): void {
    this.#available += charge
    this.#inFlight -= charge
    this.#nextMessageId -= charge
  }

  /** What a request of this charge, taken already, asks for: as much as it costs, and growth. */
  request(charge: number): number {
    return Math.min(requestMax, charge + Math.max(0, this.#target - this.total))
  }

  /** A response grants credits (also an interim one). */
  grant(credits: number): void {
    this.#available += credits
  }

  /** A request is answered for good: what it cost is not in flight any more. */
  finish(charge: number): void {
    this.#inFlight -= charge
  }
}
