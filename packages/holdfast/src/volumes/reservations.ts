/** Keeps what outlives a restart of a volume's persistent reservations (SPC-4 5.13: APTPL) in the node's store. */

import { randomUUID } from 'node:crypto'
import { claimPartition, type Store } from '@holdfast/cluster'
import type { ReservationRecord, ReservationStore } from '@holdfast/iscsi/scsi'

const partitionOf = (volumeId: string): string => `volume-reservations/${volumeId}`
const keyOf = (volumeId: string): string => `h/${partitionOf(volumeId)}/record`

/** Claims the volume's record: what an owner before had on its way comes too late. */
export async function openReservations(store: Store, volumeId: string): Promise<ReservationStore> {
  const key = keyOf(volumeId)
  const owned = await claimPartition(store, { partition: partitionOf(volumeId), incarnation: randomUUID() })
  const entry = (await owned.read(key)).at(0)
  let record: ReservationRecord | undefined = entry === undefined ? undefined : (JSON.parse(Buffer.from(entry.value).toString()) as ReservationRecord)
  return {
    load: () => record,
    async save(next) {
      await owned.batch([next === undefined ? { type: 'delete', key } : { type: 'put', key, value: Buffer.from(JSON.stringify(next)) }])
      record = next
    },
  }
}

/** For a volume that is gone. */
export async function forgetReservations(store: Pick<Store, 'txn'>, volumeId: string): Promise<void> {
  await store.txn({ success: [{ type: 'delete', key: keyOf(volumeId) }] })
}
