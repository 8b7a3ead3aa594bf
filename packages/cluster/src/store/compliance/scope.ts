import assert from 'node:assert/strict'
import type { StoreErrorCode } from '../errors.ts'
import type { Operation, Store, TxnResult, WatchBatch } from '../store.ts'

/** A store of its own for each check, and time that passes. */
export interface StoreUnderTest {
  /** Empty. */
  readonly store: Store
  /** Lets so many milliseconds go by, for leases. */
  advance(ms: number): Promise<void>
  /** Closes the store if it is open, and cleans up. */
  dispose(): Promise<void>
}

/** One thing that a store must do. */
export interface Check {
  readonly title: string
  readonly run: (subject: StoreUnderTest) => Promise<void>
}

/** Text as a value. */
export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** A value as text; undefined stays. */
export const textOf = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : Buffer.from(value).toString())

/** A put of a text. */
export const put = (key: string, text = 'x', lease = 0): Operation => ({ type: 'put', key, value: bytes(text), lease })

/** Puts texts, one transaction and so one revision each. */
export async function putEach(store: Store, ...pairs: readonly (readonly [string, string])[]): Promise<TxnResult[]> {
  const results: TxnResult[] = []
  for (const [key, text] of pairs) results.push(await store.txn({ success: [put(key, text)] }))
  return results
}

/** `key=value` of all keys with a prefix. */
export async function contentOf(store: Store, prefix = '', revision?: number): Promise<string[]> {
  const { entries } = await store.range({ prefix }, { revision })
  return entries.map(({ key, value }) => `${key}=${textOf(value)}`)
}

/** `revision: +key=value -key` */
export const shown = ({ revision, events }: WatchBatch): string =>
  `${revision}: ${events.map(({ type, key, entry }) => (type === 'put' ? `+${key}=${textOf(entry?.value)}` : `-${key}`)).join(' ')}`

/** The next `count` batches of a watch. */
export async function take(watch: AsyncIterator<WatchBatch>, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const { done, value } = await watch.next()
    if (done === true) break
    taken.push(shown(value))
  }
  return taken
}

/** The call must be refused with this code. */
export async function refuses(code: StoreErrorCode, call: Promise<unknown> | (() => Promise<unknown>)): Promise<void> {
  await assert.rejects(typeof call === 'function' ? async () => call() : call, { name: 'StoreError', code })
}
