/** Workers that die cost no initiator its TCP connection, nor anything that it has been told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { endWorkers } from '../iscsi/worker-deaths.ts'
import { missing } from './packages.ts'

describe('the death of workers under iSCSI load', { skip: missing('qemu-img', 'qemu-block-extra'), timeout: 180_000 }, () => {
  test('sessions of ours and of libiscsi go on where they were, on the same connections', async () => {
    const deaths = 6
    const { interruptions, connectionsMade, mismatches, hasReservation, qemuComplaints, ...figures } = await endWorkers({ deaths })
    assert.deepEqual(
      { interruptions, connectionsMade, mismatches, hasReservation, qemuComplaints },
      {
        interruptions: [],
        connectionsMade: 0,
        mismatches: 0,
        hasReservation: true,
        qemuComplaints: [],
      },
    )
    assert.equal(figures.deaths, deaths)
    assert.ok(figures.resumed > 0 && figures.transfers > 0 && figures.comparisons > 0 && figures.qemuCommands > 0, JSON.stringify(figures))
  })
})
