/** Where bytes are (`placeNow`), of devices that tell. */
import { readSync } from 'node:fs'
import assert from 'node:assert/strict'
import type { BlockDevice } from '../block-device.ts'
import { assertSame, check, contentOf, kibibyte, pattern, put } from './scope.ts'
import type { BlockDeviceCheck } from './scope.ts'

/** Undefined where the device does not tell. */
function contentAtPlace(device: BlockDevice, offset: number, lengthBytes: number): Buffer | undefined {
  const place = device.placeNow?.(offset, lengthBytes)
  if (place === undefined) return undefined
  const bytes = Buffer.alloc(lengthBytes)
  assert.equal(readSync(place.descriptor, bytes, 0, lengthBytes, place.offset), lengthBytes)
  return bytes
}

const pieceBytes = 64 * kibibyte

export const placeChecks: readonly BlockDeviceCheck[] = [
  check('a place has what is read, after whatever was done', async ({ device }) => {
    await put(device, pattern(4 * pieceBytes), 0)
    await put(device, pattern(1000 * 512, 7), 512)
    await device.unmap(2 * pieceBytes, 4096)
    await device.zero(3 * pieceBytes, 8192)
    await device.compareAndWrite([await contentOf(device, 0, 512)], [pattern(512, 3)], 0)
    for (let offset = 0; offset < 5 * pieceBytes; offset += pieceBytes / 2) {
      const found = contentAtPlace(device, offset, pieceBytes)
      if (found !== undefined) assertSame(found, await contentOf(device, offset, pieceBytes), `at ${offset}`)
    }
  }),

  check('there is no place of what was never written', ({ device }) => {
    assert.equal(device.placeNow?.(0, pieceBytes), undefined)
    return Promise.resolve()
  }),

  check('there is no place of a range that is being written', async ({ device }) => {
    await put(device, pattern(pieceBytes), 0)
    const writes = [device.write([pattern(pieceBytes, 5)], 0), device.unmap(0, pieceBytes), device.write([pattern(pieceBytes, 6)], 0)]
    const found = contentAtPlace(device, 0, pieceBytes)
    assert.equal(found, undefined)
    await Promise.all(writes)
  }),
]
