/** Keeps the mode pages of a volume that initiators have saved (MODE SELECT with SP, SPC-4 6.10) in the node's store. */

import { randomUUID } from 'node:crypto'
import { claimPartition, type Store } from '@holdfast/cluster'
import type { ModeStore } from '@holdfast/iscsi/scsi'

const partitionOf = (volumeId: string): string => `volume-modes/${volumeId}`
const keyOf = (volumeId: string): string => `h/${partitionOf(volumeId)}/pages`

/** Claims the volume's pages: what an owner before had on its way comes too late. */
export async function openModes(store: Store, volumeId: string): Promise<ModeStore> {
  const key = keyOf(volumeId)
  const owned = await claimPartition(store, { partition: partitionOf(volumeId), incarnation: randomUUID() })
  const entry = (await owned.read(key)).at(0)
  let pages = entry === undefined ? undefined : (JSON.parse(Buffer.from(entry.value).toString()) as Readonly<Record<string, string>>)
  return {
    load: () => pages,
    async save(next) {
      await owned.batch([{ type: 'put', key, value: Buffer.from(JSON.stringify(next)) }])
      pages = next
    },
  }
}

/** For a volume that is gone. */
export async function forgetModes(store: Pick<Store, 'txn'>, volumeId: string): Promise<void> {
  await store.txn({ success: [{ type: 'delete', key: keyOf(volumeId) }] })
}
