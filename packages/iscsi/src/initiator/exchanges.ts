/** What is not a task and has an answer: task management, text, logout, pings. By initiator task tag. */
import type { Connection } from './connection.ts'
import { IscsiError } from './errors.ts'

interface Exchange {
  readonly connection: Connection
  readonly what: string
  readonly resolve: (answer: ExchangeAnswer) => void
  readonly reject: (reason: unknown) => void
}

/** The answer: its header, and a copy of its data. */
export interface ExchangeAnswer {
  readonly header: Buffer
  readonly data: Buffer
}

/** All of a session that wait. */
export class Exchanges {
  readonly #waiting = new Map<number, Exchange>()

  /** The answer to what is sent with a tag. Rejects with IscsiError `CONNECTION_LOST`, `REJECTED`, `CLOSED`. */
  async wait(tag: number, connection: Connection, what: string): Promise<ExchangeAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(tag, { connection, what, resolve, reject })
    })
  }

  has(tag: number): boolean {
    return this.#waiting.has(tag)
  }

  /** Hands an answer over; false when nobody waits for it. */
  answer(tag: number, answer: ExchangeAnswer): boolean {
    const exchange = this.#waiting.get(tag)
    this.#waiting.delete(tag)
    exchange?.resolve(answer)
    return exchange !== undefined
  }

  /** The target does not take it. */
  reject(tag: number, reason: string): void {
    const exchange = this.#waiting.get(tag)
    this.#waiting.delete(tag)
    exchange?.reject(new IscsiError('REJECTED', `${exchange.what}: ${reason}`))
  }

  /** Ends all on a connection, or all. */
  drop(error: Error, connection?: Connection): void {
    for (const [tag, exchange] of this.#waiting) {
      if (connection !== undefined && exchange.connection !== connection) continue
      this.#waiting.delete(tag)
      exchange.reject(error)
    }
  }
}
