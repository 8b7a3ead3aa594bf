/** A volume with checksums whose file changes by itself, as an initiator sees it, and as who runs the server does. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { IscsiSession, lunField } from '@holdfast/iscsi/initiator'
import { decodeSense, describeSense, Status } from '@holdfast/iscsi/scsi'
import { temporaryFolder } from './folder.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

const blockBytes = 512
const damagedBlock = 1000

/** Turns a bit of the volume's file. */
function damage(volumes: string, offset: number): void {
  const [id = ''] = readdirSync(volumes)
  const fd = openSync(join(volumes, id, '0.0'), 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, offset)
  byte[0] ^= 1
  writeSync(fd, byte, 0, 1, offset)
  closeSync(fd)
}

const rw10 = (opcode: number, block: number, blocks: number): Buffer => {
  const cdb = Buffer.alloc(10)
  cdb[0] = opcode
  cdb.writeUInt32BE(block, 2)
  cdb.writeUInt16BE(blocks, 7)
  return cdb
}
const READ_10 = 0x28
const WRITE_10 = 0x2a

const errorsCounted = async ({ http }: Server): Promise<number> => {
  const text = await (await fetch(`http://${http.host}:${http.port}/metrics`)).text()
  return Number(/^holdfast_volume_checksum_errors_total (\d+)$/m.exec(text)?.[1] ?? 0)
}

test('a byte that has changed is MEDIUM ERROR, UNRECOVERED READ ERROR at its block, counted and logged, until the block is written', async () => {
  await using folder = temporaryFolder('checksums')
  await using server = await startServer({
    shares: {},
    state: folder.at('state'),
    extra: ['--volume', 'disk=16MiB,no-auth,checksums', '--iscsi', '127.0.0.1:0', '--metrics', 'open'],
  })
  await using session = await IscsiSession.connect({ ...server.iscsi, target: 'iqn.2026-11.io.holdfast:disk' })
  const execute = (cdb: Buffer, data: { readonly dataIn?: Buffer; readonly dataOut?: Buffer } = {}) =>
    session.execute({ lun: lunField(0), cdb, ...data, isRepeatable: false })
  await execute(Buffer.alloc(6)) // the unit attention of the beginning
  const content = Buffer.from(Array.from({ length: 64 * blockBytes }, (_, at) => at % 251))
  assert.equal((await execute(rw10(WRITE_10, damagedBlock - 16, 64), { dataOut: content })).status, Status.good)

  damage(folder.at('state', 'volumes'), damagedBlock * blockBytes + 3)
  const { status, sense } = await execute(rw10(READ_10, damagedBlock - 16, 64), { dataIn: Buffer.alloc(content.length) })
  assert.equal(status, Status.checkCondition)
  const told = decodeSense(sense)
  assert.match(describeSense(told), /^MEDIUM ERROR: UNRECOVERED READ ERROR/)
  // Of the 4 KiB that have the byte.
  assert.equal(Number(told.information), damagedBlock)
  assert.equal(await errorsCounted(server), 1)
  assert.match(server.log, /does not have its checksum/)

  const neighbours = Buffer.alloc(8 * blockBytes)
  assert.equal((await execute(rw10(READ_10, damagedBlock - 8, 8), { dataIn: neighbours })).status, Status.good)
  assert.deepEqual(neighbours, content.subarray(8 * blockBytes, 16 * blockBytes))
  assert.equal((await execute(rw10(WRITE_10, damagedBlock, 8), { dataOut: content.subarray(0, 4096) })).status, Status.good)
  const read = Buffer.alloc(4096)
  assert.equal((await execute(rw10(READ_10, damagedBlock, 8), { dataIn: read })).status, Status.good)
  assert.deepEqual(read, content.subarray(0, 4096))
})
