import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore } from '@holdfast/cluster'
import type { ReservationRecord } from '@holdfast/iscsi/scsi'
import { openReservations } from './reservations.ts'

const record: ReservationRecord = { generation: 1, registrations: [], reservation: { type: 1 } }

test('a reservation with APTPL is there for the next owner and for the next process; one without, for owners in this process only', async () => {
  await using store = memoryStore()
  const first = await openReservations(store, 'v', 'this process')
  await first.save(record)
  assert.deepEqual((await openReservations(store, 'v', 'the next one')).load(), record)
  const second = await openReservations(store, 'v', 'this process')
  await second.save({ ...record, endsWithPower: true })
  assert.deepEqual((await openReservations(store, 'v', 'this process')).load()?.reservation, record.reservation)
  assert.equal((await openReservations(store, 'v', 'the next one')).load(), undefined)
})

test('threads of one process have a name in common, without being told', async () => {
  await using store = memoryStore()
  await (await openReservations(store, 'v')).save({ ...record, endsWithPower: true })
  assert.equal((await openReservations(store, 'v')).load()?.endsWithPower, true)
})
