/**
 * A process for `atomic-write.test.ts`: fills a range of a volume with a number, atomically, and with the next one, until it is killed. Prints the
 * number that it finds, and each that has been written. Ends with status 1 where it finds more than one. Arguments: a folder.
 */
import fs from 'node:fs'
import path from 'node:path'
import { sqliteStore } from '@holdfast/cluster'
import { assertSame, contentOf } from '../../compliance/scope.ts'
import { openVolumes, storeVolumeMetadata } from '../index.ts'

const folder = process.argv[2]
const offset = 1_000_448
const lengthBytes = (1 << 20) - 512
const partitionBytes = 1 << 20

const fullOf = (value: number): Buffer => {
  const bytes = Buffer.alloc(lengthBytes)
  for (let at = 0; at < lengthBytes; at += 4) bytes.writeUInt32LE(value, at)
  return bytes
}

await using store = await sqliteStore({ path: path.join(folder, 'store') })
await using volumes = await openVolumes({ folder: path.join(folder, 'volumes'), metadata: storeVolumeMetadata(store) })
const isNew = (await volumes.list()).length === 0
if (isNew) await volumes.create({ name: 'disk', sizeBytes: 2 * partitionBytes, partitionBytes, pageBytes: 65_536 })
const device = await volumes.open('disk')
const found = await contentOf(device, offset, lengthBytes)
let value = found.readUInt32LE()
assertSame(found, fullOf(value), 'what was found')
for (;;) {
  fs.writeSync(1, `${value}\n`)
  await device.write([fullOf(++value)], offset, { isAtomic: true })
}
