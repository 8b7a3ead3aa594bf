/** Keeps a volume's persistent reservations in the node's store: with APTPL (SPC-4 5.13) for good, without for as long as the process lives. */

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { claimPartition, type Store } from '@holdfast/cluster'
import type { ReservationRecord, ReservationStore } from '@holdfast/iscsi/scsi'

const partitionOf = (volumeId: string): string => `volume-reservations/${volumeId}`
const keyOf = (volumeId: string): string => `h/${partitionOf(volumeId)}/record`

/** What is stored. `life`: of the process whose end ends a record without APTPL. */
interface StoredRecord extends ReservationRecord {
  readonly life?: string
}

/** Names this process among all of this machine, for all its threads: the boot, and when it was started in that (proc(5): starttime). */
function processLife(): string {
  const [, afterName = ''] = /^.*\) (.*)$/s.exec(readFileSync('/proc/self/stat', 'latin1')) ?? []
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}/${process.pid}/${afterName.split(' ')[19]}`
}

/** Claims the volume's record: what an owner before had on its way comes too late. */
export async function openReservations(store: Store, volumeId: string, life = processLife()): Promise<ReservationStore> {
  const key = keyOf(volumeId)
  const owned = await claimPartition(store, { partition: partitionOf(volumeId), incarnation: randomUUID() })
  const entry = (await owned.read(key)).at(0)
  const stored = entry === undefined ? undefined : (JSON.parse(Buffer.from(entry.value).toString()) as StoredRecord)
  let record: ReservationRecord | undefined = stored?.endsWithPower === true && stored.life !== life ? undefined : stored
  return {
    outlivesUnit: true,
    load: () => record,
    async save(next) {
      const value = (): Buffer => Buffer.from(JSON.stringify(next?.endsWithPower === true ? ({ ...next, life } satisfies StoredRecord) : next))
      await owned.batch([next === undefined ? { type: 'delete', key } : { type: 'put', key, value: value() }])
      record = next
    },
  }
}

/** For a volume that is gone. */
export async function forgetReservations(store: Pick<Store, 'txn'>, volumeId: string): Promise<void> {
  await store.txn({ success: [{ type: 'delete', key: keyOf(volumeId) }] })
}
