/** What an initiator is told when something is wrong: the first table of docs/sense-data.md, row by row. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { IscsiSession, lunField } from '@holdfast/iscsi/initiator'
import { decodeSense, describeSense, Status } from '@holdfast/iscsi/scsi'
import { root } from '../run/root.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

interface Row {
  readonly situation: string
  readonly volume: string
  readonly lun: number
  readonly cdb: Buffer
  readonly dataOut: Buffer
  readonly answer: string
}

const unquoted = (text: string): string => text.replaceAll('`', '').trim()
const bytesOf = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** `16 x 5a`, or bytes. */
function dataOf(text: string): Buffer {
  const [, count, byte] = /^(\d+) x ([0-9a-f]{2})$/.exec(text) ?? []
  return count === undefined || byte === undefined ? bytesOf(text) : Buffer.alloc(Number(count), Number.parseInt(byte, 16))
}

function rows(): readonly Row[] {
  const [table = ''] = readFileSync(join(root, 'docs/sense-data.md'), 'utf8').split('The first command')
  const lines = table.split('\n').filter(line => line.startsWith('| ') && line.includes('`'))
  return lines.map(line => {
    const [situation = '', place = '', cdb = '', dataOut = '', answer = ''] = line.split('|').slice(1, -1).map(unquoted)
    const [volume = '', lun] = place.split(', ')
    return { situation, volume, lun: Number(lun), cdb: bytesOf(cdb), dataOut: dataOf(dataOut), answer }
  })
}

describe('sense data', () => {
  let server: Server
  const sessions = new Map<string, IscsiSession>()

  before(async () => {
    server = await startServer({
      shares: {},
      extra: ['--volume', 'disk=16MiB,no-auth', '--volume', 'frozen=16MiB,no-auth,read-only', '--iscsi', '127.0.0.1:0'],
    })
    for (const volume of ['disk', 'frozen']) {
      const session = await IscsiSession.connect({ ...server.iscsi, target: `iqn.2026-11.io.holdfast:${volume}` })
      sessions.set(volume, session)
      // The unit attention of the beginning.
      await session.execute({ lun: lunField(0), cdb: Buffer.alloc(6), isRepeatable: true })
    }
  })
  after(async () => {
    for (const session of sessions.values()) await session.close()
    await server?.[Symbol.asyncDispose]()
  })

  for (const { situation, volume, lun, cdb, dataOut, answer } of rows()) {
    test(situation, async () => {
      const isWrite = dataOut.length > 0
      const { status, sense } = await sessions.get(volume)!.execute({
        lun: lunField(lun),
        cdb,
        ...(isWrite ? { dataOut } : { dataIn: Buffer.alloc(4096) }),
        isRepeatable: false,
      })
      const told =
        status === Status.checkCondition
          ? describeSense(decodeSense(sense))
          : status === Status.reservationConflict
            ? 'RESERVATION CONFLICT'
            : `status ${status}`
      assert.equal(told, answer)
    })
  }

  test('the table is not empty', () => {
    assert.ok(rows().length > 15)
  })
})
