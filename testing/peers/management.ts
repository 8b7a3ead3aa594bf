/** The management API as a script uses it: by requests, without the event stream. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, login } from './management-client.ts'
import type { Account, Endpoint } from './server.ts'

/** An object of the API: the tests know what it has. */
export type Item = Readonly<Record<string, unknown>>

const pollMs = 20
const ended: ReadonlySet<unknown> = new Set(['succeeded', 'failed', 'cancelled'])

/** Somebody who has logged in. */
export class Management {
  readonly #endpoint: Endpoint
  readonly #token: string

  private constructor(endpoint: Endpoint, token: string) {
    this.#endpoint = endpoint
    this.#token = token
  }

  /** Throws where the login fails. */
  static async login(endpoint: Endpoint, { user, password }: Account): Promise<Management> {
    return new Management(endpoint, await login(endpoint, user, password))
  }

  async get(path: string): Promise<Item> {
    return (await ask(this.#endpoint, { path, token: this.#token })).value
  }

  /** Has something done, and waits for the end of that: its result, or the problem. */
  async do(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Item | null> {
    const receipt = await ask(this.#endpoint, { method, path, body, token: this.#token })
    if (receipt.status !== 202) return receipt.value
    for (;;) {
      const operation = await this.get(`/v1/operations/${String(receipt.value['operation'])}`)
      if (ended.has(operation['state'])) return (operation['problem'] ?? operation['result']) as Item | null
      await sleep(pollMs)
    }
  }

  /** All pages of a list. */
  async list(path: string): Promise<Item[]> {
    const items: Item[] = []
    const separator = path.includes('?') ? '&' : '?'
    for (let at: string | null = path; at !== null;) {
      const page = await this.get(at)
      items.push(...(page['items'] as Item[]))
      const next = page['next'] as string | null
      at = next && `${path}${separator}cursor=${encodeURIComponent(next)}`
    }
    return items
  }
}
