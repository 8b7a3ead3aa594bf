/**
 * Memory that writes may ask for, of one worker: a transfer is admitted whole or waits, so that those that are admitted can always end. One alone
 * is admitted whatever its size.
 */
export class SolicitationBudget {
  readonly #limitBytes: number
  #usedBytes = 0
  readonly #waiting: { readonly bytes: number; readonly admit: () => void }[] = []

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Calls `admit` now, or when others have ended. */
  ask(bytes: number, admit: () => void): void {
    this.#waiting.push({ bytes, admit })
    this.#next()
  }

  /** What was admitted has ended. */
  giveBack(bytes: number): void {
    this.#usedBytes -= bytes
    this.#next()
  }

  /** Does not want any more. True when it had been waiting, and nothing is to be given back. */
  withdraw(admit: () => void): boolean {
    const at = this.#waiting.findIndex(waiting => waiting.admit === admit)
    if (at >= 0) this.#waiting.splice(at, 1)
    return at >= 0
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#usedBytes > 0 && this.#usedBytes + first.bytes > this.#limitBytes) return
      this.#waiting.shift()
      this.#usedBytes += first.bytes
      first.admit()
    }
  }
}
