import { StoreError } from './errors.ts'
import { boundsOf, checkKey, isInside } from './keys.ts'
import type { Operation, Txn } from './store.ts'

/** What one transaction may hold at most: compares, operations of `success`, operations of `failure`; bytes of all its keys and values. */
export const storeLimits = { maxOperations: 100, maxBytes: 1_048_576 } as const

const lists = ['compare', 'success', 'failure'] as const

/** UTF-8 bytes of a text, at most: what is counted against the limit. */
const textBytes = (text: string): number => Buffer.byteLength(text)

/** Bytes of the strings and values of a compare or an operation. */
export function sizeOf(part: object): number {
  let bytes = 0
  for (const [name, value] of Object.entries(part) as [string, unknown][]) {
    if (value instanceof Uint8Array) bytes += value.byteLength
    else if (typeof value === 'string' && name !== 'type') bytes += textBytes(value)
  }
  return bytes
}

function checkChanges(operations: readonly Operation[]): void {
  const keys = new Set<string>()
  for (const operation of operations) {
    if (operation.type !== 'put') continue
    if (keys.has(operation.key)) throw new StoreError('duplicate-key', `a transaction changes ${JSON.stringify(operation.key)} twice`)
    keys.add(operation.key)
  }
  for (const operation of operations) {
    if (operation.type !== 'delete') continue
    if ('key' in operation) {
      if (keys.has(operation.key)) throw new StoreError('duplicate-key', `a transaction changes ${JSON.stringify(operation.key)} twice`)
      continue
    }
    const bounds = boundsOf(operation)
    const both = [...keys].find(key => isInside(key, bounds))
    if (both !== undefined) throw new StoreError('duplicate-key', `a transaction puts and deletes ${JSON.stringify(both)}`)
  }
}

/** Throws `too-many-operations`, `too-large`, `duplicate-key` or `invalid-key`. */
export function checkTxn(txn: Txn): void {
  let bytes = 0
  for (const name of lists) {
    const list = txn[name] ?? []
    if (list.length > storeLimits.maxOperations) {
      throw new StoreError('too-many-operations', `${list.length} in '${name}', at most ${storeLimits.maxOperations} may be`)
    }
    for (const part of list) {
      if ('key' in part) checkKey(part.key)
      else boundsOf(part)
      bytes += sizeOf(part)
    }
  }
  if (bytes > storeLimits.maxBytes) throw new StoreError('too-large', `a transaction of ${bytes} bytes, at most ${storeLimits.maxBytes} may be`)
  checkChanges(txn.success ?? [])
  checkChanges(txn.failure ?? [])
}
