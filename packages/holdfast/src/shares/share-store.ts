/** Shares that were made while a node ran: kept in its store. */

import type { Store } from '@holdfast/cluster'
import type { ShareOption } from '../config/words.ts'
import { openPrefixOf } from '../node/open-store.ts'

/** As it is kept. */
export interface StoredShare {
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly options: readonly ShareOption[]
  readonly comment: string
  /** It is on its way out: nobody serves it any more. */
  readonly isEnding?: true
}

const prefix = 'smb-share/'
const keyOf = (name: string): string => prefix + name.toUpperCase()
const decode = (value: Uint8Array): StoredShare => JSON.parse(Buffer.from(value).toString()) as StoredShare

/** By name, without regard to case. Written by one worker; read by all. */
export class ShareStore {
  readonly #store: Pick<Store, 'txn' | 'range'>

  constructor(store: Pick<Store, 'txn' | 'range'>) {
    this.#store = store
  }

  async list(): Promise<readonly StoredShare[]> {
    const { entries } = await this.#store.range({ prefix })
    return entries.map(({ value }) => decode(value))
  }

  async get(name: string): Promise<StoredShare | undefined> {
    const { entries } = await this.#store.range({ key: keyOf(name) })
    return entries.length === 0 ? undefined : decode(entries[0].value)
  }

  async put(share: StoredShare): Promise<void> {
    await this.#store.txn({ success: [{ type: 'put', key: keyOf(share.name), value: Buffer.from(JSON.stringify(share)) }] })
  }

  /** With what a process that died has left of its persistent opens: a share that is made under this name later has none. */
  async remove(name: string): Promise<void> {
    await this.#store.txn({
      success: [
        { type: 'delete', key: keyOf(name) },
        { type: 'delete', prefix: openPrefixOf(name) },
      ],
    })
  }
}
