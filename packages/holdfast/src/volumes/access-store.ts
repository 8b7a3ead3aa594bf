/** Who may use which volume: kept in the node's store beside the volumes' own records. */

import type { Store } from '@holdfast/cluster'
import type { VolumeAccess } from '../config/volumes.ts'
import { defaultAccess } from './volume.ts'

const prefix = 'volume-access/'
const decode = (value: Uint8Array): VolumeAccess => JSON.parse(Buffer.from(value).toString()) as VolumeAccess

/** By the volume's name. What is put for a volume that is not made after all is put anew before one of that name is. */
export class AccessStore {
  readonly #store: Pick<Store, 'txn' | 'range'>

  constructor(store: Pick<Store, 'txn' | 'range'>) {
    this.#store = store
  }

  async load(): Promise<ReadonlyMap<string, VolumeAccess>> {
    const { entries } = await this.#store.range({ prefix })
    return new Map(entries.map(({ key, value }) => [key.slice(prefix.length), decode(value)]))
  }

  /** Users only, where nothing has been put. */
  async get(name: string): Promise<VolumeAccess> {
    const { entries } = await this.#store.range({ key: prefix + name })
    return entries.length === 0 ? defaultAccess : decode(entries[0].value)
  }

  async put(name: string, access: VolumeAccess): Promise<void> {
    await this.#store.txn({ success: [{ type: 'put', key: prefix + name, value: Buffer.from(JSON.stringify(access)) }] })
  }

  async remove(name: string): Promise<void> {
    await this.#store.txn({ success: [{ type: 'delete', key: prefix + name }] })
  }
}
